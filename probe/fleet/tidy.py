"""What is done about a fleet's database once an hour, by one node: adding up what was run, and forgetting what is old."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection, TextClause, text

from probe.fleet.hub import Hub
from probe.store.numbers import last_counter, today
from probe.store.retention import Work, forgetting
from probe.store.rollup import roll_up_fleet
from probe.store.settings import StoreSettings

T = TypeVar("T")
PIECE: Final = 250
"""Rows at a time."""
LOST: Final = timedelta(days=1)
"""How long something waits that nobody will ever take: asks of a region without nodes, rows of a shard that is gone."""
GONE: Final = timedelta(days=30)
"""How long after its last word a node is forgotten."""
_SHARDS: Final = text("SELECT name FROM probe.shards")
_FREE: Final = text("SELECT name FROM probe.shards WHERE name = ANY(CAST(:names AS text[])) FOR UPDATE SKIP LOCKED")
_WAIT: Final = text("SELECT name FROM probe.shards WHERE name = :name FOR UPDATE")
_FORGET_REGIONS: Final = text(
    "DELETE FROM probe.state WHERE kind LIKE 'region:%'"
    " AND NOT EXISTS (SELECT FROM probe.shards WHERE state.kind = 'region:' || shards.name)"
)
_GONE_SHARD: Final = "NOT EXISTS (SELECT FROM probe.shards WHERE shards.name = old.shard)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forget:
    """Removes rows of a table, some at a time: those that were last written (`column`) before a moment."""

    table: str
    key: str
    column: str
    before: datetime
    only: str = "true"

    def __call__(self, connection: Connection) -> bool:
        """The next rows."""
        statement = text(
            f"DELETE FROM probe.{self.table} WHERE ({self.key}) IN (SELECT {self.key} FROM probe.{self.table} AS old"  # noqa: S608  # all of it is ours
            f" WHERE {self.column} < :before AND {self.only} LIMIT {PIECE} FOR UPDATE SKIP LOCKED)"
        )
        return connection.execute(statement, {"before": self.before}).rowcount == PIECE


async def tidy_fleet(hub: Hub, settings: StoreSettings, now: datetime) -> None:
    """Roll up what was judged, and forget what is older than it is kept for, a little at a time.

    Runs themselves go by whole partitions (partitions.py), after this. Several nodes at once do no harm. It may be
    stopped anywhere, and goes on the next time. `StoreUnavailable` when the database cannot be reached, or somebody held
    a shard for too long.
    """
    until, day = await _all_committed(hub)
    while await _do(hub, lambda connection: roll_up_fleet(connection, until=until, day=day)):
        pass
    for piece in (*forgetting(settings, now), *_leavings(settings, now)):
        while await _do(hub, piece):
            pass


async def _all_committed(hub: Hub) -> tuple[int, int]:
    """A counter up to which all runs are committed, and the day.

    Whoever writes runs holds the lock of a shard from before it takes their numbers until it commits. So when each shard
    was free once after the last number was read, nothing up to it is still to come. None is held for longer than that takes.
    """
    until, day = await _do(hub, lambda connection: (last_counter(connection), today(connection)))
    left = await _names(hub, _SHARDS)
    while left:
        left -= await _names(hub, _FREE, names=sorted(left))
        if left:
            await _names(hub, _WAIT, name=left.pop())
    return until, day


def _leavings(settings: StoreSettings, now: datetime) -> tuple[Work, ...]:
    """What only a fleet has."""
    return (
        _Forget(table="evidence", key="run, name", column="stored", before=now - settings.keep_failures),
        _Forget(table="asks", key="id", column="asked", before=now - LOST),
        _Forget(table="inbox", key="id", column="received", before=now - LOST, only=_GONE_SHARD),
        _Forget(table="nodes", key="name", column="seen", before=now - GONE),
        _forget_regions,
    )


def _forget_regions(connection: Connection) -> bool:
    """What shards that are no more knew of regions."""
    connection.execute(_FORGET_REGIONS)
    return False


async def _names(hub: Hub, statement: TextClause, **given: object) -> set[str]:
    async with hub.transaction() as connection:
        return set((await connection.execute(statement, given)).scalars())


async def _do(hub: Hub, work: Callable[[Connection], T]) -> T:
    async with hub.transaction() as connection:
        return await connection.run_sync(work)
