"""The stretch of network between customer and load balancer, where latency and loss happen.

It forwards bytes and knows nothing of HTTP or TLS, so what it does to a connection is what a network does: a TLS
handshake meets it as much as a request.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from probe.demo.hold import Hold
from probe.demo.listener import Listener, reset_on_close
from probe.demo.ports import LOOPBACK
from probe.demo.sockets import Door

LATENCY: Final = 2.5
FIRST_STALL: Final = 3.0
"""Seconds. A first packet lost twice is sent again after 1 s and after 2 s more."""

LATER_STALL: Final = 1.5
STALL_EVERY: Final = 4
RESET_EVERY: Final = 3


class Hop:
    """Carries every connection from its door to the load balancer's port."""

    def __init__(self, door: Door, beyond: int, tasks: asyncio.TaskGroup) -> None:
        self.listener = Listener(door, self._carry, tasks)
        self._beyond = beyond
        self._hold = Hold()
        self._latency = False
        self._lossy = False
        self._connections = 0

    def set(self, *, latency: bool, lossy: bool) -> None:
        """Change the weather. What was held back arrives at once when nothing holds it any longer."""
        if (self._latency and not latency) or (self._lossy and not lossy):
            self._hold.release()
        self._latency, self._lossy = latency, lossy

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        passage = _Passage(unlucky=self._connections % RESET_EVERY == 0)
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._beyond)
        try:
            async with asyncio.TaskGroup() as tasks:
                there = tasks.create_task(self._pump(reader, far_writer, passage, there=True), name="demo hop there")
                back = tasks.create_task(self._pump(far_reader, writer, passage, there=False), name="demo hop back")
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
                if not passage.reset:
                    # The customer's end was passed on; the load balancer answers it with its own.
                    await asyncio.wait({back})
                there.cancel()
                back.cancel()
        finally:
            if passage.reset:
                reset_on_close(writer)
            far_writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: "_Passage", *, there: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                await self._weather(passage, there=there)
                if passage.reset:
                    return
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError):
            # The other side is gone, or closing already: its reader says so too.
            writer.close()

    async def _weather(self, passage: "_Passage", *, there: bool) -> None:
        """Hold one packet back as the weather has it, or decide that the connection is lost."""
        if self._latency and there:
            await self._hold.wait(LATENCY)
        if not self._lossy:
            return
        passage.packets += 1
        if passage.unlucky:
            passage.reset = True
        elif passage.packets == 1:
            await self._hold.wait(FIRST_STALL)
        elif passage.packets % STALL_EVERY == 0:
            await self._hold.wait(LATER_STALL)


@dataclass(slots=True)
class _Passage:
    """One connection on its way: how much of it was lost so far."""

    unlucky: bool
    packets: int = 0
    reset: bool = False
