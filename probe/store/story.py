"""An incident from its beginning, as it was written down."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from probe.core.incident import Entry, Incident, IncidentId, What
from probe.core.notification import Fate, Reason
from probe.core.run import RunId
from probe.store.rows import from_json
from probe.store.schema import attempts, incidents, outbox, timeline


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


def story(connection: Connection, *, id: str) -> Story | None:
    """What `Reader.incident` gives."""
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
