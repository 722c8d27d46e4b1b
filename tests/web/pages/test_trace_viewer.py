"""The trace viewer: on an origin of its own, with a ticket, loading nothing of the shop."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from playwright.async_api import Browser, Page, Request

from probe.core.access import Access, WebSettings
from probe.web.isolation import is_isolated, isolated_origin
from probe.web.tickets import LIFE, Admitted, Tickets
from probe.web.viewer import PAGE, Viewer, find_viewer
from tests.web.pages.inside import COOKIE, NOW, Inside, served

RUN = "/runs/checkout-eu-0"
SHOP = """<!doctype html><title>shop</title><h1>Lamps</h1><button>Buy</button><img src="/lamp.png">
<img src=x onerror="window.__pwned=1"><script>window.__pwned=2</script><a href="/elsewhere">elsewhere</a>"""

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    async with served(tmp_path_factory.mktemp("outage")) as found:
        yield found


def on_viewer(inside: Inside) -> dict[str, str]:
    return {"Host": f"trace.localhost:{inside.port}"}


async def ticket_for(inside: Inside, client: ClientSession) -> str:
    page = await (await client.get(f"{inside.address}{RUN}/trace", headers=inside.header(Access.VIEWER))).text()
    address = page.partition('data-address="')[2].partition('"')[0]
    (opened,) = parse_qs(urlsplit(address).query)["trace"]
    return urlsplit(opened).path


async def test_the_viewer_is_on_its_own_origin_alone(inside: Inside) -> None:
    """There it is public, and there is nothing else; on the operators' origin it is not."""
    async with ClientSession() as client:
        there = await client.get(f"{inside.address}/trace/{PAGE}", headers=on_viewer(inside))
        assert there.status == 200
        assert "Set-Cookie" not in there.headers
        policy = there.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self' blob: data:;" in policy
        assert "script-src 'self' 'sha256-" in policy
        here = await client.get(f"{inside.address}/trace/{PAGE}", headers=inside.header())
        assert here.status == 404
        for path in ("/", RUN, "/api/v1/overview", "/login", f"{RUN}/evidence/trace.zip"):
            answer = await client.get(inside.address + path, headers={**inside.header(), **on_viewer(inside)})
            assert answer.status == 404, path
        missing = await client.get(f"{inside.address}/trace/../pages.py", headers=on_viewer(inside))
        assert missing.status == 404


async def test_a_trace_opens_with_a_ticket_alone(inside: Inside) -> None:
    async with ClientSession() as client:
        artifact = inside.address + await ticket_for(inside, client)
        for _ in range(2):  # any number of times
            opened = await client.get(artifact, headers=on_viewer(inside))
            assert opened.status == 200
            assert (await opened.read()).startswith(b"PK")
            assert opened.headers["Cache-Control"] == "no-store"
            assert "Access-Control-Allow-Origin" not in opened.headers
        for wrong in (artifact[:-3] + "AAA", f"{inside.address}/trace/artifact/x", f"{inside.address}/trace/artifact/"):
            assert (await client.get(wrong, headers=on_viewer(inside))).status == 404
        assert (await client.get(artifact, headers=inside.header())).status == 404
        assert (await client.get(inside.address + RUN + "/trace", allow_redirects=False)).status in (303, 401)


async def test_without_an_origin_of_its_own_the_page_says_what_to_do(inside: Inside) -> None:
    """Reached by another name, and no `trace_url`: no link, but the other ways."""
    async with ClientSession() as client:
        answer = await client.get(f"{inside.address}{RUN}/trace", headers=inside.header(Host=f"10.0.0.7:{inside.port}"))
        page = await answer.text()
        assert "data-address" not in page
        assert "trace_url" in page
        assert "probe trace checkout-eu-0" in page
        none = await client.get(f"{inside.address}/runs/checkout-us-1/trace", headers=inside.header())
        assert "There is no trace of this run" in await none.text()


async def test_a_configured_origin(inside: Inside) -> None:
    settings = WebSettings(url="https://ops.example", trace_url="https://traces.example")
    assert isolated_origin("ops.example", settings) == "https://traces.example"
    assert [is_isolated(host, settings) for host in ("traces.example", "ops.example", "trace.localhost", "[::1")] == [
        *(True, False, False, False)
    ]
    assert isolated_origin("[::1]:80", WebSettings()) == "http://trace.localhost:80"
    assert isolated_origin("127.0.0.1:x", WebSettings()) is None
    assert isolated_origin("10.1.2.3:9464", WebSettings()) is None
    assert is_isolated("trace.localhost:x", WebSettings()) is False


