"""Small real servers on loopback: HTTP by hand, TLS with chosen certificates, SOCKS, an HTTP proxy, DNS."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import trustme

from probe.core.exchange import Exchange
from probe.core.failure import CheckFailed, Failure
from probe.core.target import Region
from probe.net.dial import Dialer
from probe.net.wire import Home, Request, Wire

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HERE = Region(name="here")
DAY = dt.timedelta(days=1)


@asynccontextmanager
async def serving(talk: Talk, host: str = "127.0.0.1", port: int = 0, **options: Any) -> AsyncIterator[int]:
    """A TCP server that says what `talk` says, on the port given to the block; it ends with all its connections."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, host, port, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def head(reader: asyncio.StreamReader) -> str:
    """The head of a request."""
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def says(*pieces: bytes | float, seen: list[str] | None = None, stay: bool = False, abort: bool = False) -> Talk:
    """A server that reads the head of one request, then sends the pieces; a number is a pause in seconds."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await head(reader)
        if seen is not None:
            seen.append(asked)
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        if stay:
            await reader.read()
        if abort:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER, on, 0 seconds: close sends a reset
            writer.transport.abort()

    return talk


def ok(body: bytes = b"hello", *headers: str) -> bytes:
    """A whole answer."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def moved(location: str, status: int = 302, *headers: str) -> bytes:
    """A whole redirect."""
    return "\r\n".join(
        [f"HTTP/1.1 {status} Moved", f"Location: {location}", "Content-Length: 0", *headers, "", ""]
    ).encode()


def paths(answers: dict[str, bytes], seen: list[str] | None = None) -> Talk:
    """A server with an answer for each path (or `METHOD path`); it keeps connections open."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = await head(reader)
            length = next(
                (int(line[15:]) for line in asked.lower().splitlines() if line.startswith("content-length:")), 0
            )
            asked += (await reader.readexactly(length)).decode()
            if seen is not None:
                seen.append(asked)
            method, path, _ = asked.split(" ", 2)
            answer = answers.get(f"{method} {path}", answers.get(path, ok()))
            writer.write(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else answer)

    return talk


async def ask(
    url: str,
    *,
    region: Region = HERE,
    within: float = 5.0,
    home: Home | None = None,
    dialer: Dialer | None = None,
    **request: Any,
) -> Exchange:
    """One request over a fresh wire."""
    async with Wire(region, dialer=dialer) as wire:
        home = home or Home(origin="http://nowhere:1", user_agent="probe/test")
        return await wire.send(
            Request(url=url, home=home, **request), deadline=asyncio.get_running_loop().time() + within
        )


async def trouble(url: str, **options: Any) -> Failure:
    """The failure that asking ends with."""
    with pytest.raises(CheckFailed) as failed:
        await ask(url, **options)
    (failure,) = failed.value.failures
    return failure


# ------------------------------------------------------------------------------------------------- TLS


@dataclass(slots=True)
class Authority:
    """A CA with a file for clients to trust."""

    ca: trustme.CA
    file: Path

    def serves(
        self,
        *names: str,
        starts: int = -10,
        ends: int = 30,
        wants_client: bool = False,
        issuer: trustme.CA | None = None,
    ) -> ssl.SSLContext:
        """A server with a certificate for these names, valid between these days from now."""
        now = dt.datetime.now(dt.UTC)
        leaf = (issuer or self.ca).issue_cert(
            *(names or ("127.0.0.1", "localhost")), not_before=now + starts * DAY, not_after=now + ends * DAY
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        if wants_client:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@asynccontextmanager
async def blocking_tls(context: ssl.SSLContext, delay: float = 0.0) -> AsyncIterator[int]:
    """A TLS server on a blocking socket: unlike asyncio's it sends the alerts of a handshake that failed."""
    stop = threading.Event()

    def serve(server: socket.socket) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                conn, _ = server.accept()
                with conn:
                    conn.settimeout(2)
                    time.sleep(delay)
                    with context.wrap_socket(conn, server_side=True, do_handshake_on_connect=False) as tls:
                        try:
                            tls.do_handshake()
                        except ssl.SSLError:
                            socket.socket.shutdown(tls, socket.SHUT_WR)
                            while socket.socket.recv(tls, 65536):  # a close with unread bytes would undo the alert
                                pass
                            continue
                        tls.recv(65536)
                        tls.sendall(ok())

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            await asyncio.to_thread(thread.join)


