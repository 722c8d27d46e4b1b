"""Lists of incidents."""

from datetime import datetime
from functools import partial
from typing import Final

from probe.core.encode import timestamp
from probe.core.incident import Incident
from probe.core.message import customers, headline
from probe.core.rules import Rules
from probe.store.listing import page_of_incidents
from probe.view.documents import Failing, IncidentPage, IncidentRow
from probe.view.sources import Sources

MOST: Final = 500
"""Incidents of a page."""


def incidents(sources: Sources, *, open_only: bool = False, cursor: str | None = None, limit: int = 50) -> IncidentPage:
    """A page of incidents, newest first. `ValueError`: the cursor is none that a page gave."""
    page = partial(page_of_incidents, open_only=open_only, cursor=cursor, limit=max(1, min(limit, MOST)))
    found, more = sources.reader.read(page)
    rows = [incident_row(incident, sources.rules, sources.now) for incident in found]
    return IncidentPage(incidents=sources.redactor.structure(rows), next=more)


def incident_row(incident: Incident, rules: Rules, now: datetime) -> IncidentRow:
    """An incident as a list shows it."""
    first = incident.first
    end = incident.resolved or now
    return IncidentRow(
        id=incident.id,
        title=headline(incident),
        cause=incident.cause,
        verdict=incident.verdict.value,
        severity=incident.severity.value,
        since=timestamp(incident.since),
        opened=timestamp(incident.opened),
        resolved=optional(incident.resolved),
        lasted=max(0.0, (end - incident.since).total_seconds()),
        checks=[str(check) for check in incident.members],
        regions=sorted({region for member in incident.members.values() for region in member.regions}),
        failing=None
        if first is None
        else Failing(
            layer=first.failure.layer.value,
            kind=first.failure.kind,
            message=first.failure.message,
            step=first.failure.step,
        ),
        customers=customers(incident, rules),
        told=list(incident.told),
        acknowledged=optional(incident.acknowledged),
        acknowledged_by=incident.acknowledged_by or None,
        muted_until=optional(incident.muted_until),
        relapses=incident.relapses,
    )


def optional(moment: datetime | None) -> str | None:
    """A moment, or `None`."""
    return None if moment is None else timestamp(moment)
