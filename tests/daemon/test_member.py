"""Daemons as nodes of a fleet, on one machine: as their people start them, cut them off, and give them something new to run."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.daemon.inbox import Inbox, inbox, serving
from tests.daemon.process import DaemonProcess, end_marked, rows, until
from tests.daemon.scene import HOSTS, LONG, FickleShop, check
from tests.postgres import Postgres, private_postgres

RUNS = (
    "SELECT count(*) FROM probe.runs JOIN probe.places ON places.id = runs.place"
    " WHERE region = '{region}' AND check_id = '{check}' AND outcome = '{outcome}'"
)


@dataclass
class Pair:
    """`hub` judges and probes from eu, `agent` only probes, from us."""

    folder: Path
    shop: FickleShop
    inbox: Inbox
    server: Postgres
    hub: DaemonProcess
    agent: DaemonProcess

    def configure(self, *tables: str, beat: str = "") -> None:
        """Write the hub's configuration, which is the fleet's; `beat` says where its heartbeat goes."""
        head = (
            '[probe]\nregion = "eu"\ndata = "data"\nlisten = "off"\nlog = "json"\nchecks = []\n'
            f"{beat}\n"
            f'[store]\nurl = "{self.server.url()}"\nballast = "0MiB"\n[fleet]\nnode = "hub"\nstale_after = "15s"\n'
            f'[targets.shop]\nurl = "http://{HOSTS["shop"]}:{self.shop.port}"\n[regions.us]\nagent = true\n'
            f'[channels.team]\nkind = "webhook"\nurl = "${{env:TEAM_URL}}"\n'
        )
        self.hub.config.write_text("\n".join([head, *tables]))

    def configure_agent(self, url: str) -> None:
        """Write the agent's own few lines."""
        self.agent.config.write_text(
            '[probe]\nregion = "us"\ndata = "data"\nlisten = "off"\nlog = "json"\n'
            f'[store]\nurl = "{url}"\nballast = "0MiB"\n[fleet]\nrole = "agent"\nnode = "far"\n'
        )

    async def command(self, *words: str, config: Path | None = None) -> tuple[int, str]:
        """What a command ends with, and prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "probe", *words, "--config", str(config or self.hub.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode() or err.decode()

    async def up(self, *daemons: DaemonProcess) -> None:
        """Start them, and wait until they watch."""
        for daemon in daemons:
            await daemon.start()
        for daemon in daemons:
            await self.wait(daemon.is_up, "it watches")

    async def wait(self, look: Any, what: str) -> Any:
        """The first truthy answer, or both logs."""

        async def looked() -> Any:
            found = look()
            return await found if asyncio.iscoroutine(found) else found

        try:
            return await until(looked, LONG, what, 0.4)
        except AssertionError as error:
            logs = "\n".join(f"== {d.config.parent.name}\n{d.said()}" for d in (self.hub, self.agent) if d.starts)
            raise AssertionError(f"{error}\n{logs}") from None

    async def stored(self, region: str, check: str, outcome: str = "passed") -> int:
        """How many runs of a check the fleet has."""
        query = RUNS.format(region=region, check=check, outcome=outcome)
        return int(await asyncio.to_thread(self.server.psql, query))

    async def says(self, query: str, text: str) -> bool:
        """Whether the answer of the fleet's database has a text in it."""
        return text in await asyncio.to_thread(self.server.psql, query)

    def told(self) -> list[tuple[str, str]]:
        """Reason and verdict of all that came."""
        return [(n["reason"], n["verdict"]) for arrival in self.inbox.arrivals for n in arrival.notices]


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    shop, marker = FickleShop(), uuid4().hex
    with private_postgres() as server:
        async with serving(shop.handle, *HOSTS.values()) as shop.port, inbox() as box:
            daemons = []
            for name in ("hub", "agent"):
                (tmp_path / name).mkdir()
                daemons.append(DaemonProcess(tmp_path / name / "config.toml", tmp_path / name / "log", marker))
            monkeypatch.setenv("TEAM_URL", box.url("team"))
            found = Pair(tmp_path, shop, box, server, *daemons)
            found.configure(check("home"))
            try:
                yield found
            finally:
                for daemon in daemons:
                    if daemon.starts and daemon.code is None:
                        await daemon.kill()
                end_marked(marker)


async def begun(pair: Pair) -> None:
    """As docs/fleet.md says it."""
    code, said = await pair.command("fleet", "init")
    assert code == 0, said
    assert "must not be" not in said
    code, url = await pair.command("fleet", "agent", "add", "us")
    assert code == 0, url
    pair.configure_agent(url.strip())
    await pair.up(pair.hub, pair.agent)


