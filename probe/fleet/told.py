"""What a region told by itself while it was cut off, with the keys that the fleet would give: nobody tells it again.

A region may only speak of itself: what it told stands for the fleet's own word where that names no other region. Else
one agent in the wrong hands could silence all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, select, text

from probe.core.notification import Attempt, Fate, Message, Notification
from probe.ports import Record
from probe.store.fleet import FleetWriting
from probe.store.rows import from_json
from probe.store.schema import outbox, state

TOLD: Final = "told"
"""The kind of rows in `state` that keep it, by the key of the notification, until there is a word of the fleet's."""
KEPT: Final = timedelta(days=1)
"""For how long it is kept."""

_KEEP: Final = text(
    "INSERT INTO probe.state (kind, key, body) VALUES ('told', :key, :body) ON CONFLICT (kind, key) DO NOTHING"
)
_FORGET: Final = text("DELETE FROM probe.state WHERE kind = 'told' AND body COLLATE \"C\" < :before")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a region told, and when; it is the first that is written, so that old ones can be found."""

    at: datetime
    region: str
    answer: str


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Claim).decode


def keep_told(connection: Connection, told: Mapping[str, Sequence[Attempt]], now: datetime) -> None:
    """Remember what regions told, and settle what waits to be told again. Call it before anything else is written."""
    claims = {
        attempt.key: _Claim(at=min(attempt.at, now), region=region, answer=attempt.answer)
        for region, attempts in told.items()
        for attempt in attempts
        if attempt.fate is Fate.SENT
    }
    if not claims:
        return
    connection.execute(_FORGET, {"before": f'{{"at":"{now - KEPT:%Y-%m-%d}'})
    waiting = select(outbox.c.key, outbox.c.message).where(outbox.c.key.in_(claims), outbox.c.settled.is_(None))
    settled = [
        _attempt(row.key, claims[row.key])
        for row in connection.execute(waiting)
        if _covers(claims[row.key], from_json(Message, row.message))
    ]
    if settled:
        FleetWriting(connection).write([Record(attempts=tuple(settled))])
    rest = [{"key": key, "body": _encode(claim).decode()} for key, claim in claims.items()]
    connection.execute(_KEEP, rest)


def told_already(connection: Connection, notifications: Iterable[Notification]) -> list[Attempt]:
    """The attempts that regions made to say just this."""
    said = {one.key: one for one in notifications}
    rows = select(state.c.key, state.c.body).where(state.c.kind == TOLD, state.c.key.in_(said)) if said else None
    if rows is None:
        return []
    found = {key: _decode(body) for key, body in connection.execute(rows)}
    return [_attempt(key, claim) for key, claim in found.items() if _covers(claim, said[key].message)]


def _covers(claim: _Claim, message: Message) -> bool:
    return message.regions == (claim.region,)


def _attempt(key: str, claim: _Claim) -> Attempt:
    return Attempt(key=key, at=claim.at, fate=Fate.SENT, answer=f"told by {claim.region} itself: {claim.answer}")
