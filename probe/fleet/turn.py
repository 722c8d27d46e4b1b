"""What is done in one transaction with the shards that it holds: their state and what waits for them, judged and written."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.evaluate import Overdue
from probe.core.incident import Incident
from probe.core.ledger import FINE
from probe.core.run import Run
from probe.core.shards import OWN
from probe.core.state import RETURNS, Ask, State
from probe.engine.recorder import AWAKE, SLICE
from probe.fleet.inbox import Kind, Refused, Told, Waiting, read, unpack
from probe.fleet.quarantine import BARE, DROP, FULL, Ward
from probe.fleet.shard import Fold, Judge, Plan
from probe.fleet.slots import doubtful, read_taken
from probe.fleet.told import keep_told, told_already
from probe.ports import Record
from probe.store.fleet import FleetWriting
from probe.store.restore import read_state
from probe.store.rows import from_json
from probe.store.schema import EPOCH, MICROSECOND

SHARDS: Final = 64
"""Shards in one transaction at most."""
UNKNOWN: Final = 16
"""Of these, how many whose states must be read first."""
ROWS: Final = 2000
"""Rows of the inbox in one transaction at most."""
PACKED: Final = 8 * 2**20
"""Bytes of bodies in one transaction, after which no more are taken."""
UNPACKED: Final = 64 * 2**20
"""The same of what is in them."""
BUDGET: Final = 2.0
"""Seconds of judgement in one transaction at most: it holds locks. What is left is judged in the next."""
HEADSTART: Final = timedelta(seconds=2)
"""How long a shard is left to the one who judged it last, and still knows its state."""
GIVEN_UP: Final = timedelta(seconds=10)
"""How much longer than our own the shards of others must have waited, to be judged first."""
TIDY: Final = timedelta(hours=1)
"""How often counts by the minute that are old are forgotten."""
TICK: Final = timedelta(seconds=AWAKE)
"""How often time passes for a shard in which something is going on."""
PATIENT: Final = timedelta(seconds=10)
"""For how long time does not pass for a shard of which more waits than can be judged at once."""

_TAKE: Final = text("""
    SELECT shards.name, shards.generation, shards.evaluator, shards.tick
    FROM probe.shards LEFT JOIN LATERAL (
        SELECT received FROM probe.inbox WHERE inbox.shard = shards.name ORDER BY id LIMIT 1
    ) AS waiting ON true
    WHERE shards.version = :version AND NOT shards.name = ANY(CAST(:ill AS text[]))
        AND (waiting.received IS NOT NULL OR shards.tick <= :now)
        AND (shards.evaluator IS NULL OR shards.evaluator = :us OR least(waiting.received, shards.tick) <= :late)
    ORDER BY least(waiting.received, shards.tick)
        - CASE WHEN shards.evaluator = :us THEN CAST(:given_up AS interval) ELSE interval '0' END
    LIMIT :some FOR UPDATE OF shards SKIP LOCKED
""")
_TAKE_ONE: Final = text(
    "SELECT name, generation, evaluator, tick FROM probe.shards WHERE name = :name AND version = :version FOR UPDATE"
)
_WAITING: Final = text("""
    SELECT id, shard, kind, check_id AS check, region, node, source, received, skew, body FROM (
        SELECT waiting.*, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS before
        FROM unnest(CAST(:names AS text[])) AS wanted (name) CROSS JOIN LATERAL (
            SELECT * FROM probe.inbox WHERE shard = wanted.name ORDER BY id LIMIT :each
        ) AS waiting ORDER BY waiting.id LIMIT :all
    ) AS found WHERE before < :bytes ORDER BY id
