"""A whole fleet in the lab, driven as its people would: by files, commands and signals; and cut apart as networks are."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import trustme

from tests.chaos.world import Moods
from tests.daemon.inbox import Arrival, Inbox
from tests.daemon.process import DaemonProcess, end_marked, rows, until
from tests.daemon.scene import FickleShop
from tests.lab import world
from tests.lab.namespaces import command
from tests.lab.network import Network, network, served
from tests.lab.world import ANCHOR, HUB, JUDGES, PAGES, PLACES, REGIONS, STEADY
from tests.postgres import OWNER as database_owner
from tests.postgres import Postgres, private_postgres

OWNER, JUDGE = "owner", "judge"
"""The folder of whoever sets it up, and the database role of those who judge."""
PASSWORD = "Xk7-judges-only-Qw2"
LOOK = 0.3
"""Seconds between two looks."""
PATIENCE = 60.0
"""Seconds that anything may take on the busiest machine: a limit, not a claim."""


@dataclass
class Fleet:
    """The nodes are known by the place where they are: `eu` is the agent there, `hub` the one that judges there."""

    folder: Path
    net: Network
    database: Postgres
    shop: FickleShop
    anchor: FickleShop
    inbox: Inbox
    nodes: dict[str, DaemonProcess]
    tell: Callable[[str], None]
    """Told every act as it happens."""
    begun: float = field(default_factory=time.monotonic)
    acts: list[str] = field(default_factory=list)
    _held: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each direction is cut: it is open again when all of them are over."""

    # --- what is done to it ----------------------------------------------------------------------------------------

    def note(self, what: str) -> None:
        """Write down what happens, with its second, for whoever must understand a failure."""
        line = f"{time.monotonic() - self.begun:7.2f}  {what}"
        self.acts.append(line)
        self.tell(line)
        with (self.folder / "acts.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {line}\n")

    async def start(self, *places: str) -> None:
        """Start the nodes there, and wait until each says that it watches."""
        for place in places:
            self.note(f"start {place}")
            await self.nodes[place].start()
        for place in places:
            await self.wait(self.nodes[place].is_up, f"{place} watches", alive=[place])

    async def cut(self, one: str, *others: str) -> None:
        """Nothing comes through between one and the others, until it was mended as often."""
        self.note(f"cut {one} <-> {', '.join(others)}")
        for other in others:
            await self._hold(one, other)
            await self._hold(other, one)

    async def mend(self, one: str, *others: str) -> None:
        """The end of `cut`."""
        self.note(f"mend {one} <-> {', '.join(others)}")
        for other in others:
            await self._release(one, other)
            await self._release(other, one)

    async def mend_all(self) -> None:
        """Whatever is cut, and whatever fails."""
        self._held.clear()
        self.shop.broken.clear()
        for source, target in self.net.cuts():
            self.note(f"mend {source} -> {target}")
            await self.net.mend(source, target, both=False)

    async def cut_one_way(self, one: str, other: str, seconds: float) -> None:
        """Nothing comes from one to the other, for so long; the other way it does."""
        self.note(f"cut {one} -> {other} for {seconds:.1f} s")
        await self._hold(one, other)
        await asyncio.sleep(seconds)
        await self._release(one, other)

    async def _hold(self, source: str, target: str) -> None:
        self._held[source, target] += 1
        await self.net.cut(source, target, both=False)

    async def _release(self, source: str, target: str) -> None:
        self._held[source, target] -= 1
        if not self._held[source, target]:
            await self.net.mend(source, target, both=False)

    def fail(self, target: str) -> None:
        """All pages of a target answer with 500."""
        self.note(f"{target} fails")
        self.shop.broken.update(page for page, of in PAGES.items() if of == target)

    def heal(self, target: str) -> None:
        """It is well again."""
        self.note(f"{target} is well")
        self.shop.broken.difference_update(page for page, of in PAGES.items() if of == target)

    async def kill_database(self) -> None:
        """SIGKILL, and started again half a second later."""
        self.note("kill the database")
        await asyncio.to_thread(self.database.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(self.database.start)
        self.note("the database is back")

    async def pause(self, place: str, seconds: float) -> None:
        """SIGSTOP to a node for so long."""
        self.note(f"pause {place} for {seconds:.1f} s")
        self.nodes[place].signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.nodes[place].signal(signal.SIGCONT)
        self.note(f"{place} goes on")

    # --- what is seen of it ----------------------------------------------------------------------------------------

    async def hub(self, query: str) -> list[dict[str, Any]]:
        """What the database answers its owner, row by row; nothing while it cannot be asked."""
        try:
            said = await asyncio.to_thread(
                self.database.psql,
                f"SET search_path = probe; SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found",
            )
        except RuntimeError as error:
            if "does not exist" in str(error):
                raise
            return []
        found: list[dict[str, Any]] = json.loads(said)
        return found

    async def agent(self, region: str, query: str) -> list[Any]:
        """What the SQLite of an agent holds; nothing while it cannot be read."""
        try:
            return await rows(self.folder / region / "data", query)
        except sqlite3.OperationalError:
            return []

    def credentials(self, region: str) -> tuple[str, str]:
        """User and password of the agents of a region, from the file on their machine."""
        found = urlsplit((self.folder / region / "database").read_text())
        assert found.username is not None
        assert found.password is not None
        return unquote(found.username), unquote(found.password)

    def arrivals(self, channel: str = STEADY) -> list[Arrival]:
        """What came on a channel, in its order."""
        return [arrival for arrival in self.inbox.arrivals if arrival.channel == channel]

    def notices(self, channel: str = STEADY) -> list[dict[str, Any]]:
        """Each announcement that came on a channel, once."""
        found = {notice["key"]: notice for arrival in self.arrivals(channel) for notice in arrival.notices}
        return list(found.values())

    def about(self, cause: str, *reasons: str, channel: str = STEADY, since: int = 0) -> list[dict[str, Any]]:
        """Those about a cause, which is a target's name or whatever an incident says, for one of these reasons or any.

        `since` leaves out as many as had come before.
        """
        cause = self.net.hosts.get(cause, cause)
        found = [notice for notice in self.notices(channel)[since:] if notice["cause"] == cause]
        return [notice for notice in found if not reasons or notice["reason"] in reasons]

    async def wait(
        self, look: Callable[[], Any], what: str, within: float = PATIENCE, *, alive: Iterable[str] = ()
    ) -> Any:
        """The first truthy answer; says what was awaited, what was done before, and what the nodes say, when there is none."""

        async def looked() -> Any:
            for place in alive:
                assert self.nodes[place].code is None, f"the node at {place} ended with {self.nodes[place].code}"
            found = look()
            return await found if isinstance(found, Awaitable) else found

        try:
            return await until(looked, within, what, LOOK)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from None

    def story(self) -> str:
        """What was done and what the nodes said last, and where the rest is."""
        said = "\n".join(f"--- {place}\n{node.said(8)}" for place, node in self.nodes.items() if node.starts)
        return "\n".join(
            [f"all of it is in {self.folder}", *self.acts[-30:], said, "--- database", self.database.said(8)]
        )


# --- how it is made ----------------------------------------------------------------------------------------------------


async def _introduce(fleet: Fleet, authority: Path) -> None:
    """Schema, roles and configuration, as somebody would do it who reads docs/fleet.md."""
    words = {OWNER: (database_owner, database_owner), **dict.fromkeys(JUDGES, (JUDGE, PASSWORD))}
    for place, (user, password) in words.items():
        (fleet.folder / place / "config.toml").write_text(
            world.judge_config(HUB if place == OWNER else place, fleet.net.hosts)
        )
        (fleet.folder / place / "hook-key").write_text(world.CANARY)
        (fleet.folder / place / "database").write_text(
            fleet.database.url(user=user, password=password, sslmode="verify-full", sslrootcert=str(authority))
        )
    process = await asyncio.create_subprocess_exec(
        *command(fleet.net.namespaces[HUB], sys.executable, "-m", "tests.lab.owner", *REGIONS),
        cwd=fleet.folder / OWNER,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, more = await process.communicate()
    assert process.returncode == 0, f"the owner's commands failed:\n{said.decode()}\n{more.decode()}"
    for region, url in zip(REGIONS, said.decode().splitlines(), strict=True):
        (fleet.folder / region / "config.toml").write_text(world.agent_config(region))
        (fleet.folder / region / "database").write_text(url)
    await asyncio.to_thread(
        fleet.database.psql, f"CREATE ROLE {JUDGE} LOGIN PASSWORD '{PASSWORD}' IN ROLE probe_evaluate"
    )
    fleet.note("introduced")


@asynccontextmanager
async def fleet(folder: Path, seed: int, tell: Callable[[str], None] = lambda _line: None) -> AsyncIterator[Fleet]:
    """All of it made and introduced, no node started yet; nothing is left of it but `folder`."""
    marker = uuid4().hex
    authority = trustme.CA()
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    for place in (OWNER, *JUDGES, *REGIONS):
        (folder / place).mkdir()
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(network(folder, *PLACES, seed=seed))
        await world.lay_out(net)
        host = net.hosts[HUB]
        database = stack.enter_context(
            private_postgres(
                host=host,
                namespace=net.namespaces[HUB],
                authority=authority,
                names=(host,),
                keep_log=folder / "database.log",
            )
        )
        shop, anchor, inbox = FickleShop(), FickleShop(), Inbox(Moods(random.Random(seed)))
        for target in world.TARGETS:
            await stack.enter_async_context(served(net, target, world.SHOP_PORT, shop.handle))
        await stack.enter_async_context(served(net, ANCHOR, world.ANCHOR_PORT, anchor.handle))
        await stack.enter_async_context(served(net, world.HOOK, world.HOOK_PORT, inbox.handle))
        nodes = {
            place: DaemonProcess(
                *(folder / place / "config.toml", folder / place / "daemon.log", marker),
                program="tests.lab.hasty",
                inside=command(net.namespaces[place]),
            )
            for place in (*JUDGES, *REGIONS)
        }
        made = Fleet(folder, net, database, shop, anchor, inbox, nodes, tell)
        try:
            await _introduce(made, folder / "ca.pem")
            yield made
        finally:
            made.note("the end")
            for node in nodes.values():
                if node.starts and node.code is None:
                    with suppress(TimeoutError):
                        await node.kill()
            end_marked(marker)
