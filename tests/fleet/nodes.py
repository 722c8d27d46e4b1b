"""A hub in memory, and the outbox of a node in memory: for virtual time."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from probe.core.run import Run
from probe.core.state import Ask
from probe.errors import StoreUnavailable
from probe.fleet.calls import Answer, Introduction, Row, Wanted
from probe.fleet.inbox import _decoders, _unpacked
from probe.fleet.link import Ears, Link, LinkSettings
from probe.fleet.outbox import LARGEST, Told
from probe.ports import Clock
from probe.store.outbox import WINDOW, Batch, Parcel, Source, packed
from probe.testing import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
AWAY = StoreUnavailable("the database is away")


@dataclass(eq=False)
class MemoryHub:
    """Implements `Calls` as the functions in the database do. `fail` is raised by every call while it is set.

    `lost`: the next so many deliveries are stored, and their answer is lost. `delay` is the seconds of every call, `narrow`
    the most rows that come through.
    """

    clock: Clock
    fail: StoreUnavailable | None = None
    hangs: bool = False
    lost: int = 0
    delay: float = 0.0
    narrow: int = 2000
    acked: dict[str, int] = field(default_factory=dict)
    inbox: list[tuple[float, str, Row]] = field(default_factory=list)
    seen: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    asks: list[tuple[str, Wanted]] = field(default_factory=list)
    config: str | None = None
    syncs: list[float] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    said: dict[str, Introduction] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    offset: float = 0.0
    """By how many seconds the hub's clock is ahead of the test's."""

    async def _answer(self) -> float:
        await asyncio.sleep(self.delay)
        if self.hangs:
            await asyncio.sleep(1e9)
        if self.fail is not None:
            raise self.fail
        return asyncio.get_running_loop().time()

    async def sync(self, who: Introduction) -> Answer:
        self.syncs.append(asyncio.get_running_loop().time())
        before = self.clock.now()
        now = await self._answer()
        self.said[who.node] = who
        self.seen[who.region][who.node] = now if who.role != "evaluate" else float("-inf")
        taken = tuple(wanted for region, wanted in self.asks if region == who.region)
        self.asks = [ask for ask in self.asks if ask[0] != who.region]
        middle = before + timedelta(seconds=self.delay / 2)
        true = START + timedelta(seconds=now - self.delay / 2 + self.offset)
        return Answer(
            acked=self.acked.get(who.source, 0),
            nodes=tuple(sorted(node for node, at in self.seen[who.region].items() if at > now - 10)),
            config=self.config,
            asks=taken,
            skew=(middle - true).total_seconds(),
        )

    async def deliver(self, who: Introduction, rows: Sequence[Row]) -> int:
        now = await self._answer()
        assert [row.seq for row in rows] == sorted({row.seq for row in rows})
        assert len(rows) <= 2000
        if len(rows) > self.narrow:
            await asyncio.sleep(1e9)
        assert all(len(row.body) <= 2**20 for row in rows)
        acked = self.acked.get(who.source, 0)
        self.batches.append(len(rows))
        self.inbox += ((now, who.source, row) for row in rows if row.seq > acked)
        self.acked[who.source] = max(acked, rows[-1].seq)
        if self.lost:
            self.lost -= 1
            raise AWAY
        return self.acked[who.source]

    async def bundle(self, region: str, hash: str) -> bytes | None:
        await self._answer()
        return None

    async def keep_evidence(self, region: str, run: str, name: str, body: bytes) -> None:
        await self._answer()
        self.files.setdefault((run, name), body)

    def runs(self, kind: str = "run") -> list[Run]:
        return [decoded(row) for _, _, row in self.inbox if row.kind == kind]


def decoded(row: Row) -> Run:
    """What a row says."""
    value: Run = _decoders[row.kind].decode(_unpacked(row.body))  # type: ignore[index]  # a word of the kind
    return value


@dataclass(eq=False)
class MemoryOutbox:
    """Implements `Outbox`. It outlives the node that writes to it."""

    runs: list[Run] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    shares: dict[str, datetime] = field(default_factory=dict)
    attempts: list[Told] = field(default_factory=list)
    known: int = 0
    made: int = 0
    left: int = 0
    fail: StoreUnavailable | None = None

    async def join(self, region: str) -> Source:
        self.made += region not in self.sources
        known = self.sources.setdefault(region, Source(id=f"source {self.made} of {region}", joined=0, forwarded=0))
        shared = self.shares.get(region)
        return Source(id=known.id, joined=known.joined, forwarded=self.at.get(region, 0), shared=shared)

    async def rejoin(self, region: str) -> Source:
        at = self.at.get(region, 0)
        self.made += 1
        self.sources[region] = Source(id=f"source {self.made} of {region}", joined=at, forwarded=at)
        return self.sources[region]

    async def only(self, regions: Collection[str]) -> int:
        return self.left

    async def batch(self, region: str, after: int, most: int) -> Batch:
        if self.fail is not None:
            raise self.fail
        until = min(len(self.runs), after + WINDOW)
        parcels: list[Parcel] = []
        for seq in range(after + 1, until + 1):
            one = self.runs[seq - 1]
            if one.region == region:
                parcels.append(Parcel(seq=seq, kind="run", check=one.check, body=packed(one)))
            if len(parcels) == most:
                until = seq
                break
        assert sum(len(parcel.body) for parcel in parcels) <= LARGEST
        return Batch(parcels=tuple(parcels), until=until, behind=len(self.runs) - until)

    async def forwarded(self, region: str, seq: int) -> None:
        if self.fail is not None:
            raise self.fail
        self.at[region] = seq

    async def told(self) -> tuple[Told, ...]:
        return tuple(told for told in self.attempts if told.number > self.known)[:100]

    async def told_until(self, number: int) -> None:
        self.known = number

    async def share(self, region: str, moment: datetime) -> None:
        if self.fail is not None:
            raise self.fail
        self.shares[region] = moment


def ears(**given: Any) -> Ears:
    """Ears that hear nothing, but for what is given."""
    deaf: dict[str, Any] = dict.fromkeys(("ask", "gone", "configured"), lambda _: None)
    return Ears(**deaf | {"config": lambda: "c0", "status": dict, "well": lambda: True} | given)


def link_settings(node: str = "a", region: str = "eu", **given: Any) -> LinkSettings:
    return LinkSettings(region=region, node=node, role="agent", version="1", started=START, **given)


class Node:
    """A node's link on virtual time, and what it was told. `live` keeps it up for the time of a context."""

    def __init__(
        self, hub: MemoryHub, outbox: MemoryOutbox | None = None, name: str = "a", region: str = "eu", **given: int
    ) -> None:
        self.hub = hub
        self.outbox = outbox or MemoryOutbox()
        self.clock = VirtualClock(START)
        self.asked: list[Ask] = []
        self.gone: list[datetime] = []
        self.configs: list[str] = []
        self.well = True
        self.link = Link(
            hub,
            self.outbox,
            link_settings(name, region, **given),
            ears(ask=self.asked.extend, gone=self.gone.append, configured=self.configs.append, well=lambda: self.well),
            self.clock,
            random.Random(1),
        )

    def record(self, *runs: Run) -> None:
        """These runs are written down."""
        self.outbox.runs += runs
        self.link.forwarder.recorded(runs)

    async def live(self, life: Callable[[], object] | None = None) -> None:
        """Greet, and go on until cancelled."""
        await self.link.greet()
        await self.link.run()
