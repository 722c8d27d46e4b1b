"""What was remembered, read back: no run is looked at, so that ten million of them cost nothing."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from probe.core.check import CheckId
from probe.core.incident import Incident
from probe.core.ledger import HOUR, Counts, Ledger
from probe.core.state import CheckState, ObjectiveState, RegionState, State
from probe.errors import StoreUnavailable
from probe.ports import Restored
from probe.store.rows import from_json, notification_of
from probe.store.schema import EPOCH, MICROSECOND, incidents, ledger, meta, outbox, state

KINDS: dict[str, type[Any]] = {"check": CheckState, "region": RegionState, "objective": ObjectiveState}


def read_restored(connection: Connection) -> Restored:
    """Everything that a start needs. `StoreUnavailable`, lasting, when a part of it is not what it should be."""
    pending = connection.execute(select(outbox).where(outbox.c.settled.is_(None)).order_by(outbox.c.seq)).all()
    alive = connection.scalar(select(meta.c.value).where(meta.c.key == "alive"))
    try:
        return Restored(
            state=read_state(connection),
            pending=tuple(notification_of(row) for row in pending),
            tries={row.key: row.tries for row in pending if row.tries},
            again={row.key: row.again for row in pending if row.again is not None},
            alive=None if alive is None else EPOCH + alive * MICROSECOND,
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreUnavailable(
            f"what probe remembered cannot be read ({error}): was it written by another version? Install that one again,"
            " or move the database aside",
            lasting=True,
        ) from error


def read_state(connection: Connection) -> State:
    """All that judgement remembers."""
    found: dict[str, dict[str, Any]] = {"check": {}, "region": {}, "objective": {}}
    for kind, key, body in connection.execute(select(state.c.kind, state.c.key, state.c.body)):
        found[kind][key] = from_json(KINDS[kind], body)
    open_ones = select(incidents.c.cause, incidents.c.body).where(incidents.c.resolved.is_(None))
    return State(
        checks={CheckId(key): value for key, value in found["check"].items()},
        regions=found["region"],
        objectives=found["objective"],
        incidents={
            cause: from_json(Incident, body)
            for cause, body in connection.execute(open_ones.order_by(incidents.c.opened, incidents.c.id))
        },
        ledgers=_read_ledgers(connection),
    )


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
