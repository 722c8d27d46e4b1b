"""The journey of the browser cases, as a bare function and as a check."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from probe import JourneyContext, journey

if TYPE_CHECKING:
    from playwright.async_api import Page


@journey(every="5m", timeout="60s")
async def buy(t: JourneyContext) -> None:
    """The steps of `walk`, as steps."""
    async with t.step("view product"):
        await product(t.page, t.url("/"))
    async with t.step("add to cart"):
        await cart(t.page)
    async with t.step("checkout"):
        await checkout(t.page)


async def walk(page: "Page", shop: str, mark: Callable[[], Awaitable[None]]) -> None:
    """The same, bare."""
    await product(page, shop)
    await mark()
    await cart(page)
    await mark()
    await checkout(page)
    await mark()


async def product(page: "Page", shop: str) -> None:
    from playwright.async_api import expect

    await page.goto(f"{shop.rstrip('/')}/product/1")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def cart(page: "Page") -> None:
    from playwright.async_api import expect

    await page.get_by_role("button", name="Add to cart").click()
    await expect(page.get_by_text("Total EUR 42.00")).to_be_visible()


async def checkout(page: "Page") -> None:
    from playwright.async_api import expect

    await page.get_by_role("link", name="Checkout").click()
    await page.get_by_label("Name").fill("Ada Probe")
    await page.get_by_label("Email").fill("ada@example.org")
    await page.get_by_label("Street").fill("Loop 1")
    await page.get_by_label("Country").select_option("Netherlands")
    await page.get_by_label("Card number").fill("4242 4242 4242 4242")
    await page.get_by_role("button", name="Place order").click()
    await expect(page.get_by_role("heading", name="Thank you, Ada Probe")).to_be_visible()
