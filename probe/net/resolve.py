"""Names to addresses, and the truth about why not: the name, its name servers, or our own resolver.

Nothing is cached: a customer who comes for the first time has no cache either.
"""

import asyncio
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from probe.core.failure import CheckFailed, Failure
from probe.core.target import IpVersion
from probe.net.threads import threads
from probe.net.trace import Trace

if TYPE_CHECKING:
    from dns.resolver import NoNameservers

AddrInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""What `getaddrinfo` gives: family, type, protocol, "", address."""
Server = tuple[str, int]

FAMILIES: Final = {IpVersion.ANY: socket.AF_UNSPEC, IpVersion.V4: socket.AF_INET, IpVersion.V6: socket.AF_INET6}
PATIENCE: Final = 1.5
"""Seconds of silence after which our own name server is asked whether it lives."""
SIGN_OF_LIFE: Final = 1.0
"""Seconds that it gets to answer."""


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def resolve(self, host: str, port: int, family: int, trace: Trace) -> Sequence[AddrInfo]:
        """The addresses, best first, at least one; `CheckFailed` (layer dns, or `resolver_dead`) when there are none."""
        ...


@lru_cache(maxsize=1024)
def literal(host: str, port: int) -> AddrInfo | None:
    """The address that `host` already is, if it is one."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if address.version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    zone = host.partition("%")[2]
    scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone) if zone else 0
    return (
        socket.AF_INET6,
        socket.SOCK_STREAM,
        socket.IPPROTO_TCP,
        "",
        (str(address).partition("%")[0], port, 0, scope),
    )


class SystemResolver:
    """Asks the system (`getaddrinfo`: hosts file, resolv.conf, whatever NSS does), in a thread nobody waits for.

    `lookup` and `servers` stand for `socket.getaddrinfo` and the name servers of `/etc/resolv.conf`.
    """

    def __init__(
        self,
        lookup: Callable[..., Sequence[Any]] = socket.getaddrinfo,
        servers: Callable[[], Sequence[Server]] | None = None,
    ) -> None:
        self._lookup = lookup
        self._servers = servers or system_servers

    async def resolve(self, host: str, port: int, family: int, trace: Trace) -> Sequence[AddrInfo]:
        """The addresses by the system's own rules."""
        answer = threads.run(self._lookup, host, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        await asyncio.wait((answer,), timeout=PATIENCE)
        if not answer.done():
            trace.resolver_answers = await self._alive()
            if not trace.resolver_answers and not answer.done():
                answer.cancel()
                raise CheckFailed(_dead(host))
        try:
            found: Sequence[AddrInfo] = await answer
        except socket.gaierror as error:
            raise CheckFailed(await self._why(error, host, family)) from error
        except UnicodeError as error:  # an empty label, or one too long
            raise CheckFailed(Failure.of("name_not_found", f"{host} cannot be a host name: {error}")) from error
        if not found:
            raise CheckFailed(_no_address(host, family))
        return found

    async def _why(self, error: socket.gaierror, host: str, family: int) -> Failure:
        if error.errno == socket.EAI_NONAME:
            return _unknown(host)
        if error.errno in (getattr(socket, "EAI_NODATA", None), getattr(socket, "EAI_ADDRFAMILY", None)):
            return _no_address(host, family)
        if error.errno == socket.EAI_AGAIN and not await self._alive():
            return _dead(host)
        return Failure.of("dns_failed", f"{host} could not be resolved: {error.strerror}")

    async def _alive(self) -> bool:
        return await any_alive(await threads.run(self._servers))


class NameServerResolver:
    """Asks one given name server: `host`, `host:port`, `[v6]:port`. The hosts file is not looked at, but `localhost`
    is always this host (RFC 6761).
    """

    def __init__(self, nameserver: str) -> None:
        # Not at the top: 60 ms that regions without a name server of their own need not spend. Not at the first name
        # either: they would count as the name server's.
        import dns.asyncbackend
        import dns.asyncresolver

        dns.asyncbackend.get_backend("asyncio")
        host, port = split_host_port(nameserver, 53)
        self._name, self._port = host, port

    async def resolve(self, host: str, port: int, family: int, trace: Trace) -> Sequence[AddrInfo]:
        """The addresses that the name server gives, IPv6 first (RFC 6724's usual order)."""
        name = host.rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            addresses = ["::1", "127.0.0.1"]
        else:
            addresses = await self._ask(host, family, trace)
        found = [
            info for info in (literal(a, port) for a in addresses) if info and family in (socket.AF_UNSPEC, info[0])
        ]
        if not found:
            raise CheckFailed(_no_address(host, family))
        return found

    async def _ask(self, host: str, family: int, trace: Trace) -> list[str]:
        import dns.asyncresolver
        import dns.exception
        import dns.name
        import dns.resolver

        server = await self._server()
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [server[0]], server[1]
        resolver.timeout = PATIENCE / 2
        resolver.retry_servfail = False
        # The name's own servers may take their time once ours is known to live: the run's deadline is the limit.
        for lifetime in (PATIENCE, 3600.0):
            try:
                answers = await resolver.resolve_name(
                    dns.name.from_text(host), family=family, lifetime=lifetime, search=False
                )
                return [*answers.addresses()]
            except dns.resolver.NXDOMAIN as error:
                raise CheckFailed(_unknown(host)) from error
            except dns.resolver.NoAnswer as error:
                raise CheckFailed(_no_address(host, family)) from error
            except dns.resolver.NoNameservers as error:
                said = _rcode(error)
                if said is None and not await any_alive([server]):
                    raise CheckFailed(_dead(host)) from error
                raise CheckFailed(
                    Failure.of(
                        "dns_failed", f"{host} could not be resolved: the name server answers {said or 'nonsense'}"
                    )
                ) from error
            except dns.resolver.LifetimeTimeout as error:
                trace.resolver_answers = await any_alive([server])
                if not trace.resolver_answers:
                    raise CheckFailed(_dead(host)) from error
            except (dns.exception.DNSException, UnicodeError, ValueError) as error:
                raise CheckFailed(Failure.of("name_not_found", f"{host} cannot be a host name: {error}")) from error
        raise CheckFailed(Failure.of("dns_timeout", f"{host} was not resolved in time"))

    async def _server(self) -> Server:
        if literal(self._name, 0):
            return self._name, self._port
        try:
            found = await threads.run(socket.getaddrinfo, self._name, self._port, 0, socket.SOCK_DGRAM)
        except OSError as error:
            why = f"the address of our own name server {self._name} is not known: {error.strerror}"
            raise CheckFailed(Failure.of("resolver_dead", why)) from error
        return str(found[0][4][0]), self._port


def _rcode(error: "NoNameservers") -> str | None:
    for trial in error.kwargs.get("errors", ()):
        said = trial[3] if len(trial) > 3 else None
        if isinstance(said, str):  # the text of a response code such as SERVFAIL; an exception means no answer
            return said
    return None


def split_host_port(text: str, port: int) -> tuple[str, int]:
    """`host`, `host:port`, `v6` or `[v6]:port`, with a default port.

    >>> split_host_port("[::1]:5353", 53), split_host_port("::1", 53), split_host_port("ns.example", 53)
    (('::1', 5353), ('::1', 53), ('ns.example', 53))
    """
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest.removeprefix(":") or port)
    if text.count(":") != 1:
        return text, port
    host, _, number = text.partition(":")
    return host, int(number or port)


