"""A TCP service whose listener can be closed and opened again while the shop runs."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from probe.demo.sockets import Door

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Accepts at a door; each connection is a named task in the shop's task group, served by `serve`."""

    def __init__(self, door: Door, serve: Serve, tasks: asyncio.TaskGroup) -> None:
        self.door = door
        self._serve = serve
        self._tasks = tasks
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        """Whether connections are accepted."""
        return self._accepting is not None

    def start(self) -> None:
        """Listen. Connections wait in the backlog from here on, so nobody needs to wait for readiness."""
        if self._accepting is None:
            name = f"demo {self.door.service} accept"
            self._accepting = self._tasks.create_task(self._accept(self.door.listen()), name=name)

    async def stop(self) -> None:
        """Refuse new connections and break the open ones, as a killed service does. The port stays reserved."""
        if self._accepting is None:
            return
        accepting, self._accepting = self._accepting, None
        await _cancelled({accepting})
        self.door.reserve()
        await self.drop()

    async def drop(self) -> None:
        """Break every open connection, and go on accepting."""
        await _cancelled(set(self._connections))

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    made, _ = await loop.sock_accept(listening)
                except ConnectionError:
                    continue  # it gave up while it was in the backlog
                made.setblocking(False)
                task = self._tasks.create_task(self._connection(made), name=f"demo {self.door.service} connection")
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)

    async def _connection(self, made: socket.socket) -> None:
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader, writer = await asyncio.open_connection(sock=made)
        except BaseException:
            made.close()
            raise
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            writer.close()


def reset_on_close(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST rather than FIN: what a customer sees when the path gives up on it."""
    made: socket.socket = writer.get_extra_info("socket")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
