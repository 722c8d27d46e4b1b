"""What waits to be forwarded to a fleet's database: runs, and what was told. What is done about too much of it: `shrink.py`.

A run waits while its number is above what was forwarded of its region. All that a fleet adds to the database are numbers in
`meta`: for each region its source, where that begins, and how far it is forwarded; and what was told, thinned and dropped.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select

from probe.core.check import CheckId
from probe.core.failure import Failure, Layer
from probe.core.incident import IncidentId
from probe.core.notification import Attempt, Fate, Message
from probe.core.run import Observation, Outcome, Run, Step, StepOutcome, Why
from probe.store.rows import from_json, run_of, to_json
from probe.store.schema import (
    EPOCH,
    MICROSECOND,
    attempts,
    details,
    failures,
    meta,
    outbox,
    phases,
    places,
    runs,
    steps,
    upsert,
)

SET_META: Final = upsert(meta)
SOURCE: Final = "source:"
JOINED: Final = "joined:"
FORWARDED: Final = "forwarded:"
SHARED: Final = "shared:"
TOLD: Final = "told"
"""The number in `meta` of the last attempt that the hub knows of."""
SHIPPED: Final = "shipped"
"""The number in `meta` of the last run whose evidence was looked after (fleet/evidence.py)."""
WINDOW: Final = 2000
"""Numbers that one batch looks at. As many behind what was forwarded are never changed: the hub may have them already."""
BODY: Final = 2**20
"""Bytes of one body at most: a run that is larger goes without its details."""
ROW: Final = 220
"""Bytes that the row of a run takes, indexes included: measured, as the others are."""
DETAIL: Final = 45
"""Bytes that its details take beside their body."""
BESIDE: Final = ((steps, 40), (phases, 60), (failures, 120))
"""Bytes that a row of these takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The runs of a region in this database, as the hub knows them.

    `joined` is the last run that was there before, `forwarded` the last that the hub surely has, `shared` the last moment
    at which other nodes of the region lived, as far as we know.
    """

    id: str
    joined: int
    forwarded: int
    shared: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A run that waits: its number, and the body that is sent."""

    seq: int
    kind: str
    check: CheckId
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What of a region waits, from the oldest on. `until`: all up to this number is in it, or was forwarded.

    `behind`: how many numbers there are after it.
    """

    parcels: tuple[Parcel, ...]
    until: int
    behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much waits: runs, and the bytes that they take in the database."""

    runs: int = 0
    bytes: int = 0


# --- where we are -----------------------------------------------------------------------------------------------------


def join(connection: Connection, region: str, number: int) -> Source:
    """The source of a region's runs, made with this number if there is none.

    What was recorded before a node joined a fleet is not forwarded: it was judged here.
    """
    known = _numbers(connection)
    if SOURCE + region not in known:
        last = known.get("runs", 0)
        put(connection, {SOURCE + region: number, JOINED + region: last, FORWARDED + region: last})
        if TOLD not in known:
            put(connection, {TOLD: connection.scalar(select(func.max(attempts.c.seq))) or 0, SHIPPED: last})
        known = _numbers(connection)
    since = known.get(SHARED + region)
    return Source(
        id=f"{known[SOURCE + region]:016x}",
        joined=known[JOINED + region],
        forwarded=known[FORWARDED + region],
        shared=None if since is None else EPOCH + since * MICROSECOND,
    )


def rejoin(connection: Connection, region: str, number: int) -> Source:
    """Another source with this number, which begins where the former one is known to have been forwarded to."""
    at = forwarded(connection).get(region, 0)
    put(connection, {SOURCE + region: number, JOINED + region: at})
    return join(connection, region, number)


def only(connection: Connection, regions: Iterable[str]) -> int:
    """Keep no books for other regions than these; gives how many runs of others are left behind, which nobody forwards."""
    left = 0
    for region in set(forwarded(connection)) - set(regions):
        here = select(places.c.id).where(places.c.region == region)
        behind = select(func.count()).select_from(runs).where(runs.c.place.in_(here))
        left += connection.scalar(behind.where(runs.c.seq > number_of(connection, FORWARDED + region))) or 0
        keys = [name + region for name in (SOURCE, JOINED, FORWARDED, SHARED)]
        connection.execute(delete(meta).where(meta.c.key.in_(keys)))
    return left


def forwarded(connection: Connection) -> dict[str, int]:
    """How far each region is forwarded."""
    known = _numbers(connection).items()
    return {key.removeprefix(FORWARDED): value for key, value in known if key.startswith(FORWARDED)}


def put_forwarded(connection: Connection, region: str, seq: int) -> None:
    """Everything of a region up to this number is with the hub."""
    put(connection, {FORWARDED + region: seq})


