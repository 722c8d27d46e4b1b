"""Looks into the database from outside: while the daemon writes, and when it does not run. For the command line.

Nothing is written, and nothing waits for the writer. Every method sees one state of the whole database: the one in a
folder of data, or the one that a fleet shares (`open_fleet`, probe/fleet/read.py).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import DBAPIError

from probe.core.incident import Entry, Incident, IncidentId, What
from probe.core.notification import Fate, Reason
from probe.core.run import Outcome, Run, RunId, StepOutcome, Why
from probe.core.state import State
from probe.errors import StoreUnavailable
from probe.store.database import check_schema, sqlite_engine
from probe.store.histogram import percentile
from probe.store.numbers import last_seen, started_since
from probe.store.restore import read_restored
from probe.store.rollup import Sum, sum_of
from probe.store.rows import from_json, run_of
from probe.store.schema import attempts, details, incidents, outbox, places, rollups, runs, steps, timeline
from probe.store.settings import DATABASE
from probe.store.trouble import Trouble, trouble_of, unavailable

T = TypeVar("T")
AT_ONCE: Final = 500
"""Runs that one query asks for by their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many notifications of a channel have a fate; `None`: nobody has tried yet. `oldest` is when one was made."""

    channel: str
    fate: Fate | None
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How things stand: what judgement remembers, with the open incidents, and what became of what was to be said."""

    state: State
    outbox: tuple[Backlog, ...]
    alive: datetime | None
    """The last sign of life of the daemon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One attempt to tell a channel of an incident."""

    at: datetime
    channel: str
    reason: Reason
    fate: Fate
    answer: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An incident from its beginning: its timeline, with every attempt to tell it, in the order of time."""

    incident: Incident
    lines: tuple[Entry | Receipt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The runs of one check in one region in an hour, or a day, from `start`: what they add up to."""

    region: str
    start: datetime
    sum: Sum

    def percentile(self, share: float) -> float | None:
        """The duration in seconds that `share` (0 to 1) of those that passed stayed within, to one part in twelve."""
        return percentile(self.sum.histogram, share)


