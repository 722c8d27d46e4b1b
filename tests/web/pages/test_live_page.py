"""The overview while it is open: it shows what changes, says when it knows nothing, and does not grow."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, Route, expect

from probe.web import live
from probe.web.broadcast import encode
from probe.web.cells import cell_html
from probe.web.glance import layout
from probe.web.pages import overview, static
from tests.web.pages import samples
from tests.web.pages.conftest import SampleDesk, application

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address() -> AsyncIterator[str]:
    async def always(_request: web.Request) -> bool:
        return True

    app = application(SampleDesk(), (*overview.routes(), *static.routes(), *live.routes()))
    live.install(app, always)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with await browser.new_context() as context:
        yield await context.new_page()


def some(n: int = 0, **more: Any) -> bytes:
    """A message that a cell and a piece have changed."""
    cell = cell_html(
        samples.cell("berlin", bars="ppppppf" if n % 2 else "ppppppp", state="failed" if n % 2 else "passed"),
        ages=False,
    )
    return encode(
        "some",
        {"now": samples.at(-n), "alive": samples.at(-n), "cells": {"login": {"0": cell}}, **more},
    )


async def stream(page: Page, *messages: bytes, status: int = 200) -> None:
    """Have the page hear these, each time that it asks."""

    async def answer(route: Route) -> None:
        await route.fulfill(status=status, content_type="text/event-stream", body=b"".join(messages))

    await page.route("**/events", answer)


async def test_what_the_real_stream_says_is_shown(page: Page, address: str) -> None:
    await page.goto(address)
    await expect(page.locator("#live.live--on")).to_contain_text("live; as of 14:02:10 UTC")
    assert await page.locator("#part-incidents input[name=csrf]").first.input_value() == "csrf-of-the-session"


async def test_what_changes_is_put_in_its_place(page: Page, address: str) -> None:
    incidents = (
        '<article class="card"><h2>It is over<time data-ago="" datetime="2026-11-24T13:00:00Z">x</time></h2></article>'
    )
    headline = "<h1>1 open incident</h1>"
    await stream(
        page,
        some(
            1,
            verdicts={"login": "down", "buy": "ok"},
            parts={"incidents": incidents, "headline": headline},
            order=[["api", ["api-stock", "api-health"]], ["shop", ["login"]]],
            targets={"api": '<span class="verdict verdict--down">down</span>'},
        ),
    )
    await page.goto(address)
    login = page.locator("tr", has=page.get_by_role("link", name="login", exact=True))
    await expect(login.locator("td").first).to_have_class("c-failed")
    await expect(login.locator("th .verdict")).to_have_text("down")
    await expect(page.locator("#part-incidents article")).to_have_count(1)
    await expect(page.locator("#part-incidents time")).to_have_text("62 min")
    await expect(page.locator("#grid summary").first).to_have_text("down")
    await expect(page.locator("#grid tbody tr th a").first).to_have_text("api-stock")
    await expect(page).to_have_title("(1) Overview · probe")


async def test_a_daemon_that_is_gone_is_told_and_ages_are_hidden(page: Page, address: str) -> None:
    await page.clock.install(time=samples.NOW)
    await page.route("**/events", lambda route: route.abort())
    await page.goto(address)
    age = page.locator("#grid td b").first
    await expect(age).to_be_visible()
    await page.clock.run_for(40_000)
    banner = page.locator("#live.live--off")
    await expect(banner).to_contain_text("No data since 14:02:10 UTC")
    await expect(age).to_be_hidden()


async def test_what_is_too_old_becomes_unknown_as_time_passes(page: Page, address: str) -> None:
    await page.clock.install(time=samples.NOW)
    await page.route("**/events", lambda route: route.abort())
    await page.goto(address)
    cell = page.locator("tr", has=page.get_by_role("link", name="login", exact=True)).locator("td").first
    await page.clock.run_for(200_000)
    await expect(cell).not_to_have_class("c-passed stale")
    await page.clock.run_for(40_000)  # three intervals of a minute, and one more, have passed
    await expect(cell).to_have_class("c-passed stale")


async def test_trouble_and_a_daemon_without_a_sign_of_life_are_told(page: Page, address: str) -> None:
    await stream(page, some(), encode("trouble", {"why": "the disk is full"}))
    await page.goto(address)
    await expect(page.locator("#live")).to_have_text("No data since 14:02:10 UTC: the disk is full")
    await page.unroute("**/events")
    await stream(page, encode("beat", {"now": samples.at(0), "alive": samples.at(300)}))
    await page.goto(address)
    await expect(page.locator("#live")).to_contain_text("the daemon gives no sign of life")


@pytest.mark.parametrize("how", ["status", "word"])
async def test_a_session_that_has_ended_leads_to_the_login(page: Page, address: str, how: str) -> None:
    await stream(
        page, *([encode("bye", {"why": "session"})] if how == "word" else []), status=200 if how == "word" else 401
    )
    await page.goto(address)
    await expect(page.get_by_role("link", name="Log in")).to_have_attribute("href", "/login?next=%2F")


async def test_another_grid_is_fetched_anew(page: Page, address: str) -> None:
    await page.clock.install(time=samples.NOW)
    await stream(page, some(layout="another"))
    await page.goto(address)
    await page.evaluate("document.querySelector('#grid').dataset.layout = 'old'")
    await page.clock.run_for(10_000)
    await expect(page.locator("#grid")).to_have_attribute("data-layout", layout(samples.overview()))


async def test_a_page_that_is_open_for_a_day_does_not_grow(page: Page, address: str) -> None:
    """A day has 43,200 looks; some hundreds of messages tell a leak of one node or listener each."""
    part = "<p class='note'><a href='./incidents/x'>x</a><input name=csrf><time data-ago='' datetime='2026-11-24T13:00:00Z'></time></p>"
    messages = [
        some(n, parts={"visitors": part + f"<!-- {n} -->"}, verdicts={"login": "down" if n % 2 else "ok"})
        for n in range(400)
    ]
    asked = 0

    async def answer(route: Route) -> None:
        nonlocal asked
        asked += 1
        await route.fulfill(content_type="text/event-stream", body=b"".join(messages))

    await page.clock.install(time=samples.NOW)
    await page.route("**/events", answer)
    await page.goto(address)
    last = json.loads(messages[-1].decode().split("data: ")[1])["now"][11:19]
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")

    async def measure() -> tuple[float, float]:
        await expect(page.locator("#live")).to_contain_text(last)
        await session.send("HeapProfiler.collectGarbage")
        found = {m["name"]: m["value"] for m in (await session.send("Performance.getMetrics"))["metrics"]}
        return found["Nodes"], found["JSEventListeners"]

    nodes, listeners = await measure()
    enough = asked + 3  # the first two of them have been worked through by then: they come one after the other
    while asked < enough:
        await page.clock.run_for(10_000)
    after, hearing = await measure()
    assert after < nodes + 200
    assert hearing <= listeners + 5
