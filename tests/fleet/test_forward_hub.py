"""Forwarding into a real PostgreSQL: by an agent with its own rights, killed and cut off, and one that joins later."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.core.run import Run
from probe.engine.runner import SystemClock
from probe.errors import StoreUnavailable
from probe.fleet.calls import HubCalls, Introduction, Row
from probe.fleet.forward import Tap
from probe.fleet.hub import Hub
from probe.fleet.roles import add_agent
from probe.ports import Record
from tests.fleet.forwarding import links_of
from tests.fleet.hubs import ask, inbox, installed, open_hub
from tests.fleet.hubs import run as execute
from tests.fleet.nodes import START, decoded
from tests.postgres import Database
from tests.store.builders import failed, run, store_in

ROOT = Path(__file__).parents[2]


async def stored(hub: Hub, source: str | None = None) -> list[Run]:
    """The runs in the inbox, in the order in which they came."""
    return [
        decoded(Row(0, kind, check, body)) for _, name, kind, check, body in await inbox(hub) if source in (None, name)
    ]


async def until(hub: Hub, count: int) -> None:
    async with asyncio.timeout(20):
        while await ask(hub, "SELECT count(*) FROM probe.inbox") < count:
            await asyncio.sleep(0.05)


async def test_runs_asks_skew_and_peers_over_the_real_functions(database: Database) -> None:
    async with installed(database) as hub:
        role, password = await add_agent(hub, "eu", f"agent_eu_{database.name}")
        assert password is not None
        await execute(
            hub,
            "INSERT INTO probe.asks (region, check_id, why) VALUES ('eu', 'cart', 'confirm'), ('us', 'cart', 'confirm')",
            "INSERT INTO probe.configs (hash, \"by\", body, standing) VALUES ('c9', 'x', '', 'current')",
            "INSERT INTO probe.bundles (hash, region, body) VALUES ('c9', 'eu', '\\x01'), ('c9', 'us', '\\x02')",
        )
        async with open_hub(database.url(user=role, password=password.reveal())) as agent:
            calls = HubCalls(agent, SystemClock())
            who = Introduction(
                region="eu",
                node="a",
                source="s",
                role="agent",
                version="1",
                config="c0",
                started=START,
                skew=1.5,
                queue=7,
                status={"dropped": 3},
            )
            answer = await calls.sync(who)
            assert (answer.acked, answer.nodes, answer.config) == (0, ("a",), "c9")
            assert [tuple(wanted) for wanted in answer.asks] == [("cart", "confirm")]
            assert answer.skew == pytest.approx(0, abs=0.5)
            assert (
                await calls.deliver(who, [Row(1000, "run", "cart", b"x"), Row(1001, "overdue", "cart", b"y")]) == 1001
            )
            assert await calls.bundle("eu", "c9") == b"\x01"
            assert await calls.bundle("eu", "c8") is None
            await calls.keep_evidence("eu", "run-1", "screenshot.png", b"png")
            assert (await calls.sync(who)).acked == 1001
            with pytest.raises(StoreUnavailable, match="may not speak"):
                await calls.bundle("us", "c9")
        assert await ask(hub, "SELECT status ->> 'dropped' FROM probe.nodes") == "3"
        assert await ask(hub, "SELECT body FROM probe.evidence") == b"png"


async def test_a_node_of_two_regions_forwards_both_and_survives_that_the_database_is_killed(
    database: Database, tmp_path: Path
) -> None:
    async with installed(database) as hub, store_in(tmp_path) as store:
        links = await links_of(hub, store, "eu", "us")
        tap = Tap(store, links.recorded)
        assert await links.greet()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(links.run(asyncio.Event()), name="links")
            await tap.commit(Record(runs=(failed(1), run(2, region="us"), run(3))))
            await until(hub, 3)
            await asyncio.to_thread(database.server.kill)
            await tap.commit(Record(runs=(failed(4), failed(5, region="us"))))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(database.server.start)
            await until(hub, 5)
            task.cancel()
        assert sorted(r.id for r in await stored(hub)) == [f"run-{n}" for n in range(1, 6)]
        assert await ask(hub, "SELECT string_agg(name, ' ' ORDER BY name) FROM probe.nodes") == "n1 n1/us"
        assert await ask(hub, "SELECT count(DISTINCT source) FROM probe.inbox") == 2


async def test_an_agent_that_is_killed_again_and_again_loses_nothing_and_sends_nothing_twice(
    database: Database, tmp_path: Path
) -> None:
    said: list[str] = []

    def lives() -> None:
        for life, seconds in enumerate((0.7, 0.4)):
            command = [sys.executable, "-m", "tests.fleet.forwarding", str(tmp_path), database.url(), str(life)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
                assert child.stdout is not None
                said.append(child.stdout.readline().decode())
                time.sleep(seconds)
                os.kill(child.pid, signal.SIGKILL)
                said.extend(line.decode() for line in child.stdout.readlines())

    async with installed(database) as hub:
        await asyncio.to_thread(lives)
        names = [line.strip() for line in said if line.endswith("\n")]
        async with store_in(tmp_path) as store:
            links = await links_of(hub, store, "eu")
            await links.greet()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(links.run(asyncio.Event()), name="links")
                await until(hub, len(names))
                await asyncio.sleep(0.2)
                task.cancel()
        found = [r.id for r in await stored(hub)]
    assert len(found) == len(set(found))
    assert found == sorted(found), "in the order of the source"
    assert set(names) <= set(found)
    assert len(set(found) - set(names)) <= 3, "of each life one was stored, and not said any more"
