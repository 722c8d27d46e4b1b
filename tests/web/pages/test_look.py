"""The pages in a real browser: both themes, on a desk and on a phone, and with the texts of a hostile shop in every place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from playwright.async_api import Browser

from probe.web import live
from probe.web.pages import incidents, journey, overview, runs, static
from tests.web.pages import samples, samples_journey
from tests.web.pages.conftest import SIZES, THEMES, SampleDesk, application
from tests.web.pages.look import inspect

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = {"overview": "/", "journey": "/checks/buy?from=7d", "runs": "/runs?check=buy", "incidents": "/incidents"}
ASKED = {("wide", "light"), ("phone", "dark")}
"""Where axe is asked: each theme and each size once; the rest is looked at without it."""


@dataclass
class Stand:
    """A server whose documents are set by the tests."""

    url: str
    desk: SampleDesk
    documents: dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stand() -> AsyncIterator[Stand]:
    documents: dict[str, Any] = {}
    desk = SampleDesk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journey, "view_journey", lambda *_args: documents["journey"])
        patch.setattr(runs, "view_runs", lambda *_args, **_more: documents["runs"])
        patch.setattr(incidents, "view_incidents", lambda *_args, **_more: documents["incidents"])
        modules = (overview, journey, runs, incidents, static, live)
        app = application(desk, tuple(route for module in modules for route in module.routes()))
        live.install(app, _always)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Stand(f"http://127.0.0.1:{runner.addresses[0][1]}", desk, documents)
        await runner.cleanup()


async def _always(_request: web.Request) -> bool:
    return True


def show(stand: Stand, text: str | None = None) -> None:
    """Have the samples shown, with `text` in the place of all that a target says."""
    made = {
        "overview": samples.overview(),
        "journey": samples_journey.journey(16),  # few columns: looking for what is wrong takes longer than drawing
        "runs": samples.runs(),
        "incidents": samples.incidents(),
    }
    for name, document in made.items():
        stand.documents[name] = document if text is None else samples.hostile(document, text)
    stand.desk.shown = stand.documents["overview"]


@pytest.mark.parametrize(("size", "theme"), [(size, theme) for size in SIZES for theme in THEMES])
async def test_every_page_is_sound(stand: Stand, browser: Browser, size: str, theme: Any) -> None:
    show(stand)
    async with await browser.new_context(viewport=SIZES[size], color_scheme=theme) as context:  # type: ignore[arg-type]  # a size is one
        for name, address in PAGES.items():
            page = await context.new_page()
            found = await inspect(page, stand.url + address, accessible=(size, theme) in ASKED)
            assert found == [], name
            await page.close()


@pytest.mark.parametrize(("text", "size"), [(samples.NASTY, "wide"), (samples.NASTY, "phone"), (samples.LONG, "phone")])
async def test_what_a_shop_says_is_text_and_fits(stand: Stand, browser: Browser, text: str, size: str) -> None:
    show(stand, text)
    async with await browser.new_context(viewport=SIZES[size], color_scheme="dark") as context:  # type: ignore[arg-type]  # see above
        for name, address in PAGES.items():
            page = await context.new_page()
            assert await inspect(page, stand.url + address, accessible=False) == [], name
            assert text[:20] in await page.locator("main").inner_text(), name


async def test_a_stretch_is_chosen_by_keys_and_by_the_pointer(stand: Stand, browser: Browser) -> None:
    show(stand)
    async with await browser.new_context(viewport=SIZES["wide"]) as context:  # type: ignore[arg-type]  # see above
        page = await context.new_page()
        await page.goto(stand.url + PAGES["journey"])
        plot = page.locator("[data-brush]").first
        begin, end = (await plot.get_attribute("data-start"), await plot.get_attribute("data-end"))
        await plot.focus()
        for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft"):
            await page.keyboard.press(key)
        chosen = (
            await page.get_by_label("From (UTC)").input_value(),
            await page.get_by_label("To", exact=True).input_value(),
        )
        assert begin is not None
        assert end is not None
        assert begin < chosen[0] < chosen[1] < end
        await page.keyboard.press("Escape")
        assert await page.get_by_label("From (UTC)").input_value() == begin
        await page.keyboard.press("ArrowRight")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert "from=2026-11-24T" in page.url
        box = await page.locator("[data-brush]").first.bounding_box()
        assert box is not None
        x, y = box["x"], box["y"] + box["height"] / 2
        await page.mouse.move(x + box["width"] * 0.5, y)
        await page.mouse.down()
        async with page.expect_navigation():
            await page.mouse.move(x + box["width"] * 0.75, y, steps=3)
            await page.mouse.up()
        assert "/checks/buy?from=2026-11-24T12%3A02%3A10Z&to=2026-11-24T13%3A02%3A10Z" in page.url


async def test_columns_lead_to_their_runs_without_a_script(stand: Stand, browser: Browser) -> None:
    show(stand)
    async with await browser.new_context(java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(stand.url + "/checks/buy?region=dallas")
        address = await page.locator(".hit").last.locator("xpath=..").get_attribute("href")
        table = page.locator("section[aria-label='How runs ended']")
        await table.get_by_text("As a table").click()
        await table.get_by_role("link", name="11", exact=True).click()
        assert "outcome=failed" in page.url
        assert "check=buy&region=dallas&from=2026-11-24T13:47:10Z&to=2026-11-24T14:02:10Z" in page.url
        assert address is not None


async def test_files_are_kept_by_their_version(stand: Stand) -> None:
    async with ClientSession(stand.url) as client:
        async with client.get("/static/style.css") as answer:
            tag = answer.headers["ETag"]
            assert answer.headers["Cache-Control"] == "public, no-cache"
            assert answer.content_type == "text/css"
        async with client.get("/static/style.css", params={"v": tag.strip('"')}) as answer:
            assert "immutable" in answer.headers["Cache-Control"]
        async with client.get("/static/style.css", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
        async with client.get("/static/..%2fassets.py") as answer:
            assert answer.status == 404
        async with client.get("/", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
