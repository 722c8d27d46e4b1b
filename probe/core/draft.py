"""A change in the making: reads through to the state, collects what is new."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from probe.core.announce import announce
from probe.core.check import CheckId
from probe.core.detector import Evidence
from probe.core.fact import Fact
from probe.core.incident import Entry, Incident, Verdict, What
from probe.core.notification import Notification, Reason
from probe.core.rules import Rules, Severity, Watched
from probe.core.run import RunId, Why
from probe.core.state import RETURNS, Ask, Change, CheckState, ObjectiveState, Place, RegionState, State, Tally, Weighed
from probe.core.verdict import PATIENCE, reporting

AGAIN: Final = timedelta(seconds=10)
"""How long after a control run has answered another one is made."""


def _again(region: RegionState) -> timedelta:
    """How long after a request for a control run the next one may be made: longer while that one may still answer."""
    heard = region.answered is not None and region.tried is not None and region.answered >= region.tried
    return AGAIN if heard else PATIENCE


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
        self._weighed: dict[CheckId, Weighed] = {}

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
            weighed=self._weighed,
        )

    # --- what is so ------------------------------------------------------------------------------------------------

    def check(self, id: CheckId) -> CheckState:
        """A check as it stands now."""
        return self._checks.get(id) or self.state.checks.get(id) or CheckState()

    def weighed(self, id: CheckId) -> Weighed | None:
        """What was weighed last for a check."""
        return self._weighed.get(id) or self.state.weighed.get(id)

    def region(self, name: str) -> RegionState:
        """A region as it stands now."""
        return self._regions.get(name) or self.state.regions.get(name) or RegionState()

    @property
    def regions(self) -> Mapping[str, RegionState]:
        """All regions as they stand now."""
        return {**self.state.regions, **self._regions} if self._regions else self.state.regions

    def incident(self, cause: str) -> Incident | None:
        """The open incident of a cause."""
        found = self._incidents.get(cause) or self.state.incidents.get(cause)
        return found if found is not None and found.resolved is None else None

    def reporting(self, watched: Watched) -> dict[str, Place]:
        """The regions that have something to say about a check."""
        return reporting(self.check(watched.id), watched, self.regions, self.now)

    def closed(self, cause: str) -> Incident | None:
        """The incident of a cause that was resolved not long ago, if its trouble coming back is the same incident."""
        found = self.state.closed.get(cause)
        return found if found and found.resolved and self.now - found.resolved <= RETURNS else None

    # --- what becomes so -------------------------------------------------------------------------------------------

    def put_check(self, id: CheckId, check: CheckState) -> None:
        """The check stands so from now on."""
        self._checks[id] = check

    def put_weighed(self, id: CheckId, trail: tuple[Fact, ...], evidence: Evidence) -> None:
        """The trail of the check says this."""
        self._weighed[id] = Weighed(trail, evidence)

    def put_place(self, id: CheckId, region: str, place: Place) -> None:
        """The check stands so in this region from now on."""
        check = self.check(id)
        self._checks[id] = replace(check, places={**check.places, region: place})

    def ask_control(self, name: str) -> None:
        """Ask for a control run of a region, where it has one, unless that was done a moment ago."""
        control, region = self.rules.controls.get(name), self.region(name)
        if control is None or region.silent is not None:
            return
        if region.tried is not None and self.now <= region.tried + _again(region):
            return
        if region.answered is None or self.now - region.answered > AGAIN:
            unanswered = region.asked is not None and (region.answered is None or region.answered < region.asked)
            asked = region.asked if unanswered else self.now  # who does not answer is not waited for anew
            self.put_region(name, replace(region, asked=asked, tried=self.now))
            self.ask(control, (name,), Why.CONTROL)

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
        told, notifications = announce(incident, reason, self.rules, self.state, self.now, channels)
        self._incidents[cause] = told
        self._notifications += notifications

    def raise_to(self, incident: Incident, verdict: Verdict, severity: Severity, text: str, run: RunId | None) -> None:
        """Take over a graver verdict, if it is one. It is said again when a ticket becomes a page, or a part all."""
        partly = incident.verdict is Verdict.REGIONAL
        graver = GRAVITY.index(verdict) > GRAVITY.index(incident.verdict)
        sooner = severity is Severity.PAGE and incident.severity is Severity.TICKET
        if graver:
            incident = replace(incident, verdict=verdict)
            self.put_incident(incident, What.VERDICT, f"{verdict}: {text}", run)
        if sooner:
            self.put_incident(replace(incident, severity=severity), What.SEVERITY, f"{severity}: {text}", run)
        if sooner or (graver and (verdict is Verdict.DOWN or partly)):
            self.announce(incident.cause, Reason.ESCALATED)


GRAVITY = (
    Verdict.OK,
    Verdict.UNKNOWN,
    Verdict.PROBE_FAULT,
    Verdict.REGIONAL,
    Verdict.BLOCKED,
    Verdict.DEGRADED,
    Verdict.THIRD_PARTY,
    Verdict.DOWN,
)
"""Verdicts from the one that matters least to customers to the one that matters most."""
