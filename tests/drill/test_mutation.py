"""The example checks against the demo shop, with faults planted: what they notice, and that the shop is spared."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from probe.compose import compose
from probe.core.fault import FaultKind
from probe.demo.shop import Shop, running_shop
from probe.drill.score import Finding, Score
from probe.engine.mutation import Wish, score, score_all
from probe.engine.runner import jobs_of
from probe.loader import load

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHECKS = Path(__file__).parents[2] / "checks" / "shop.py"

CONFIG = """
[probe]
checks = ["shop.py"]
data = "data"
[targets.shop]
url = "{url}"
secrets = {{ card = "4242 4242 4242 4242" }}
third_parties = ["cdn.demo.test", "metrics.demo.test", "pay.demo.test"]
[browser]
workers = 2
[regions.local]
nameserver = "{nameserver}"
[defaults]
target = "shop"
timeout = "5s"
[[check]]
name = "sound"
path = "/product/1"
expect = {{ status = 200, within = "400ms", body = "<h1>Enamel kettle</h1>", headers = {{ cache-control = "no-store" }} }}
[[check]]
name = "weak"
path = "/product/1"
expect = {{ status = 200 }}
[[check]]
name = "broken"
path = "/nowhere"
expect = {{ status = 200 }}
"""


class Lab:
    """The demo shop, and checks beside it."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.folder = shop, folder

    async def orders(self) -> list[str]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.shop.urls.http}/api/orders") as answer:
            return [order["state"] for order in (await answer.json())["orders"]]

    async def drill(self, *names: str, code: str = "", kinds: tuple[FaultKind, ...] = ()) -> dict[str, Score]:
        """The scores of some checks of the example file, or of other code in its place."""
        (self.folder / "shop.py").write_text(code or CHECKS.read_text())
        urls = self.shop.urls
        config = self.folder / "config.toml"
        config.write_text(CONFIG.format(url=urls.named, nameserver=urls.nameserver))
        loaded = await asyncio.to_thread(load, config, environ=os.environ)
        jobs = [job for job in jobs_of(loaded.checks, loaded.config.regions) if job.spec.id in names]
        async with compose(loaded.config, None) as runner:
            scores = await score_all(runner, jobs, Wish(kinds=frozenset(kinds), slow=0.3))
        return {score.check: score for score in scores}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with running_shop() as shop:
        yield Lab(shop, tmp_path_factory.mktemp("drill"))


def found(score: Score, finding: Finding) -> list[tuple[str | None, str]]:
    return [(t.fault.step, t.fault.kind.value) for t in score.trials if t.finding is finding]


async def test_a_sound_check_over_http_notices_every_fault(lab: Lab) -> None:
    """At the step and for the reason that the fault is; what is left is a text and a price that it does not read."""
    before = await lab.orders()
    (score,) = (await lab.drill("checkout_api")).values()
    assert score.trouble == ""
    assert found(score, Finding.UNMEASURED) == []
    assert found(score, Finding.BLIND) == [("checkout", "wrong-text"), ("checkout", "wrong-price")]
    assert (score.noticed, score.counted) == (19, 21)
    said = {(t.fault.step, t.fault.kind): (t.step, t.reason) for t in score.trials}
    assert said["add to cart", FaultKind.SERVER_ERROR] == ("add to cart", "POST /api/cart: status is 500, expected 201")
    assert said["view product", FaultKind.WRONG_TEXT][0] == "add to cart"
    assert "took" in said["checkout", FaultKind.SLOW][1]
    assert score.hints[1] == "step 'checkout': add an assertion on the price (42.00) that POST /api/checkout brings"
    assert await lab.orders() == ["cancelled", *before], "one order for the clean run, and none for 21 faults"


async def test_weakening_one_assertion_lowers_the_score(lab: Lab) -> None:
    """The example journey in a browser, as far as the cart, and the same without its look at the total."""
    line = '        await expect(page.get_by_text("Total EUR 42.00")).to_be_visible()\n'
    example = CHECKS.read_text()
    journey = example[example.index("async def checkout(") : example.index('    async with t.step("checkout"')]
    assert line in journey
    weaker = journey.replace(line, "").replace("async def checkout(", "async def weaker(")
    code = f"from probe import expect, journey\nJourneyContext = object\n@journey\n{journey}\n@journey\n{weaker}"
    scores = await lab.drill("checkout", "weaker", code=code, kinds=(FaultKind.WRONG_PRICE,))
    sound, weak = scores["checkout"], scores["weaker"]
    assert found(sound, Finding.NOTICED) == [("add to cart", "wrong-price")]
    assert found(weak, Finding.NOTICED) == []
    assert (sound.share, weak.share) == (0.5, 0.0)
    assert "step 'add to cart': add an assertion on the price (42.00) that GET /cart brings" in weak.hints


async def test_an_order_that_nobody_announced_is_not_repeated(lab: Lab) -> None:
    """Where no step is marked, the one in which `t.order` was called is."""
    code = """
from probe import check
@check
async def buys(t):
    async with t.step("fill"):
        await t.http.post("/api/cart", json={"sku": "X1"})
    async with t.step("pay"):
        buyer = {"name": "A", "email": "a@example.org", "card": t.secrets["card"]}
        order = (await t.http.post("/api/checkout", json=buyer)).json()["order"]
        t.order(order)
        (await t.http.get(f"/api/orders/{order}")).expect(status=200).json("$.state", "placed")
"""
    before = await lab.orders()
    kinds = (FaultKind.REFUSED, FaultKind.SERVER_ERROR, FaultKind.WRONG_TEXT, FaultKind.SLOW)
    score = (await lab.drill("buys", code=code, kinds=kinds))["buys"]
    assert found(score, Finding.UNMEASURED) == []
    assert ("pay", "refused") in found(score, Finding.NOTICED)
    assert ("pay", "wrong-text") in found(score, Finding.NOTICED)
    stumbled = next(t for t in score.trials if (t.fault.step, t.fault.kind) == ("pay", FaultKind.SERVER_ERROR))
    assert (stumbled.finding, stumbled.step) == (Finding.NOTICED, "pay")
    assert ("fill", "slow") in found(score, Finding.BLIND)
    assert len(await lab.orders()) == len(before) + 1


async def test_declared_checks(lab: Lab) -> None:
    """A sound one sees all but the price; a weak one only that the page comes; one that fails by itself is not drilled."""
    scores = await lab.drill("sound", "weak", "broken")
    assert found(scores["sound"], Finding.BLIND) == [(None, "wrong-price")]
    assert found(scores["weak"], Finding.NOTICED) == [(None, "refused"), (None, "server-error")]
    assert scores["weak"].hints[0].startswith(str(lab.folder / "config.toml"))
    assert "404" in scores["broken"].trouble
    assert scores["broken"].trials == ()


async def test_pytest_files_are_left_out(lab: Lab) -> None:
    """They drive a browser of their own."""
    (lab.folder / "test_page.py").write_text("def test_page(page):\n    page.goto('/')\n")
    config = lab.folder / "pytest.toml"
    config.write_text(
        f'[targets.shop]\nurl = "{lab.shop.urls.http}"\n[[check]]\nkind = "playwright-pytest"\nname = "p"\nfile = "test_page.py"\n'
    )
    loaded = await asyncio.to_thread(load, config, environ=os.environ)
    async with compose(loaded.config, None) as runner:
        (job,) = jobs_of(loaded.checks, loaded.config.regions)
        assert "nothing can be planted" in (await score(runner, job, Wish())).trouble
