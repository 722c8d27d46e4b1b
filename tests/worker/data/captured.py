"""Journeys whose pages are compared, and pictured."""

import time

from playwright.async_api import expect


async def buys(t):
    async with t.step("arrive"):
        await t.page.goto(t.url("/old"))
    async with t.step("read it"):
        await expect(t.page.get_by_role("heading", name=t.params.get("heading", "Coat"))).to_be_visible(timeout=400)
    async with t.step("leave"):
        await t.page.goto(t.url("/plain"))


async def meets_a_page_that_hangs(t):
    async with t.step("arrive"):
        await t.page.goto(t.url("/old"))
        await t.page.evaluate("setTimeout(() => { while (true) {} }, 0)")
    async with t.step("go on"):
        (await t.http.get("/plain")).expect(status=200)


async def types(t):
    async with t.step("type"):
        await t.page.goto(t.url("/form"))
        await t.page.fill("#first", "typed-by-the-check-itself")
        await expect(t.page.get_by_role("heading")).to_have_text("never", timeout=100)


async def times_itself(t):
    began, ends = time.monotonic(), 0.0
    for name in ("one", "two"):
        async with t.step(name):
            await t.page.goto(t.url("/coat"))
            left = time.monotonic()
        ends += time.monotonic() - left
    t.log(f"{time.monotonic() - began} {ends}")
