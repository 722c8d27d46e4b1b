"""Whoever only opens connections does not keep others out, nor the probing from its files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from probe.web.answers import Refused, refusal
from probe.web.guests import Guests
from probe.web.routes import Handler

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = b"Host: here\r\nConnection: close\r\n"


@web.middleware
async def telling(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused.status, refused.what)


class Served:
    """What is open, to be closed at the end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.opened: list[Connection] = []

    async def send(self, data: bytes) -> asyncio.StreamReader:
        connection = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append(connection)
        connection[1].write(data)
        return connection[0]


@asynccontextmanager
async def served(guests: Guests, handler: Handler) -> AsyncIterator[Served]:
    app = web.Application(middlewares=[telling])
    guests.install(app)
    app.router.add_route("*", "/", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    door = await guests.listen(runner.server, "127.0.0.1", 0, 8)
    found = Served(door.sockets[0].getsockname()[1])
    try:
        yield found
    finally:
        for _, writer in found.opened:
            writer.close()
        door.close()
        await runner.cleanup()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the end: how it ends does not matter."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_the_oldest_idle_one_makes_room_and_one_at_work_stays() -> None:
    """As many as may come say half of a request: the next is answered all the same, and so is who came first."""
    go, arrived = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if "wait" in request.query:
            arrived.set()
            await go.wait()
        return web.Response(text="served")

    async with served(Guests(most=3), handler) as door:
        at_work = await door.send(b"GET /?wait=1 HTTP/1.1\r\n" + HEAD + b"\r\n")
        await arrived.wait()
        idle = [await door.send(b"GET / HTTP/1.1\r\nHost: he") for _ in range(2)]
        new = await door.send(b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert (await ended(new)).endswith(b"served")
        assert await ended(idle[0]) == b"", "it was let go"
        go.set()
        assert (await ended(at_work)).endswith(b"served")


async def test_who_says_nothing_is_let_go() -> None:
    """Half of a head, half of a body, and nothing at all, kept up for ever; but not who waits for us."""
    began = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.method == "POST":
            await request.read()
        else:
            await began.wait()
        return web.Response(text="served")

    async with served(Guests(idle=0.1, body=0.1, look=0.02), handler) as door:
        waiting = await door.send(b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")
        body = await door.send(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n" + HEAD + b"\r\nhalf")
        assert await ended(await door.send(b"GET / HTTP/1.1\r\nHost: he")) == b""
        assert await ended(await door.send(b"")) == b""
        assert (await ended(body)).startswith(b"HTTP/1.1 408 ")
        began.set()
        assert (await ended(waiting)).endswith(b"served")
