"""Connections: made by our dialer, spoken over by aiohttp's protocol and parser, kept or thrown away.

aiohttp's session and connector are left out: they time TCP and TLS only as a sum, ask a second time when a server closes
without an answer, and cost more than a request may. What stays is aiohttp's `ResponseHandler` with its C parser; its
interface is not documented: the version bound in pyproject.toml and `tests/net/test_connector.py` hold it.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from typing import Final

from aiohttp.client_proto import ResponseHandler

from probe.core.exchange import Tls
from probe.core.failure import CheckFailed
from probe.net.address import Address
from probe.net.certificates import session_of
from probe.net.dial import Dialer
from probe.net.tls import HandshakeGate, tls_failure
from probe.net.trace import Stage, Trace

Key = tuple[str, ssl.SSLContext | None]


class Protocol(ResponseHandler):
    """The protocol of one connection; remembers what its connection is, and when an answer begins."""

    def __init__(self, loop: asyncio.AbstractEventLoop, key: Key) -> None:
        super().__init__(loop)
        self.key: Final = key
        self.trace: Trace | None = None
        self.used = False
        self.rests_since = 0.0
        self.address: str | None = None
        self.answers: tuple[str, ...] = ()
        self.tls: Tls | None = None
        self.lost: BaseException | None = None
        """Why the connection broke, when it did not just end."""

    def data_received(self, data: bytes) -> None:
        """Note when the first byte of an answer comes."""
        trace = self.trace
        if trace is not None and trace.first is None and data:
            trace.first = time.perf_counter()
            trace.stage = Stage.HEAD
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note how the connection ended."""
        self.lost = exc
        super().connection_lost(exc)

    def close(self) -> None:
        """Say goodbye and go, at once.

        TLS would wait up to 30 seconds for the peer's goodbye, and what the peer does not take would wait for ever.
        """
        transport = self.transport
        linger = (
            transport is not None
            and not transport.is_closing()
            and (self.tls is not None or transport.get_write_buffer_size() > 0)
        )
        super().close()
        if linger and transport is not None:
            transport.abort()


class Connector:
    """Connections of one region.

    `keep_alive` is the seconds a connection may rest; `None`: each request gets a new one.
    """

    def __init__(self, dialer: Dialer, *, keep_alive: float | None, gate: HandshakeGate | None = None) -> None:
        self._dialer = dialer
        self._keep_alive = keep_alive
        self._gate = gate
        self._resting: defaultdict[Key, list[Protocol]] = defaultdict(list)

    @property
    def keeps(self) -> bool:
        """Whether connections are used again."""
        return self._keep_alive is not None

    async def connect(self, address: Address, context: ssl.SSLContext | None, trace: Trace) -> Protocol:
        """A connection to the origin of `address`, over TLS when there is a `context`; `CheckFailed` when there is none.

        From here on it writes to `trace`. Give it back with `release`.
        """
        key = (address.origin, context)
        protocol = self._kept(key) if self._resting else None
        if protocol is None:
            protocol = await self._make(address, key, trace)
        trace.reused, protocol.used = protocol.used, True
        trace.protocol, protocol.trace = protocol, trace
        trace.address, trace.answers, trace.tls = protocol.address, protocol.answers, protocol.tls
        trace.stage = Stage.WAIT
        trace.sent = time.perf_counter()
        return protocol

    def release(self, protocol: Protocol, *, reusable: bool) -> None:
        """Keep the connection, or close it; `reusable`: the answer was read to its end, and nobody wants to close."""
        protocol.trace = None
        if reusable and self.keeps and not protocol.should_close and protocol.is_connected():
            protocol.rests_since = time.monotonic()
            self._resting[protocol.key].append(protocol)
        else:
            protocol.close()

    def close(self) -> None:
        """Close every connection that rests."""
        for resting in self._resting.values():
            for protocol in resting:
                protocol.close()
        self._resting.clear()

    def _kept(self, key: Key) -> Protocol | None:
        resting = self._resting[key]
        while resting:
            protocol = resting.pop()
            rested = time.monotonic() - protocol.rests_since
            if rested <= (self._keep_alive or 0) and protocol.is_connected() and not protocol.should_close:
                return protocol
            protocol.close()
        return None

    async def _make(self, address: Address, key: Key, trace: Trace) -> Protocol:
        loop = asyncio.get_running_loop()
        context = key[1]
        sock = await self._dialer.dial(address.host, address.port, trace, tunnel=context is not None)
        protocol = Protocol(loop, key)
        protocol.address, protocol.answers = trace.address, trace.answers
        if context is None:
            await loop.create_connection(lambda: protocol, sock=sock)
            return protocol
        place = None
        if self._gate is not None:
            trace.stage = Stage.QUEUE
            began = time.perf_counter()
            try:
                place = await self._gate.enter()
            except BaseException:
                sock.close()
                raise
            trace.waited += time.perf_counter() - began
        trace.stage = Stage.TLS
        began = time.perf_counter()
        try:
            transport, _ = await loop.create_connection(
                lambda: protocol, sock=sock, ssl=context, server_hostname=address.host.rstrip(".")
            )
        except OSError as error:
            raise CheckFailed(tls_failure(error, f"{address.host}:{address.port}")) from error
        finally:
            if place is not None:
                place.leave()
        trace.tls_time = time.perf_counter() - began
        verified = context.verify_mode is ssl.CERT_REQUIRED
        protocol.tls = session_of(transport.get_extra_info("ssl_object"), verified=verified)
        return protocol
