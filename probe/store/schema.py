"""The tables. Moments and durations are whole microseconds, JSON is text; a change here needs a migration.

A run is one slim row in `runs`, with `steps`, `phases` (one HTTP exchange each) and `failures` beside it. All else that
was observed is in `details`, which are forgotten early. What judgement remembers is in `state` and `ledger`, as JSON and
as counts; what is to be said in `outbox`, what was tried in `attempts`.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.sqlite import insert

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
Key: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A number that the database gives; in SQLite only an `INTEGER` is its row's own address."""


class Moment(TypeDecorator[datetime]):
    """An aware datetime, as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002  # the base's
        """To the database."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # the base's
        """From the database: in UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Span(TypeDecorator[timedelta]):
    """A timedelta, as microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:  # noqa: ARG002  # the base's
        """To the database."""
        return None if value is None else value // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:  # noqa: ARG002  # the base's
        """From the database."""
        return None if value is None else timedelta(microseconds=value)


class Seconds(TypeDecorator[float]):
    """A float of seconds, as whole microseconds: three bytes for what a run takes, not eight."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:  # noqa: ARG002  # the base's
        """To the database."""
        return None if value is None else round(value * 1_000_000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> float | None:  # noqa: ARG002  # the base's
        """From the database."""
        return None if value is None else value / 1_000_000


def _must(name: str, type_: Any, **options: Any) -> Column[Any]:
    return Column(name, type_, nullable=False, **options)


metadata: Final = MetaData()

meta: Final = Table("meta", metadata, Column("key", Text, primary_key=True), _must("value", BigInteger))
"""`alive`: the last sign of life. `runs`: the last `seq` given. `rolled`: the last `seq` that was rolled up.

In a fleet neither `alive` nor `runs` is there, and `rolled` counts otherwise (store/numbers.py).
"""

places: Final = Table(
    "places",
    metadata,
    Column("id", Key, primary_key=True),
    _must("check_id", Text),
    _must("region", Text),
    UniqueConstraint("check_id", "region"),
)
"""A check in a region: a number in place of two names, in each of ten million rows."""

_WHY_NOT: Final = ("outcome", "layer", "failure", "step")
"""Why runs did not pass is counted from the index alone: a month of a check that mostly passes has few such rows."""

runs: Final = Table(
    "runs",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=False),
    _must("id", Text, unique=True),
    _must("place", Integer),
    _must("kind", Text),
    _must("target", Text),
    _must("why", Text),
    _must("outcome", Text),
    _must("started", Moment),
    _must("duration", Span),
    Column("slot", BigInteger),
    Column("due", Moment),
    Column("slots", Integer),
    _must("lag", Float),
    Column("maintenance", Text),
    Column("layer", Text),
    Column("failure", Text),
    Column("step", Text),
    Column("message", Text),
    UniqueConstraint("place", "slot"),
    Index("runs_by_place", "place", "started"),
    Index("runs_by_outcome", "outcome", "started"),
    Index("runs_not_passed", "place", "started", *_WHY_NOT, sqlite_where=text("outcome <> 'passed'")),
)
"""`seq` goes up in the order of commits and is never given twice. `slots`: how many it stands for. `layer` to `message`: the failure that decided."""

steps: Final = Table(
    "steps",
    metadata,
    Column("run", Key, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True),
    _must("name", Text),
    _must("outcome", Text),
    Column("start", Seconds),
    Column("duration", Seconds),
    sqlite_with_rowid=False,
)

phases: Final = Table(
    "phases",
    metadata,
    Column("run", Key, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True),
    _must("status", Integer),
    _must("duration", Seconds),
    _must("size", BigInteger),
    Column("dns", Seconds),
    Column("connect", Seconds),
    Column("tls", Seconds),
    Column("ttfb", Seconds),
    Column("transfer", Seconds),
    sqlite_with_rowid=False,
)

failures: Final = Table(
    "failures",
    metadata,
    Column("run", Key, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True),
    _must("layer", Text),
    _must("kind", Text),
    _must("message", Text),
    Column("step", Text),
    Column("expected", Text),
    Column("actual", Text),
    Column("url", Text),
    _must("soft", Boolean),
    sqlite_with_rowid=False,
)

details: Final = Table(
    "details",
    metadata,
    Column("run", Key, primary_key=True, autoincrement=False),
    _must("passed", Boolean),
    _must("started", Moment),
    _must("body", LargeBinary),
    Index("details_by_age", "passed", "started"),
)
"""The whole observation, as compressed JSON."""

state: Final = Table(
    "state",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _must("body", Text),
    sqlite_with_rowid=False,
)
"""`kind` is check, region or objective; `region:SHARD` is a region as a part of a fleet sees it (store/fleet.py)."""

ledger: Final = Table(
    "ledger",
    metadata,
    Column("objective", Text, primary_key=True),
    Column("span", Integer, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    _must("good", BigInteger),
    _must("bad", BigInteger),
    _must("lost", BigInteger),
    sqlite_with_rowid=False,
)
"""`span` is 60 or 3600, `start` in seconds since 1970. Every run is counted in both: hours hold all, always."""

incidents: Final = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    _must("cause", Text),
    _must("opened", Moment),
    Column("resolved", Moment),
    _must("body", Text),
    Index("incidents_by_opened", "opened"),
    Index("incidents_by_resolved", "resolved"),
)

timeline: Final = Table(
    "timeline",
    metadata,
    Column("seq", Key, primary_key=True),
    _must("incident", Text),
    _must("at", Moment),
    _must("what", Text),
    _must("text", Text),
    Column("run", Text),
    Index("timeline_by_incident", "incident", "seq"),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("seq", Key, primary_key=True),
    _must("key", Text, unique=True),
    _must("channel", Text),
    _must("incident", Text),
    _must("reason", Text),
    _must("number", Key),
    _must("created", Moment),
    _must("message", Text),
    Column("fate", Text),
    _must("tries", Integer),
    Column("again", Moment),
    Column("settled", Moment),
    Index("outbox_by_settled", "settled"),
    Index("outbox_by_incident", "incident"),
)
"""`fate` is that of the last attempt; `settled` is when it was sent or withdrawn, until then it is pending."""

attempts: Final = Table(
    "attempts",
    metadata,
    Column("seq", Key, primary_key=True),
    _must("key", Text),
    _must("at", Moment),
    _must("fate", Text),
    _must("answer", Text),
    _must("seconds", Float),
    Column("again", Moment),
    Index("attempts_by_key", "key", "seq"),
)

rollups: Final = Table(
    "rollups",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("span", Integer, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    _must("passed", Integer),
    _must("failed", Integer),
    _must("errored", Integer),
    _must("missed", Integer),
    _must("aborted", Integer),
    _must("maintenance", Integer),
    _must("total", Seconds),
    Column("shortest", Seconds),
    Column("longest", Seconds),
    _must("histogram", Text),
    sqlite_with_rowid=False,
)
"""`span` is 3600 or 86400, `start` in seconds since 1970."""


def upsert(table: Table, *, added: Iterable[str] = (), inserting: Callable[[Table], Any] = insert) -> Any:
    """Insert a row, or write its values over those of the row with the same key; those of `added` are added to them.

    SQLite and PostgreSQL have the same words for it; SQLAlchemy has an `insert` of each (`inserting`).
    """
    statement = inserting(table)
    keys = [column.name for column in table.primary_key]
    sums = {name: table.c[name] + statement.excluded[name] for name in added}
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in {*keys, *sums}}
    return statement.on_conflict_do_update(index_elements=keys, set_={**rest, **sums})
