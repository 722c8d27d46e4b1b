"""Logging in, in a real browser: under the strict policy, in both themes, at both sizes, and what is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.web.access.door import PASSWORD, Door, opened_door
from tests.web.pages.conftest import SIZES, THEMES
from tests.web.pages.look import inspect, look

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with opened_door(tmp_path_factory.mktemp("door")) as found:
        yield found


async def test_the_pages_are_sound(browser: Browser, door: Door) -> None:
    for theme, size in zip(THEMES, SIZES.values(), strict=True):
        context = await browser.new_context(viewport=size, color_scheme=theme)  # type: ignore[arg-type]  # tables of strings and numbers
        page = await context.new_page()
        for path in ("/login?next=/checks/a", "/login/link"):
            assert await inspect(page, door.address + path) == [], (theme, size, path)
        await page.goto(f"{door.address}/login")
        await page.get_by_label("Name").fill("grace")
        await page.get_by_label("Password").fill("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        assert await look(page) == []
        await page.get_by_label("Name").fill("grace")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url(f"{door.address}/")
        assert await inspect(page, f"{door.address}/audit") == []
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url(f"{door.address}/login")
        await context.close()


async def test_a_link_lets_in_and_leaves_nothing_in_the_history(browser: Browser, door: Door) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    ticket = door.links.issue("linus")
    await page.goto(f"{door.address}/login/link#{ticket}")
    await page.wait_for_url(f"{door.address}/")
    assert await page.evaluate("fetch('/whoami').then(a => a.json()).then(w => w.name)") == "linus"
    await page.go_back()
    assert ticket not in page.url
    assert wrong == []
    assert not any(ticket in url for url in asked if "#" not in url)
    cookies = await context.cookies()
    assert [(c["name"], c["httpOnly"], c["sameSite"]) for c in cookies] == [("probe_session", True, "Lax")]
    await context.close()


async def test_without_javascript_it_is_typed_in(browser: Browser, door: Door) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{door.address}/login/link")
    await page.locator("#ticket").fill(door.links.issue("linus"))
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{door.address}/")
    await context.close()


async def test_another_site_can_neither_act_nor_read(browser: Browser, door: Door) -> None:
    """A form that posts to us from another origin, with the cookie of whoever looks at it at hand."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{door.address}/login/link#{door.links.issue('linus')}")
    await page.wait_for_url(f"{door.address}/")
    before = await door.audited()
    evil = door.address.replace("127.0.0.1", "localhost")
    await page.goto(f"{evil}/status")
    answer = await page.evaluate(
        "address => fetch(address, {method: 'POST', credentials: 'include', mode: 'no-cors'}).then(a => a.type, e => 'refused')",
        f"{door.address}/incidents/1/ack",
    )
    assert answer == "refused"
    read = await page.evaluate(
        "address => fetch(address, {credentials: 'include'}).then(() => 'read', () => 'refused')",
        f"{door.address}/whoami",
    )
    assert read == "refused"
    assert [one for one in (await door.audited())[len(before) :] if one[3]] == []
    await context.close()
