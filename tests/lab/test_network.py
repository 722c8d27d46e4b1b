"""The lab measured with its own rule: lines delay, lose and cut what they are told to, each direction for itself."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.daemon.process import until
from tests.lab.namespaces import HOMES, command, entered, namespaces
from tests.lab.network import Network, network, served
from tests.lab.wan import Line
from tests.postgres import private_postgres

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "10.77.0.0/24"])
DELAY = 0.05
SENT = 200


def datagrams(net: Network, name: str) -> socket.socket:
    """A socket inside that sends and takes datagrams without waiting."""
    with entered(net.namespaces[name]):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((net.hosts[name], 7))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)  # for all that is sent before the first is taken
    made.setblocking(False)
    return made


@asynccontextmanager
async def connection(net: Network, source: str, target: str) -> AsyncIterator[None]:
    """A TCP connection from one to the other, at its discard port; TimeoutError when there is none within a second."""
    with entered(net.namespaces[source]):
        made = socket.socket()
    with made:
        made.setblocking(False)
        async with asyncio.timeout(1):
            await asyncio.get_running_loop().sock_connect(made, (net.hosts[target], 9))
        yield


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def test_a_line_takes_its_time_in_both_directions(pair: Network) -> None:
    loop = asyncio.get_running_loop()
    await pair.lay("here", "there", Line(delay=DELAY, jitter=0.01))
    async with served(pair, "there", 9, hello):
        begun = loop.time()
        async with connection(pair, "here", "there"):
            took = loop.time() - begun
    assert took >= 2 * DELAY


async def test_packets_keep_their_order_and_some_are_lost(pair: Network) -> None:
    """A quarter, within what chance allows; jitter longer than the gap between two of them turns none around."""
    loop = asyncio.get_running_loop()
    await pair.lay("here", "there", Line(delay=0.02, jitter=0.02, loss=0.25), both=False)
    with datagrams(pair, "here") as sender, datagrams(pair, "there") as taker:
        for number in range(SENT):
            sender.sendto(number.to_bytes(2), (pair.hosts["there"], 7))
            await asyncio.sleep(0)

        async def all_seen() -> dict[tuple[str, str, str], int]:
            counts = await pair.counts()
            return counts if counts["here", "there", "lost"] + counts["here", "there", "carried"] == SENT else {}

        counts = await until(all_seen, 20, "the network has seen every packet")
        async with asyncio.timeout(20):
            came = [int.from_bytes(await loop.sock_recv(taker, 2)) for _ in range(counts["here", "there", "carried"])]
    assert came == sorted(came)
    assert 0.1 * SENT < counts["here", "there", "lost"] < 0.4 * SENT


async def test_one_way_may_be_cut_and_mended(pair: Network) -> None:
    """What is cut says nothing: no refusal, no reset."""
    loop = asyncio.get_running_loop()
    with datagrams(pair, "here") as here, datagrams(pair, "there") as there:
        await pair.cut("here", "there", both=False)
        here.sendto(b"lost", (pair.hosts["there"], 7))
        there.sendto(b"back", (pair.hosts["here"], 7))
        assert await loop.sock_recv(here, 10) == b"back"
        assert pair.cuts() == {("here", "there")}
        await pair.mend("here", "there", both=False)
        here.sendto(b"again", (pair.hosts["there"], 7))
        assert await loop.sock_recv(there, 10) == b"again"
    await pair.cut("here", "there")
    async with served(pair, "there", 9, hello):
        with pytest.raises(TimeoutError):
            async with connection(pair, "here", "there"):
                pass


async def test_a_server_inside_is_served_from_out_here(pair: Network) -> None:
    async with served(pair, "there", 80, hello):
        address = f"http://{pair.hosts['there']}/"
        asked = await asyncio.create_subprocess_exec(
            *command(pair.namespaces["here"], "/usr/bin/env", "python3", "-c"),
            f"import urllib.request as r; print(r.urlopen('{address}', timeout=10).read().decode())",
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await asked.communicate()
        assert said == b"hello\n"


async def test_a_database_inside_is_reached_from_another_region(pair: Network) -> None:
    await pair.lay("here", "there", Line(delay=0.01))
    with private_postgres(host=pair.hosts["there"], namespace=pair.namespaces["there"]) as server:
        assert server.psql("SHOW listen_addresses") == pair.hosts["there"]
        with entered(pair.namespaces["here"]):
            made = socket.socket()
        with made:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, (server.host, server.port))


async def test_two_networks_do_not_meet_and_leave_nothing(lab: None, tmp_path: Path) -> None:
    before = set(HOMES.glob("*"))
    async with network(tmp_path, "here", "there") as one, network(tmp_path, "here", "there") as two:
        assert one.hosts == two.hosts
        assert not set(one.namespaces.values()) & set(two.namespaces.values())
        await one.cut("here", "there")
        async with served(two, "there", 9, hello), connection(two, "here", "there"):
            pass
    assert set(HOMES.glob("*")) <= before


def test_what_a_killed_run_has_left_is_removed(lab: None) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    left = f"probe-lab-{process.pid}-000000-eu"
    subprocess.run(["ip", "netns", "add", left], check=True)
    with namespaces("one"):
        assert not (HOMES / left).exists()
