"""A change in the making: reads through to the state, collects what is new."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from probe.core.announce import announce
from probe.core.check import CheckId
from probe.core.incident import Entry, Incident, Verdict, What
from probe.core.notification import Notification, Reason
from probe.core.rules import Rules, Severity, Watched
from probe.core.run import RunId, Why
from probe.core.state import Ask, Change, CheckState, ObjectiveState, Place, RegionState, State, Tally
from probe.core.verdict import reporting


class Draft:
    """What an event changes, while it is worked out. The state itself is never touched."""

    def __init__(self, state: State, rules: Rules, now: datetime) -> None:
        self.state, self.rules, self.now = state, rules, now
        self._checks: dict[CheckId, CheckState] = {}
        self._regions: dict[str, RegionState] = {}
        self._objectives: dict[str, ObjectiveState] = {}
        self._incidents: dict[str, Incident] = {}
        self._tallies: list[Tally] = []
        self._entries: list[Entry] = []
        self._notifications: list[Notification] = []
        self._asks: dict[Ask, None] = {}

    def change(self) -> Change:
        """The change, complete."""
        return Change(
            checks=self._checks,
            regions=self._regions,
            objectives=self._objectives,
            incidents=self._incidents,
            tallies=tuple(self._tallies),
            entries=tuple(self._entries),
            notifications=tuple(self._notifications),
            asks=tuple(self._asks),
        )

    # --- what is so ------------------------------------------------------------------------------------------------

    def check(self, id: CheckId) -> CheckState:
        """A check as it stands now."""
        return self._checks.get(id) or self.state.checks.get(id) or CheckState()

    def region(self, name: str) -> RegionState:
        """A region as it stands now."""
        return self._regions.get(name) or self.state.regions.get(name) or RegionState()

    def incident(self, cause: str) -> Incident | None:
        """The open incident of a cause."""
        found = self._incidents.get(cause) or self.state.incidents.get(cause)
        return found if found is not None and found.resolved is None else None

    def reporting(self, watched: Watched) -> dict[str, Place]:
        """The regions that have something to say about a check."""
        return reporting(self.check(watched.id), watched, self.state.regions | self._regions, self.now)

    # --- what becomes so -------------------------------------------------------------------------------------------

    def put_check(self, id: CheckId, check: CheckState) -> None:
        """The check stands so from now on."""
        self._checks[id] = check

    def put_place(self, id: CheckId, region: str, place: Place) -> None:
        """The check stands so in this region from now on."""
        check = self.check(id)
        self._checks[id] = replace(check, places={**check.places, region: place})

    def put_region(self, name: str, region: RegionState) -> None:
        """The region stands so from now on."""
        self._regions[name] = region

    def put_incident(
        self, incident: Incident, what: What | None = None, text: str = "", run: RunId | None = None
    ) -> None:
        """The incident stands so from now on; with `what`, its timeline tells it."""
        self._incidents[incident.cause] = incident
        if what is not None:
            self._entries.append(Entry(incident=incident.id, at=self.now, what=what, text=text, run=run))

    def explain(self, objectives: Iterable[str]) -> None:
        """The bad runs of these objectives so far belong to an incident that was told."""
        for name in objectives:
            self._objectives[name] = ObjectiveState(explained=self.now)

    def count(self, tallies: Iterable[Tally]) -> None:
        """Count runs for objectives."""
        self._tallies += tallies

    def ask(self, check: CheckId, regions: Iterable[str], why: Why = Why.CONFIRM) -> None:
        """Ask for a run at once in each of the regions."""
        self._asks.update(dict.fromkeys(Ask(check=check, region=region, why=why) for region in regions))

    def announce(self, cause: str, reason: Reason, channels: Iterable[str] | None = None) -> None:
        """Tell whom it concerns (or only `channels`) how the incident of this cause stands."""
        incident = self._incidents.get(cause) or self.state.incidents[cause]
        told, notifications = announce(incident, reason, self.rules, self.state.ledgers, self.now, channels)
        self._incidents[cause] = told
        self._notifications += notifications

    def raise_to(self, incident: Incident, verdict: Verdict, severity: Severity, text: str, run: RunId | None) -> None:
        """Take over a graver verdict, if it is one. It is said again when a ticket becomes a page, or a part all."""
        graver = GRAVITY.index(verdict) > GRAVITY.index(incident.verdict)
        sooner = severity is Severity.PAGE and incident.severity is Severity.TICKET
        if graver:
            incident = replace(incident, verdict=verdict)
            self.put_incident(incident, What.VERDICT, f"{verdict}: {text}", run)
        if sooner:
            self.put_incident(replace(incident, severity=severity), What.SEVERITY, f"{severity}: {text}", run)
        if sooner or (graver and verdict is Verdict.DOWN):
            self.announce(incident.cause, Reason.ESCALATED)


GRAVITY = (
    Verdict.OK,
    Verdict.UNKNOWN,
    Verdict.PROBE_FAULT,
    Verdict.DEGRADED,
    Verdict.BLOCKED,
    Verdict.REGIONAL,
    Verdict.THIRD_PARTY,
    Verdict.DOWN,
)
"""Verdicts from the one that matters least to customers to the one that matters most."""
