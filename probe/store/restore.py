"""What was remembered, read back: no run is looked at, so that ten million of them cost nothing."""

from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, select

from probe.core.cases import JOINED_SHARE
from probe.core.check import CheckId
from probe.core.holds import FAIL
from probe.core.incident import Incident, Verdict
from probe.core.ledger import HOUR, Counts, Ledger
from probe.core.state import RETURNS, CheckState, ObjectiveState, Opened, RegionState, State
from probe.errors import StoreUnavailable
from probe.ports import Restored
from probe.store.rows import from_json, notification_of
from probe.store.schema import EPOCH, MICROSECOND, incidents, ledger, meta, outbox, state

T = TypeVar("T")
SOME: Final = 500
"""Values in one `IN (...)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a shard of a fleet judges, and so all that it needs to remember; `None`: everything that there is.

    Regions are as this shard has seen them.
    """

    shard: str
    checks: Collection[str] | None = None
    objectives: Collection[str] | None = None
    causes: Collection[str] | None = None


def region_kind(shard: str) -> str:
    """The `kind` of what a shard remembers of regions; the fleet's own shard has no name."""
    return f"region:{shard}" if shard else "region"


def read_restored(connection: Connection) -> Restored:
    """Everything that a start needs. `StoreUnavailable`, lasting, when a part of it is not what it should be."""
    pending = connection.execute(select(outbox).where(outbox.c.settled.is_(None)).order_by(outbox.c.seq)).all()
    alive = connection.scalar(select(meta.c.value).where(meta.c.key == "alive"))
    alive = None if alive is None else EPOCH + alive * MICROSECOND
    try:
        return Restored(
            state=read_state(connection, alive),
            pending=tuple(notification_of(row) for row in pending),
            tries={row.key: row.tries for row in pending if row.tries},
            again={row.key: row.again for row in pending if row.again is not None},
            alive=alive,
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreUnavailable(
            f"what probe remembered cannot be read ({error}): was it written by another version? Install that one again,"
            " or move the database aside",
            lasting=True,
        ) from error


def read_state(
    connection: Connection, alive: datetime | None, part: Part | None = None, *, counted: bool = True
) -> State:
    """All that judgement remembers, or what one part of a fleet needs. `alive` is the last sign of life.

    Unless `counted` without what was counted for objectives, which is most of it.

    `msgspec.MsgspecError` or `ValueError` when it is not what it should be.
    """
    of = part or Part(shard="")
    order = incidents.c.opened, incidents.c.id
    unresolved = select(incidents.c.cause, incidents.c.body).where(incidents.c.resolved.is_(None)).order_by(*order)
    now_open: dict[str, Incident] = {
        cause: from_json(Incident, body) for cause, body in _rows(connection, unresolved, incidents.c.cause, of.causes)
    }
    checks = _read(connection, "check", CheckState, of.checks)
    return State(
        checks=_told({CheckId(key): value for key, value in checks.items()}, now_open.values()),
        regions=_read(connection, region_kind(of.shard), RegionState, None),
        objectives=_read(connection, "objective", ObjectiveState, of.objectives),
        incidents=now_open,
        ledgers=_read_ledgers(_rows(connection, select(ledger), ledger.c.objective, of.objectives)) if counted else {},
        closed={} if alive is None else _read_closed(connection, now_open, alive - RETURNS, of.causes),
    )


def _read(connection: Connection, word: str, kind: type[T], names: Collection[str] | None) -> dict[str, T]:
    """What is remembered under a kind."""
    wanted = select(state.c.key, state.c.body).where(state.c.kind == word)
    return {key: from_json(kind, body) for key, body in _rows(connection, wanted, state.c.key, names)}


def _rows(
    connection: Connection, wanted: Select[Any], column: ColumnElement[str], names: Collection[str] | None
) -> Iterator[Any]:
    """The rows of a query, or those of them whose `column` has one of the names."""
    if names is None:
        yield from connection.execute(wanted)
    else:
        found = sorted(names)
        for begin in range(0, len(found), SOME):
            yield from connection.execute(wanted.where(column.in_(found[begin : begin + SOME])))


def _told(checks: dict[CheckId, CheckState], now_open: Iterable[Incident]) -> dict[CheckId, CheckState]:
    """The checks, of which those know that suffer from an open incident: a former version did not note it with them."""
    for incident in now_open:
        for member in incident.members.values():
            check = checks.get(member.check)
            if incident.verdict is Verdict.PROBE_FAULT or member.recovered is not None or check is None:
                continue
            if not check.opened and not check.held:
                since = member.since.timestamp()
                last = max(
                    (place.at.timestamp() for place in check.places.values() if place.at and place.fails), default=since
                )
                opened = Opened(since=since, last=last, share=JOINED_SHARE)
                checks[member.check] = replace(check, opened={FAIL: opened}, verdict=incident.verdict)
    return checks


def _read_closed(
    connection: Connection, now_open: Container[str], since: datetime, causes: Collection[str] | None
) -> dict[str, Incident]:
    """The last incident of each cause that was resolved since then: it may come back, unless another one is open."""
    order = incidents.c.resolved, incidents.c.opened, incidents.c.id
    over = select(incidents.c.cause, incidents.c.body).where(incidents.c.resolved >= since).order_by(*order)
    rows = _rows(connection, over, incidents.c.cause, causes)
    return {cause: from_json(Incident, body) for cause, body in rows if cause not in now_open}


def _read_ledgers(rows: Iterable[Any]) -> dict[str, Ledger]:
    found: dict[str, Ledger] = {}
    for objective, span, start, good, bad, lost in rows:
        book = found.setdefault(objective, Ledger())
        counts = Counts(good, bad, lost)
        if span == HOUR:
            book.hours[start] = counts
        else:
            book.minutes.setdefault(start - start % HOUR, {})[start] = counts
    for book in found.values():
        # Minutes of an hour that are not all of it came late, after the others were forgotten: the hour counts whole.
        for hour, minutes in list(book.minutes.items()):
            if Counts(*map(sum, zip(*minutes.values(), strict=True))) != book.hours.get(hour):
                del book.minutes[hour]
    return found
