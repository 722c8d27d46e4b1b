"""Journeys for shops that were not written here, as a user of `probe.testing` writes them."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from probe import CheckContext, JourneyContext, check, expect, journey
from probe.core.run import Outcome, Run
from probe.testing import run_check
from tests.shops.sites import BROKEN, PASSWORD, classic, graphql, single_page

Serve = Callable[[web.Application], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(app: web.Application) -> str:
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url(""))

    yield start
    for server in servers:
        await server.close()


@journey(every="1m", timeout="20s")
async def buys_tea(t: JourneyContext) -> None:
    """A server-rendered shop: forms, CSRF tokens, redirects."""
    page = t.page
    async with t.step("log in"):
        await page.goto(t.url("/products"))
        await page.get_by_label("User").fill("ada")
        await page.get_by_label("Password").fill(t.secrets["password"])
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", name="Hello ada")).to_be_visible(timeout=2000)
        await expect(page).to_have_url(t.url("/products"))
    async with t.step("buy"):
        await page.get_by_role("button", name="Buy tea").click()
        await expect(page.get_by_role("listitem")).to_have_text("tea")
    async with t.step("pay"):
        await page.get_by_role("button", name="Pay").click()
        await expect(page.get_by_role("heading", name="Thanks")).to_be_visible()


@check(every="1m", timeout="10s")
async def buys_tea_without_a_browser(t: CheckContext) -> None:
    """The same over HTTP: the token is carried from the page to the form."""
    async with t.step("log in"):
        page = await t.http.get("/login")
        token = page.text.partition('name=csrf value="')[2].partition('"')[0]
        answer = await t.http.post("/login", data={"csrf": token, "user": "ada", "password": t.secrets["password"]})
        answer.expect(status=200, body="Hello ada").redirects(2)
    async with t.step("buy"):
        basket = await t.http.post("/basket", data={"csrf": token, "sku": "tea"})
        basket.expect(status=200).body(has="<li>tea</li>")


@journey(every="1m", timeout="20s")
async def uses_the_app(t: JourneyContext) -> None:
    """A single-page app: no page loads after the first."""
    page = t.page
    async with t.step("list"):
        await page.goto(t.url("/"))
        await expect(page.get_by_role("heading", name="Mug")).to_be_visible()
    async with t.step("add"):
        await page.get_by_role("button", name="Add Mug").click()
        await expect(page.get_by_text("1 items")).to_be_visible(timeout=1500)
        await page.wait_for_url("**/cart")
    async with t.step("order"):
        await page.get_by_role("button", name="Order").click()
        await expect(page.get_by_role("heading", name="Ordered")).to_be_visible()


ADD = "mutation($sku: ID!) { addToCart(sku: $sku) { cart { id lines { sku quantity } } } }"


@check(every="1m", timeout="10s")
async def asks_graphql(t: CheckContext) -> None:
    """Errors come with status 200."""
    headers = {"Authorization": f"Bearer {t.secrets['password']}"}
    async with t.step("product"):
        product = await t.http.post("/graphql", json={"query": "{ product { sku price } }"}, headers=headers)
        product.expect(status=200).json("$.errors", exists=False).json("$.data.product.price", 4.5)
    async with t.step("add"):
        variables = {"sku": t.params.get("sku") or product.json("$.data.product.sku")}
        added = await t.http.post("/graphql", json={"query": ADD, "variables": variables}, headers=headers)
        added.expect(status=200).json("$.errors", exists=False).json("$.data.addToCart.cart.lines[0].quantity", 1)


def steps(run: Run) -> list[tuple[str, str]]:
    return [(step.name, step.outcome.value) for step in run.observation.steps]


@pytest.mark.parametrize("function", [buys_tea, buys_tea_without_a_browser])
async def test_a_server_rendered_shop(function: object, serve: Serve) -> None:
    """CSRF tokens, cookies and redirects."""
    url = await serve(classic())
    run = await run_check(function, target=url, secrets={"password": PASSWORD})
    assert run.outcome is Outcome.PASSED, run.failure


async def test_a_wrong_password_is_the_reason(serve: Serve) -> None:
    """The form's answer explains the missing heading, and the password is in no part of the run."""
    url = await serve(classic())
    run = await run_check(buys_tea, target=url, secrets={"password": "wrong but secret"})
    assert run.outcome is Outcome.FAILED
    assert run.failure is not None
    assert (run.failure.step, run.failure.layer, run.failure.kind) == ("log in", "http", "status")
    assert "POST /login answered 401" in run.failure.message
    assert "wrong but secret" not in repr(run)
    assert steps(run) == [("log in", "failed"), ("buy", "skipped"), ("pay", "skipped")]


async def test_a_single_page_app(serve: Serve) -> None:
    """Late rendering is waited for; a failed fetch explains what did not come."""
    app = single_page()
    url = await serve(app)
    run = await run_check(uses_the_app, target=url)
    assert run.outcome is Outcome.PASSED, run.failure
    app[BROKEN].append("cart")
    run = await run_check(uses_the_app, target=url)
    assert run.failure is not None
    assert (run.failure.step, run.failure.layer, run.failure.actual) == ("add", "http", "503")
    assert steps(run)[0] == ("list", "passed")


async def test_graphql(serve: Serve) -> None:
    """An error inside a 200 is seen."""
    url = await serve(graphql())
    run = await run_check(asks_graphql, target=url, secrets={"password": PASSWORD})
    assert run.outcome is Outcome.PASSED, run.failure
    run = await run_check(asks_graphql, target=url, secrets={"password": PASSWORD}, params={"sku": "gone"})
    assert run.failure is not None
    assert (run.failure.step, run.failure.layer, run.failure.kind) == ("add", "content", "json")
    assert "no such product" in run.failure.message
