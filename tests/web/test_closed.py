"""Nobody sees anything without a session or a token: every route that there is, asked one by one."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from probe.core.access import Access
from tests.cli.world import CANARY, OPEN
from tests.web.whole import Whole, served

PUBLIC = {
    "/healthz",
    "/readyz",
    "/login",
    "/login/link",
    "/login/oidc",
    "/login/oidc/callback",
    "/static/{name}",
    "/status",
    "/status/",
    "/status/feed.atom",
    "/status/badge.svg",
    "/status/badge/{slug}.svg",
    "/status/status.json",
    "/status/status.css",
    "/status/report",
    "/status/thanks",
    "/api/v1/status",
    "/trace/artifact/{ticket}",
    "/trace/{name}",
}
"""What anybody may ask for. A new page that belongs here must be written here, too."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
async def whole(folder: Path) -> AsyncIterator[Whole]:
    async with served(folder) as found:
        yield found


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def every_route(app: web.Application) -> list[tuple[str, str, str]]:
    """Method, path as it is declared, and an address that leads there."""
    found = []
    for route in app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        address = (
            path.replace("{check}", "checkout")
            .replace("{run}", "run-12-local")
            .replace("{id}", str(OPEN))
            .replace("{name}", "screenshot.png" if "evidence" in path else "style.css")
            .replace("{month}", "2026-11")
            .replace("{number}", "1")
        )
        found.append((route.method, path, address))
    return found


async def test_every_route_is_closed(whole: Whole, client: aiohttp.ClientSession) -> None:
    """As a browser: to the login. As a program: 401. With a token that may only look: what changes something is refused."""
    routes = every_route(whole.app)
    assert len({path for _, path, _ in routes}) > 40
    for method, path, address in routes:
        if path in PUBLIC:
            continue
        url = whole.address + address
        browser = {"Accept": "text/html", "Host": whole.address.removeprefix("http://")}
        for accept, statuses in ((browser, {303, 401}), ({"Accept": "*/*"}, {401})):
            async with client.request(method, url, headers=accept, allow_redirects=False) as answer:
                text = await answer.text()
                assert answer.status in statuses, (method, path, answer.status, text)
                assert answer.status == 401 or answer.headers["Location"].startswith("/login"), path
                assert CANARY not in text
                assert "checkout" not in text
        if method == "POST" and path != "/logout":
            async with client.request(method, url, headers=whole.header(Access.VIEWER), json={}) as answer:
                assert answer.status == 403, (method, path)
    assert whole.daemon.asked == []


async def test_what_is_public_tells_nothing(whole: Whole, client: aiohttp.ClientSession) -> None:
    """The public page names what customers know, and no check, host, region or failure."""
    for method, path, address in every_route(whole.app):
        if path not in PUBLIC or method != "GET" or path == "/static/{name}":
            continue
        async with client.get(whole.address + address, allow_redirects=False) as answer:
            assert answer.status < 500, path
            text = await answer.text()
            for word in (CANARY, "shop.example", "api/cart", "us-east", "run-12", str(OPEN)):
                assert word not in text, (path, word)


async def test_an_unknown_address_is_closed_too(whole: Whole, client: aiohttp.ClientSession) -> None:
    """Who is not known cannot find out what there is."""
    async with client.get(f"{whole.address}/nothing/here") as answer:
        assert answer.status == 401
    async with client.get(f"{whole.address}/nothing/here", headers=whole.header(Access.VIEWER)) as answer:
        assert answer.status == 404
