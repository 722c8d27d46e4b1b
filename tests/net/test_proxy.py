"""Leaving through proxies: what they are asked, and whose fault it is when it does not work."""

import asyncio
from pathlib import Path

import pytest

from probe.core.secret import Secret
from probe.core.target import IpVersion, Region
from probe.net.proxy import Proxy, answer_of_proxy
from probe.net.resolve import NameServerResolver
from probe.net.socks import Reply, reply_failure
from probe.net.tls import TlsFiles
from probe.net.wire import Home
from tests.net.servers import (
    Talk,
    ask,
    authority,
    http_proxy,
    name_server,
    ok,
    says,
    serving,
    socks4_proxy,
    socks5_proxy,
    trouble,
)


def through(url: str, **more: str) -> Region:
    return Region(name="through", proxy=Secret(url), **more)  # type: ignore[arg-type]  # the test's own keywords


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "http"])
@pytest.mark.parametrize("tls", [False, True], ids=["http target", "https target"])
async def test_through_every_proxy(scheme: str, tls: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    """HTTP and HTTPS targets through each kind of proxy; the address seen is the proxy's."""
    seen: list[str] = []
    proxy = {"socks4": socks4_proxy(seen), "http": http_proxy(seen)}.get(scheme, socks5_proxy(seen))
    ca = authority(tmp_path_factory.getbasetemp())
    asked: list[str] = []
    async with (
        serving(says(ok(b"there"), seen=asked), ssl=ca.serves() if tls else None) as port,
        serving(proxy) as at,
    ):
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        home = Home(origin=url, user_agent="probe/test", tls=TlsFiles(ca=str(ca.file)))
        exchange = await ask(f"{url}/a?b=c", region=through(f"{scheme}://127.0.0.1:{at}"), home=home)
    assert exchange.body == b"there"
    assert exchange.hops[0].address == f"127.0.0.1:{at}"
    assert exchange.phases.connect is not None
    assert (exchange.phases.tls is None) == (not tls)
    assert len(seen) == 1
    if scheme == "http":
        form = f"CONNECT 127.0.0.1:{port} " if tls else f"GET http://127.0.0.1:{port}/a?b=c "
        assert seen[0].startswith(form)
    else:
        assert seen[0].endswith(f"127.0.0.1:{port}")
        assert asked[0].startswith("GET /a?b=c ")


async def test_where_names_are_resolved() -> None:
    """socks5h leaves the name to the proxy, socks5 asks our own name server."""
    seen: list[str] = []
    async with (
        serving(says(ok())) as port,
        serving(socks5_proxy(seen, names={"shop.example": "127.0.0.1"})) as at,
        name_server({"shop.example": ["127.0.0.1", "::1"]}) as (server, zone),
    ):
        remote = await ask(
            f"http://shop.example:{port}/", region=through(f"socks5h://127.0.0.1:{at}", nameserver=server)
        )
        assert zone.asked == []
        local = Region(name="r", proxy=Secret(f"socks5://127.0.0.1:{at}"), nameserver=server, ip_version=IpVersion.V4)
        here = await ask(f"http://shop.example:{port}/", region=local)
    assert seen == [f"shop.example:{port}", f"127.0.0.1:{port}"]
    assert (remote.phases.dns is None, here.phases.dns is None) == (True, False)


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_credentials(scheme: str) -> None:
    """The user and the password of the URL reach the proxy; a refusal is ours, and shows neither."""
    seen: list[str] = []
    talk: Talk = socks5_proxy(seen, login=("ada", "p@ss")) if scheme == "socks5" else http_proxy(seen)
    async with serving(says(ok())) as port, serving(talk) as at:
        url = f"http://127.0.0.1:{port}/"
        assert (await ask(url, region=through(f"{scheme}://ada:p%40ss@127.0.0.1:{at}"))).status == 200
        if scheme == "http":
            assert "Proxy-Authorization: Basic YWRhOnBAc3M=" in seen[0]
            return
        for wrong in ("ada:hunter2@", ""):
            failure = await trouble(url, region=through(f"socks5://{wrong}127.0.0.1:{at}"))
            assert (failure.kind, failure.ours) == ("egress_failed", True)
            assert "hunter2" not in failure.message


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (1, "egress_failed"),
        (2, "egress_failed"),
        (3, "unreachable"),
        (4, "unreachable"),
        (5, "refused"),
        (6, "connect_timeout"),
        (99, "egress_failed"),
    ],
)
async def test_what_a_socks_proxy_says(reply: int, kind: str) -> None:
    """The reply codes of RFC 1928 tell the target's trouble from ours."""
    async with serving(socks5_proxy([], reply=reply)) as at:
        assert (await trouble("http://127.0.0.1:1/", region=through(f"socks5://127.0.0.1:{at}"))).kind == kind


