"""The DNS server of `demo.test`: knows the shop and its services, and nobody else."""

import asyncio
import struct
from typing import Final, cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from probe.demo.listener import Listener
from probe.demo.ports import LOOPBACK
from probe.demo.sockets import DatagramDoor, Door

SHOP: Final = "shop.demo.test."
NAMES: Final = frozenset({SHOP, "cdn.demo.test.", "pay.demo.test.", "metrics.demo.test."})
TTL: Final = 1
"""Seconds. Short, so that a resolver between does not keep a fault alive, or hide one."""


class Nameserver:
    """Answers over UDP and TCP at the same port."""

    def __init__(self, door: Door, datagrams: DatagramDoor, tasks: asyncio.TaskGroup) -> None:
        self.gone: frozenset[str] = frozenset()
        self.listener = Listener(door, self._conversation, tasks)
        self._datagrams = datagrams
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Listen."""
        self.listener.start()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=self._datagrams.socket)

    async def stop(self) -> None:
        """Stop for good."""
        await self.listener.stop()
        if self._transport is not None:
            self._transport.close()

    def answer(self, wire: bytes) -> bytes | None:
        """The answer to one query; None for what is not even a query."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, our_payload=1232)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return response.to_wire()
        response.flags |= dns.flags.AA
        question = query.question[0]
        name = question.name.to_text().lower()
        if name not in NAMES - self.gone or question.rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype in (dns.rdatatype.A, dns.rdatatype.ANY):
            response.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "A", LOOPBACK))
        return response.to_wire()

    async def _conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = self.answer(await reader.readexactly(length))
            if answer is None:
                return
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, nameserver: Nameserver) -> None:
        self._nameserver = nameserver
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and (answer := self._nameserver.answer(data)):
            self._transport.sendto(answer, addr)
