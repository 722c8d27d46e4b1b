"""One TCP connection out of a region: resolved, bound, tunnelled and timed; trouble told apart into ours and theirs."""

import asyncio
import errno
import os
import re
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import aiohappyeyeballs

from probe.core.failure import CheckFailed, Failure
from probe.core.target import Region
from probe.net.proxy import Proxy
from probe.net.resolve import FAMILIES, AddrInfo, NameServerResolver, Resolver, SystemResolver, literal
from probe.net.socks import egress_failed
from probe.net.threads import threads
from probe.net.trace import Stage, Trace

EYEBALLS_DELAY: Final = 0.25
"""Seconds between attempts at the addresses of a name (RFC 8305), as aiohttp has it."""


class Dialer:
    """Opens connections as one region does."""

    def __init__(self, region: Region, resolver: Resolver | None = None) -> None:
        self._family: int = FAMILIES[region.ip_version]
        self._source = region.source_address
        self._local: Sequence[AddrInfo] | None = None
        if self._source is not None:
            bound = literal(self._source, 0)
            if bound is None:
                raise ValueError(f"source address {self._source!r} of region {region.name!r} is not an IP address")
            self._local = [bound]
            self._family = self._family or bound[0]
        self.proxy = None if region.proxy is None else Proxy.parse(region.proxy.reveal())
        self._resolver = resolver or (
            SystemResolver() if region.nameserver is None else NameServerResolver(region.nameserver)
        )

    async def dial(self, host: str, port: int, trace: Trace, *, tunnel: bool = True) -> socket.socket:
        """A connected, non-blocking socket to `host:port`.

        With `tunnel=False` an HTTP proxy is only connected to: it will be asked in absolute form. Raises `CheckFailed`.
        """
        proxy = self.proxy
        if proxy is None:
            addresses = await self._timed_resolve(host, port, trace)
            trace.stage = Stage.CONNECT
            started = time.perf_counter()
            sock = await self._connect(addresses, host, port, trace)
            trace.connect = time.perf_counter() - started
            return sock
        targets = [host]
        if not proxy.resolves and literal(host, port) is None:
            targets = [str(info[4][0]) for info in proxy.usable(await self._timed_resolve(host, port, trace), host)]
        trace.stage = Stage.PROXY
        started = time.perf_counter()
        sock = await self._reach(proxy, trace)
        try:
            if tunnel or not proxy.is_http:
                await proxy.tunnel(sock, targets[0], port, trace)
        except BaseException:
            sock.close()
            raise
        trace.stage = Stage.CONNECT
        trace.connect = time.perf_counter() - started
        return sock

    async def resolve(self, host: str, trace: Trace) -> Sequence[AddrInfo]:
        """The addresses of a name, by the region's own resolver. Raises `CheckFailed`."""
        return await self._timed_resolve(host, 0, trace)

    async def _timed_resolve(self, host: str, port: int, trace: Trace) -> Sequence[AddrInfo]:
        known = literal(host, port)
        if known is not None:
            if self._family not in (socket.AF_UNSPEC, known[0]):
                wanted = "IPv4" if self._family == socket.AF_INET else "IPv6"
                raise CheckFailed(
                    Failure.of(
                        "name_without_address", f"{host} is not an {wanted} address, and this region uses only those"
                    )
                )
            return [known]
        trace.stage = Stage.DNS
        started = time.perf_counter()
        found = await self._resolver.resolve(host, port, self._family, trace)
        trace.dns = time.perf_counter() - started
        trace.answers = tuple(sorted({str(info[4][0]) for info in found}))
        return found

    async def _reach(self, proxy: Proxy, trace: Trace) -> socket.socket:
        """A connection to our own proxy; every trouble on the way is ours."""
        known = literal(proxy.host, proxy.port)
        try:
            found = [known] if known else await self._resolver.resolve(proxy.host, proxy.port, self._family, Trace())
            return await self._connect(found, proxy.host, proxy.port, trace)
        except CheckFailed as error:
            said = error.failures[0]
            if said.ours:
                raise
            raise egress_failed(f"{proxy} cannot be reached: {said.message}") from error

    async def _connect(self, found: Sequence[AddrInfo], host: str, port: int, trace: Trace) -> socket.socket:
        loop = asyncio.get_running_loop()
        try:
            if len(found) == 1 and self._local is None:
                sock = await _connect_one(found[0], loop)
            else:
                sock = await aiohappyeyeballs.start_connection(
                    addr_infos=found, local_addr_infos=self._local, happy_eyeballs_delay=EYEBALLS_DELAY, loop=loop
                )
        except OSError as error:
            numbers = error_numbers(error)
            routed = True
            if errno.ENETUNREACH in numbers:
                routed = await threads.run(has_route, {info[0] for info in found})
            tried = ", ".join(dict.fromkeys(str(info[4][0]) for info in found))
            where = f"{host}:{port}" if tried == host else f"{host}:{port} ({tried})"
            raise CheckFailed(connect_failure(numbers, where, source=self._source, routed=routed)) from error
        peer = sock.getpeername()
        trace.address = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
        return sock


