"""The application over the shop of `tests/view/public.py`: the real pages behind the real gate."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from probe.core.access import Access, Token, WebSettings
from probe.core.secret import Secret
from probe.core.status_page import StatusPage
from probe.errors import StoreUnavailable
from probe.store.people import People, open_people
from probe.view.sources import Sources
from probe.web.access.entrance import Entrance
from probe.web.access.links import Links
from probe.web.app import pages_app
from tests.view.public import PAGE, looking
from tests.web.daemon import FakeDaemon

TOKENS = {role: f"a-token-of-a-{role.value}-0123456789" for role in (Access.VIEWER, Access.OPERATOR)}


@dataclass(eq=False)
class ShopDesk:
    """Documents from a real database; how often it was looked at is in `looks`, and `gate` may hold looks up."""

    folder: Path
    daemon: Any = field(default_factory=FakeDaemon)
    settings: WebSettings = field(
        default_factory=lambda: WebSettings(
            tokens=tuple(Token(name=role.value, secret=Secret(text), role=role) for role, text in TOKENS.items())
        )
    )
    status_page: StatusPage = PAGE
    trouble: str = ""
    looks: int = 0
    gate: asyncio.Event | None = None

    async def overview(self) -> Any:
        raise NotImplementedError

    async def view(self, make: Callable[[Sources], Any]) -> Any:
        self.looks += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.trouble:
            raise StoreUnavailable(self.trouble)

        def look() -> Any:
            with looking(self.folder, status_page=self.status_page) as sources:
                return make(sources)

        return await asyncio.to_thread(look)

    async def people(self, act: Callable[[People], Any]) -> Any:
        if self.trouble:
            raise StoreUnavailable(self.trouble)

        def acting() -> Any:
            with open_people(self.folder) as people:
                return act(people)

        return await asyncio.to_thread(acting)


@asynccontextmanager
async def served(desk: ShopDesk) -> AsyncIterator[str]:
    """The address of all pages, for the time of the context."""
    app, _ = pages_app(desk, Entrance(links=Links(), listen="127.0.0.1"))
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
