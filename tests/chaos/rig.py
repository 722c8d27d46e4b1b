"""Kills the daemon, its workers, browsers and drivers at random moments, from a seed, while the shop breaks and heals."""

import asyncio
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil

from probe.store.settings import DATABASE
from tests.chaos.world import CHANNELS, HOSTS, PAGES, World, world
from tests.daemon.process import DaemonProcess, end_marked, marked, rows, until

DAEMON, WORKER, BROWSER, DRIVER = "daemon", "worker", "browser", "driver"
STOP, RELOAD = "stop", "reload"
ACTS = {DAEMON: 6, WORKER: 3, BROWSER: 2, DRIVER: 2, STOP: 1, RELOAD: 1}
"""What is done, and how often."""
KILLS = (DAEMON, WORKER, BROWSER, DRIVER)
EARLY = 0.2
"""The share of acts that may come before the daemon is up."""
POLL = 0.2


@dataclass
class Seen:
    """What independent witnesses have noted while it went on."""

    runs: dict[int, str] = field(default_factory=dict)
    """`seq` → id of each run that could ever be read."""
    processes: dict[tuple[int, float], str] = field(default_factory=dict)
    """Each process that ever came of a daemon: pid and start → name."""
    acts: Counter[str] = field(default_factory=Counter)
    outages: int = 0
    faults: list[str] = field(default_factory=list)
    """What must not be, seen on the way."""


class Rig:
    """One daemon after the other in one world."""

    def __init__(self, place: World, chance: random.Random, marker: str) -> None:
        self.world = place
        self.seen = Seen()
        self.daemon = DaemonProcess(place.config, place.folder / "daemon.log", marker)
        self._chance = chance

    async def torment(self, kills: int, pause: tuple[float, float], tell: Callable[[str], None]) -> None:
        """Kill so many times; between two acts a pause of so many seconds, at least and at most. Ends with a daemon that runs."""
        await self.daemon.start()
        async with asyncio.TaskGroup() as group:
            others = [
                group.create_task(self._witness(), name="witness"),
                group.create_task(self._break_and_mend(), name="outages"),
            ]
            while sum(self.seen.acts[act] for act in KILLS) < kills:
                if self._chance.random() > EARLY:
                    await until(self._is_up, 60, "the daemon says that it watches")
                await asyncio.sleep(self._chance.uniform(*pause))
                act = self._chance.choices(list(ACTS), list(ACTS.values()))[0]
                done = await self._do(act)
                self.seen.acts[done] += 1
                tell(f"{sum(self.seen.acts.values())}: {done}")
            for task in others:
                task.cancel()
        # What broke and was mended was mostly too short, or killed too soon, to be told: one outage lasts until it is.
        await until(self._is_up, 60, "the daemon says that it watches")
        self.world.shop.broken[HOSTS[0]] = "500"
        await until(self._is_told, 60, "an outage is told on every channel")
        self.world.shop.broken.clear()

    async def _is_told(self) -> bool:
        self._check_alive()
        return {arrival.channel for arrival in self.world.inbox.arrivals} == set(CHANNELS)

    async def settle(self, within: float) -> None:
        """Wait until all incidents are over and everything is told; then stop."""
        async with asyncio.TaskGroup() as group:
            witness = group.create_task(self._witness(), name="witness")
            try:
                await until(self._is_quiet, within, "all incidents resolved, all notifications settled", 0.5)
            finally:
                witness.cancel()
        code = await self.daemon.stop()
        if code != 0:
            self.seen.faults.append(f"the last graceful stop ended with {code}")

    async def _is_quiet(self) -> bool:
        self._check_alive()
        try:
            ((opened, unsettled),) = await rows(
                self.world.data,
                "SELECT (SELECT count(*) FROM incidents WHERE resolved IS NULL),"
                " (SELECT count(*) FROM outbox WHERE settled IS NULL)",
            )
            checks = await rows(self.world.data, "SELECT body FROM state WHERE kind = 'check'")
        except sqlite3.OperationalError:
            return False
        places = [place for (body,) in checks for place in json.loads(body)["places"].values()]
        return not opened and not unsettled and all(place["outcome"] == "passed" for place in places)

    # --- what is done to it ----------------------------------------------------------------------------------------

    async def _do(self, act: str) -> str:
        """Do it; what was done, which is the daemon's kill where there is no such process just now."""
        self._check_alive()
        if act == RELOAD and self.daemon.is_up():
            self.daemon.signal(signal.SIGHUP)
            return act
        if act == STOP:
            code = await self.daemon.stop()
            if code not in (0, -signal.SIGTERM):  # the latter: before it could listen to signals
                self.seen.faults.append(f"a graceful stop ended with {code}")
            await self.daemon.start()
            return act
        found = [p for p in self.daemon.children() if act != DAEMON and _role(p) == act]
        if found:
            with suppress(psutil.NoSuchProcess):
                self._chance.choice(found).kill()
            return act
        await self.daemon.kill()
        await self.daemon.start()
        return DAEMON

    async def _is_up(self) -> bool:
        self._check_alive()
        return self.daemon.is_up()

    def _check_alive(self) -> None:
        assert self.daemon.code is None, f"the daemon ended by itself with {self.daemon.code}:\n{self.daemon.said()}"

    async def _break_and_mend(self) -> None:
        chance, broken = random.Random(self._chance.random()), self.world.shop.broken
        places = [*PAGES, *(f"{host}/{page}" for host, pages in PAGES.items() for page in pages)]
        while True:
            await asyncio.sleep(chance.uniform(2, 5))
            broken[chance.choice(places)] = chance.choice(["500", "500", "hang"])
            self.seen.outages += 1
            await asyncio.sleep(chance.uniform(5, 10))
            broken.clear()

    # --- who looks on ----------------------------------------------------------------------------------------------

    async def _witness(self) -> None:
        """Read again and again what a third party sees: a run that was once there must stay."""
        while True:
            for child in await asyncio.to_thread(self.daemon.children):
                with suppress(psutil.Error):
                    self.seen.processes[child.pid, child.create_time()] = child.name()
            last = max(self.seen.runs, default=0)
            with suppress(sqlite3.OperationalError):  # it is starting, or was just killed
                self.seen.runs.update(await rows(self.world.data, "SELECT seq, id FROM runs WHERE seq > ?", last))
                for cause, count in await rows(
                    self.world.data,
                    "SELECT cause, count(*) FROM incidents WHERE resolved IS NULL GROUP BY cause HAVING count(*) > 1",
                ):
                    self.seen.faults.append(f"{count} incidents are open for {cause}")
            await asyncio.sleep(POLL)