@cache
def authority(folder: Path) -> Authority:
    """A CA; one for each folder, keys are slow to make."""
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


# ------------------------------------------------------------------------------------------------- DNS


@dataclass(slots=True)
class Zone(asyncio.DatagramProtocol):
    """A name server: addresses by name; a name may have none; `servfail.` fails, `silent.` is not answered."""

    names: dict[str, list[str]]
    asked: list[str] = field(default_factory=list)
    silent: bool = False
    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        import dns.flags
        import dns.message
        import dns.rcode
        import dns.rrset

        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.asked.append(name)
        if self.silent or name.startswith("silent"):
            return
        answer = dns.message.make_response(query, recursion_available=True)
        if name.startswith("servfail"):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.names and name != ".":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        kind = {1: "A", 28: "AAAA"}.get(int(question.rdtype), "")
        for address in self.names.get(name, []):
            if kind == ("AAAA" if ":" in address else "A"):
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, address))
        self.transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def name_server(names: dict[str, list[str]], *, silent: bool = False) -> AsyncIterator[tuple[str, Zone]]:
    """A name server at the `host:port` given to the block."""
    zone = Zone(names, silent=silent)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: zone, ("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}", zone
    finally:
        transport.close()


# ------------------------------------------------------------------------------------------------- proxies


async def connected(
    host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, say: bytes, send: bytes = b""
) -> None:
    """Connect to a target, `say` so to the client and `send` to the target, and relay until either ends."""
    up_reader, up_writer = await asyncio.open_connection(host, port)
    try:
        writer.write(say)
        up_writer.write(send)
        await relay(reader, writer, up_reader, up_writer)
    finally:
        up_writer.transport.abort()


async def relay(
    a: asyncio.StreamReader, b: asyncio.StreamWriter, c: asyncio.StreamReader, d: asyncio.StreamWriter
) -> None:
    """Both ways, until one ends."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    async with asyncio.TaskGroup() as group:
        group.create_task(pump(a, d))
        group.create_task(pump(c, b))


def socks5_proxy(
    seen: list[str], *, names: dict[str, str] | None = None, login: tuple[str, str] | None = None, reply: int = 0
) -> Talk:
    """A SOCKS 5 proxy. `reply` is its answer to every order, if not 0."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if login:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                return
            writer.write(b"\x05\x02")
            await reader.readexactly(1)
            given = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
            writer.write(bytes((1, 0 if tuple(given) == login else 1)))
            if tuple(given) != login:
                return
        else:
            writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        seen.append(f"{host}:{port}")
        if reply:
            writer.write(bytes((5, reply, 0, 1)) + bytes(6))
            return
        await connected((names or {}).get(host, host), port, reader, writer, b"\x05\x00\x00\x01" + bytes(6))

    return talk


def socks4_proxy(seen: list[str], reply: int = 90) -> Talk:
    """A SOCKS 4 proxy."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        order = await reader.readexactly(8)
        user = (await reader.readuntil(b"\0"))[:-1].decode()
        port, host = int.from_bytes(order[2:4], "big"), ".".join(map(str, order[4:]))
        seen.append(f"{user}@{host}:{port}")
        answer = bytes((0, reply)) + bytes(6)
        if reply == 90:
            await connected(host, port, reader, writer, answer)
        else:
            writer.write(answer)

    return talk


def http_proxy(seen: list[str], *, refuse: bytes = b"") -> Talk:
    """An HTTP proxy: CONNECT, and absolute form. `refuse` is its answer to everything, if given."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await head(reader)
        seen.append(asked)
        if refuse:
            writer.write(refuse)
            return
        method, where, _ = asked.split(" ", 2)
        if method == "CONNECT":
            host, _, port = where.rpartition(":")
            await connected(host, int(port), reader, writer, b"HTTP/1.1 200 Connected\r\nX-Proxy: yes\r\n\r\n")
        else:
            host, _, port = where.split("/")[2].partition(":")
            await connected(host, int(port), reader, writer, b"", asked.encode())

    return talk
