"""Journeys that faults are planted into."""

from playwright.async_api import expect


async def buys(t):
    async with t.step("view"):
        await t.page.goto(t.url("/product"))
    async with t.step("buy", within="300ms"):
        await t.page.get_by_role("button", name="Add to cart").click()
        await expect(t.page.get_by_role("heading")).to_have_text("Your cart", timeout=700)
        await expect(t.page.get_by_text("EUR 42.00")).to_be_visible(timeout=100)
    async with t.step("api"):
        (await t.http.get("/cart")).expect(status=200)


async def is_led(t):
    async with t.step("view"):
        await t.page.goto(t.url("/away"))
        assert await t.page.get_by_role("heading").inner_text() == "Your cart"


async def mixes(t):
    async with t.step("view"):
        await t.page.goto(t.url("/both"))
