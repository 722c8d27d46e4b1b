"""`/events`: what changes on the overview, to every page that is open, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from probe.core.access import Access
from probe.errors import StoreUnavailable
from probe.web.access.entrance import ENTRANCE
from probe.web.access.sessions import identity_of, recognise, sent_bearer
from probe.web.answers import refusal
from probe.web.broadcast import MOST, Broadcast, Full, Message, encode
from probe.web.desk import DESK
from probe.web.routes import Route

SLOW: Final = 20.0
"""Seconds that one message may take to be taken."""
ASK_AGAIN: Final = 60.0
"""Seconds after which it is looked whether whoever listens may still."""

MaySee = Callable[[web.Request], Awaitable[bool]]
BROADCAST: Final[web.AppKey[Broadcast]] = web.AppKey("broadcast", Broadcast)
MAY_SEE: Final[web.AppKey[MaySee]] = web.AppKey("may see")


async def still_may(request: web.Request) -> bool:
    """Whether who sent a request long ago may still see what they asked for. While nobody can tell, they may."""
    sent = sent_bearer(request)
    if sent is not None:
        return identity_of(sent, request.app[DESK].settings) is not None
    try:
        return await recognise(request, request.app[ENTRANCE].now()) is not None
    except StoreUnavailable:
        return True


def install(app: web.Application, may_see: MaySee = still_may) -> None:
    """Have an application broadcast for as long as it runs. It needs its `DESK` at the start."""
    app[MAY_SEE] = may_see

    async def running(app: web.Application) -> AsyncIterator[None]:
        broadcast = app[BROADCAST] = Broadcast(app[DESK].overview)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(broadcast.run(), name="broadcast")
            yield
            task.cancel()

    async def close(app: web.Application) -> None:
        app[BROADCAST].close()

    app.cleanup_ctx.append(running)
    app.on_shutdown.append(close)


def routes() -> tuple[Route, ...]:
    """The one route of them."""
    return (Route(method="GET", path="/events", handler=events, access=Access.VIEWER),)


async def events(request: web.Request) -> web.StreamResponse:
    """Listen until either side has enough."""
    try:
        with request.app[BROADCAST].listen() as queue:
            return await _forward(request, queue)
    except Full:
        refused = refusal(503, f"{MOST} pages listen already", "reload the page now and then, or close some")
        refused.headers["Retry-After"] = "30"
        return refused


async def _forward(request: web.Request, queue: asyncio.Queue[Message]) -> web.StreamResponse:
    loop = asyncio.get_running_loop()
    answer = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    may_see, asked = request.app[MAY_SEE], loop.time()
    try:
        await answer.prepare(request)
        while (message := await queue.get()) is not None:
            over = False
            if loop.time() - asked >= ASK_AGAIN:
                asked = loop.time()
                over = not await may_see(request)
            async with asyncio.timeout(SLOW):
                await answer.write(encode("bye", {"why": "session"}) if over else message)
            if over:
                break
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()  # nothing more gets through to that one
    return answer