def system_servers() -> list[Server]:
    """The name servers of resolv.conf; glibc's own default, this host, when there are none."""
    try:
        lines = Path("/etc/resolv.conf").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    found = [(words[1], 53) for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    return found or [("127.0.0.1", 53)]


async def any_alive(servers: Sequence[Server]) -> bool:
    """Whether any of these name servers answers anything at all to the question every one can answer: who is the root?"""

    async def first() -> bool:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_answers(s), name=f"ask {s[0]}") for s in servers]
            pending: set[asyncio.Task[bool]] = set(tasks)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result() for task in done):
                    for task in pending:
                        task.cancel()
                    return True
        return False

    try:
        async with asyncio.timeout(SIGN_OF_LIFE):
            return await first()
    except TimeoutError:
        return False


async def _answers(server: Server) -> bool:
    """Whether one server answers within `SIGN_OF_LIFE`; asks twice, a datagram may be lost."""
    address = literal(*server)
    if address is None:
        return False
    loop = asyncio.get_running_loop()
    ident = os.urandom(2)
    # header: id, flags (recursion desired), 1 question; question: the root, type NS, class IN
    query = ident + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)
    with socket.socket(address[0], socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(address[4])
            for _ in range(2):
                await loop.sock_sendall(sock, query)
                try:
                    async with asyncio.timeout(SIGN_OF_LIFE / 2):
                        while (await loop.sock_recv(sock, 4096))[:2] != ident:
                            pass
                        return True
                except TimeoutError:
                    continue
        except OSError:  # nobody listens there, or there is no way there
            return False
    return False


def _unknown(host: str) -> Failure:
    return Failure.of("name_not_found", f"the name {host} does not exist")


def _no_address(host: str, family: int) -> Failure:
    wanted = "IPv4 " if family == socket.AF_INET else "IPv6 " if family == socket.AF_INET6 else ""
    return Failure.of("name_without_address", f"the name {host} has no {wanted}address")


def _dead(host: str) -> Failure:
    return Failure.of("resolver_dead", f"our own name server does not answer; {host} could not be resolved")
