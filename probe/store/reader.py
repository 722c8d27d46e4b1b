"""Looks into the database from outside: while the daemon writes, and when it does not run. For the command line.

Nothing is written, and nothing waits for the writer. Every method sees one state of the whole database: the one in a
folder of data, or the one that a fleet shares (`open_fleet`, probe/fleet/read.py).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from probe.core.incident import Incident
from probe.core.notification import Fate
from probe.core.run import Outcome, Run
from probe.core.state import State
from probe.errors import StoreUnavailable
from probe.store.database import check_schema, sqlite_engine
from probe.store.histogram import percentile
from probe.store.history import history, places_of
from probe.store.numbers import last_seen, started_since
from probe.store.restore import read_restored
from probe.store.rollup import Sum, sum_of
from probe.store.rows import from_json, run_of
from probe.store.schema import details, incidents, outbox, places, rollups, runs
from probe.store.settings import DATABASE
from probe.store.story import Receipt as Receipt  # noqa: PLC0414  # what `incident` gives, for whoever calls it
from probe.store.story import Story as Story  # noqa: PLC0414  # the same
from probe.store.story import story
from probe.store.trouble import Trouble, trouble_of, unavailable

T = TypeVar("T")
Snapshot = Connection
"""One state of the whole database: what the queries of this room take, and `Reader.read` gives."""


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
        return self.read(partial(history, names=(check, region), limit=limit, span=span, failed=failed))

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
            for place, name in places_of(connection, check, region):
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
        return self.read(partial(story, id=id))


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
