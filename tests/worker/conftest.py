"""Pages that misbehave on the wire, and a warm pool to visit them with."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from aiohttp import web

from probe.core.check import CheckId, CheckSpec, Function, Source
from probe.core.run import Observation, RunId, Why
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserKind, BrowserSettings, Evidence, Region, Target
from probe.ports import Marks, RunContext
from probe.worker.pool import WorkerPool
from probe.worker.tree import MARK

HERE = Path(__file__).parent
OK = "<!doctype html><title>ok</title><h1>ok</h1>"


def _page(body: str) -> Callable[[web.Request], Any]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="text/html")

    return answer


async def _hang(_request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def _loop(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/loop")


async def _download(_request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 1000, headers={"Content-Disposition": "attachment; filename=a.bin"})


async def _fails(_request: web.Request) -> web.Response:
    return web.Response(status=500, text="oops")


@dataclass
class Shop:
    """A server whose pages misbehave. `seen` are the headers of each request, by path."""

    url: str
    seen: dict[str, dict[str, str]]


def routes(seen: dict[str, dict[str, str]], other: Callable[[], str]) -> web.Application:
    @web.middleware
    async def note(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        seen[request.path] = {k.lower(): v for k, v in request.headers.items()}
        answer: web.StreamResponse = await handler(request)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    async def login(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        answer = web.Response(
            text=f"{OK}<p>you said {form['password']}</p><input id=again value='{form['password']}'>"
            f"<script>console.log('echo {form['password']}')</script>",
            content_type="text/html",
        )
        answer.set_cookie("sid", "session-cookie-value")
        return answer

    async def both(_request: web.Request) -> web.Response:
        return web.Response(
            text=f"{OK}<img src='{other()}/pixel'><script>fetch('/api/own'); fetch('{other()}/api')</script>",
            content_type="text/html",
        )

    async def away(_request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{other()}/landed")

    async def third(_request: web.Request) -> web.Response:
        return web.Response(text=f"<script src='{other()}/hang'></script>{OK}", content_type="text/html")

    app = web.Application(middlewares=[note])
    shop = (
        "<title>shop</title><h1>Product</h1><button onclick=\"fetch('/api/cart', {method: 'POST'})"
        ".then(r => { if (!r.ok) throw Error('no cart'); document.querySelector('h1').textContent = 'Your cart' })"
        '">Add to cart</button><button style="display:none">Pay</button><button>Twice</button><button>Twice</button>'
    )
    app.add_routes(
        [
            web.get("/ok", _page(OK)),
            web.get("/hang", _hang),
            web.get("/loop", _loop),
            web.get("/download", _download),
            web.get("/500", _fails),
            web.get("/spin", _page(OK + "<script>while (true) {}</script>")),
            web.get("/alert", _page("<script>alert(1); confirm(2); prompt(3)</script>" + OK)),
            web.get("/popup", _page(OK + "<script>for (let i = 0; i < 3; i++) open('/ok')</script>")),
            web.get(
                "/memory",
                _page(
                    OK + "<script>const a = []; setInterval(() => a.push(new Uint8Array(48e6).fill(1)), 20)</script>"
                ),
            ),
            web.get("/throws", _page(OK + "<script>null.x</script>")),
            web.get("/shop", _page(shop)),
            web.post("/api/cart", _fails),
            web.get(
                "/form",
                _page("<form method=post action=/login><input name=password type=password><button>Go</button></form>"),
            ),
            web.post("/login", login),
            web.get("/both", both),
            web.get("/away", away),
            web.get("/third", third),
            web.get("/landed", _page(OK)),
            web.get("/api/own", _page("own")),
            web.get("/api", _page("api")),
            web.get("/pixel", _page("")),
        ]
    )
    return app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Shop]:
    seen: dict[str, dict[str, str]] = {}
    runners: list[web.AppRunner] = []
    ports: list[int] = []
    for _ in range(2):  # the second one is another origin: a third party
        runner = web.AppRunner(routes(seen, lambda: f"http://localhost:{ports[1]}"), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        ports.append(runner.addresses[0][1])
    yield Shop(f"http://127.0.0.1:{ports[0]}", seen)
    for runner in runners:
        await runner.cleanup()


@dataclass
class Bench:
    """Runs functions of a file in a warm pool."""

    pool: WorkerPool
    shop: Shop
    tmp: Path
    runs: int = 0

    def spec(self, name: str, **more: Any) -> CheckSpec:
        file = str(more.pop("file", HERE / "data" / "hostile.py"))
        browser = more.pop("browser", None)
        steps = more.pop("steps", ("one", "two"))
        return CheckSpec(
            id=CheckId(name),
            kind="browser" if browser else "http",
            target="shop",
            every=timedelta(minutes=1),
            timeout=timedelta(seconds=more.pop("timeout", 1.5)),
            work=Function(file=file, name=name, browser=browser, root=str(Path(file).parent)),
            source=Source(file=file, line=1),
            steps=steps,
            evidence=more.pop("evidence", Evidence()),
            params=more,
        )

    def context(self, *, secrets: tuple[Secret, ...] = (), evidence: bool = True, **target: Any) -> RunContext:
        self.runs += 1
        given = {
            "name": "shop",
            "url": self.shop.url,
            "secrets": dict(zip(("password",), secrets, strict=False)),
            **target,
        }
        return RunContext(
            run=RunId(f"run-{self.runs}"),
            why=Why.MANUAL,
            region=Region(name="here"),
            target=Target(**given),
            marks=Marks(user_agent="probe/0.1.0", headers={"x-synthetic-check": "me"}, trace_id="ab" * 16),
            redactor=Redactor(secrets),
            evidence_dir=self.tmp / f"evidence-{self.runs}" if evidence else None,
        )

    async def http(self, name: str, **more: Any) -> Observation:
        return await self.pool.run(self.spec(name, **more), self.context())

    async def page(self, name: str, **more: Any) -> Observation:
        return await self.pool.run(self.spec(name, browser=BrowserKind.HEADLESS_SHELL, **more), self.context())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    tmp = tmp_path_factory.mktemp("w")
    scratch = tmp / "s"
    async with WorkerPool(BrowserSettings(), scratch) as pool:
        yield Bench(pool, shop, tmp)
    assert marked() == [], "processes were left"
    assert list(scratch.glob("*")) == [], "files were left"


def marked() -> list[str]:
    """Living processes that carry a mark of this process's workers, or are its orphans."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
            if mark.startswith(f"{os.getpid()}.") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.name()}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    begun = time.monotonic()
    return lambda: time.monotonic() - begun