class Transact(Protocol):
    """Does something in one transaction that sees one state of the database. Raises `StoreUnavailable`."""

    def __call__(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives."""
        ...


class Reader:
    """Reads. Get one from `open_reader`. All methods raise `StoreUnavailable`."""

    def __init__(self, transact: Transact) -> None:
        self.read = transact
        """Whatever else is to be read, in one transaction."""

    def status(self) -> Status:
        """How things stand."""
        grouped = select(outbox.c.channel, outbox.c.fate, func.count(), func.min(outbox.c.created))
        order = outbox.c.channel, outbox.c.fate

        def read(connection: Connection) -> Status:
            restored = read_restored(connection)
            return Status(
                state=restored.state,
                alive=restored.alive or last_seen(connection),
                outbox=tuple(
                    Backlog(channel=channel, fate=None if fate is None else Fate(fate), count=count, oldest=oldest)
                    for channel, fate, count, oldest in connection.execute(grouped.group_by(*order).order_by(*order))
                ),
            )

        return self.read(read)

    def history(
        self,
        check: str,
        region: str | None = None,
        *,
        limit: int = 100,
        since: datetime | None = None,
        until: datetime | None = None,
        failed: bool = False,
    ) -> tuple[Run, ...]:
        """Runs of a check, newest first, also those of slots that were missed (`slot.count` says how many).

        `since` is the earliest start, `until` the latest; `failed`: only runs that did not pass. They are without
        details: of what was observed there is the failure that decided, and before which step a run was stopped.
        """
        span = (since, until)
        return self.read(partial(_history, names=(check, region), limit=limit, span=span, failed=failed))

    def run(self, id: str) -> Run | None:
        """A run, with all that was observed as long as details are kept; `None` when there is none of that id."""

        def read(connection: Connection) -> Run | None:
            whole = (
                select(runs, places.c.check_id, places.c.region, details.c.body)
                .join(places, places.c.id == runs.c.place)
                .outerjoin(details, details.c.run == runs.c.seq)
                .where(runs.c.id == id)
                .limit(1)
            )
            row = connection.execute(whole).one_or_none()
            return None if row is None else run_of(row, row.check_id, row.region, row.body)

        return self.read(read)

    def stretches(
        self, check: str, region: str | None = None, *, span: timedelta = timedelta(hours=1), since: datetime
    ) -> tuple[Stretch, ...]:
        """The sums of a check by the hour, or the day (`span`), oldest first; what was stored since the last tidying lacks."""

        def read(connection: Connection) -> tuple[Stretch, ...]:
            found: list[Stretch] = []
            for place, name in _places(connection, check, region):
                start = since.timestamp() - (since.timestamp() % span.total_seconds())
                sums = select(rollups).where(
                    rollups.c.place == place, rollups.c.span == int(span.total_seconds()), rollups.c.start >= start
                )
                found += (
                    Stretch(region=name, start=datetime.fromtimestamp(row.start, UTC), sum=sum_of(row))
                    for row in connection.execute(sums)
                )
            return tuple(sorted(found, key=lambda stretch: (stretch.start, stretch.region)))

        return self.read(read)

    def outcomes(self, *, since: datetime) -> dict[str, dict[Outcome, int]]:
        """Region → outcome → how many runs ended so; a missed run counts all the slots that it stands for."""

        def read(connection: Connection) -> dict[str, dict[Outcome, int]]:
            wanted = (
                select(places.c.region, runs.c.outcome, func.sum(func.coalesce(runs.c.slots, 1)))
                .join(places, places.c.id == runs.c.place)
                .where(runs.c.outcome.in_(list(Outcome)), *started_since(connection, since))  # as the index is made
                .group_by(places.c.region, runs.c.outcome)
            )
            found: dict[str, dict[Outcome, int]] = {}
            for region, outcome, count in connection.execute(wanted):
                found.setdefault(region, {})[Outcome(outcome)] = count
            return found

        return self.read(read)

    def incidents(self, *, open_only: bool = False, limit: int = 100) -> tuple[Incident, ...]:
        """Incidents, newest first."""
        wanted = select(incidents.c.body).order_by(incidents.c.opened.desc(), incidents.c.id.desc()).limit(limit)
        if open_only:
            wanted = wanted.where(incidents.c.resolved.is_(None))
        return self.read(lambda connection: tuple(from_json(Incident, body) for body in connection.scalars(wanted)))

    def incident(self, id: str) -> Story | None:
        """An incident with everything that happened in it; `None` when there is none of that id."""
        return self.read(partial(_story, id=id))


@contextmanager
def open_reader(folder: Path) -> Iterator[Reader]:
    """A reader of a folder of data. `StoreUnavailable`, lasting, when there is no database, or none of this version's."""
    path = folder / DATABASE
    if not path.exists():
        raise StoreUnavailable(f"{path} is not there: nothing was remembered yet (start `probe run`)", lasting=True)
    engine = sqlite_engine(lambda: _connect(path), "BEGIN")
    try:
        with _told(path), engine.connect() as connection:

            def transact(work: Callable[[Connection], T]) -> T:
                with _told(path), connection.begin():
                    return work(connection)

            if transact(lambda connection: check_schema(connection, path)) is None:
                raise StoreUnavailable(f"{path} is empty: nothing was remembered yet (start `probe run`)", lasting=True)
            yield Reader(transact)
    finally:
        engine.dispose()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with the database inside, in words."""
    try:
        yield
    except DBAPIError as error:
        if (known := unavailable(error, path)) is not None:
            raise known from error
        raise


def _connect(path: Path) -> sqlite3.Connection:
    """Read-only, and never checkpointing: two connections that do can damage a database before SQLite 3.51.3."""
    address = f"file:{quote(str(path))}?mode=ro"
    try:
        return _probed(address)
    except sqlite3.Error as error:
        # Nobody has it open, and we may not make the shared memory beside it: nothing can change under us.
        if trouble_of(error) not in (Trouble.UNOPENED, Trouble.READ_ONLY) or Path(f"{path}-wal").exists():
            raise
    return _probed(f"{address}&immutable=1")


def _probed(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=2.0, isolation_level=None)
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0").close()
        connection.execute("SELECT count(*) FROM sqlite_master").close()
    except BaseException:
        connection.close()
        raise
    return connection


def _places(connection: Connection, check: str, region: str | None) -> list[tuple[int, str]]:
    wanted = select(places.c.id, places.c.region).where(places.c.check_id == check)
    found = connection.execute(wanted if region is None else wanted.where(places.c.region == region))
    return [(row.id, row.region) for row in found]


def _history(
    connection: Connection,
    *,
    names: tuple[str, str | None],
    limit: int,
    span: tuple[datetime | None, datetime | None],
    failed: bool,
) -> tuple[Run, ...]:
    def newest(place: int) -> Select[Any]:
        wanted = select(runs).where(runs.c.place == place)
        since, until = span
        if since is not None:
            wanted = wanted.where(*started_since(connection, since))
        if until is not None:
            wanted = wanted.where(runs.c.started <= until)
        if failed:
            wanted = wanted.where(runs.c.outcome != Outcome.PASSED.value)
        return wanted.order_by(runs.c.started.desc(), runs.c.seq.desc()).limit(limit)

    # One look into the index for each region, and no sorting of all that there is.
    found = [[(row, name) for row in connection.execute(newest(place))] for place, name in _places(connection, *names)]
    latest = merge(*found, key=lambda pair: (pair[0].started, pair[0].seq), reverse=True)
    shown = list(islice(latest, limit))
    stopped = _stopped(connection, [row.seq for row, _ in shown if Why(row.why).spares])
    return tuple(
        _stopped_run(run_of(row, names[0], name), stopped[row.seq])
        if row.seq in stopped and row.outcome == Outcome.PASSED.value
        else run_of(row, names[0], name)
        for row, name in shown
    )


def _stopped(connection: Connection, extra: list[int]) -> dict[int, str]:
    """The first step that each of these runs skipped."""
    found: dict[int, str] = {}
    for begin in range(0, len(extra), AT_ONCE):
        skipped = select(steps.c.run, steps.c.name).where(
            steps.c.run.in_(extra[begin : begin + AT_ONCE]), steps.c.outcome == StepOutcome.SKIPPED.value
        )
        for row in connection.execute(skipped.order_by(steps.c.position)):
            found.setdefault(row.run, row.name)
    return found


def _stopped_run(run: Run, step: str) -> Run:
    return replace(run, observation=replace(run.observation, stopped_before=step))


def _story(connection: Connection, *, id: str) -> Story | None:
    body = connection.scalar(select(incidents.c.body).where(incidents.c.id == id))
    if body is None:
        return None
    entries = [
        Entry(
            incident=IncidentId(id),
            at=row.at,
            what=What(row.what),
            text=row.text,
            run=None if row.run is None else RunId(row.run),
        )
        for row in connection.execute(select(timeline).where(timeline.c.incident == id).order_by(timeline.c.seq))
    ]
    tried = (
        select(attempts, outbox.c.channel, outbox.c.reason)
        .join(outbox, outbox.c.key == attempts.c.key)
        .where(outbox.c.incident == id)
        .order_by(attempts.c.seq)
    )
    receipts = [
        Receipt(
            at=row.at,
            channel=row.channel,
            reason=Reason(row.reason),
            fate=Fate(row.fate),
            answer=row.answer,
            seconds=row.seconds,
        )
        for row in connection.execute(tried)
    ]
    lines: list[Entry | Receipt] = [*entries, *receipts]
    return Story(incident=from_json(Incident, body), lines=tuple(sorted(lines, key=lambda line: line.at)))
