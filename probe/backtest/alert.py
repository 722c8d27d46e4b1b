"""What would have been told: incidents as they open, grow worse, open again and end, seen from outside the fold."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from probe.core.announce import budgets_of
from probe.core.draft import GRAVITY
from probe.core.incident import Incident, IncidentId, Verdict
from probe.core.message import compose
from probe.core.notification import Reason
from probe.core.rules import Rules, Severity
from probe.core.state import Change, State


class Event(StrEnum):
    """What happened to an incident. The words are those of alerts.jsonl."""

    OPENED = "open"
    RAISED = "update"
    """It became graver: a page of a ticket, or a verdict that matters more."""
    REOPENED = "reopen"
    RESOLVED = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is told of an incident. `at` is seconds since the beginning of the world.

    `page`: with this somebody is woken; it opens as a page, or becomes one. `title` is one line, `body` all of it.
    """

    at: float
    event: Event
    incident: IncidentId
    cause: str
    severity: Severity
    verdict: Verdict
    checks: tuple[str, ...]
    since: datetime
    title: str
    body: str
    page: bool = False


class Watcher:
    """Sees changes go by, and keeps what is told."""

    def __init__(self, state: State, rules: Rules) -> None:
        self.alerts: list[Alert] = []
        self._state = state
        self._rules = rules
        self._known: dict[IncidentId, Incident] = {}

    def see(self, change: Change, at: float, now: datetime) -> None:
        """Note what a change tells. To be called after the state has taken it over."""
        for incident in change.incidents.values():
            before = self._known.get(incident.id)
            self._known[incident.id] = incident
            event = _event(before, incident)
            if event is not None:
                self._tell(incident, event, before, at, now)

    def _tell(self, incident: Incident, event: Event, before: Incident | None, at: float, now: datetime) -> None:
        reason = {Event.RAISED: Reason.ESCALATED, Event.RESOLVED: Reason.RESOLVED}.get(event, Reason.OPENED)
        message = compose(incident, reason, self._rules, budgets_of(incident, self._rules, self._state, now), now)
        is_page = incident.severity is Severity.PAGE
        was_page = before is not None and before.severity is Severity.PAGE
        self.alerts.append(
            Alert(
                at=at,
                event=event,
                incident=incident.id,
                cause=incident.cause,
                severity=incident.severity,
                verdict=incident.verdict,
                checks=message.checks,
                since=incident.since,
                title=message.title,
                body=message.body,
                page=is_page and not was_page and event is not Event.RESOLVED,
            )
        )


def _event(before: Incident | None, now: Incident) -> Event | None:
    if before is None:
        return Event.OPENED if now.resolved is None else Event.RESOLVED
    if now.resolved is not None:
        return Event.RESOLVED if before.resolved is None else None
    if before.resolved is not None:
        return Event.REOPENED
    graver = GRAVITY.index(now.verdict) > GRAVITY.index(before.verdict)
    sooner = now.severity is Severity.PAGE and before.severity is not Severity.PAGE
    return Event.RAISED if graver or sooner else None
