"""Faults planted into the requests of a page, by the browser itself."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from aiohttp import web

from probe.core.fault import Answer, Drill, DrillNotes, Fault, FaultKind
from probe.core.run import Observation
from probe.core.target import BrowserKind
from tests.worker.conftest import HERE, Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = (("Content-Type", "text/html"),)
PAGES = {
    "/product": "<h1>Product</h1><button>Add to cart</button><script>document.querySelector('button').onclick = () =>"
    "fetch('/api/cart', {method: 'POST'}).then(r => { if (r.ok) location.assign('/cart') })</script>",
    "/cart": "<h1>Your cart</h1><p>EUR 42.00</p>",
    "/both": "<h1>Both</h1><img src='http://localhost:{port}/pixel'>",
    "/api/cart": "{}",
    "/pixel": "",
}


class Store(NamedTuple):
    """A shop that works, on 127.0.0.1; as `localhost` it is a third party. `asked` counts what reached it."""

    bench: Bench
    url: str
    asked: "Counter[str]"

    async def walk(self, name: str, drill: Drill, **more: Any) -> Observation:
        self.asked.clear()
        file = str(HERE / "data" / "drilled.py")
        spec = self.bench.spec(name, file=file, browser=BrowserKind.HEADLESS_SHELL, steps=(), **more)
        return await self.bench.pool.run(spec, replace(self.bench.context(evidence=False, url=self.url), drill=drill))

    def fault(self, kind: FaultKind, step: str, what: str, **more: Any) -> Fault:
        method, _, path = what.partition(" ")
        return Fault(kind=kind, step=step, method=method, place=self.url + path, **more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(bench: Bench) -> AsyncIterator[Store]:
    asked: Counter[str] = Counter()

    async def answer(request: web.Request) -> web.Response:
        asked[f"{request.method} {request.path} {request.headers.get('x-synthetic-check')}"] += 1
        if request.path == "/away":
            raise web.HTTPFound("/cart")
        text = PAGES[request.path].replace("{port}", str(request.url.port))
        return web.Response(text=text, content_type="application/json" if "/api" in request.path else "text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Store(bench, f"http://127.0.0.1:{runner.addresses[0][1]}", asked)
    await runner.cleanup()


def notes(seen: Observation) -> DrillNotes:
    assert seen.drill is not None
    return seen.drill


async def test_a_clean_run_notes_what_it_asks(store: Store) -> None:
    """Each request with its step and its answer, pages, calls and the HTTP client's; the shop sees the marks as ever."""
    seen = await store.walk("buys", Drill(record=True))
    assert [(a.step, a.method, a.url.removeprefix(store.url), a.resource) for a in notes(seen).asked] == [
        ("view", "GET", "/product", "document"),
        ("buy", "POST", "/api/cart", "xhr"),
        ("buy", "GET", "/cart", "document"),
        ("api", "GET", "/cart", "http"),
    ]
    first = notes(seen).asked[0].answer
    assert first is not None
    assert (first.status, first.content_type) == (200, "text/html; charset=utf-8")
    assert first.body.decode() == PAGES["/product"]
    assert store.asked == {"GET /product me": 1, "POST /api/cart me": 1, "GET /cart me": 2}


@pytest.mark.parametrize(
    ("kind", "what", "more", "words"),
    [
        (FaultKind.REFUSED, "POST /api/cart", {}, "ERR_CONNECTION_REFUSED"),
        (
            FaultKind.SERVER_ERROR,
            "POST /api/cart",
            {"answer": Answer(status=500, headers=PAGE, body=b"oops")},
            "POST /api/cart answered 500",
        ),
        (
            FaultKind.STALE,
            "GET /cart",
            {"answer": Answer(status=200, headers=PAGE, body=b"<h1>Old</h1>")},
            "'Your cart'",
        ),
        (FaultKind.SLOW, "POST /api/cart", {"seconds": 0.5}, "more than 300 ms"),
        (FaultKind.WRONG_TEXT, "GET /cart", {}, "'Your cart'"),
        (FaultKind.WRONG_PRICE, "GET /cart", {}, "'EUR 42.00'"),
    ],
)
async def test_a_request_of_the_page(store: Store, kind: FaultKind, what: str, more: Any, words: str) -> None:
    """It is met by the fault, and told as if it were the shop's; what is replaced does not reach it."""
    seen = await store.walk("buys", Drill(fault=store.fault(kind, "buy", what, **more)))
    assert words in "".join(failure.message for failure in seen.failures)
    assert {failure.step for failure in seen.failures} == {"buy"}
    assert notes(seen).hits == 1
    assert store.asked[f"{what} me"] == (0 if kind.replaces else 1)
    assert [line for line in seen.log if "left" in line] == []


async def test_scripts_and_redirects(store: Store) -> None:
    """A script that throws leaves the button dead; where a redirect leads is met as well."""
    seen = await store.walk("buys", Drill(fault=store.fault(FaultKind.SCRIPT_ERROR, "view", "GET /product")))
    assert seen.failures
    assert any("planted by a drill" in line.text for line in seen.console)
    seen = await store.walk("is_led", Drill(fault=store.fault(FaultKind.WRONG_TEXT, "view", "GET /cart")))
    assert (notes(seen).hits, seen.failures[0].kind) == (1, "assertion")


async def test_effects_are_kept_from_the_shop(store: Store) -> None:
    """From the purchase on it is answered from memory, as it was; what there is no memory of ends the run."""
    known = notes(await store.walk("buys", Drill(record=True))).asked
    seen = await store.walk("buys", Drill(effects="buy", known=known))
    assert (seen.failures, notes(seen).strayed) == ((), ())
    assert store.asked == {"GET /product me": 1}
    seen = await store.walk("buys", Drill(effects="buy"))
    assert notes(seen).strayed == (f"POST {store.url}/api/cart",)
    assert store.asked == {"GET /product me": 1}


async def test_third_parties(store: Store) -> None:
    """Blocked, the page does without; hanging, it waits until the run has to end."""
    known = notes(await store.walk("mixes", Drill(record=True))).asked
    (host,) = {a.url.split("/")[2] for a in known if not a.own}
    blocked = Fault(kind=FaultKind.BLOCKED, step=None, method="", place=host)
    seen = await store.walk("mixes", Drill(fault=blocked))
    assert (seen.failures, notes(seen).hits) == ((), 1)
    seen = await store.walk("mixes", Drill(fault=replace(blocked, kind=FaultKind.HANGING)), timeout=1.2)
    assert f"it waits for GET {host}/pixel" in seen.failures[0].message
    assert [line for line in seen.log if "left" in line] == []