async def test_tickets_end_and_cannot_be_made() -> None:
    tickets, file = Tickets(), Admitted(run="r\n1", name="trace.zip")
    ticket = tickets.issue(Admitted(run="r1", name="trace.zip"), NOW)
    assert tickets.redeem(ticket, NOW + LIFE - timedelta(seconds=1)) == Admitted(run="r1", name="trace.zip")
    assert tickets.redeem(ticket, NOW + LIFE) is None
    assert Tickets().redeem(ticket, NOW) is None
    said, _, proof = ticket.partition(".")
    other = tickets.issue(Admitted(run="r2", name="trace.zip"), NOW)
    for forged in (f"{other.partition('.')[0]}.{proof}", said, f"{said}.", "", ".", "é.é", f"{said}.{proof[:-2]}"):
        assert tickets.redeem(forged, NOW) is None
    assert tickets.redeem(tickets.issue(file, NOW), NOW) != file  # no run and no name of a file is of two lines


async def test_only_files_of_the_viewer_are_served(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "assets/a-b.js", "sw.bundle.js", "secret.txt", "uiMode.html"):
        await asyncio.to_thread((tmp_path / name).write_text, "<script>1</script><script>2</script>")
    viewer = await asyncio.to_thread(Viewer, tmp_path)
    assert viewer.names == {"index.html", "assets/a-b.js", "sw.bundle.js"}
    page = await asyncio.to_thread(viewer.file, "index.html")
    assert page is not None
    assert page.headers["Content-Security-Policy"].count("'sha256-") == 2
    worker = await asyncio.to_thread(viewer.file, "sw.bundle.js")
    assert worker is not None
    assert worker.headers["Cache-Control"] == "no-cache"
    assert "sha256" not in worker.headers["Content-Security-Policy"]
    assert viewer.file("../secret.txt") is None
    found = await asyncio.to_thread(find_viewer)
    assert found is not None
    assert {PAGE, "snapshot.html", "sw.bundle.js"} <= found.names


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen_by_shop() -> AsyncIterator[tuple[str, list[str]]]:
    """A shop of one page, and what it was asked for."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        if request.path == "/":
            return web.Response(text=SHOP, content_type="text/html")
        return web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


async def test_it_shows_a_recorded_trace_and_can_reach_nothing(
    inside: Inside, browser: Browser, seen_by_shop: tuple[str, list[str]]
) -> None:
    """In a browser: from the page of the run to the actions, by a click. What was recorded is seen, runs nowhere, and loads nothing."""
    shop, seen = seen_by_shop
    recording = await browser.new_context()
    await recording.tracing.start(snapshots=True)
    visit = await recording.new_page()
    await visit.goto(shop)
    await visit.get_by_role("button").click()
    trace = inside.desk.folder / "evidence" / "checkout" / "checkout-eu-0" / "trace.zip"
    await recording.tracing.stop(path=trace)
    await recording.close()
    assert "/lamp.png" in seen
    seen.clear()

    await asyncio.to_thread(inside.log_in, NOW)
    context = await browser.new_context()
    await context.add_cookies([{"name": "probe_session", "value": COOKIE, "url": inside.address, "httpOnly": True}])
    asked: list[Request] = []

    def keep(request: Request) -> None:  # Playwright marks what it is given: a method of a list cannot be
        asked.append(request)

    context.on("request", keep)
    operator = await context.new_page()
    await operator.goto(f"{inside.address}{RUN}/trace")
    async with context.expect_page() as opening:
        await operator.locator("#trace-link").click()
    viewer: Page = await opening.value
    await viewer.locator(".action-title", has_text="Click").click()
    snapshot = viewer.frame_locator("iframe.snapshot-visible")
    assert await snapshot.locator("h1").inner_text() == "Lamps"
    assert urlsplit(viewer.url).hostname == "trace.localhost"
    for frame in viewer.frames:
        assert await frame.evaluate("window.__pwned") is None

    hosts = {urlsplit(request.url).netloc for request in asked if request.url.startswith("http")}
    live = {urlsplit(inside.address).netloc, f"trace.localhost:{inside.port}"}
    assert hosts - {urlsplit(shop).netloc} == live
    assert seen == []  # the shop's own were asked of the trace
    there = [request for request in asked if urlsplit(request.url).hostname == "trace.localhost"]
    assert any("/trace/artifact/" in request.url or "contexts" in request.url for request in there)
    for request in there:
        assert "cookie" not in await request.all_headers()

    reach = "url => fetch(url, {credentials: 'include'}).then(r => r.text(), () => 'refused')"
    assert await viewer.evaluate(reach, f"{inside.address}/api/v1/overview") == "refused"
    assert await viewer.evaluate(reach, f"{shop}/elsewhere") == "refused"
    assert seen == []
    assert await viewer.evaluate("document.cookie") == ""
    await context.close()
