"""Connections to the pages: so many at most, and none that says nothing for ever. Whoever opens more than that must not take
from the probing what it needs: file descriptors, above all.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from probe.web.answers import Handler, Refused

MOST: Final = 500
"""Connections at a time: half of the 1024 files that a process may usually have open. Then the oldest idle one goes."""
IDLE: Final = 30.0
"""Seconds in which a connection is to bring a whole head of a request, or to take some of an answer."""
BODY: Final = 30.0
"""Seconds for a request that sends something, until it is answered."""
LOOK: Final = 5.0
"""Seconds between two looks for those that are too slow."""
SAFE: Final = ("GET", "HEAD", "OPTIONS")


class Guests:
    """Knows which connections have a request at work, and lets the others go when it must."""

    def __init__(self, most: int = MOST, idle: float = IDLE, body: float = BODY, look: float = LOOK) -> None:
        self._most, self._idle, self._body, self._look = most, idle, body, look
        self._server: web.Server | None = None
        self._busy: set[object] = set()
        self._seen: dict[object, tuple[float, int]] = {}

    def install(self, app: web.Application) -> None:
        """Attend to what an application is asked, inside of the middlewares that it has already."""

        @web.middleware
        async def attend(request: web.Request, handler: Handler) -> web.StreamResponse:
            guest = request.protocol
            self._busy.add(guest)
            try:
                return await (handler(request) if request.method in SAFE else self._in_time(request, handler))
            finally:
                self._busy.discard(guest)
                self._seen.pop(guest, None)

        async def running(_app: web.Application) -> AsyncIterator[None]:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(), name="guests")
                yield
                watching.cancel()

        app.middlewares.append(attend)
        app.cleanup_ctx.append(running)

    async def listen(self, server: web.Server, host: str, port: int, backlog: int) -> asyncio.Server:
        """Have them come in there. `OSError` when that cannot be."""
        self._server = server

        def come() -> asyncio.Protocol:
            if len(server.connections) >= self._most:
                self._make_room(server)
            return server()

        return await asyncio.get_running_loop().create_server(come, host, port, backlog=backlog)

    async def _in_time(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._body) as limit:
                return await handler(request)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Refused(408, "what was sent did not come in time") from None

    def _make_room(self, server: web.Server) -> None:
        """Let the oldest go that has no request at work; when all have, they stay, and the newest comes on top."""
        for guest in server.connections:
            door = guest.transport
            if door is not None and not door.is_closing() and guest not in self._busy:
                door.abort()
                return

    async def _watch(self) -> None:
        """Let go of whoever does nothing for too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._look)
            now, before = loop.time(), self._seen
            self._seen = {}
            for guest in self._server.connections if self._server is not None else ():
                door = guest.transport
                if door is None or guest in self._busy:
                    continue
                left = door.get_write_buffer_size()
                since, was_left = before.get(guest, (now, left))
                if left < was_left:  # it takes what we answer, slowly
                    since = now
                if now - since >= self._idle:
                    door.abort()
                else:
                    self._seen[guest] = (since, left)
