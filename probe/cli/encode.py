"""Incidents, objectives and runs as the JSON of the commands (docs/json.md)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from probe.core.encode import encode_failure, seconds, timestamp
from probe.core.incident import Incident
from probe.core.run import Run
from probe.store.reader import Receipt, Story


def moment(value: datetime | None) -> str | None:
    """A moment, or `None`."""
    return None if value is None else timestamp(value)


def encode_incident(incident: Incident) -> dict[str, Any]:
    """An incident, as it stands."""
    return {
        "id": incident.id,
        "cause": incident.cause,
        "verdict": incident.verdict.value,
        "severity": incident.severity.value,
        "since": timestamp(incident.since),
        "opened": timestamp(incident.opened),
        "resolved": moment(incident.resolved),
        "acknowledged": moment(incident.acknowledged),
        "acknowledged_by": incident.acknowledged_by or None,
        "muted_until": moment(incident.muted_until),
        "relapses": incident.relapses,
        "told": list(incident.told),
        "burns": dict(incident.burns),
        "checks": [
            {
                "check": member.check,
                "regions": list(member.regions),
                "since": timestamp(member.since),
                "recovered": moment(member.recovered),
                "run": member.run,
                "picture": member.picture,
                "failure": encode_failure(member.failure),
                "evidence": member.evidence or None,
            }
            for member in sorted(incident.members.values(), key=lambda m: (m.since, m.check))
        ],
    }


def encode_story(story: Story) -> dict[str, Any]:
    """An incident with its timeline. What was decided has `what` and `text`; an attempt to tell somebody has `channel`."""
    return {
        "incident": encode_incident(story.incident),
        "timeline": [
            {
                "at": timestamp(line.at),
                "channel": line.channel,
                "reason": line.reason.value,
                "fate": line.fate.value,
                "answer": line.answer,
                "seconds": seconds(line.seconds),
            }
            if isinstance(line, Receipt)
            else {"at": timestamp(line.at), "what": line.what.value, "text": line.text, "run": line.run}
            for line in story.lines
        ],
    }


def encode_rows(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Runs without what was observed in them: what a list of them needs."""
    return [
        {
            "id": run.id,
            "check": run.check,
            "region": run.region,
            "why": run.why.value,
            "outcome": run.outcome.value,
            "started": timestamp(run.started),
            "duration": seconds(run.duration.total_seconds()),
            "slots": None if run.slot is None else run.slot.count,
            "lag": seconds(run.lag),
            "maintenance": run.maintenance,
            "stopped_before": run.observation.stopped_before,
            "failure": None
            if run.failure is None
            else {
                "layer": run.failure.layer.value,
                "kind": run.failure.kind,
                "message": run.failure.message,
                "step": run.failure.step,
            },
        }
        for run in runs
    ]


def ago(start: datetime, end: datetime) -> timedelta:
    """Whole seconds between two moments, one at least."""
    return max(timedelta(seconds=1), timedelta(seconds=round((end - start).total_seconds())))
