"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT, FLAG, BYTES = sa.Text(), sa.Boolean(), sa.LargeBinary()
SMALL, LARGE, REAL = sa.Integer(), sa.BigInteger(), sa.Float()


def must(name: str, type_: Any, **options: Any) -> sa.Column[Any]:
    """A column that always has a value."""
    return sa.Column(name, type_, nullable=False, **options)


def may(name: str, type_: Any) -> sa.Column[Any]:
    """A column that may be empty."""
    return sa.Column(name, type_, nullable=True)


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "attempts",
        must("seq", KEY),
        must("key", TEXT),
        must("at", LARGE),
        must("fate", TEXT),
        must("answer", TEXT),
        must("seconds", REAL),
        may("again", LARGE),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("attempts_by_key", "attempts", ["key", "seq"])
    op.create_table(
        "details",
        must("run", KEY, autoincrement=False),
        must("passed", FLAG),
        must("started", LARGE),
        must("body", BYTES),
        sa.PrimaryKeyConstraint("run"),
    )
    op.create_index("details_by_age", "details", ["passed", "started"])
    op.create_table(
        "failures",
        must("run", KEY, autoincrement=False),
        must("position", SMALL),
        must("layer", TEXT),
        must("kind", TEXT),
        must("message", TEXT),
        may("step", TEXT),
        may("expected", TEXT),
        may("actual", TEXT),
        may("url", TEXT),
        must("soft", FLAG),
        sa.PrimaryKeyConstraint("run", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "incidents",
        must("id", TEXT),
        must("cause", TEXT),
        must("opened", LARGE),
        may("resolved", LARGE),
        must("body", TEXT),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("incidents_by_opened", "incidents", ["opened"])
    op.create_index("incidents_by_resolved", "incidents", ["resolved"])
    op.create_table(
        "ledger",
        must("objective", TEXT),
        must("span", SMALL),
        must("start", LARGE),
        must("good", LARGE),
        must("bad", LARGE),
        must("lost", LARGE),
        sa.PrimaryKeyConstraint("objective", "span", "start"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        must("key", TEXT),
        must("value", LARGE),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "outbox",
        must("seq", KEY),
        must("key", TEXT),
        must("channel", TEXT),
        must("incident", TEXT),
        must("reason", TEXT),
        must("number", SMALL),
        must("created", LARGE),
        must("message", TEXT),
        may("fate", TEXT),
        must("tries", SMALL),
        may("again", LARGE),
        may("settled", LARGE),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("outbox_by_incident", "outbox", ["incident"])
    op.create_index("outbox_by_settled", "outbox", ["settled"])
    op.create_table(
        "phases",
        must("run", KEY, autoincrement=False),
        must("position", SMALL),
        must("status", SMALL),
        must("duration", LARGE),
        must("size", LARGE),
        may("dns", LARGE),
        may("connect", LARGE),
        may("tls", LARGE),
        may("ttfb", LARGE),
        may("transfer", LARGE),
        sa.PrimaryKeyConstraint("run", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "places",
        must("id", KEY),
        must("check_id", TEXT),
        must("region", TEXT),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("check_id", "region"),
    )
    op.create_table(
        "rollups",
        must("place", SMALL),
        must("span", SMALL),
        must("start", LARGE),
        must("passed", SMALL),
        must("failed", SMALL),
        must("errored", SMALL),
        must("missed", SMALL),
        must("aborted", SMALL),
        must("maintenance", SMALL),
        must("total", LARGE),
        may("shortest", LARGE),
        may("longest", LARGE),
        must("histogram", TEXT),
        sa.PrimaryKeyConstraint("place", "span", "start"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        must("seq", KEY, autoincrement=False),
        must("id", TEXT),
        must("place", SMALL),
        must("kind", TEXT),
        must("target", TEXT),
        must("why", TEXT),
        must("outcome", TEXT),
        must("started", LARGE),
        must("duration", LARGE),
        may("slot", LARGE),
        may("due", LARGE),
        may("slots", SMALL),
        must("lag", REAL),
        may("maintenance", TEXT),
        may("layer", TEXT),
        may("failure", TEXT),
        may("step", TEXT),
        may("message", TEXT),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("place", "slot"),
    )
    op.create_index("runs_by_outcome", "runs", ["outcome", "started"])
    op.create_index("runs_by_place", "runs", ["place", "started"])
    op.create_table(
        "state",
        must("kind", TEXT),
        must("key", TEXT),
        must("body", TEXT),
        sa.PrimaryKeyConstraint("kind", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "steps",
        must("run", KEY, autoincrement=False),
        must("position", SMALL),
        must("name", TEXT),
        must("outcome", TEXT),
        may("start", LARGE),
        may("duration", LARGE),
        sa.PrimaryKeyConstraint("run", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "timeline",
        must("seq", KEY),
        must("incident", TEXT),
        must("at", LARGE),
        must("what", TEXT),
        must("text", TEXT),
        may("run", TEXT),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("timeline_by_incident", "timeline", ["incident", "seq"])