def test_a_name_that_the_proxy_does_not_find() -> None:
    """Host unreachable means, for a name, that there is none."""
    assert reply_failure(Reply.HOST_UNREACHABLE, "nope.example", 80, "our proxy").kind == "name_not_found"


@pytest.mark.parametrize(("reply", "kind"), [(91, "unreachable"), (93, "egress_failed")])
async def test_what_a_socks4_proxy_says(reply: int, kind: str) -> None:
    """SOCKS 4 has one word for the target and two for us."""
    async with serving(socks4_proxy([], reply=reply)) as at:
        assert (await trouble("http://127.0.0.1:1/", region=through(f"socks4://127.0.0.1:{at}"))).kind == kind


@pytest.mark.parametrize(
    ("status", "squid", "kind"),
    [
        (407, "", "egress_failed"),
        (403, "", "egress_failed"),
        (502, "", "unreachable"),
        (503, "ERR_DNS_FAIL 0", "name_not_found"),
        (504, "", "connect_timeout"),
    ],
)
async def test_what_an_http_proxy_says(status: int, squid: str, kind: str) -> None:
    """CONNECT refused: by the proxy for its own reasons, or because of the target."""
    answer = f"HTTP/1.1 {status} No\r\n{f'X-Squid-Error: {squid}' if squid else 'X: y'}\r\n\r\n".encode()
    async with serving(http_proxy([], refuse=answer)) as at:
        failure = await trouble("https://127.0.0.1:1/", region=through(f"http://127.0.0.1:{at}"))
    assert failure.kind == kind
    assert answer_of_proxy(status, squid, "127.0.0.1:1", "our proxy").kind == kind


async def test_an_absolute_form_request_that_the_proxy_refuses() -> None:
    """407, and squid's own errors, are not the shop's answer."""
    for answer, kind in (
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "egress_failed"),
        (b"HTTP/1.1 503 X\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\nContent-Length: 0\r\n\r\n", "name_not_found"),
    ):
        async with serving(http_proxy([], refuse=answer)) as at:
            assert (await trouble("http://127.0.0.1:1/", region=through(f"http://127.0.0.1:{at}"))).kind == kind


@pytest.mark.parametrize("scheme", ["socks5", "socks4", "http"])
async def test_a_proxy_that_does_not_work_is_ours(scheme: str) -> None:
    """Refused, hung up, nonsense: never the target's fault."""
    async with serving(says()) as closed:
        pass

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example ESMTP\r\n\r\n")
        await reader.read()

    kinds = [(await trouble("https://127.0.0.1:1/", region=through(f"{scheme}://127.0.0.1:{closed}"))).kind]
    for talk in (hangs_up, babbles):
        async with serving(talk) as at:
            kinds.append((await trouble("https://127.0.0.1:1/", region=through(f"{scheme}://127.0.0.1:{at}"))).kind)
    assert kinds == ["egress_failed"] * 3


async def test_a_silent_proxy() -> None:
    """Silent before it took the order: ours. Silent afterwards: the target does not answer it."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def takes_the_order(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(3)
        writer.write(b"\x05\x00")
        await reader.read()

    for talk, kind in ((mute, "egress_failed"), (takes_the_order, "connect_timeout")):
        async with serving(talk) as at:
            failure = await trouble("http://127.0.0.1:1/", region=through(f"socks5://127.0.0.1:{at}"), within=0.15)
            assert failure.kind == kind


async def test_a_proxy_without_a_name() -> None:
    """An unknown name of the proxy is our own trouble."""
    async with name_server({}) as (server, _):
        failure = await trouble(
            "http://127.0.0.1:1/", region=through("socks5://egress.example:1080", nameserver=server)
        )
    assert (failure.kind, failure.ours) == ("egress_failed", True)
    assert "egress.example" in failure.message


async def test_socks4_and_ipv6() -> None:
    """SOCKS 4 knows only IPv4."""
    async with name_server({"six.example": ["::1"]}) as (server, _):
        failure = await trouble("http://six.example:1/", region=through("socks4://127.0.0.1:1", nameserver=server))
    assert failure.kind == "name_without_address"


def test_a_proxy_is_shown_without_credentials() -> None:
    """Its name for messages, and its repr."""
    proxy = Proxy.parse("socks5h://ada:hunter2@egress.example")
    assert str(proxy) == "our proxy socks5h://egress.example:1080"
    assert "hunter2" not in repr(proxy)


def test_resolvers_take_every_way_of_writing(tmp_path: Path) -> None:
    """A name server may be given with or without a port."""
    for text in ("127.0.0.1", "127.0.0.1:5353", "[::1]:53", "::1", "ns.example"):
        NameServerResolver(text)