""")
_RECENT: Final = text(
    "SELECT cause, body FROM probe.incidents WHERE resolved IS NULL OR resolved >= :since ORDER BY cause"
)
_OWN: Final = text(
    "INSERT INTO probe.inbox (shard, source, node, region, kind, check_id, received, skew, body)"
    " SELECT '', source, node, region, 'own', check_id, received, skew, body FROM probe.inbox"
    " WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id"
)
_ASK: Final = text(
    "INSERT INTO probe.asks (region, check_id, why) SELECT DISTINCT region, check_id, why"
    " FROM unnest(CAST(:regions AS text[]), CAST(:checks AS text[]), CAST(:whys AS text[])) AS wanted (region, check_id, why)"
    " WHERE NOT EXISTS (SELECT FROM probe.asks AS known WHERE known.taken IS NULL"  # several shards may want the same
    " AND (known.region, known.check_id, known.why) = (wanted.region, wanted.check_id, wanted.why))"
)
_DONE: Final = text("DELETE FROM probe.inbox WHERE id = ANY(CAST(:ids AS bigint[]))")
_ROLL: Final = text(
    "UPDATE probe.shards SET generation = shards.generation + 1, evaluator = :us, awake = given.awake, tick = given.tick"
    " FROM unnest(CAST(:names AS text[]), CAST(:awake AS boolean[]), CAST(:ticks AS timestamptz[]))"
    " AS given (name, awake, tick) WHERE shards.name = given.name"
)
_NOTIFY: Final = text("SELECT pg_notify(channel, '') FROM unnest(CAST(:channels AS text[])) AS channel")

Shard = Row[Any]
"""A row of `shards`, whose lock is held."""


@dataclass(slots=True)
class Known:
    """The state of a shard, as it was left at a generation. `tidied` is when old minutes were forgotten last."""

    generation: int
    state: State
    tidied: datetime


@dataclass(slots=True)
class Turn:
    """A shard in one transaction. `due` is since when time should pass for it. `refused` are rows that were not what they said."""

    known: Known
    fold: Fold
    due: datetime | None
    done: list[int] = field(default_factory=list)
    refused: list[tuple[Waiting, str]] = field(default_factory=list)
    oldest: datetime | None = None
    left: bool = False
    """Whether more of it waits."""


class Memory:
    """The states of the shards that we judged last. What is taken out is put back when it was written down."""

    def __init__(self, us: str) -> None:
        self.us = us
        """Our name with the shards: no other process, and no later one of ours, has it."""
        self._known: dict[str, Known] = {}

    def take(self, shard: Shard) -> Known | None:
        """What is known of a shard, if nobody else has judged it since."""
        known = self._known.pop(shard.name, None)
        return known if known and shard.evaluator == self.us and shard.generation == known.generation else None

    def put(self, turn: Turn) -> None:
        """Remember what was written down."""
        self._known[turn.fold.name] = turn.known

    def forget(self) -> None:
        """Everything may have changed."""
        self._known.clear()


async def take(
    connection: AsyncConnection, plan: Plan, memory: Memory, ill: Sequence[str], now: datetime
) -> list[Shard]:
    """Lock shards that there is something to do for, but those that are `ill`: ours first, as long as no other is left alone."""
    given = {
        "version": plan.version,
        "ill": list(ill),
        "us": memory.us,
        "now": now,
        "late": now - HEADSTART,
        "given_up": GIVEN_UP,
        "some": SHARDS,
    }
    return list((await connection.execute(_TAKE, given)).all())


async def take_one(connection: AsyncConnection, plan: Plan, name: str) -> list[Shard]:
    """Lock this shard, and wait for it; none when it is not of our version."""
    return list((await connection.execute(_TAKE_ONE, {"name": name, "version": plan.version})).all())


async def begin(
    connection: AsyncConnection, plan: Plan, memory: Memory, shards: Sequence[Shard], now: datetime, judging: Judge
) -> list[Turn]:
    """The shards, with their states: as we know them, or as they are written down.

    Reading takes its time: of those that we do not know, only some are begun with, and the rest left for the next turn.
    """
    found: dict[str, Known] = {}
    unknown: list[Shard] = []
    for shard in shards:
        known = memory.take(shard)
        if known is None:
            unknown.append(shard)
        else:
            found[shard.name] = known
            if now - known.tidied > TIDY:
                known.tidied = now
                for ledger in known.state.ledgers.values():
                    ledger.forget(now - FINE)
    if unknown:
        causes = await _causes(connection, plan, now)
        for shard in unknown[:UNKNOWN]:
            part = plan.part(shard.name, causes.get(shard.name, ()))
            state = await connection.run_sync(read_state, now, part)
            found[shard.name] = Known(generation=shard.generation, state=state, tidied=now)
    return [
        Turn(
            known=found[shard.name],
            fold=Fold(shard.name, plan, found[shard.name].state, now, judging),
            due=shard.tick if shard.tick is not None and shard.tick <= now else None,
        )
        for shard in shards
        if shard.name in found
    ]


async def _causes(connection: AsyncConnection, plan: Plan, now: datetime) -> dict[str, list[str]]:
    """The causes of incidents that are open, or were not long ago, by the shard that they belong to."""
    found: dict[str, list[str]] = {}
    since = (now - RETURNS - EPOCH) // MICROSECOND
    for row in await connection.execute(_RECENT, {"since": since}):
        home = plan.causes.get(row.cause)
        if home is None:
            home = plan.home_of(row.cause, from_json(Incident, row.body).members)
        found.setdefault(home, []).append(row.cause)
    return found


async def judge(
    connection: AsyncConnection, turns: Sequence[Turn], silent: Mapping[str, datetime | None], ward: Ward | None
) -> None:
    """Take in what waits for the shards, in its order, until the time for it is over; then let time pass where it is due.

    `ward` says how a shard is taken that could not be judged.
    """
    shards = {turn.fold.name: turn for turn in turns}
    end = time.monotonic() + BUDGET
    waiting = await _waiting(connection, shards, FULL if ward is None else ward.rows)
    seen = await _read(shards, waiting)
    runs: dict[str, list[Run]] = {name: [] for name in shards}
    for row, one in seen:
        if isinstance(one, Run):
            runs[row.shard].append(one)
    for name, turn in shards.items():
        turn.fold.hear(silent)
        checks = turn.fold.rules.checks
        if wanted := doubtful(runs[name], turn.fold.state, checks):
            turn.fold.taken = await connection.run_sync(read_taken, wanted, checks)
    for number, (row, one) in enumerate(seen):
        if time.monotonic() > end and number:
            _leave(turns)
            break
        _take_in(shards[row.shard], row, one, ward)
        if number % SLICE == 0:
            await asyncio.sleep(0)
    for turn in turns:
        if turn.due is not None and (not turn.left or turn.fold.now - turn.due > PATIENT):
            turn.fold.tick()
            turn.due = None


async def _waiting(connection: AsyncConnection, shards: Mapping[str, Turn], each: int) -> list[Waiting]:
    """What waits for the shards, up to so many rows of each."""
    given = {"names": list(shards), "each": each, "all": ROWS, "bytes": PACKED}
    found = [Waiting(**row) for row in (await connection.execute(_WAITING, given)).mappings()]
    counts = Counter(row.shard for row in found)
    for name, turn in shards.items():
        turn.left = counts[name] == each
    if len(found) == ROWS or sum(len(row.body) for row in found) >= PACKED:
        _leave(shards.values())
    for row in reversed(found):
        shards[row.shard].oldest = row.received
    return found


async def _read(shards: Mapping[str, Turn], waiting: Sequence[Waiting]) -> list[tuple[Waiting, Run | Overdue | Told]]:
    """What they say; rows that are not what they say are refused, and done with."""
    found: list[tuple[Waiting, Run | Overdue | Told]] = []
    size = 0
    for number, row in enumerate(waiting):
        turn = shards[row.shard]
        plan = turn.fold.plan
        try:
            text = unpack(row)
            size += len(text)
            if size > UNPACKED:
                _leave(shards.values())
                break
            found.append((row, read(row, text, plan.checks, plan.controls, turn.fold.now)))
        except Refused as error:
            turn.refused.append((row, str(error)))
            turn.done.append(row.id)
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return found


def _leave(turns: Iterable[Turn]) -> None:
    """More waits for all of them than goes into one transaction, perhaps."""
    for turn in turns:
        turn.left = True


def _take_in(turn: Turn, row: Waiting, seen: Run | Overdue | Told, ward: Ward | None) -> None:
    turn.done.append(row.id)
    if ward is not None and ward.step == DROP:
        turn.refused.append((row, "it cannot be written down"))
    elif ward is not None and ward.step == BARE:
        if isinstance(seen, Run) and (row.kind == Kind.RUN or row.shard == OWN != row.kind):
            turn.fold.keep(seen)
    elif isinstance(seen, Run):
        turn.fold.run(row, seen)
    elif isinstance(seen, Overdue):
        turn.fold.overdue(seen)
    else:
        turn.fold.told.setdefault(row.region, []).extend(seen)


async def wish(connection: AsyncConnection, asks: Sequence[Ask]) -> None:
    """Ask for runs, and tell the nodes of their regions."""
    given = {
        "regions": [ask.region for ask in asks],
        "checks": [ask.check for ask in asks],
        "whys": [ask.why.value for ask in asks],
    }
    await connection.execute(_ASK, given)
    await connection.execute(_NOTIFY, {"channels": ["probe_asks"]})


async def write(connection: AsyncConnection, memory: Memory, turns: Sequence[Turn], now: datetime) -> None:
    """Write down all that came of them, and pass their locks on."""
    folds = [turn.fold for turn in turns]
    await connection.run_sync(_write_records, folds)
    channels = set()
    if own := [row.id for fold in folds for row in fold.own]:
        await connection.execute(_OWN, {"ids": own})
        channels.add("probe_inbox")
    if asks := [ask for fold in folds for ask in fold.asks]:
        await wish(connection, asks)
    if any(fold.notifications for fold in folds):
        channels.add("probe_outbox")
    if done := [row for turn in turns for row in turn.done]:
        await connection.execute(_DONE, {"ids": done})
    awake = [fold.name == OWN or fold.state.awake for fold in folds]
    rolled = {
        "us": memory.us,
        "names": [fold.name for fold in folds],
        "awake": awake,
        "ticks": [turn.due or (now + TICK if is_awake else None) for turn, is_awake in zip(turns, awake, strict=True)],
    }
    await connection.execute(_ROLL, rolled)
    if channels:
        await connection.execute(_NOTIFY, {"channels": sorted(channels)})
    for turn in turns:
        turn.known.generation += 1


def _write_records(connection: Connection, folds: Sequence[Fold]) -> None:
    for fold in folds:
        keep_told(connection, fold.told, fold.now)
    records = {fold.name: [fold.record] for fold in folds}
    for fold in folds:
        if attempts := told_already(connection, fold.notifications):
            records[fold.name].append(Record(attempts=tuple(attempts)))
    FleetWriting(connection).write_shards(records)
