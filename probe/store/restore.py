"""What was remembered, read back: no run is looked at, so that ten million of them cost nothing."""

from collections.abc import Container, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

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

KINDS: dict[str, type[Any]] = {"check": CheckState, "region": RegionState, "objective": ObjectiveState}


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


def read_state(connection: Connection, alive: datetime | None) -> State:
    """All that judgement remembers. `alive` is the last sign of life."""
    found: dict[str, dict[str, Any]] = {"check": {}, "region": {}, "objective": {}}
    for kind, key, body in connection.execute(select(state.c.kind, state.c.key, state.c.body)):
        found[kind][key] = from_json(KINDS[kind], body)
    order = incidents.c.opened, incidents.c.id
    open_ones = select(incidents.c.cause, incidents.c.body).where(incidents.c.resolved.is_(None)).order_by(*order)
    now_open = {cause: from_json(Incident, body) for cause, body in connection.execute(open_ones)}
    return State(
        checks=_told({CheckId(key): value for key, value in found["check"].items()}, now_open.values()),
        regions=found["region"],
        objectives=found["objective"],
        incidents=now_open,
        ledgers=_read_ledgers(connection),
        closed={} if alive is None else _read_closed(connection, now_open, alive - RETURNS),
    )


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


def _read_closed(connection: Connection, now_open: Container[str], since: datetime) -> dict[str, Incident]:
    """The last incident of each cause that was resolved since then: it may come back, unless another one is open."""
    order = incidents.c.resolved, incidents.c.opened, incidents.c.id
    over = select(incidents.c.cause, incidents.c.body).where(incidents.c.resolved >= since).order_by(*order)
    return {cause: from_json(Incident, body) for cause, body in connection.execute(over) if cause not in now_open}


def _read_ledgers(connection: Connection) -> dict[str, Ledger]:
    found: dict[str, Ledger] = {}
    rows = connection.execute(select(ledger))
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
