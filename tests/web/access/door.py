"""A small application behind the gate, with real people in a real file, and a clock that the test turns."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientResponse, ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from probe.core.access import Access, Token, User, WebSettings
from probe.core.people import AuditLine
from probe.core.secret import Secret
from probe.core.status_page import StatusPage
from probe.errors import StoreUnavailable
from probe.store.people import People, open_people
from probe.view.sources import Sources
from probe.web.access.audit import audit
from probe.web.access.entrance import Entrance
from probe.web.access.gate import guard
from probe.web.access.links import Links
from probe.web.answers import answer, telling
from probe.web.desk import CSRF, DESK, identity, prefix
from probe.web.pages import audit as audit_page
from probe.web.pages import login, static
from probe.web.routes import Route
from tests.web.daemon import FakeDaemon

T = TypeVar("T")
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PASSWORD = "a long password"
HASH = "$argon2id$v=19$m=8,t=1,p=1$SvAxdA127E43s7Zsit/QGA$bZO3ulb7FvcCyqyS7jz3c9NCkT+khupXs5dzsY2tcA4"
"""Of `PASSWORD`, and cheap: made with m=8, t=1."""
OTHER = "$argon2id$v=19$m=8,t=1,p=1$SvAxdA127E43s7Zsit/QGA$AAA3ulb7FvcCyqyS7jz3c9NCkT+khupXs5dzsY2tcA4"
VIEWER = User(name="ada", password=Secret(HASH), role=Access.VIEWER)
OPERATOR = User(name="grace", password=Secret(HASH), role=Access.OPERATOR)
LOOKS = Token(name="grafana", secret=Secret("a-token-that-may-only-look"), role=Access.VIEWER)
ACTS = Token(name="deploy", secret=Secret("a-token-that-may-act-as-well"), role=Access.OPERATOR)
SETTINGS = WebSettings(users=(VIEWER, OPERATOR), tokens=(LOOKS, ACTS))
HTML = {"Accept": "text/html"}


@dataclass
class Desk:
    """Implements what the gate and the logins ask of a desk."""

    store: People
    settings: WebSettings = SETTINGS
    broken: bool = False
    daemon: Any = field(default_factory=FakeDaemon)
    status_page: StatusPage = field(default_factory=StatusPage)

    async def view(self, make: Callable[[Sources], T]) -> T:
        raise AssertionError("nobody asks for documents here")

    async def people(self, act: Callable[[People], T]) -> T:
        if self.broken:
            raise StoreUnavailable("/secret/place/people.sqlite3 is locked")
        return await asyncio.to_thread(act, self.store)


@dataclass
class Door:
    """What a test has in hand: a browser (with cookies, which follows no redirect), and the inside."""

    desk: Desk
    links: Links
    address: str
    browser: ClientSession
    table: Mapping[web.AbstractRoute, Route]
    now: datetime = NOW

    def later(self, time: timedelta) -> None:
        self.now += time

    def configure(self, **changes: Any) -> None:
        self.desk.settings = replace(self.desk.settings, **changes)

    async def get(self, path: str, **headers: str) -> ClientResponse:
        return await self.ask("GET", path, headers=headers)

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> ClientResponse:
        answer = await self.browser.request(method, self.address + path, headers=headers, allow_redirects=False, **rest)
        await answer.read()
        return answer

    async def log_in(
        self, name: str = "ada", password: str = PASSWORD, next: str = "/", headers: Mapping[str, str] | None = None
    ) -> ClientResponse:
        data = {"name": name, "password": password, "next": next}
        return await self.ask("POST", "/login", data=data, headers=headers)

    def cookie(self) -> str:
        return next((morsel.value for morsel in self.browser.cookie_jar if morsel.key.endswith("probe_session")), "")

    def forget(self) -> None:
        self.browser.cookie_jar.clear()

    async def csrf(self) -> str:
        return str((await (await self.get("/whoami")).json())["csrf"])

    async def audited(self) -> list[tuple[str, str, str, bool]]:
        lines: tuple[AuditLine, ...] = (await self.desk.people(lambda people: people.audited()))[0]
        return [(line.who, line.what, line.object, line.ok) for line in reversed(lines)]


async def _whoami(request: web.Request) -> web.Response:
    who = identity(request)
    return answer({"name": who.name, "access": who.access.value, "by": who.by, "csrf": request[CSRF]})


async def _act(request: web.Request) -> web.Response:
    await audit(request, "act", request.match_info["id"])
    return answer({"did": identity(request).name, "prefix": prefix(request)})


async def _open(request: web.Request) -> web.Response:
    return answer({"prefix": prefix(request), "path": request.path, "query": request.query_string})


async def _stream(request: web.Request) -> web.StreamResponse:
    stream = web.StreamResponse()
    await stream.prepare(request)
    await stream.write(b"data: 1\n\n")
    return stream


ROUTES = (
    Route(method="GET", path="/", handler=_open, access=Access.VIEWER),
    Route(method="GET", path="/healthz", handler=_open, access=Access.PUBLIC),
    Route(method="GET", path="/status", handler=_open, access=Access.PUBLIC),
    Route(method="POST", path="/status/report", handler=_open, access=Access.PUBLIC),
    Route(method="GET", path="/whoami", handler=_whoami, access=Access.VIEWER),
    Route(method="GET", path="/checks/{check}", handler=_open, access=Access.VIEWER),
    Route(method="GET", path="/events", handler=_stream, access=Access.VIEWER),
    Route(method="POST", path="/incidents/{id}/ack", handler=_act, access=Access.OPERATOR),
    Route(method="GET", path="/api/v1/overview", handler=_whoami, access=Access.VIEWER),
    Route(method="POST", path="/api/v1/incidents/{id}/ack", handler=_act, access=Access.OPERATOR),
    Route(method="GET", path="/trace/{name:.+}", handler=_open, access=Access.PUBLIC),
)


@asynccontextmanager
async def opened_door(folder: Path, settings: WebSettings = SETTINGS) -> AsyncIterator[Door]:
    stack = ExitStack()
    people = await asyncio.to_thread(stack.enter_context, open_people(folder))
    try:
        desk = Desk(people, settings)
        app = web.Application(middlewares=[telling])
        app[DESK] = desk  # type: ignore[misc]  # as much of one as is asked for here
        door: Door
        links = Links(lambda: door.now)
        routes = [*ROUTES, *login.routes(), *audit_page.routes(), *static.routes()]
        table = guard(app, routes, Entrance(links=links, listen="probe.internal", now=lambda: door.now))
        async with (
            TestServer(app) as server,
            ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser,
        ):
            door = Door(desk, links, f"http://127.0.0.1:{server.port}", browser, table)
            yield door
    finally:
        await asyncio.to_thread(stack.close)
