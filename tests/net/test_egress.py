"""The SOCKS server for browsers: asked by our own SOCKS client over real sockets."""

import asyncio

import pytest

from probe.core.failure import CheckFailed, Failure
from probe.core.secret import Secret
from probe.core.target import Region
from probe.net import egress as module
from probe.net.egress import REPLIES, running_egress
from probe.net.resolve import split_host_port
from probe.net.socks import Reply
from tests.net.servers import HERE, ask, name_server, ok, paths, says, serving, socks5_proxy


def browser(url: str) -> Region:
    """A region that leaves through the egress as a browser does: names and all."""
    return Region(name="browser", proxy=Secret(url.replace("socks5://", "socks5h://")))


async def _talk(url: str, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", split_host_port(url.removeprefix("socks5://"), 0)[1])
    try:
        for piece in pieces:
            writer.write(piece)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 2)
    finally:
        writer.close()


async def test_it_leaves_as_the_region_does() -> None:
    """The region's name server and source address are used for a client that knows neither."""
    peers: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])
        await says(ok(b"x" * 500_000))(reader, writer)

    async with serving(talk) as port, name_server({"shop.example": ["127.0.0.1"]}) as (server, _):
        region = Region(name="r", nameserver=server, source_address="127.0.0.2")
        async with running_egress(region) as egress:
            exchange = await ask(f"http://shop.example:{port}/", region=browser(egress.url))
            assert len(exchange.body) == 500_000
            assert egress.failure_for("shop.example") is None
            assert egress.peer_of("Shop.example", port) == f"127.0.0.1:{port}"
            assert egress.peer_of("other.example", port) is None
    assert peers == ["127.0.0.2"]


async def test_through_the_regions_own_proxy() -> None:
    """Proxy behind proxy."""
    seen: list[str] = []
    async with (
        serving(says(ok())) as port,
        serving(socks5_proxy(seen)) as at,
        running_egress(Region(name="r", proxy=Secret(f"socks5h://127.0.0.1:{at}"))) as egress,
    ):
        await ask(f"http://127.0.0.1:{port}/", region=browser(egress.url))
    assert seen == [f"127.0.0.1:{port}"]


async def test_it_remembers_why() -> None:
    """Each failure has its code on the wire and its words for the prober; a success wipes it out."""
    async with serving(says()) as closed:
        pass
    async with (
        name_server({"down.example": ["127.0.0.1"]}) as (server, _),
        running_egress(Region(name="r", nameserver=server)) as egress,
    ):
        kinds = {}
        for host in ("nope.example", "down.example"):
            with pytest.raises(CheckFailed):
                await ask(f"http://{host}:{closed}/", region=browser(egress.url))
            failure = egress.failure_for(host, closed)
            assert failure is not None
            kinds[host] = failure.kind
        assert kinds == {"nope.example": "name_not_found", "down.example": "refused"}
        assert egress.failure_for("DOWN.example") is not None
        assert egress.failure_for("down.example", closed + 1) is None
        async with serving(says(ok()), port=closed):
            await ask(f"http://down.example:{closed}/", region=browser(egress.url))
        assert egress.failure_for("down.example") is None


async def test_our_own_trouble_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead resolver of ours is a general failure to the browser, and `resolver_dead` to us; so is a silent target."""
    monkeypatch.setattr("probe.net.resolve.PATIENCE", 0.1)
    monkeypatch.setattr("probe.net.resolve.SIGN_OF_LIFE", 0.1)
    async with running_egress(Region(name="r", nameserver="127.0.0.1:1")) as egress:
        with pytest.raises(CheckFailed):
            await ask("http://shop.example/", region=browser(egress.url))
        failure = egress.failure_for("shop.example")
    assert failure is not None
    assert failure.kind == "resolver_dead"
    monkeypatch.setattr(module, "CONNECT_WITHIN", 0.05)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        serving(mute) as at,
        running_egress(Region(name="r", proxy=Secret(f"socks5://127.0.0.1:{at}"))) as egress,
    ):
        with pytest.raises(CheckFailed):
            await ask("http://127.0.0.1:1/", region=browser(egress.url))
        failure = egress.failure_for("127.0.0.1")
    assert failure is not None
    assert failure.kind == "egress_failed"


def test_every_code_is_of_a_known_kind() -> None:
    """The codes that a browser is told."""
    assert [Failure.of(kind).ours for kind in REPLIES] == [False] * len(REPLIES)


async def test_what_it_does_not_do() -> None:
    """Other versions, logins, commands and addresses are refused as RFC 1928 says; rubbish is hung up on."""
    async with running_egress(HERE) as egress:
        assert await _talk(egress.url, b"\x04\x01\x00") == b"\x05\xff"
        assert await _talk(egress.url, b"\x05\x01\x02") == b"\x05\xff"
        bind = await _talk(egress.url, b"\x05\x01\x00", b"\x05\x02\x00\x01\x7f\0\0\x01\0\x50")
        assert bind[2:4] == bytes((5, Reply.BAD_COMMAND))
        assert (await _talk(egress.url, b"\x05\x01\x00", b"\x05\x01\x00\x09"))[3] == Reply.BAD_ADDRESS
        assert await _talk(egress.url, b"\x05") == b""


async def test_half_close_and_end() -> None:
    """A client that has said all still hears the rest; the end of the egress ends what is under way."""
    got: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read())
        writer.write(b"and goodbye")

    order = b"\x05\x01\x00\x01\x7f\0\0\x01"
    async with serving(talk) as port, serving(paths({})) as quiet:
        async with running_egress(HERE) as egress:
            said = await _talk(egress.url, b"\x05\x01\x00", order + port.to_bytes(2, "big"), b"all I have")
            assert (got, said[12:]) == ([b"all I have"], b"and goodbye")
            reader, writer = await asyncio.open_connection("127.0.0.1", int(egress.url.rpartition(":")[2]))
            writer.write(b"\x05\x01\x00" + order + quiet.to_bytes(2, "big"))
            assert len(await reader.readexactly(12)) == 12
        assert await asyncio.wait_for(reader.read(), 1) == b""
        writer.close()
    assert [task.get_name() for task in asyncio.all_tasks() if "egress" in task.get_name()] == []