def _role(process: psutil.Process) -> str | None:
    try:
        name, line = process.name(), process.cmdline()
    except psutil.Error:
        return None
    if "probe.worker" in line:
        return WORKER
    if name.startswith("node"):
        return DRIVER
    if name.startswith(("chrom", "headless")) and not any(part.startswith("--type=") for part in line):
        return BROWSER
    return None


@dataclass(frozen=True, slots=True)
class Ended:
    """How it stood when all was over."""

    world: World
    seen: Seen
    log: str
    left: tuple[str, ...]
    """Processes that were left behind."""
    seconds: float

    @property
    def database(self) -> Path:
        return self.world.data / DATABASE


@asynccontextmanager
async def chaos(
    folder: Path,
    seed: int,
    kills: int,
    *,
    pause: tuple[float, float],
    settle: float,
    tell: Callable[[str], None] = lambda _line: None,
) -> AsyncIterator[Ended]:
    """A whole night from a seed: so many kills, then peace for at most `settle` seconds until all is said."""
    begun = time.monotonic()
    chance = random.Random(seed)
    marker = uuid4().hex
    async with world(folder, random.Random(chance.random())) as place:
        rig = Rig(place, chance, marker)
        try:
            await rig.torment(kills, pause, tell)
            await rig.settle(settle)
            left = [f"{p.pid} {p.name()}" for p in marked(marker)]
            for (pid, started), name in rig.seen.processes.items():
                with suppress(psutil.Error):
                    process = psutil.Process(pid)
                    if process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE:
                        left.append(f"{pid} {name}")
            log = rig.daemon.log.read_text(errors="replace")
            yield Ended(place, rig.seen, log, tuple(left), time.monotonic() - begun)
        finally:
            end_marked(marker)
