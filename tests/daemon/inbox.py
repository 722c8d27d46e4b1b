"""The other end of webhook channels: notes what comes, and answers as its mood is."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Mood(StrEnum):
    """How a request is answered. All of them note it first."""

    OK = "ok"
    ERROR = "error"
    HANG = "hang"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came, at `time.monotonic()`: on which channel, with which `Idempotency-Key`, with what."""

    at: float
    channel: str
    key: str
    body: dict[str, Any]
    mood: Mood

    @property
    def notices(self) -> list[dict[str, Any]]:
        """The notifications in it: one, or several as a digest."""
        found: list[dict[str, Any]] = self.body["notifications"]
        return found


@dataclass
class Inbox:
    """A server on loopback; `mood` chooses the answer by channel and key."""

    mood: Callable[[str, str], Mood] = lambda _channel, _key: Mood.OK
    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)

    def url(self, channel: str) -> str:
        """Where the channel sends to."""
        return f"http://127.0.0.1:{self.port}/{channel}"

    async def handle(self, request: web.Request) -> web.Response:
        """Note, then answer."""
        body, channel, key = await request.json(), request.path.strip("/"), request.headers["Idempotency-Key"]
        mood = self.mood(channel, key)
        self.arrivals.append(Arrival(time.monotonic(), channel, key, body, mood))
        if mood is Mood.HANG:
            await asyncio.Event().wait()
        if mood is Mood.DROP and request.transport is not None:
            request.transport.abort()
        return web.Response(status=500 if mood is Mood.ERROR else 200)


@asynccontextmanager
async def serving(handle: Handler, *hosts: str) -> AsyncIterator[int]:
    """A web server at one free port of these addresses of loopback."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        port = 0
        for host in hosts:
            await web.TCPSite(runner, host, port).start()
            port = port or runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()


@asynccontextmanager
async def inbox(mood: Callable[[str, str], Mood] = lambda _channel, _key: Mood.OK) -> AsyncIterator[Inbox]:
    """An inbox that is open for as long as the block."""
    found = Inbox(mood)
    async with serving(found.handle, "127.0.0.1") as found.port:
        yield found
