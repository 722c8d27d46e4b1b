"""All that an agent can ask of the hub: four functions in the database, and a port for them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import ARRAY, BigInteger, Double, LargeBinary, Text, bindparam, column, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from probe.core.check import CheckId
from probe.fleet.hub import Hub
from probe.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a node says of itself, for one of its regions. `skew` is by how many seconds its clock is ahead.

    `source` is the id of the database that its runs come from, `queue` how many of them wait, `config` what it runs.
    """

    region: str
    node: str
    source: str
    role: str
    version: str
    config: str
    started: datetime
    skew: float
    queue: int
    status: Mapping[str, object]


class Wanted(NamedTuple):
    """A run that is asked for; `why` is a word of `Why`."""

    check: CheckId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the hub says to a node. `skew` is what this call measured of its clock; `None`: it took too long to tell.

    `acked`: everything up to this number of the source is stored. `nodes` are those of the region that live, this one
    included. `config` is the hash of what the region is to run; `None`: nothing is published.
    """

    acked: int
    nodes: tuple[str, ...] = ()
    config: str | None = None
    asks: tuple[Wanted, ...] = ()
    skew: float | None = None


class Row(NamedTuple):
    """One thing that is delivered: its number in its source, what it is, and its body."""

    seq: int
    kind: str
    check: str
    body: bytes


class Calls(Protocol):
    """The hub, as an agent sees it. All methods raise `StoreUnavailable`."""

    async def sync(self, who: Introduction) -> Answer:
        """Say that we live, and hear what there is to be done."""
        ...

    async def deliver(self, who: Introduction, rows: Sequence[Row]) -> int:
        """Hand over rows, in the order of their numbers; gives the number up to which all are stored. Twice is harmless."""
        ...

    async def bundle(self, region: str, hash: str) -> bytes | None:
        """The body of a published configuration; `None`: there is none of this hash for this region."""
        ...

    async def keep_evidence(self, region: str, run: str, name: str, body: bytes) -> None:
        """Keep a file of evidence of a run."""
        ...


SLOW: Final = 2.0
"""Seconds that a call may take to say something about clocks."""
MOMENT: Final = TIMESTAMP(timezone=True)
SYNC: Final = (
    text(
        "SELECT now, acked, nodes, config, asks FROM probe.sync(:region, :node, :source, :role, :version, :config, :started,"
        " :skew, :queue, :status)"
    )
    .bindparams(
        *(bindparam(name, type_=Text) for name in ("region", "node", "source", "role", "version", "config")),
        bindparam("started", type_=MOMENT),
        bindparam("skew", type_=Double),
        bindparam("queue", type_=BigInteger),
        bindparam("status", type_=JSONB),
    )
    .columns(
        column("now", MOMENT),
        column("acked", BigInteger),
        column("nodes", ARRAY(Text)),
        column("config", Text),
        column("asks", JSONB),
    )
)
DELIVER: Final = text(
    "SELECT probe.deliver(:region, :node, :source, :skew, :seqs, :kinds, :checks, :bodies)"
).bindparams(
    *(bindparam(name, type_=Text) for name in ("region", "node", "source")),
    bindparam("skew", type_=Double),
    bindparam("seqs", type_=ARRAY(BigInteger)),
    *(bindparam(name, type_=ARRAY(Text)) for name in ("kinds", "checks")),
    bindparam("bodies", type_=ARRAY(LargeBinary)),
)
BUNDLE: Final = text("SELECT probe.bundle(:region, :hash)").bindparams(
    bindparam("region", type_=Text), bindparam("hash", type_=Text)
)
KEEP: Final = text("SELECT probe.keep_evidence(:region, :run, :name, :body)").bindparams(
    *(bindparam(name, type_=Text) for name in ("region", "run", "name")), bindparam("body", type_=LargeBinary)
)


class HubCalls:
    """Implements `Calls`."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock

    async def sync(self, who: Introduction) -> Answer:
        """Say that we live, and hear what there is to be done."""
        values: dict[str, Any] = {name: getattr(who, name) for name in Introduction.__slots__}
        time = asyncio.get_running_loop().time
        async with self._hub.transaction() as connection:
            wall, began = self._clock.now(), time()
            row = (await connection.execute(SYNC, values | {"status": dict(who.status)})).one()
            took = time() - began
        # Neither clock is asked twice: one that jumps meanwhile spoils one measure, not two that must fit together.
        skew = (wall + timedelta(seconds=took / 2) - row.now).total_seconds() if took <= SLOW else None
        asks = tuple(Wanted(CheckId(ask["check"]), ask["why"]) for ask in row.asks)
        return Answer(acked=row.acked, nodes=tuple(row.nodes), config=row.config, asks=asks, skew=skew)

    async def deliver(self, who: Introduction, rows: Sequence[Row]) -> int:
        """Hand over rows."""
        given = {
            "region": who.region,
            "node": who.node,
            "source": who.source,
            "skew": who.skew,
            "seqs": [row.seq for row in rows],
            "kinds": [row.kind for row in rows],
            "checks": [row.check for row in rows],
            "bodies": [row.body for row in rows],
        }
        async with self._hub.transaction() as connection:
            acked: int = (await connection.execute(DELIVER, given)).scalar_one()
        return acked

    async def bundle(self, region: str, hash: str) -> bytes | None:
        """The body of a published configuration."""
        async with self._hub.transaction() as connection:
            body: bytes | None = (await connection.execute(BUNDLE, {"region": region, "hash": hash})).scalar_one()
        return body

    async def keep_evidence(self, region: str, run: str, name: str, body: bytes) -> None:
        """Keep a file of evidence of a run."""
        async with self._hub.transaction() as connection:
            await connection.execute(KEEP, {"region": region, "run": run, "name": name, "body": body})
