"""All pages over the outage of `tests/view/outage.py`, behind the real gate: real people, real evidence, a daemon that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from probe.core.access import Access, Identity, WebSettings
from probe.core.check import CheckId
from probe.core.people import Note
from probe.core.status_page import StatusPage
from probe.store.people import People, Session, open_people
from probe.view.documents import Overview
from probe.view.sources import Sources
from probe.web.access.entrance import Entrance
from probe.web.access.links import Links
from probe.web.app import pages_app
from tests.store.builders import at
from tests.view.outage import ID, fill, looking
from tests.web.daemon import SETTINGS, TOKENS, FakeDaemon

T = TypeVar("T")
NOW = at(10)
COOKIE = "the-cookie-of-a-session"


@dataclass
class Desk:
    """Implements `probe.web.desk.Desk` on a folder."""

    folder: Path
    daemon: Any = field(default_factory=lambda: FakeDaemon(incidents=(ID,)))
    settings: WebSettings = SETTINGS
    status_page: StatusPage = field(default_factory=StatusPage)
    restricted: frozenset[CheckId] = frozenset()

    async def view(self, make: Callable[[Sources], T]) -> T:
        def look() -> T:
            with looking(self.folder, now=NOW, restricted=self.restricted) as sources:
                return make(sources)

        return await asyncio.to_thread(look)

    async def people(self, act: Callable[[People], T]) -> T:
        def do() -> T:
            with open_people(self.folder) as people:
                return act(people)

        return await asyncio.to_thread(do)

    async def overview(self) -> Overview:
        raise AssertionError("nobody asks for it here")


@dataclass(frozen=True)
class Inside:
    """Where it is served, and what is behind it."""

    address: str
    desk: Desk

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def header(self, role: Access = Access.OPERATOR, /, **more: str) -> dict[str, str]:
        """What a program sends that has a token of a role."""
        return {"Authorization": f"Bearer {TOKENS[role]}", **more}

    def notes(self) -> tuple[Note, ...]:
        with open_people(self.desk.folder) as people:
            return people.notes(ID)

    def audited(self) -> list[tuple[str, str, str, bool]]:
        """Who did what with what, and whether they were let, oldest first."""
        with open_people(self.desk.folder) as people:
            return [(line.who, line.what, line.object, line.ok) for line in reversed(people.audited()[0])]

    def log_in(self, now: datetime) -> None:
        """Have the cookie `COOKIE` stand for an operator."""
        who = Identity(name="jo", access=Access.OPERATOR, by="link")
        with open_people(self.desk.folder) as people:
            people.begin_session(COOKIE, Session(identity=who, csrf="the-csrf-word", began=now, seen=now))


@asynccontextmanager
async def served(folder: Path, *, over: bool = False, **given: Any) -> AsyncIterator[Inside]:
    """All of it, for the time of the context. `given` goes to the desk."""
    await asyncio.to_thread(fill, folder, over=over)
    desk = Desk(folder, **given)
    app, _ = pages_app(desk, Entrance(links=Links(), listen="127.0.0.1", now=lambda: NOW))
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Inside(f"http://127.0.0.1:{runner.addresses[0][1]}", desk)
    finally:
        await runner.cleanup()
