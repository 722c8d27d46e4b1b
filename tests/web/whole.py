"""All the pages and the API, served over a data folder as a daemon leaves it in the middle of a bad night."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from probe.core.access import Access
from probe.core.secret import Redactor
from probe.engine.runner import SystemClock
from probe.loader import load
from probe.shown import open_shown
from probe.web.access.entrance import Entrance
from probe.web.access.links import Links
from probe.web.app import pages_app
from probe.web.front import Front
from probe.web.reading import open_reading
from tests.cli.world import BURNING, CANARY, OPEN, configure, fill
from tests.web.daemon import TOKENS, FakeDaemon

MORE = """
[status_page]
title = "Shop status"
[[status_page.component]]
name = "Checkout"
checks = ["checkout"]
[[maintenance]]
name = "weekly release"
cron = "0 2 * * sun"
duration = "2h"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Where it is served, over which daemon, and what the router knows."""

    address: str
    daemon: FakeDaemon
    app: web.Application
    folder: Path

    def header(self, role: Access) -> dict[str, str]:
        """What a program sends that has a token of a role."""
        return {"Authorization": f"Bearer {TOKENS[role]}"}


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Whole]:
    """All of it, for the time of the context."""
    configure(folder, MORE)
    await asyncio.to_thread(fill, folder)
    loaded = await asyncio.to_thread(load, folder / "config.toml", environ={"CANARY": CANARY})
    daemon = FakeDaemon(loaded=loaded, redactor=Redactor(loaded.config.secrets), incidents=(OPEN, BURNING))
    clock = SystemClock()
    async with open_reading(partial(open_shown, loaded.config)) as reading:
        app, _ = pages_app(Front(daemon, reading, clock), Entrance(links=Links(), listen="127.0.0.1"))
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1, auto_decompress=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield Whole(address=f"http://{host}:{port}", daemon=daemon, app=app, folder=folder)
        finally:
            await runner.cleanup()