async def _connect_one(info: AddrInfo, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Connect to one address: the common case, at half the cost of a race between several, or of `loop.sock_connect`."""
    sock = socket.socket(info[0], info[1], info[2])
    try:
        sock.setblocking(False)
        try:
            sock.connect(info[4])
        except BlockingIOError:
            await _writable(sock, loop)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number)) from None
    except BaseException:
        sock.close()
        raise
    return sock


async def _writable(sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    number = sock.fileno()
    loop.add_writer(number, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_writer(number)


def error_numbers(error: OSError) -> frozenset[int]:
    """Every errno inside: aiohappyeyeballs puts those of several addresses into one text.

    >>> sorted(error_numbers(OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] no")))
    [101, 111]
    """
    if error.errno is not None:
        return frozenset({error.errno})
    return frozenset(map(int, re.findall(r"\[Errno (\d+)\]", str(error))))


# The most telling first: of two addresses, one refused and one without a route, the refusal is the news.
_THEIRS: Final = (
    ((errno.ECONNREFUSED,), "refused", "{where} refused the connection"),
    ((errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE), "connection_reset", "{where} reset the connection"),
    ((errno.ETIMEDOUT,), "connect_timeout", "no connection to {where} in time"),
    ((errno.EHOSTUNREACH, errno.EHOSTDOWN), "unreachable", "there is no route to {where}"),
)
_STARVED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def connect_failure(numbers: Iterable[int], where: str, *, source: str | None = None, routed: bool = True) -> Failure:
    """What the error numbers of a failed connect mean. `routed`: this host has a route to anywhere. Pure."""
    seen = frozenset(numbers)
    for known, kind, words in _THEIRS:
        if not seen.isdisjoint(known):
            return Failure.of(kind, words.format(where=where))
    if errno.ENETUNREACH in seen:
        if routed:
            return Failure.of("unreachable", f"there is no route to {where}")
        return Failure.of("no_network", f"this host has no network that leads to {where}")
    said = ", ".join(sorted(filter(None, map(errno.errorcode.get, seen)))) or "unknown"
    if seen & _STARVED:
        return Failure.of("host_starved", f"this host has no sockets or memory left for {where} ({said})")
    if source is not None and seen & {errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EINVAL}:
        return Failure.of("egress_failed", f"our source address {source} cannot be used to reach {where} ({said})")
    if seen & {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return Failure.of("no_network", f"this host has no address from which to reach {where} ({said})")
    if seen & {errno.EACCES, errno.EPERM}:
        return Failure.of("egress_failed", f"this host's own rules forbid a connection to {where} ({said})")
    return Failure.of("unreachable", f"no connection to {where} ({said})")


def has_route(families: Iterable[int]) -> bool:
    """Whether this host has a default route for any of the address families (Linux)."""
    found = False
    if socket.AF_INET in families:
        found |= any(line.split()[1:2] == ["00000000"] for line in _lines("/proc/net/route"))
    if socket.AF_INET6 in families:  # the kernel's own "unreachable" default is on `lo`
        found |= any(
            words[:2] == ["0" * 32, "00"] and words[-1] != "lo"
            for words in map(str.split, _lines("/proc/net/ipv6_route"))
        )
    return found


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
