"""Each fault of the demo shop, seen by the example checks as a user runs them: the right check, step, layer and reason."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from probe.compose import compose
from probe.core.run import Outcome, Run, StepOutcome, Why
from probe.demo.faults import FAULTS
from probe.demo.shop import Shop, running_shop
from probe.engine.runner import Job, Runner, jobs_of
from probe.loader import load

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHECKS = Path(__file__).parent.parent / "checks" / "shop.py"

CONFIG = """
[probe]
checks = ["{checks}"]
data = "{data}"

[regions.local]
nameserver = "{nameserver}"

[targets.shop]
url = "{shop}"
secrets = {{ card = "4242 4242 4242 4242" }}
third_parties = ["cdn.demo.test", "metrics.demo.test", "pay.demo.test"]

[targets.shop-tls]
url = "{shop_tls}"
ca = "{ca}"

[[check]]
name = "certificate"
target = "shop-tls"
path = "/healthz"
timeout = "5s"
expect = {{ status = 200, tls_days = 14 }}
"""


class Lab(NamedTuple):
    shop: Shop
    runner: Runner
    jobs: dict[str, Job]
    evidence: Path

    async def run(self, check: str, why: Why = Why.MANUAL) -> Run:
        return await self.runner.run(self.jobs[check], why)

    async def orders(self) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{self.shop.urls.http}/api/orders") as answer:
            return len((await answer.json())["orders"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """A shop of its own, and the checks pointed at it, with a worker that stays warm."""
    folder = tmp_path_factory.mktemp("faults")
    async with running_shop() as shop:
        path = folder / "config.toml"
        path.write_text(
            CONFIG.format(
                checks=CHECKS,
                data=folder / "data",
                nameserver=shop.urls.nameserver,
                shop=shop.urls.named,
                shop_tls=shop.urls.named_https,
                ca=shop.urls.ca,
            )
        )
        loaded = await asyncio.to_thread(load, path, environ=os.environ)
        jobs = {str(job.spec.id): job for job in jobs_of(loaded.checks, loaded.config.regions)}
        async with compose(loaded.config, folder / "evidence") as runner:
            yield Lab(shop, runner, jobs, folder / "evidence")


class Expected(NamedTuple):
    """Which check sees a fault, in which step, at which layers, as which kinds, in which words."""

    check: str
    step: str | None
    layers: set[str]
    kinds: set[str]
    words: str


SEEN: dict[str, list[Expected]] = {
    "latency": [Expected("checkout", "view product", {"timing"}, {"step_slow"}, "view product")],
    "loss": [
        Expected(
            "checkout",
            "view product",
            {"timing", "connect", "http"},
            {"step_slow", "connection_reset", "closed_early", "page_load"},
            "",
        )
    ],
    "dns-gone": [
        Expected("checkout_api", "view product", {"dns"}, {"name_not_found"}, "shop.demo.test"),
        Expected("checkout", "view product", {"dns"}, {"name_not_found"}, "shop.demo.test"),
    ],
    "cert-expired": [Expected("certificate", None, {"tls"}, {"certificate_expired"}, "expired")],
    "cert-wrong-host": [Expected("certificate", None, {"tls"}, {"certificate_wrong_host"}, "")],
    "bad-worker": [Expected("checkout_api", None, {"http"}, {"status"}, "500")],
    "db-down": [Expected("checkout", "view product", {"http"}, {"status"}, "503")],
    "db-slow": [Expected("checkout_api", "view product", {"timing"}, {"step_slow", "slow"}, "")],
    "cache-lost": [Expected("checkout", None, {"timing", "http"}, {"step_slow", "no_response"}, "")],
    "deploy-bug": [
        Expected("checkout", "add to cart", {"http"}, {"status"}, "POST /api/cart answered 500"),
        Expected("checkout_api", "add to cart", {"http"}, {"status"}, "500"),
    ],
    "broken-page": [Expected("checkout", "view product", {"script", "content"}, {"page_error", "element"}, "")],
    "checkout-rejected": [
        Expected("checkout", "checkout", {"http"}, {"status"}, "422"),
        Expected("checkout_api", "checkout", {"http"}, {"status"}, "422"),
    ],
    "payment-down": [Expected("checkout", "checkout", {"http"}, {"status"}, "502")],
    "payment-slow": [Expected("checkout", "checkout", {"http", "timing"}, {"no_response", "status", "step_slow"}, "")],
    "third-party-hang": [
        Expected("checkout", "view product", {"third_party"}, {"third_party_slow"}, "metrics.demo.test")
    ],
    "cdn-missing": [Expected("checkout", "view product", {"third_party"}, {"third_party_failed"}, "cdn.demo.test")],
    "hung-process": [Expected("checkout_api", "view product", {"http"}, {"no_response"}, "")],
    "stale-reads": [Expected("checkout_api", "add to cart", {"content"}, {"json"}, "items")],
}
UNSEEN = {"dns-gone", "third-party-hang", "cache-lost", "loss"}
"""Faults that leave nothing to take a picture of: there is no page, or Chromium has not painted anything yet."""
SPREADS = {"cache-lost", "db-slow"}
"""Faults that take some seconds to reach the customer: the queue before the database has to grow."""
CASES = [(fault, expected) for fault, found in SEEN.items() for expected in found]


async def test_the_shop_is_healthy(lab: Lab) -> None:
    """Every check passes; orders are placed and taken back."""
    for check in lab.jobs:
        run = await lab.run(check)
        assert run.outcome is Outcome.PASSED, (check, run.failure)
        assert run.observation.orders == () or run.observation.undone == ("cancel",)
    assert {"checkout", "checkout_api", "reviews", "certificate"} <= set(lab.jobs)


@pytest.mark.parametrize(("check", "times"), [("checkout", 3), ("checkout_api", 10)])
async def test_confirming_places_no_order(lab: Lab, check: str, times: int) -> None:
    """However often it is confirmed; the schedule places one each time."""
    before = await lab.orders()
    for _ in range(times):
        run = await lab.run(check, Why.CONFIRM)
        assert (run.outcome, run.observation.stopped_before) == (Outcome.PASSED, "checkout"), run.failure
        assert [step.outcome for step in run.observation.steps][-2:] == [StepOutcome.PASSED, StepOutcome.SKIPPED]
    assert await lab.orders() == before
    assert (await lab.run(check, Why.SCHEDULED)).observation.stopped_before is None
    assert await lab.orders() == before + 1


async def test_every_fault_is_expected() -> None:
    """A fault that is added to the shop is added to the table."""
    assert list(SEEN) == [fault.name for fault in FAULTS]


@pytest.mark.parametrize(
    ("fault", "expected"), CASES, ids=[f"{fault} by {expected.check}" for fault, expected in CASES]
)
async def test_a_fault_is_seen_for_what_it_is(lab: Lab, fault: str, expected: Expected) -> None:
    """The failing step is named, at the right layer, with the reason in words; a browser's failure has a picture."""
    await lab.shop.set_fault(fault, True)
    try:
        async with asyncio.timeout(30):
            run = await lab.run(expected.check)
            while fault in SPREADS and run.outcome is Outcome.PASSED:
                run = await lab.run(expected.check)
    finally:
        await lab.shop.set_fault(fault, False)
    assert run.outcome is Outcome.FAILED, run.failure
    failure = run.failure
    assert failure is not None
    assert expected.step in {failure.step, None}, failure
    assert failure.layer in expected.layers, failure
    assert failure.kind in expected.kinds, failure
    assert expected.words in str(failure)
    if expected.check == "checkout":
        kinds = {artifact.kind for artifact in run.observation.artifacts}
        assert kinds >= ({"har"} if fault in UNSEEN else {"screenshot", "har"})
        assert all(Path(artifact.path).stat().st_size == artifact.size for artifact in run.observation.artifacts)


async def test_and_all_is_well_again(lab: Lab) -> None:
    """Nothing of a fault stays."""
    await lab.shop.clear_faults()
    run = await lab.run("checkout")
    assert run.outcome is Outcome.PASSED, run.failure
