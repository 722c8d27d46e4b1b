"""The tables of what people do: the same on SQLite (`people.sqlite3`) and, in a fleet, on PostgreSQL (schema `probe`).

A change here needs a new `VERSION` in `people_file.py`, with the step to it, and a file in `probe/fleet/schema/`.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Dialect, Index, Integer, MetaData, Table, Text, TypeDecorator

from probe.store.schema import Key, Moment


class Words(TypeDecorator[str]):
    """Text that somebody typed, or that came from outside: without what a database cannot store."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the base's
        """To the database: NUL is no text to PostgreSQL, half of a surrogate pair none to anybody."""
        return None if value is None else value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _must(name: str, type_: Any, **options: Any) -> Column[Any]:
    return Column(name, type_, nullable=False, **options)


metadata: Final = MetaData()

sessions: Final = Table(
    "sessions",
    metadata,
    Column("token", Text, primary_key=True),
    _must("name", Words),
    _must("access", Text),
    _must("way", Text),
    _must("grounds", Words),
    _must("csrf", Text),
    _must("began", Moment),
    _must("seen", Moment),
    Index("sessions_by_name", "name"),
    Index("sessions_by_seen", "seen"),
)
"""`token` is the SHA-256 of what the cookie holds: whoever reads the table is not logged in by it."""

audited: Final = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True),
    _must("at", Moment),
    _must("who", Words),
    _must("what", Words),
    _must("object", Words),
    _must("address", Words),
    _must("ok", Boolean),
    Index("audit_by_age", "at"),
)

notes: Final = Table(
    "notes",
    metadata,
    Column("id", Key, primary_key=True),
    _must("incident", Words),
    _must("at", Moment),
    _must("author", Words),
    _must("text", Words),
    Index("notes_by_incident", "incident", "id"),
)

marks: Final = Table(
    "marks",
    metadata,
    Column("id", Key, primary_key=True),
    _must("at", Moment),
    _must("kind", Words),
    _must("text", Words),
    _must("author", Words),
    _must("checks", Words),
    Index("marks_by_time", "at"),
)
"""`checks` is a JSON list; an empty one means all."""

notices: Final = Table(
    "notices",
    metadata,
    Column("id", Key, primary_key=True),
    _must("title", Words),
    _must("components", Words),
    _must("begins", Moment),
    Column("ends", Moment),
    Column("incident", Words),
    _must("is_over", Boolean),
    Index("notices_by_time", "begins"),
)
"""`components` is a JSON list; `is_over` is what its newest update says."""

notice_updates: Final = Table(
    "notice_updates",
    metadata,
    Column("id", Key, primary_key=True),
    _must("notice", BigInteger),
    _must("at", Moment),
    _must("standing", Text),
    _must("text", Words),
    Index("notice_updates_by_notice", "notice", "id"),
)

reports: Final = Table(
    "reports",
    metadata,
    Column("component", Words, primary_key=True),
    Column("span", Integer, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    _must("number", BigInteger),
    Index("reports_by_age", "span", "start"),
    sqlite_with_rowid=False,
)
"""How many visitors reported a problem in a minute (`span` 60) or an hour (3600); `start` in seconds since 1970."""
