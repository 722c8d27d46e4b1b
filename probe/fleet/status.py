"""How a fleet stands: its nodes, what they run, how far behind anything is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from probe.fleet.hub import Hub
from probe.fleet.publish import Published, published

LIVES: Final = timedelta(seconds=10)
"""How long after its last word a node counts as alive."""
CLOCK: Final = timedelta(seconds=2)
"""By how much a clock may be off before it is said: runs are put right by what is measured, from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One daemon. `skew` is how much its clock is ahead; `queue` is how many of its runs wait to be forwarded.

    `probes` says whether it does now: not while it waits for a configuration, or when it has stopped. `concerns` is what
    somebody should look at, in words.
    """

    name: str
    region: str
    role: str
    version: str
    config: str
    started: datetime
    seen: datetime
    skew: timedelta
    queue: int
    alive: bool
    probes: bool
    concerns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """A region of the fleet: when any of its nodes was heard last, and since when it is said to be silent."""

    name: str
    heard: datetime | None
    silent: datetime | None
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """Everything at one moment, by the database's clock.

    `waiting` are runs that were delivered and not judged, the oldest since `lag`; `unsent` are notifications without a
    fate. `deliverer` is the node that sends now.
    """

    now: datetime
    nodes: tuple[Node, ...]
    regions: tuple[Locale, ...]
    configs: tuple[Published, ...]
    shards: int
    waiting: int
    lag: timedelta
    unsent: int
    incidents: int
    deliverer: str | None


async def fleet_status(hub: Hub, version: str) -> FleetStatus:
    """Read it. `version` is our own: a node with another one is said to have it. `StoreUnavailable` without a database."""
    configs = await published(hub)
    async with hub.transaction() as connection:
        now: datetime = await connection.scalar(text("SELECT clock_timestamp()"))
        nodes = (await connection.execute(text("SELECT * FROM probe.nodes ORDER BY region, name"))).all()
        regions = (await connection.execute(text("SELECT name, heard, silent FROM probe.regions ORDER BY name"))).all()
        shards = await connection.scalar(text("SELECT count(*) FROM probe.shards"))
        inbox = (await connection.execute(text("SELECT count(*), min(received) FROM probe.inbox"))).one()
        unsent = await connection.scalar(text("SELECT count(*) FROM probe.outbox WHERE settled IS NULL"))
        incidents = await connection.scalar(text("SELECT count(*) FROM probe.incidents WHERE resolved IS NULL"))
        deliverer = await connection.scalar(
            text("SELECT holder FROM probe.leases WHERE name = 'delivery' AND until > clock_timestamp()")
        )
    wanted = next((config.hash for config in configs if config.standing == "current"), "")
    canaries = {config.canary: config.hash for config in configs if config.standing == "canary"}
    found = tuple(_node(row, now, version, canaries.get(row.region, wanted)) for row in nodes)
    return FleetStatus(
        now=now,
        nodes=found,
        regions=tuple(
            Locale(
                name=row.name,
                heard=row.heard,
                silent=row.silent,
                nodes=sum(node.alive and node.region == row.name and node.probes for node in found),
            )
            for row in regions
        ),
        configs=configs,
        shards=shards or 0,
        waiting=inbox[0],
        lag=max(now - inbox[1], timedelta(0)) if inbox[1] is not None else timedelta(0),
        unsent=unsent or 0,
        incidents=incidents or 0,
        deliverer=None if deliverer is None else deliverer.rpartition(" ")[0],
    )


def _node(row: Any, now: datetime, version: str, wanted: str) -> Node:
    status = row.status or {}
    skew = timedelta(seconds=row.skew or 0.0)
    alive = now - row.seen <= LIVES
    concerns = [str(status["trouble"])] if alive and status.get("trouble") else []
    if alive and row.version != version:
        concerns.append(f"it runs probe {row.version}, this is {version}")
    if alive and wanted and row.config != wanted:
        concerns.append(f"it runs the configuration {row.config or 'none'}, not {wanted}")
    if alive and status.get("twin"):
        concerns.append("two processes go by this name: give each a [fleet] node of its own")
    if alive and abs(skew) > CLOCK:
        ahead = "ahead" if skew > timedelta(0) else "behind"
        concerns.append(
            f"its clock is {abs(skew).total_seconds():.1f} s {ahead}: its runs are put right, mend the clock"
        )
    concerns += [f"{status[name]} {words}" for name, words in DROPPED if status.get(name)]
    return Node(
        name=row.name,
        region=row.region,
        role=str(status.get("role", row.role)),
        version=row.version,
        config=row.config or "",
        started=row.started,
        seen=row.seen,
        skew=skew,
        queue=row.queue or 0,
        alive=alive,
        probes=row.role != "evaluate",
        concerns=tuple(concerns),
    )


DROPPED: Final = (
    ("thinned", "runs that passed were melted into others, as its outbox was full"),
    ("dropped", "runs were dropped, as its outbox was full"),
)
"""What an agent counts of what it could not keep, in words."""
