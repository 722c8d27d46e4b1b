"""The demo shop, watched as its customers use it. Copy this file, and change it to your own shop."""

from probe import CheckContext, JourneyContext, check, expect, journey


@journey(every="1m", timeout="30s", target="shop", slo="checkout", side_effects="checkout")
async def checkout(t: JourneyContext) -> None:
    """A guest buys one item in a browser."""
    page = t.page

    async with t.step("view product", within="2s"):
        await page.goto(t.url("/product/1"))
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        picture = page.get_by_role("main").get_by_role("img").first
        await expect(picture).not_to_have_js_property("naturalWidth", 0)

    async with t.step("add to cart", within="2s"):
        await page.get_by_role("button", name="Add to cart").click()
        await expect(page.get_by_role("heading", name="Your cart")).to_be_visible()
        await expect(page.get_by_text("Total EUR 42.00")).to_be_visible()

    async with t.step("checkout", within="4s"):
        await page.get_by_role("link", name="Checkout").click()
        await page.get_by_label("Name").fill("Ada Probe")
        await page.get_by_label("Email").fill("ada@example.org")
        await page.get_by_label("Street").fill("Loop 1")
        await page.get_by_label("Country").select_option("Netherlands")
        await page.get_by_label("Card number").fill(t.secrets["card"])
        await page.get_by_role("button", name="Place order").click()
        await expect(page.get_by_role("heading", name="Thank you, Ada Probe")).to_be_visible()

        order = await page.get_by_test_id("order-id").inner_text()
        t.order(order)
        t.undo(cancel, t, order)


@check(every="30s", timeout="15s", target="shop", slo="checkout", side_effects="checkout")
async def checkout_api(t: CheckContext) -> None:
    """The same purchase through the API, as the mobile app makes it."""
    async with t.step("view product", within="1s"):
        product = await t.http.get("/api/products/1")
        product.expect(status=200).json("$.price", "42.00")

    async with t.step("add to cart", within="1s"):
        sku = product.json()["sku"]
        added = await t.http.post("/api/cart", json={"sku": sku, "quantity": 1})
        added.expect(status=201).header("cache-control", has="no-store")
        cart = await t.http.get("/api/cart")
        cart.expect(status=200).json("$.items[0].sku", sku).json("$.total", "42.00")

    async with t.step("checkout", within="3s"):
        buyer = {"name": "Ada Probe", "email": "ada@example.org", "card": t.secrets["card"]}
        placed = await t.http.post("/api/checkout", json=buyer)
        placed.expect(status=201).json("$.order", exists=True)
        order = placed.json()["order"]
        t.order(order)
        t.undo(cancel, t, order)


@check(every="30s", timeout="5s", target="shop")
async def reviews(t: CheckContext) -> None:
    """Reviews come from a service of their own: a product page without them is not broken, but we want to know."""
    answer = await t.http.get("/api/products/1/reviews")
    answer.expect(status=200, within="1s").json("$.reviews[0].text", exists=True)


async def cancel(t: CheckContext, order: str) -> None:
    """Synthetic orders do not stay in the books."""
    await t.http.delete(f"/api/orders/{order}")
