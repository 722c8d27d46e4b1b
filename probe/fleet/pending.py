"""What of a fleet's outbox has no fate yet, and what there is to know to deliver it."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from sqlalchemy import Connection, select

from probe.core.incident import Incident
from probe.core.notification import Notification
from probe.core.rules import Rules
from probe.core.shards import OWN
from probe.core.state import State
from probe.store.restore import Part, read_state
from probe.store.rows import from_json, notification_of
from probe.store.schema import incidents, outbox

log = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T")
MANY: Final = 1000
"""Notifications that are read at a time: more come the next time."""

_PENDING: Final = select(outbox.c.key).where(outbox.c.settled.is_(None)).order_by(outbox.c.seq)
_CONCERNED: Final = select(incidents.c.body).where(
    incidents.c.resolved.is_(None) | incidents.c.id.in_(select(outbox.c.incident).where(outbox.c.settled.is_(None)))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the outbox has: `pending` is all without a fate, `fresh` what of it was not known. `state` is for who repeats.

    `read` are the keys of what was not known, also of what cannot be read.
    """

    pending: frozenset[str]
    read: frozenset[str]
    fresh: tuple[Notification, ...]
    tries: Mapping[str, int]
    again: Mapping[str, datetime]
    incidents: tuple[Incident, ...]
    state: State


def read_outbox(connection: Connection, known: Collection[str], rules: Rules | None) -> Found:
    """Read what is pending, and the incidents that it is about. With `rules` also what the open ones cost by them."""
    pending = list(connection.scalars(_PENDING))
    wanted = [key for key in pending if key not in known][:MANY]
    rows = (
        connection.execute(select(outbox).where(outbox.c.key.in_(wanted)).order_by(outbox.c.seq)).all()
        if wanted
        else ()
    )
    bodies = connection.scalars(_CONCERNED).all()
    concerned = tuple(_readable(bodies, lambda body: from_json(Incident, body)))
    open_ones = {incident.cause: incident for incident in concerned if incident.resolved is None}
    state = State(incidents=open_ones)
    if rules is not None and open_ones:
        names = {o.name for i in open_ones.values() for check in i.members for o in rules.counted.get(check, ())}
        objectives = names | {burn for incident in open_ones.values() for burn in incident.burns}
        checks = {check for name in objectives if name in rules.objectives for check in rules.objectives[name].checks}
        part = Part(shard=OWN, checks=checks, objectives=objectives, causes=open_ones)
        state = read_state(connection, None, part)
    return Found(
        pending=frozenset(pending),
        read=frozenset(wanted),
        fresh=tuple(_readable(rows, notification_of)),
        tries={row.key: row.tries for row in rows if row.tries},
        again={row.key: row.again for row in rows if row.again is not None},
        incidents=concerned,
        state=state,
    )


def _readable(rows: Iterable[R], read: Callable[[R], T]) -> Iterator[T]:
    """What can be read of the rows: one that another version has written must not silence the others."""
    for row in rows:
        try:
            yield read(row)
        except (msgspec.MsgspecError, ValueError):
            log.exception("what is to be delivered cannot be read")
