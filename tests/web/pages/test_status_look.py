"""The public page and the operators' notices in the project's own Chromium: both themes, both sizes, without JavaScript."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from probe.core.access import Access
from probe.core.check import CheckId
from probe.core.incident import Verdict
from probe.core.people import Standing
from probe.core.state import Change
from probe.core.status_page import Component, StatusPage
from tests.view.public import OURS, TODAY, fill, incident, looking, standing, tell
from tests.web.pages.conftest import SIZES, THEMES
from tests.web.pages.look import inspect
from tests.web.public import TOKENS, ShopDesk, served

pytestmark = pytest.mark.asyncio(loop_scope="session")
NASTY = "\"'><script>window.__pwned = 1</script><img src=x onerror='window.__pwned = 2'>\u202e"
PAGE = StatusPage(
    title=f"Shop {NASTY}",
    components=(
        Component(slug="pay", name=f"Pay {'verylongword' * 30}", checks=(f"{OURS}-checkout",), description=NASTY),
        Component(slug="find", name=f"Find {NASTY}", checks=(f"{OURS}-search",)),
        Component(slug="news", name="أخبار المتجر", checks=(f"{OURS}-news",)),
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    folder = tmp_path_factory.mktemp("look")
    await asyncio.to_thread(_fill, folder)
    async with served(ShopDesk(folder, status_page=PAGE)) as found:
        yield found


def _fill(folder: Path) -> None:
    hour = timedelta(hours=1)
    now = incident("now", Verdict.DOWN, TODAY - hour, "checkout", cause=f"{OURS}.now")
    states = {CheckId(f"{OURS}-checkout"): standing(Verdict.DOWN), CheckId(f"{OURS}-search"): standing()}
    fill(folder, Change(incidents={now.cause: now}, checks=states))
    with looking(folder) as sources:
        tell(sources.people, f"Cards {NASTY}", Standing.INVESTIGATING, Standing.IDENTIFIED, begins=TODAY - hour)
        tell(sources.people, "Move", Standing.SCHEDULED, begins=TODAY + hour, ends=TODAY + 2 * hour)
        tell(sources.people, "Before", Standing.INVESTIGATING, Standing.RESOLVED, begins=TODAY - 99 * hour)
        sources.people.report("pay", TODAY, 7)


LOOKS = [("/status", size, theme) for size in SIZES for theme in THEMES]
LOOKS += [
    ("/notices", "wide", "dark"),
    ("/notices", "phone", "light"),
    (f"/notices?incident={OURS}-now", "phone", "dark"),
]


@pytest.mark.parametrize(("path", "size", "theme"), LOOKS)
async def test_nothing_is_wrong_with_it(browser: Browser, address: str, path: str, size: str, theme: str) -> None:
    """No message, no request elsewhere, nothing beyond the window, no serious finding of axe, no planted markup that ran."""
    headers = {"Authorization": f"Bearer {TOKENS[Access.OPERATOR]}"} if path != "/status" else {}
    context = await browser.new_context(viewport=SIZES[size], color_scheme=theme, extra_http_headers=headers)  # type: ignore[arg-type]  # a size, and a theme
    try:
        page = await context.new_page()
        assert await inspect(page, address + path) == []
        assert await context.cookies() == []
    finally:
        await context.close()


async def test_a_visitor_reports_without_javascript(browser: Browser, address: str) -> None:
    """With the button, by the keyboard; then back to the page."""
    context = await browser.new_context(java_script_enabled=False, viewport=SIZES["phone"])  # type: ignore[arg-type]  # a size
    try:
        page = await context.new_page()
        await page.goto(f"{address}/status")
        button = page.get_by_role("button", name="I have this problem, too").nth(1)
        await button.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/status/thanks")
        assert await page.get_by_role("heading", level=1).inner_text() == "Thank you"
        await page.get_by_role("link", name="Back to the status page").click()
        await page.wait_for_url(f"{address}/status")
        assert await page.get_by_role("img").count() == 3
        assert await context.cookies() == []
    finally:
        await context.close()
