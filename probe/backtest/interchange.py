"""JSON lines of runs, of outages and of alerts: what detectors of any make can exchange (docs/backtest.md).

Times are seconds: since 1970 in what we write, since whatever moment in what others do; `start` says when it begins.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from probe.backtest.alert import Alert, Event
from probe.backtest.score import Truth
from probe.core.failure import KINDS
from probe.core.run import Outcome, Run, Why

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Span = Annotated[float, msgspec.Meta(gt=0)]
Text = Annotated[str, msgspec.Meta(min_length=1)]

CLASSES: Final = {
    "http_5xx": "status",
    "http_4xx": "status",
    "assert": "assertion",
    "body": "body",
    "tls_cert": "certificate_expired",
    "dns": "dns_failed",
    "timeout_ttfb": "no_response",
    "timeout_connect": "connect_timeout",
    "connect": "refused",
    "tls": "tls_handshake",
}
"""What others call a failure → our kind. Our own kinds (`probe.core.failure.KINDS`) are understood as well."""
VIA: Final = {Why.SCHEDULED: "sched", Why.CONFIRM: "confirm", Why.CONTROL: "control"}
"""Why a run was made → what it is called there. Runs made for other reasons are not exchanged."""
_CLASS_OF: Final = {kind: name for name, kind in reversed(CLASSES.items())}


class MetaLine(msgspec.Struct, tag="meta", tag_field="type", kw_only=True, omit_defaults=True):
    """What is watched: one for each check, before its runs."""

    v: int = 1
    check: Text
    kind: str | None = None
    interval_s: Span
    regions: tuple[Text, ...]
    steps: tuple[str, ...] = ()
    timeout_s: Span = 30.0
    start: float | None = None
    end: float | None = None
    slo: float | None = None


class RunLine(msgspec.Struct, tag="run", tag_field="type", kw_only=True, gc=False, omit_defaults=True):
    """A run that says something about the target. From `failure` on they are ours, and others leave them alone."""

    v: int = 1
    t: float
    check: str
    region: str
    ok: bool
    dur_s: Seconds
    step: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    via: str = "sched"
    failure: str | None = None
    message: str | None = None
    id: str | None = None
    slot: int | None = None
    steps: dict[str, float] | None = None
    maintenance: str | None = None
    stopped_before: str | None = None


class LostLine(msgspec.Struct, tag="lost", tag_field="type", kw_only=True, omit_defaults=True):
    """A run that says nothing about it: our own trouble, or a slot (`slots` in a row) in which nothing was run. Ours."""

    v: int = 1
    t: float
    check: str
    region: str
    outcome: str
    dur_s: Seconds = 0.0
    via: str = "sched"
    failure: str | None = None
    message: str | None = None
    id: str | None = None
    slot: int | None = None
    slots: Annotated[int, msgspec.Meta(ge=1)] = 1
    maintenance: str | None = None


class TruthLine(msgspec.Struct, tag="truth", tag_field="type", kw_only=True, omit_defaults=True):
    """An outage that is to be found."""

    v: int = 1
    check: str | None = None
    kind: str
    start: float
    end: float
    expect: str = "page"
    params: dict[str, Any] = {}


class NoiseLine(msgspec.Struct, tag="noise", tag_field="type", kw_only=True, omit_defaults=True):
    """What is never worth a page."""

    kind: str
    start: float
    end: float


class AlertLine(msgspec.Struct, tag="alert", tag_field="type", kw_only=True):
    """What was told. `key` is the incident."""

    v: int = 1
    t: float
    check: str
    event: str
    key: str
    severity: str
    why: str
    evidence: dict[str, Any]


encode: Final = msgspec.json.Encoder().encode


def run_line(run: Run) -> RunLine | LostLine | None:
    """The line of a run; `None` for one that is not exchanged."""
    via = VIA.get(run.why)
    if via is None:
        return None
    failure = run.failure
    slot = None if run.slot is None else run.slot.number
    t, took = round(run.started.timestamp(), 6), round(run.duration.total_seconds(), 6)
    message = None if failure is None or failure.message == KINDS[failure.kind].words else failure.message
    if run.outcome in (Outcome.PASSED, Outcome.FAILED):
        return RunLine(
            t=t,
            check=run.check,
            region=run.region,
            ok=run.outcome is Outcome.PASSED,
            dur_s=took,
            step=None if failure is None else failure.step,
            class_=None if failure is None else _CLASS_OF.get(failure.kind, failure.kind),
            via=via,
            failure=None if failure is None else failure.kind,
            message=message,
            id=run.id,
            slot=slot,
            steps={s.name: round(s.duration, 6) for s in run.observation.steps if s.duration is not None} or None,
            maintenance=run.maintenance,
            stopped_before=run.observation.stopped_before,
        )
    return LostLine(
        t=t,
        check=run.check,
        region=run.region,
        outcome=run.outcome.value,
        dur_s=took,
        via=via,
        failure=None if failure is None else failure.kind,
        message=message,
        id=run.id,
        slot=slot,
        slots=1 if run.slot is None else run.slot.count,
        maintenance=run.maintenance,
    )


def write_truth(path: Path, truths: Iterable[Truth], start: float) -> None:
    """Write outages. `start` is when the world begins. `OSError` when it cannot be written."""
    with path.open("wb") as file:
        for truth in truths:
            for check in truth.checks or (None,):
                line = TruthLine(
                    check=check,
                    kind=truth.kind,
                    start=start + truth.start,
                    end=start + truth.end,
                    expect="page" if truth.page else "ticket",
                )
                file.write(encode(line) + b"\n")


def write_alerts(path: Path, alerts: Iterable[Alert], start: float) -> None:
    """Write alerts: a ticket that becomes a page is opened once more, as one. `OSError` when it cannot be written."""
    with path.open("wb") as file:
        for alert in alerts:
            event = Event.OPENED if alert.event is Event.RAISED and alert.page else alert.event
            line = AlertLine(
                t=round(start + alert.at, 3),
                check=next(iter(alert.checks), alert.cause),
                event=event.value,
                key=alert.incident,
                severity=alert.severity.value,
                why=alert.title,
                evidence={
                    "cause": alert.cause,
                    "verdict": alert.verdict.value,
                    "checks": list(alert.checks),
                    "since": round(alert.since.timestamp(), 3),
                    "body": alert.body,
                },
            )
            file.write(encode(line) + b"\n")