async def test_two_regions_are_judged_as_one(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """One outage, seen from both, is told once; everybody can see how the fleet stands, and what is new is run by all.

    A signal to a node that judges publishes its file. Nodes without the secret say so, and run and judge on.
    """
    await begun(pair)
    await pair.wait(lambda: pair.stored("us", "home"), "the agent's runs arrive")
    await pair.wait(lambda: pair.stored("eu", "home"), "the hub's own runs arrive")
    code, said = await pair.command("fleet", "status", "--json")
    fleet = json.loads(said)["fleet"]
    assert (code, fleet["concerns"]) == (0, [])
    assert {(n["name"], n["region"], n["role"]) for n in fleet["nodes"]} == {
        ("hub", "eu", "all"),
        ("far", "us", "agent"),
    }
    assert len({n["config"] for n in fleet["nodes"]}) == 1
    pair.shop.broken.add("home")
    await pair.wait(lambda: [n for n in pair.told() if n[0] == "opened"], "the opening")
    code, said = await pair.command("incident", "ack", "--by", "ann")
    assert code == 0, said
    code, said = await pair.command("incident", "show")
    assert code == 0
    assert "eu, us" in said
    assert "ann" in said
    pair.shop.broken.clear()
    await pair.wait(lambda: pair.told()[-1][0] == "resolved", "the resolution")
    assert [reason for reason, _ in pair.told()] == ["opened", "resolved"]
    assert pair.told()[0][1] == "down"

    pair.configure(check("home"), check("cart"))
    pair.hub.signal(signal.SIGHUP)
    await pair.wait(lambda: pair.stored("us", "cart"), "the agent runs the new check")
    monkeypatch.setenv("NEWS", "value")  # of whoever publishes; the nodes that run do not have it
    pair.configure(check("home"), check("cart", more='headers = { x-news = "${env:NEWS}" }'))
    code, said = await pair.command("fleet", "publish")
    assert code == 0, said
    code, said = await pair.command("fleet", "publish", "--canary", "mars")
    assert (code, "no region mars" in said) == (2, True)
    monkeypatch.delenv("NEWS")
    for node in ("far", "hub"):
        lacks = f"SELECT status->>'trouble' FROM probe.nodes WHERE name = '{node}'"
        await pair.wait(lambda lacks=lacks: pair.says(lacks, "NEWS"), f"{node} says what it lacks")
    code, said = await pair.command("fleet", "status")
    assert code == 1
    assert "NEWS" in said
    before = await pair.stored("us", "cart")
    await pair.wait(lambda: _more(pair, before), "it runs on")
    assert pair.hub.said().count("cannot be used here") == 1  # it is told once
    pair.shop.broken.add("home")
    await pair.wait(lambda: len(pair.told()) == 3, "it is judged all the same")
    assert await pair.hub.stop() == 0
    assert await pair.agent.stop() == 0


async def _more(pair: Pair, before: int) -> bool:
    return await pair.stored("us", "cart") > before


async def test_a_node_that_starts_without_the_database_runs_what_it_ran(pair: Pair) -> None:
    """And delivers it when the database is back; nobody is told anything about the shop. Who judges sends no heartbeat."""
    pair.configure(
        check("home"), beat=f'heartbeat_url = "http://{HOSTS["mail"]}:{pair.shop.port}/beat"\nheartbeat_every = "1s"'
    )
    await begun(pair)
    await pair.wait(lambda: pair.shop.hits["beat"], "the heartbeat")
    await pair.wait(lambda: pair.stored("us", "home"), "the agent's runs arrive")
    await pair.agent.stop()
    await asyncio.to_thread(pair.server.stop)
    await pair.up(pair.agent)
    data = pair.agent.config.parent / "data"

    async def probed() -> int:
        known = "SELECT count(*) FROM runs WHERE outcome = 'passed'"
        return int((await rows(data, known))[0][0])

    before = await probed()

    async def goes_on() -> bool:
        return await probed() >= before + 3

    await pair.wait(goes_on, "it probes without the database")
    await pair.wait(lambda: "the heartbeat is not sent" in pair.hub.said(1000), "no heartbeat")
    ids = {row[0] for row in await rows(data, "SELECT id FROM runs")}
    await asyncio.to_thread(pair.server.start)

    async def all_there() -> bool:
        found = await asyncio.to_thread(pair.server.psql, "SELECT id FROM probe.runs")
        return ids <= set(found.split())

    await pair.wait(all_there, "everything was delivered")
    await pair.wait(lambda: "the heartbeat is sent again" in pair.hub.said(1000), "the heartbeat again")
    assert await asyncio.to_thread(pair.server.psql, "SELECT count(*) - count(DISTINCT id) FROM probe.runs") == "0"
    assert pair.told() == []
