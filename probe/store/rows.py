"""Runs and all the rest, as rows and back."""

import zlib
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Row

from probe.core.check import CheckId
from probe.core.failure import Failure, Layer
from probe.core.incident import Entry, Incident, IncidentId
from probe.core.notification import Attempt, Fate, Message, Notification, Reason
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why
from probe.core.state import CheckState, ObjectiveState, RegionState

T = TypeVar("T")
Values = dict[str, Any]
SETTLED: Final = frozenset({Fate.SENT, Fate.WITHDRAWN})
"""What ends a notification. One that was refused waits until its channel works again."""
NOTHING_SEEN: Final = Observation()


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored")


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode
_decode_observation: Final = msgspec.json.Decoder(Observation).decode
_decoders: Final[dict[type, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(kind) for kind in (CheckState, RegionState, ObjectiveState, Incident, Message)
}


def to_json(value: object) -> str:
    """A frozen structure as JSON text."""
    return _encode(value).decode()


def from_json(kind: type[T], text: str) -> T:
    """The structure that a text was made from; `msgspec.ValidationError` when it is not one of these."""
    value: T = _decoders[kind].decode(text)
    return value


def run_values(run: Run, seq: int, place: int) -> Values:
    """The slim row of a run."""
    slot, failure = run.slot, run.failure
    return {
        "seq": seq,
        "id": run.id,
        "place": place,
        "kind": run.kind,
        "target": run.target,
        "why": run.why.value,
        "outcome": run.outcome.value,
        "started": run.started,
        "duration": run.duration,
        "slot": None if slot is None else slot.number,
        "due": None if slot is None else slot.due,
        "slots": None if slot is None else slot.count,
        "lag": run.lag,
        "maintenance": run.maintenance,
        "layer": None if failure is None else failure.layer.value,
        "failure": None if failure is None else failure.kind,
        "step": None if failure is None else failure.step,
        "message": None if failure is None else failure.message,
    }


def step_values(run: Run, seq: int) -> Iterator[Values]:
    """The rows of its steps."""
    for position, step in enumerate(run.observation.steps):
        yield {
            "run": seq,
            "position": position,
            "name": step.name,
            "outcome": step.outcome.value,
            "start": step.start,
            "duration": step.duration,
        }


def phase_values(run: Run, seq: int) -> Iterator[Values]:
    """The rows of its HTTP exchanges: where the time went."""
    for position, exchange in enumerate(run.observation.exchanges):
        phases = exchange.phases
        yield {
            "run": seq,
            "position": position,
            "status": exchange.status,
            "duration": exchange.duration,
            "size": exchange.size,
            "dns": phases.dns,
            "connect": phases.connect,
            "tls": phases.tls,
            "ttfb": phases.ttfb,
            "transfer": phases.transfer,
        }


def failure_values(run: Run, seq: int) -> Iterator[Values]:
    """The rows of all its failures."""
    for position, failure in enumerate(run.observation.failures):
        yield {
            "run": seq,
            "position": position,
            "layer": failure.layer.value,
            "kind": failure.kind,
            "message": failure.message,
            "step": failure.step,
            "expected": failure.expected,
            "actual": failure.actual,
            "url": failure.url,
            "soft": failure.soft,
        }


def detail_values(run: Run, seq: int) -> Iterator[Values]:
    """The row of everything observed, when there is anything."""
    if run.observation != NOTHING_SEEN:
        body = zlib.compress(_encode(run.observation), 1)
        passed = run.outcome is Outcome.PASSED
        yield {"run": seq, "passed": passed, "started": run.started, "body": body}


def run_of(row: Row[Any], check: str, region: str, details: bytes | None = None) -> Run:
    """The run of a row of `runs`. Without `details` its observation holds the failure that decided, and nothing else."""
    return Run(
        id=RunId(row.id),
        check=CheckId(check),
        kind=row.kind,
        target=row.target,
        region=region,
        why=Why(row.why),
        outcome=Outcome(row.outcome),
        started=row.started,
        duration=row.duration,
        observation=_observation(row, details),
        slot=None if row.slot is None else Slot(number=row.slot, due=row.due, count=row.slots),
        lag=row.lag,
        maintenance=row.maintenance,
    )


def _observation(row: Row[Any], details: bytes | None) -> Observation:
    if details is not None:
        try:
            return _decode_observation(zlib.decompress(details))
        except msgspec.ValidationError:  # written by another version: the slim row is what is left
            pass
    if row.layer is None:
        return NOTHING_SEEN
    failure = Failure(layer=Layer(row.layer), kind=row.failure, message=row.message, step=row.step)
    return Observation(failures=(failure,))


def incident_values(incident: Incident) -> Values:
    """The row of an incident."""
    return {
        "id": incident.id,
        "cause": incident.cause,
        "opened": incident.opened,
        "resolved": incident.resolved,
        "body": to_json(incident),
    }


def entry_values(entry: Entry) -> Values:
    """The row of a line of a timeline."""
    return {
        "incident": entry.incident,
        "at": entry.at,
        "what": entry.what.value,
        "text": entry.text,
        "run": entry.run,
    }


def notification_values(notification: Notification) -> Values:
    """The row of a notification that nobody has tried to send."""
    return {
        "key": notification.key,
        "channel": notification.channel,
        "incident": notification.incident,
        "reason": notification.reason.value,
        "number": notification.number,
        "created": notification.created,
        "message": to_json(notification.message),
        "tries": 0,
    }


def notification_of(row: Row[Any]) -> Notification:
    """The notification of a row of `outbox`."""
    return Notification(
        key=row.key,
        channel=row.channel,
        incident=IncidentId(row.incident),
        reason=Reason(row.reason),
        number=row.number,
        created=row.created,
        message=from_json(Message, row.message),
    )


def attempt_values(attempt: Attempt) -> Values:
    """The row of an attempt."""
    return {
        "key": attempt.key,
        "at": attempt.at,
        "fate": attempt.fate.value,
        "answer": attempt.answer,
        "seconds": attempt.seconds,
        "again": attempt.again,
    }
