"""A SOCKS 5 server on loopback through which a browser leaves as our HTTP checks do.

Chromium knows no source address, no name server and no IP version; it knows a proxy. This one resolves and connects
with the region's `Dialer`, and remembers why a connection failed: the browser itself says only
`ERR_SOCKS_CONNECTION_HOST_UNREACHABLE`.

Chromium has no login for SOCKS, so there is none: while it runs, any local user can use it. It listens on 127.0.0.1
only, on a port of its own, for the time of a run. Chromium goes past any proxy to loopback addresses unless it gets
`--proxy-bypass-list=<-loopback>`.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from probe.core.failure import CheckFailed, Failure
from probe.core.target import Region
from probe.net.dial import Dialer
from probe.net.failures import Situation, stalled
from probe.net.socks import ANONYMOUS, IPV4, IPV6, NAME, NO_METHOD, Reply
from probe.net.trace import Trace

CONNECT_WITHIN: Final = 30.0
"""Seconds that a connection may take, name and all."""
HELLO_WITHIN: Final = 10.0
"""Seconds that a client may take to say where it wants to go."""
PIECE: Final = 64 * 1024

REPLIES: Final = {
    "name_not_found": Reply.HOST_UNREACHABLE,
    "name_without_address": Reply.HOST_UNREACHABLE,
    "dns_failed": Reply.HOST_UNREACHABLE,
    "dns_timeout": Reply.HOST_UNREACHABLE,
    "refused": Reply.REFUSED,
    "unreachable": Reply.NETWORK_UNREACHABLE,
    "connect_timeout": Reply.TTL_EXPIRED,
}
"""What the client is told; everything else (our own trouble) is a general failure."""


class Egress:
    """The running server."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._failures: dict[tuple[str, int], Failure] = {}
        self._peers: dict[tuple[str, int], str] = {}
        self._handlers: set[asyncio.Task[None]] = set()
        self.url = ""
        """For `--proxy-server`, such as `socks5://127.0.0.1:40123`."""

    def failure_for(self, host: str, port: int | None = None) -> Failure | None:
        """Why the last connection to `host` failed; `None` when it did not, or was never asked for."""
        host = host.strip("[]").lower()
        found = [f for (name, number), f in self._failures.items() if name == host and port in (None, number)]
        return found[-1] if found else None

    def peer_of(self, host: str, port: int) -> str | None:
        """The address and port that the last connection to `host` reached: the browser itself sees only this server."""
        return self._peers.get((host.strip("[]").lower(), port))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            # A client that breaks off is no trouble of ours; what went wrong with the target is in `_failures`.
            with suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):
                await self._talk(reader, writer)
        finally:
            self._handlers.discard(task)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HELLO_WITHIN):
            wanted = await _greet(reader, writer)
        if wanted is None:
            return
        host, port = wanted
        try:
            upstream = await self._connect(host, port)
        except CheckFailed as error:
            failure = error.failures[0]
            self._failures.pop((host, port), None)  # the newest is the last
            self._failures[host, port] = failure
            writer.write(_reply(REPLIES.get(failure.kind, Reply.GENERAL)))
            await writer.drain()
            return
        self._failures.pop((host, port), None)
        writer.write(_reply(Reply.GRANTED))
        there, back = await asyncio.open_connection(sock=upstream)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(reader, back), name=f"egress to {host}:{port}")
                pumps.create_task(_pump(there, writer), name=f"egress from {host}:{port}")
        except* OSError:  # one side broke off: so do we, with the other
            pass
        finally:
            back.transport.abort()

    async def _connect(self, host: str, port: int) -> socket.socket:
        trace = Trace()
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                upstream = await self._dialer.dial(host, port, trace)
        except TimeoutError as error:
            situation = Situation(
                stage=trace.stage,
                peer=f"{host}:{port}",
                limit=CONNECT_WITHIN,
                resolver_answers=trace.resolver_answers,
                proxy=None if self._dialer.proxy is None else str(self._dialer.proxy),
            )
            raise CheckFailed(stalled(situation)) from error
        if trace.address is not None:
            self._peers[host, port] = trace.address
        return upstream

    async def _close(self) -> None:
        handlers = list(self._handlers)
        for task in handlers:
            task.cancel()
        if handlers:
            await asyncio.wait(handlers)


@asynccontextmanager
async def running_egress(region: Region, dialer: Dialer | None = None) -> AsyncIterator[Egress]:
    """A SOCKS server that leaves as `region` does, for the time of the context.

    >>> async def browse(region):
    ...     async with running_egress(region) as egress:
    ...         print(egress.url, egress.failure_for("shop.example"))
    """
    egress = Egress(dialer or Dialer(region))
    server = await asyncio.start_server(egress._serve, "127.0.0.1", 0, limit=PIECE)
    egress.url = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield egress
    finally:
        server.close()
        await egress._close()
        await server.wait_closed()


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
    """The host and port that a SOCKS 5 client wants; `None` when it wants something else, after telling it so."""
    version, count = await reader.readexactly(2)
    methods = await reader.readexactly(count)
    if version != 5 or ANONYMOUS not in methods:
        writer.write(bytes((5, NO_METHOD)))
        await writer.drain()
        return None
    writer.write(bytes((5, ANONYMOUS)))
    _, command, _, kind = await reader.readexactly(4)
    if kind == NAME:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii", "replace").lower()
    elif kind in (IPV4, IPV6):
        host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == IPV4 else 16)))
    else:
        writer.write(_reply(Reply.BAD_ADDRESS))
        await writer.drain()
        return None
    port = int.from_bytes(await reader.readexactly(2), "big")
    if command != 1:
        writer.write(_reply(Reply.BAD_COMMAND))
        await writer.drain()
        return None
    return host, port


def _reply(code: Reply) -> bytes:
    return bytes((5, code, 0, IPV4)) + bytes(6)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything from one side to the other, no faster than it is taken; an end on one side ends that direction."""
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
