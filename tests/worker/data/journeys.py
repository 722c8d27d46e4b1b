"""Journeys as users write them, some of which fail."""

from playwright.async_api import expect


async def logs_in(t):
    async with t.step("log in"):
        await t.page.goto(t.url("/form") + f"?token={t.secrets['password']}")
        await t.page.fill("input", t.secrets["password"])
        await t.page.get_by_role("button", name="Go").click()
        await expect(t.page.get_by_text("you said")).to_be_visible()
        t.log(f"the password is {t.secrets['password']}")
    async with t.step("account"):
        await expect(t.page.get_by_role("heading")).to_have_text("Account of " + t.secrets["password"])


async def adds_to_cart(t):
    async with t.step("view"):
        await t.page.goto(t.url("/shop"))
    async with t.step("add"):
        await t.page.get_by_role("button", name="Add to cart").click()
        await expect(t.page.get_by_role("heading", name="Your cart")).to_be_visible()


async def clicks_hidden(t):
    async with t.step("pay"):
        await t.page.goto(t.url("/shop"))
        await t.page.get_by_text("Pay").click()


async def clicks_twice(t):
    async with t.step("pay"):
        await t.page.goto(t.url("/shop"))
        await t.page.get_by_role("button", name="Twice").click()


async def sees_error(t):
    async with t.step("view"):
        await t.page.goto(t.url("/throws"))
        await expect(t.page.get_by_role("heading")).to_have_text("never")


async def sees_500(t):
    async with t.step("view"):
        answer = await t.page.goto(t.url("/500"))
        assert answer.status == 200, f"status {answer.status}"


async def ignores_500(t):
    async with t.step("view"):
        await t.page.goto(t.url("/500"))


async def parses_500(t):
    async with t.step("view"):
        await t.page.goto(t.url("/500"))
        int(await t.page.locator("body").inner_text())


async def waits_for_third(t):
    async with t.step("view"):
        await t.page.goto(t.url("/third"))


async def visits_both(t):
    async with t.step("view"):
        await t.page.goto(t.url("/both"))
        await t.page.wait_for_load_state("networkidle")
    async with t.step("away"):
        await t.page.goto(t.url("/away"))


async def refused(t):
    async with t.step("view"):
        await t.page.goto("http://127.0.0.1:4/")


async def unknown_name(t):
    async with t.step("view"):
        await t.page.goto("http://no-such-name.invalid/")


async def soft_and_slow(t):
    page = t.page
    async with t.step("soft", soft=True):
        await page.goto(t.url("/ok"))
        await expect(page.get_by_role("heading")).to_have_text("x", timeout=200)
    async with t.step("slow", within="1ms"):
        await page.goto(t.url("/ok"))
    async with t.step("never"):
        pass


async def uses_http(t):
    async with t.step("api"):
        answer = await t.http.get("/ok")
        answer.expect(status=201).header("content-type", has="json")
        answer.json()
