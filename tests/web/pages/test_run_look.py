"""The pages of runs, incidents and promises in a browser: both themes, both sizes, of a quiet shop and of a hostile one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from probe.core.access import Access
from probe.view import documents as d
from probe.web.pages import static
from probe.web.pages.incident import answer_incident
from probe.web.pages.run import answer_run
from probe.web.render import page
from probe.web.routes import Handler, Route
from probe.web.waterfall import MOST
from tests.web.pages import samples
from tests.web.pages import samples_run as own
from tests.web.pages.conftest import SIZES, SampleDesk, application
from tests.web.pages.look import inspect

pytestmark = pytest.mark.asyncio(loop_scope="session")

LARGEST = 300_000
"""Characters of a page at most."""
ROWS = [samples.objective(), samples.objective("Login works", attained=None, attained_within=None, state="unknown")]
TRACE = "http://trace.localhost:1/trace/index.html?trace=x"
MANY = own.run_document(requests=[own.request(n) for n in range(2000)])


def turned(document: Any, how: str) -> Any:
    """The document as it is, or of a hostile shop (`nasty`), or of one whose texts never end (`long`)."""
    if how == "plain":
        return document
    text = samples.NASTY if how == "nasty" else samples.LONG
    found = samples.hostile(document, text)
    for compared in (found.get("compared"), (found.get("first_run") or {}).get("compared")):
        for row in (compared or {}).get("differences", ()):
            row |= {"before": text[:700], "after": text}
    return found


def run_page(request: web.Request, how: str) -> web.Response:
    return answer_run(request, cast("d.RunDocument", turned(own.run_document(), how)), MOST)


def incident_page(request: web.Request, how: str) -> web.Response:
    return answer_incident(request, cast("d.IncidentDocument", turned(own.incident_document(), how)))


def objectives_page(request: web.Request, how: str) -> web.Response:
    rows = turned({"rows": ROWS}, how)["rows"]
    return page(request, "objectives.html", rows=rows, months=["2026-11", "2026-10"])


def month_page(request: web.Request, how: str) -> web.Response:
    report = turned(own.slo_report(), how)
    return page(request, "slo_month.html", report=report, before="2026-10", after="2026-12")


def trace_page(request: web.Request, how: str) -> web.Response:
    document = turned(own.run_document(), how)
    values: dict[str, Any] = {"origin": "http://trace.localhost:1", "why": None, "name": "trace.zip", "minutes": 10}
    return page(request, "trace.html", document=document, address=TRACE, **values)


def many_page(request: web.Request, how: str) -> web.Response:
    return answer_run(request, cast("d.RunDocument", turned(MANY, how)), MOST)


PAGES: dict[str, Callable[[web.Request, str], web.Response]] = {
    "run": run_page,
    "incident": incident_page,
    "objectives": objectives_page,
    "month": month_page,
    "trace": trace_page,
}


def handler(make: Callable[[web.Request, str], web.Response]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return make(request, request.match_info["how"])

    return answer


async def picture(_request: web.Request) -> web.StreamResponse:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="800"><rect width="1280" height="800"/></svg>'
    return web.Response(text=svg, content_type="image/svg+xml")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address() -> AsyncIterator[str]:
    made = {**PAGES, "many": many_page}
    routes = [
        Route(method="GET", path=f"/{name}/{{how}}", handler=handler(make), access=Access.VIEWER)
        for name, make in made.items()
    ]
    routes.append(Route(method="GET", path="/runs/{run}/evidence/{name}", handler=picture, access=Access.VIEWER))
    async with TestServer(application(SampleDesk(), (*routes, *static.routes()))) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.mark.parametrize(
    ("how", "size", "theme"),
    [
        ("plain", "wide", "dark"),
        ("nasty", "wide", "light"),
        ("nasty", "phone", "dark"),
        ("long", "phone", "light"),
    ],
)
async def test_each_page_is_sound(browser: Browser, address: str, how: str, size: str, theme: str) -> None:
    """No message, nothing from elsewhere, nothing sideways, nothing that ran, no serious finding of axe."""
    context = await browser.new_context(viewport=cast("Any", SIZES[size]), color_scheme=cast("Any", theme))
    found = {}
    names = [name for name in PAGES if how != "long" or name in ("run", "incident", "month")]
    for name in names:
        shown = await context.new_page()
        found[name] = await inspect(shown, f"{address}/{name}/{how}")
        await shown.close()
    await context.close()
    assert found == {name: [] for name in names}


async def test_the_answers_of_an_incident_fit_on_a_phone(browser: Browser, address: str) -> None:
    """What, for whom, since when, why, and the button to take it on: without scrolling."""
    context = await browser.new_context(viewport=cast("Any", SIZES["phone"]))
    shown = await context.new_page()
    await shown.goto(f"{address}/incident/plain")
    for seen in (shown.get_by_text("Why", exact=True), shown.get_by_role("button", name="Acknowledge")):
        box = await seen.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= SIZES["phone"]["height"]
    await context.close()


async def test_the_phases_of_a_request_are_told_to_the_keyboard(browser: Browser, address: str) -> None:
    context = await browser.new_context(viewport=cast("Any", SIZES["wide"]))
    shown = await context.new_page()
    await shown.goto(f"{address}/run/plain")
    row = shown.locator("tr.water-row").first
    await row.focus()
    said = await shown.locator("#water-said").inner_text()
    assert said.startswith("https://shop.example/en/: ")
    assert "DNS 10 ms" in said
    # The window of the trace can be opened, so nothing says that it cannot.
    await shown.goto(f"{address}/trace/plain")
    assert await shown.locator("#trace-link").is_visible()
    assert not await shown.locator("#trace-cannot").is_visible()
    await context.close()


async def test_where_the_viewer_cannot_run_it_is_said(browser: Browser, address: str) -> None:
    """A browser without service workers: the link goes away, and what works instead stays."""
    context = await browser.new_context()
    await context.add_init_script("delete Navigator.prototype.serviceWorker")
    shown = await context.new_page()
    await shown.goto(f"{address}/trace/plain")
    assert await shown.locator("#trace-cannot").is_visible()
    assert not await shown.locator("#trace-link").is_visible()
    assert await shown.get_by_text("probe trace").is_visible()
    await context.close()


async def test_a_run_with_two_thousand_requests_is_a_page(browser: Browser, address: str) -> None:
    """Those that failed and the slowest are drawn; the page stays small."""
    context = await browser.new_context()
    shown = await context.new_page()
    answer = await shown.goto(f"{address}/many/plain")
    assert answer is not None
    assert len(await answer.body()) < LARGEST
    assert await shown.locator("tr.water-row").count() == MOST
    assert await shown.get_by_text("1,850 requests not shown").is_visible()
    await context.close()