def put_shared(connection: Connection, region: str, moment: datetime) -> None:
    """Until this moment other nodes of the region lived: what has no row here may have one there."""
    put(connection, {SHARED + region: (moment - EPOCH) // MICROSECOND})


def number_of(connection: Connection, key: str) -> int:
    """A number of `meta`; 0 when there is none."""
    return connection.scalar(select(meta.c.value).where(meta.c.key == key)) or 0


def put(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Remember numbers in `meta`."""
    if numbers:
        connection.execute(SET_META, [{"key": key, "value": value} for key, value in numbers.items()])


def _numbers(connection: Connection) -> dict[str, int]:
    return {row.key: row.value for row in connection.execute(select(meta))}


# --- what waits -------------------------------------------------------------------------------------------------------


def read_batch(connection: Connection, region: str, after: int, most: int, largest: int) -> Batch:
    """The next runs of a region after a number: no more than `most`, and of no more than `largest` bytes, but one."""
    last = number_of(connection, "runs")
    until = min(last, after + WINDOW)
    wanted = (
        select(runs, places.c.check_id, details.c.body.label("body"))
        .select_from(runs.join(places, places.c.id == runs.c.place).outerjoin(details, details.c.run == runs.c.seq))
        .where(places.c.region == region, runs.c.seq > after, runs.c.seq <= until)
        .order_by(runs.c.seq)
        .limit(most)
    )
    rows = connection.execute(wanted).all()
    bare = [row.seq for row in rows if row.body is None]
    known_steps, known_failures = (_steps(connection, bare), _failures(connection, bare)) if bare else ({}, {})
    parcels: list[Parcel] = []
    size = 0
    for row in rows:
        run = run_of(row, row.check_id, region, row.body)
        if row.body is None:
            seen = run.observation
            found = tuple(known_failures.get(row.seq, seen.failures))
            run = replace(run, observation=replace(seen, steps=tuple(known_steps.get(row.seq, ())), failures=found))
        body = packed(run)
        size += len(body)
        if parcels and size > largest:
            return Batch(parcels=tuple(parcels), until=parcels[-1].seq, behind=last - parcels[-1].seq)
        kind = "control" if run.why is Why.CONTROL else "run"
        parcels.append(Parcel(seq=row.seq, kind=kind, check=run.check, body=body))
    if len(rows) == most:
        until = rows[-1].seq
    until = max(after, until)
    return Batch(parcels=tuple(parcels), until=until, behind=max(0, last - until))


def packed(run: Run) -> bytes:
    """A run as it is sent: compressed JSON. One that is too large goes without what only explains it."""
    body = zlib.compress(to_json(run).encode(), 1)
    if len(body) > BODY:
        seen = run.observation
        small = Observation(failures=seen.failures[:10], steps=seen.steps, host=seen.host, duration=seen.duration)
        body = zlib.compress(to_json(replace(run, observation=small)).encode(), 1)
    return body


def _steps(connection: Connection, numbers: list[int]) -> dict[int, list[Step]]:
    """The steps of runs whose details are gone."""
    found: dict[int, list[Step]] = {}
    wanted = select(steps).where(steps.c.run.in_(numbers)).order_by(steps.c.run, steps.c.position)
    for row in connection.execute(wanted):
        step = Step(name=row.name, outcome=StepOutcome(row.outcome), start=row.start, duration=row.duration)
        found.setdefault(row.run, []).append(step)
    return found


def _failures(connection: Connection, numbers: list[int]) -> dict[int, list[Failure]]:
    """The failures of runs whose details are gone."""
    found: dict[int, list[Failure]] = {}
    wanted = select(failures).where(failures.c.run.in_(numbers)).order_by(failures.c.run, failures.c.position)
    for row in connection.execute(wanted):
        failure = Failure(
            layer=Layer(row.layer),
            kind=row.kind,
            message=row.message,
            step=row.step,
            expected=row.expected,
            actual=row.actual,
            url=row.url,
            soft=row.soft,
        )
        found.setdefault(row.run, []).append(failure)
    return found


def measure(connection: Connection, after: int) -> Size:
    """How much there is behind a number."""
    count = connection.scalar(select(func.count()).select_from(runs).where(runs.c.seq > after)) or 0
    whole = select(func.count(), func.coalesce(func.sum(func.length(details.c.body)), 0)).where(details.c.run > after)
    bodies, size = connection.execute(whole).one()
    size += count * ROW + bodies * DETAIL
    for table, each in BESIDE:
        size += each * (connection.scalar(select(func.count()).select_from(table).where(table.c.run > after)) or 0)
    return Size(runs=count, bytes=size)


def oldest_evidence(connection: Connection) -> str | None:
    """The oldest run whose evidence may wait to be shipped; `None`: there is none."""
    failed = runs.c.outcome == Outcome.FAILED.value, runs.c.seq > number_of(connection, SHIPPED)
    return connection.scalar(select(runs.c.id).where(*failed).order_by(runs.c.seq).limit(1))


# --- what was told ----------------------------------------------------------------------------------------------------


def read_told(connection: Connection) -> tuple[tuple[int, CheckId, Attempt], ...]:
    """The next attempts that told somebody and that the hub does not know, each with its number and one of its checks."""
    wanted = (
        select(attempts, outbox.c.message)
        .join(outbox, outbox.c.key == attempts.c.key)
        .where(attempts.c.fate == Fate.SENT.value, attempts.c.seq > number_of(connection, TOLD))
        .order_by(attempts.c.seq)
        .limit(100)
    )
    return tuple(
        (
            row.seq,
            CheckId(next(iter(from_json(Message, row.message).checks), "")),
            Attempt(key=row.key, at=row.at, fate=Fate.SENT, answer=row.answer, seconds=row.seconds),
        )
        for row in connection.execute(wanted)
    )


def told_incidents(connection: Connection) -> set[IncidentId]:
    """The incidents of which anything was told from here."""
    told = select(outbox.c.incident).where(outbox.c.fate == Fate.SENT.value).distinct()
    return {IncidentId(incident) for incident in connection.scalars(told)}
