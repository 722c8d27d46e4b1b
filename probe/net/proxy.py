"""The proxy of a region: SOCKS, or HTTP by CONNECT. Absolute-form requests to an HTTP proxy are the connector's."""

import asyncio
import base64
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from probe.core.failure import CheckFailed, Failure
from probe.net.resolve import AddrInfo
from probe.net.socks import egress_failed, socks4, socks5
from probe.net.trace import Stage, Trace

SCHEMES: Final = {"http": 8080, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}
"""Known schemes and their default ports. `socks5` and `socks4` resolve names here, `socks5h` and `socks4a` at the
proxy, as in curl."""
LONGEST_HEAD: Final = 16384
"""Bytes of a proxy's answer that are read before it is taken for nonsense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Our way out. `str()` is its name for messages, without credentials."""

    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """From a URL; `ValueError` that tells what would be right."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError(f"a proxy is written as scheme://host:port, with one of {', '.join(SCHEMES)}")
        credentials = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(
            scheme=parts.scheme, host=parts.hostname, port=parts.port or SCHEMES[parts.scheme], credentials=credentials
        )

    def __str__(self) -> str:
        return f"our proxy {self.scheme}://{self.host}:{self.port}"

    @property
    def is_http(self) -> bool:
        """Whether it is an HTTP proxy."""
        return self.scheme == "http"

    @property
    def resolves(self) -> bool:
        """Whether names are resolved at the proxy."""
        return self.scheme in ("http", "socks5h", "socks4a")

    @property
    def authorization(self) -> str | None:
        """The value of `Proxy-Authorization`, if there are credentials."""
        if self.credentials is None:
            return None
        return "Basic " + base64.b64encode(":".join(self.credentials).encode()).decode()

    def usable(self, found: Sequence[AddrInfo], host: str) -> Sequence[AddrInfo]:
        """The addresses that this proxy understands."""
        if self.scheme != "socks4":
            return found
        usable = [info for info in found if info[0] == socket.AF_INET]
        if not usable:
            raise CheckFailed(
                Failure.of("name_without_address", f"{host} has no IPv4 address, and {self} knows no other")
            )
        return usable

    async def tunnel(self, sock: socket.socket, host: str, port: int, trace: Trace) -> None:
        """Have the proxy at the other end of `sock` connect to `host:port`; `CheckFailed` says whose fault it is."""
        try:
            if self.is_http:
                await self._connect(sock, host, port, trace)
            elif self.scheme.startswith("socks5"):
                await socks5(sock, host, port, self.credentials, trace, str(self))
            else:
                await socks4(sock, host, port, self.credentials[0] if self.credentials else "", trace, str(self))
        except (EOFError, OSError) as error:
            raise egress_failed(f"{self} broke off while it was to connect to {host}:{port}") from error

    async def _connect(self, sock: socket.socket, host: str, port: int, trace: Trace) -> None:
        loop = asyncio.get_running_loop()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        authorization = f"Proxy-Authorization: {self.authorization}\r\n" if self.credentials else ""
        await loop.sock_sendall(sock, f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{authorization}\r\n".encode())
        trace.stage = Stage.CONNECT
        head = b""
        # One byte at a time: what follows the head belongs to the target.
        while not head.endswith(b"\r\n\r\n"):
            byte = await loop.sock_recv(sock, 1)
            if not byte:
                raise EOFError("closed")
            head += byte
            if len(head) > LONGEST_HEAD:
                raise egress_failed(f"{self} answers nonsense")
        status = re.match(rb"HTTP/1\.\d (\d{3})", head)
        if status is None:
            raise egress_failed(f"{self} does not speak HTTP")
        if status[1][:1] != b"2":
            squid = re.search(rb"(?im)^x-squid-error:\s*(\S+)", head)
            failure = answer_of_proxy(int(status[1]), squid[1].decode("latin-1") if squid else "", where, str(self))
            raise CheckFailed(failure)


def answer_of_proxy(status: int, squid: str, where: str, proxy: str) -> Failure:
    """What a refusal by an HTTP proxy means: of the target (502 to 504), or of us. `squid` is `X-Squid-Error`. Pure."""
    if squid.startswith("ERR_DNS_FAIL"):
        return Failure.of("name_not_found", f"{proxy} finds no host {where.rpartition(':')[0]}")
    if status == 504:
        return Failure.of("connect_timeout", f"no connection to {where} in time, says {proxy} ({status})")
    if status in (502, 503):
        return Failure.of("unreachable", f"{where} cannot be reached, says {proxy} ({status})")
    if status == 407:
        wants = "refused our user name or password, or wants them"
        return Failure.of("egress_failed", f"{proxy} {wants} ({status})")
    return Failure.of("egress_failed", f"{proxy} did not let us through to {where} ({status})")
