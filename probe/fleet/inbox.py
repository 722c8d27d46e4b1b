"""What nodes have delivered and nobody has judged yet: read from its rows, and refused where it is not what it says.

An agent may be broken, or in somebody else's hands: nothing in a body is believed before it was looked at. What is
refused is counted and logged, never judged, and never fatal.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NoReturn

import msgspec

from probe.core.check import CheckId
from probe.core.evaluate import Overdue
from probe.core.notification import Attempt
from probe.core.rules import Watched
from probe.core.run import Run, Why
from probe.errors import ProbeError

LARGEST: Final = 16 * 2**20
"""Bytes of an unpacked body at most."""
AHEAD: Final = timedelta(minutes=5)
"""How far in the future a run may have begun, by the database's clock, after what is known of the node's was put right."""
SKEW: Final = timedelta(seconds=2)
"""By how much a node's clock must be off for its times to be put right."""
NO_TIME: Final = timedelta(0)
LONGEST: Final = timedelta(days=1)
"""No run takes longer."""
SLOTS: Final = 100_000
"""A row stands for no more slots: two months at one a minute."""
NUMBERS: Final = 2**62
"""No slot's number is beyond this."""


class Kind(StrEnum):
    """What a row of the inbox is."""

    RUN = "run"
    OVERDUE = "overdue"
    """A run that should have ended, and has not."""
    CONTROL = "control"
    """A control run."""
    OWN = "own"
    """A run that could not be made, or the first after such: already stored, and looked at as trouble of ours."""
    TOLD = "told"
    """What a region told by itself while it was cut off: a list of attempts to notify, so that nobody tells it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row of the inbox. `skew` is by how much the node's clock was ahead, in seconds, when it was delivered."""

    id: int
    shard: str
    kind: str
    check: str
    region: str
    node: str
    source: str
    received: datetime
    skew: float
    body: bytes


class Refused(ProbeError):  # noqa: N818  # what was done to it
    """A row that cannot be what it says: why, in words without anything that came from it."""


Told = tuple[Attempt, ...]
_decoders: Final[Mapping[Kind, msgspec.json.Decoder[Any]]] = {
    Kind.RUN: msgspec.json.Decoder(Run),
    Kind.CONTROL: msgspec.json.Decoder(Run),
    Kind.OWN: msgspec.json.Decoder(Run),
    Kind.OVERDUE: msgspec.json.Decoder(Overdue),
    Kind.TOLD: msgspec.json.Decoder(Told),
}
_encode: Final = msgspec.json.Encoder(enc_hook=dict).encode


def pack(value: Run | Overdue | Told) -> bytes:
    """The body that a row has for it."""
    return zlib.compress(_encode(value), 1)


def unpack(waiting: Waiting) -> bytes:
    """The text of a row. `Refused` when it has none, or one that is too long."""
    try:
        return _unpacked(waiting.body)
    except (ValueError, zlib.error):
        _refuse("it cannot be read")


def read(
    waiting: Waiting, text: bytes, checks: Mapping[CheckId, Watched], controls: Mapping[str, CheckId], now: datetime
) -> Run | Overdue | Told:
    """What a row with this text says, its times put right. `Refused` when it cannot be so.

    `checks` are all that are watched, `controls` the control check of each region. A run of a check that is not watched
    any more, or not yet, is what it is.
    """
    try:
        kind = Kind(waiting.kind)
        seen = _decoders[kind].decode(text)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        _refuse("it cannot be read")
    ahead = timedelta(seconds=waiting.skew) if abs(waiting.skew) > SKEW.total_seconds() else NO_TIME
    if isinstance(seen, Run):
        return _run(kind, waiting, seen, ahead, checks, controls, now)
    if isinstance(seen, Overdue):
        _belongs(waiting, seen.check, seen.region, checks)
        return replace(seen, began=_moment(seen.began, ahead, now))
    told: Told = seen
    return tuple(replace(attempt, at=_moment(attempt.at, ahead, now), again=None) for attempt in told)


def _run(
    kind: Kind,
    waiting: Waiting,
    run: Run,
    ahead: timedelta,
    checks: Mapping[CheckId, Watched],
    controls: Mapping[str, CheckId],
    now: datetime,
) -> Run:
    if (run.why is Why.CONTROL) != (kind is Kind.CONTROL):
        _refuse("it is of another kind than it says")
    if kind is Kind.CONTROL and controls.get(waiting.region) != run.check:
        _refuse("it is not the control run of its region")
    _belongs(waiting, run.check, run.region, {} if kind is Kind.CONTROL else checks)
    if not NO_TIME <= run.duration <= LONGEST:
        _refuse("it took impossibly long")
    slot = run.slot
    if slot is not None:
        if not (1 <= slot.count <= SLOTS and abs(slot.number) <= NUMBERS):
            _refuse("its slot is impossible")
        due = _moment(slot.due, ahead, now)
        slot = replace(slot, due=due) if ahead else slot
    started = _moment(run.started, ahead, now)
    return replace(run, started=started, slot=slot) if ahead else run


def _belongs(waiting: Waiting, check: CheckId, region: str, checks: Mapping[CheckId, Watched]) -> None:
    """Refuse what is of another region, or check, than its node may speak for."""
    if region != waiting.region:
        _refuse("it is of another region")
    if check != waiting.check:
        _refuse("it is of another check")
    if (watched := checks.get(check)) is not None and region not in watched.regions:
        _refuse("its check does not run there")


def _moment(at: datetime, ahead: timedelta, now: datetime) -> datetime:
    if at.tzinfo is None:
        _refuse("its times have no zone")
    try:
        right = at - ahead
    except OverflowError:
        _refuse("its times are impossible")
    if right > now + AHEAD:
        _refuse("it is in the future")
    return right


def _unpacked(body: bytes) -> bytes:
    unzip = zlib.decompressobj()
    text = unzip.decompress(body, LARGEST)
    if unzip.unconsumed_tail or not unzip.eof:
        raise ValueError("it is too large, or not all of it")
    return text


def _refuse(why: str) -> NoReturn:
    raise Refused(why)
