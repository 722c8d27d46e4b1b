"""Names: found, unknown, without an address, broken, silent; and our own resolver dead or alive."""

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from probe.core.failure import CheckFailed, Failure
from probe.core.target import IpVersion, Region
from probe.net import resolve
from probe.net.resolve import NameServerResolver, SystemResolver, any_alive, system_servers
from probe.net.threads import Threads
from probe.net.trace import Trace
from tests.net.servers import ask, name_server, ok, says, serving, trouble

NAMES = {"shop.example": ["127.0.0.1"], "six.example": ["::1"], "empty.example": []}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patience, in less time."""
    monkeypatch.setattr(resolve, "PATIENCE", 0.2)
    monkeypatch.setattr(resolve, "SIGN_OF_LIFE", 0.2)


def asking(server: str, version: IpVersion = IpVersion.ANY) -> Region:
    return Region(name="r", nameserver=server, ip_version=version)


async def test_a_name_server_of_ones_own() -> None:
    """The region's own name server is asked, for every request anew."""
    async with serving(says(ok())) as port, name_server(NAMES) as (server, zone):
        for _ in range(2):
            exchange = await ask(f"http://shop.example:{port}/", region=asking(server))
        assert exchange.phases.dns is not None
        assert len([name for name in zone.asked if name == "shop.example"]) >= 2


async def test_localhost_is_always_here() -> None:
    """RFC 6761: localhost is asked of nobody."""
    async with serving(says(ok())) as port, name_server({}) as (server, zone):
        assert (await ask(f"http://localhost:{port}/", region=asking(server))).status == 200
        assert zone.asked == []


@pytest.mark.parametrize(
    ("host", "version", "kind"),
    [
        ("nope.example", IpVersion.ANY, "name_not_found"),
        ("empty.example", IpVersion.ANY, "name_without_address"),
        ("shop.example", IpVersion.V6, "name_without_address"),
        ("six.example", IpVersion.V4, "name_without_address"),
        ("servfail.example", IpVersion.ANY, "dns_failed"),
        ("silent.example", IpVersion.ANY, "dns_timeout"),
        ("a..example", IpVersion.ANY, "name_not_found"),
    ],
)
async def test_what_is_wrong_with_a_name(host: str, version: IpVersion, kind: str) -> None:
    """Each has its kind, in the layer dns, and is the target's."""
    async with name_server(NAMES) as (server, _):
        failure = await trouble(f"http://{host}:1/", region=asking(server, version), within=0.9)
    assert (failure.kind, failure.layer.value) == (kind, "dns")
    assert host in failure.message


async def test_a_dead_name_server_is_ours() -> None:
    """Silent, or not there at all: errored, never the shop's name."""
    async with name_server(NAMES, silent=True) as (server, _):
        silent = await trouble("http://shop.example:1/", region=asking(server), within=2)
    gone = await trouble("http://shop.example:1/", region=asking(server), within=2)
    unknown = await trouble("http://shop.example:1/", region=asking("ns.invalid"), within=4)
    assert [f.kind for f in (silent, gone, unknown)] == ["resolver_dead"] * 3
    assert silent.ours


# ------------------------------------------------------------------------------- the system's resolver


def raising(number: int) -> Any:
    def lookup(*_: Any) -> Sequence[Any]:
        raise socket.gaierror(number, "as the system says it")

    return lookup


async def _why(resolver: SystemResolver, host: str = "shop.example") -> Failure:
    with pytest.raises(CheckFailed) as failed:
        await resolver.resolve(host, 80, 0, Trace())
    return failed.value.failures[0]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (socket.EAI_NONAME, "name_not_found"),
        (socket.EAI_NODATA, "name_without_address"),
        (socket.EAI_AGAIN, "dns_failed"),
        (socket.EAI_FAIL, "dns_failed"),
    ],
)
async def test_what_the_system_says(number: int, kind: str) -> None:
    """getaddrinfo's errors, while our name server lives."""
    async with name_server({}) as (server, zone):
        host, _, port = server.partition(":")
        assert (await _why(SystemResolver(raising(number), lambda: [(host, int(port))]))).kind == kind
        assert zone.asked == (["."] if number == socket.EAI_AGAIN else [])


async def test_try_again_while_our_name_server_is_dead() -> None:
    """The same error means us when no name server answers even for the root."""
    resolver = SystemResolver(raising(socket.EAI_AGAIN), lambda: [("127.0.0.1", 1)])
    assert (await _why(resolver)).kind == "resolver_dead"


async def test_a_hanging_getaddrinfo_holds_up_nobody() -> None:
    """A lookup that blocks ends by the deadline; our own dead resolver is found out while it does."""
    release = threading.Event()

    def hangs(*_: Any) -> Sequence[Any]:
        release.wait(5)
        return []

    try:
        async with name_server({}) as (server, _):
            host, _, port = server.partition(":")
            from probe.net.dial import Dialer

            region = Region(name="r")
            alive = Dialer(region, SystemResolver(hangs, lambda: [(host, int(port))]))
            began = time.monotonic()
            failure = await trouble("http://shop.example/", dialer=alive, within=0.5)
            assert time.monotonic() - began < 0.8
            assert failure.kind == "dns_timeout"
        dead = Dialer(region, SystemResolver(hangs, lambda: [("127.0.0.1", 1)]))
        assert (await trouble("http://shop.example/", dialer=dead, within=0.9)).kind == "resolver_dead"
    finally:
        release.set()


async def test_names_that_cannot_be() -> None:
    """An empty label, or one too long, is no name."""
    for host in ("a..example", "a" * 64 + ".example"):
        assert (await _why(SystemResolver(), host)).kind == "name_not_found"


async def test_no_answer_is_no_address() -> None:
    """An empty list of addresses is none."""
    assert (await _why(SystemResolver(lambda *_: []))).kind == "name_without_address"


async def test_signs_of_life() -> None:
    """One living server among dead ones is enough."""
    async with name_server({}) as (server, _):
        host, _, port = server.partition(":")
        assert await any_alive([("127.0.0.1", 1), (host, int(port))])
        assert not await any_alive([("127.0.0.1", 1), ("not an address", 53)])
    assert await asyncio.to_thread(system_servers)


async def test_threads_grow_and_are_used_again() -> None:
    """As many as are busy; a free one is used again; errors come through."""
    pool = Threads()
    gate = threading.Event()
    waiting = [pool.run(gate.wait, 5) for _ in range(3)]
    assert pool._threads == 3
    gate.set()
    for future in waiting:
        assert await future
    assert await pool.run(lambda: threading.current_thread().daemon)
    assert pool._threads == 3
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 / 0)


async def test_resolver_of_a_name_server_by_name() -> None:
    """A name server may be given by a name that the system knows."""
    async with name_server(NAMES) as (server, _):
        port = server.partition(":")[2]
        found = await NameServerResolver(f"localhost:{port}").resolve("shop.example", 80, socket.AF_INET, Trace())
    assert [info[4] for info in found] == [("127.0.0.1", 80)]
