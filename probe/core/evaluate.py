"""The whole judgement: one pure fold over events. Nothing else decides anything."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from probe.core import burns, cases
from probe.core.announce import escalation_due, reminder_due
from probe.core.check import CheckId
from probe.core.draft import Draft
from probe.core.duration import format_duration
from probe.core.fact import Fact, fact_of
from probe.core.holds import region_of
from probe.core.incident import IncidentId, What
from probe.core.judge import came_to_nothing, consider, forgive, observe
from probe.core.notification import Reason
from probe.core.place import after, taken_back, tallies_of
from probe.core.rules import Rules, Watched
from probe.core.run import Outcome, Run, Why
from probe.core.state import Change, CheckState, Place, State
from probe.core.verdict import ill

RECHECK: Final = timedelta(minutes=1)
"""How often a region that is blind is looked at again."""


LASTING: Final = timedelta(minutes=2)
"""How long a region must be blind before that is told: most trouble of a network is over by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: further runs are asked for, reminders and escalations are looked at. Every few seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Somebody takes care of an incident: no more reminders and escalations."""

    incident: IncidentId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Nothing is to be delivered about an incident until then; `None`: no longer."""

    incident: IncidentId
    until: datetime | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A run that has not ended, though by far the most have by then: it began at `began`."""

    check: CheckId
    region: str
    began: datetime


Event = Run | Tick | Overdue | Acknowledge | Mute


def evaluate(state: State, event: Event, rules: Rules, now: datetime) -> Change:
    """What an event changes. Pure: `state` is only read; `state.apply` takes the change over.

    `KeyError` for an incident that is not open.
    """
    draft = Draft(state, rules, now)
    if isinstance(event, Run):
        if event.why is Why.CONTROL:
            _control(draft, event)
        elif (watched := rules.checks.get(event.check)) is not None:
            _run(draft, event, watched)
        elif event.slot is not None:  # it was removed meanwhile: should it come back, its slots go on from here
            before = draft.check(event.check).places.get(event.region, Place())
            draft.put_place(event.check, event.region, replace(before, slot=event.slot))
    elif isinstance(event, Tick):
        _tick(draft)
    elif isinstance(event, Overdue):
        if (watched := draft.rules.checks.get(event.check)) is not None:
            _overdue(draft, event, watched)
    else:
        _command(draft, event)
    return draft.change()


# --- runs -------------------------------------------------------------------------------------------------------------


def _run(draft: Draft, run: Run, watched: Watched) -> None:
    check = draft.check(run.check)
    before = check.places.get(run.region) or Place()
    void = _is_void(draft, run, watched)
    counted = draft.rules.counted.get(run.check, ())
    tallies = tallies_of(run, counted, watched, draft.now) if counted else ()
    if void:
        tallies = tuple(replace(tally, bad=0, lost=tally.lost + tally.bad) for tally in tallies)
    draft.count(tallies)
    if void and run.outcome is Outcome.FAILED:
        # The region cannot even reach what needs nothing of the target: this says nothing.
        draft.put_place(run.check, run.region, replace(before, slot=run.slot or before.slot, outcome=run.outcome))
        came_to_nothing(draft, watched, run.region)
        cases.able(draft, run)
        return
    if run.outcome not in (Outcome.PASSED, Outcome.FAILED):
        place = after(before, run)
        draft.put_place(run.check, run.region, place)
        came_to_nothing(draft, watched, run.region)
        if run.outcome is Outcome.ERRORED:
            cases.trouble(draft, run, place)
        return
    if draft.state.incidents:
        cases.able(draft, run)
    troubled = before.fails > 0 and any(not f.ok and f.region == run.region and not f.overdue for f in check.trail)
    place = after(before, run, tallies, troubled=troubled)
    observe(draft, watched, check, fact_of(run), {**check.places, run.region: place})
    if run.outcome is Outcome.FAILED:
        cases.join_if_known(draft, watched, run.id)
    if run.why is Why.CONFIRM:
        _for_others(draft, run)
    if any(region_of(key) for key in draft.check(run.check).held):
        return  # one region is looked into: whether it is worth a word is decided there
    for tally, objective in zip(tallies, counted, strict=False):
        if tally.bad:
            burns.watch(draft, objective)


def _is_void(draft: Draft, run: Run, watched: Watched) -> bool:
    """Whether what fails where a run was made says nothing of the target."""
    region = draft.regions.get(run.region)
    if region is None or (region.blind is None and region.ill is None):
        return False
    return run.region in ill(watched, draft.regions, draft.now)


def _for_others(draft: Draft, run: Run) -> None:
    """A run that was asked for as the twin of another check, which is suspected."""
    for watched in _suspects(draft):
        if watched.confirm_with == run.check and run.region in watched.regions:
            check = draft.check(watched.id)
            observe(draft, watched, check, fact_of(run, twin=True), check.places)


def _overdue(draft: Draft, event: Overdue, watched: Watched) -> None:
    """A run that should have ended counts as failed until it does."""
    if event.region in ill(watched, draft.regions, draft.now):
        return
    check = draft.check(watched.id)
    late, runs = check.habits.overdue
    if not check.opened and not check.held:
        check = replace(check, habits=check.habits._replace(overdue=(late + 1, runs)))
    fact = Fact(draft.now.timestamp(), event.region, event.began.timestamp(), "", False, "overdue", "", overdue=True)
    observe(draft, watched, check, fact, check.places)


def _control(draft: Draft, run: Run) -> None:
    """A control run: what needs nothing of any target works from a region, or it does not."""
    name, region = run.region, draft.region(run.region)
    if run.outcome in (Outcome.MISSED, Outcome.ABORTED):
        return
    if run.outcome is Outcome.PASSED:
        draft.put_region(name, replace(region, answered=draft.now, blind=None, failure=None, run=None))
        cases.able(draft, run)
        for watched in _suspects(draft):
            consider(draft, watched)
        return
    draft.put_region(
        name,
        replace(
            region,
            answered=draft.now,
            blind=region.blind or run.started,
            ill=draft.now,
            failure=run.failure,
            run=run.id,
        ),
    )
    if region.blind is None:
        for watched in _suspects(draft):
            _forgive(draft, watched, name)
    if run.failure is not None and region.blind is not None and draft.now - region.blind >= LASTING:
        cases.suffer(draft, f"probe:{name}", run, run.failure)


def _forgive(draft: Draft, watched: Watched, region: str) -> None:
    """It was us: what failed in a region that has gone blind was nothing, and counts as lost."""
    if region not in ill(watched, draft.regions, draft.now):
        return
    check = draft.check(watched.id)
    if check.opened:
        return
    place = check.places.get(region)
    if place is not None and place.fails:
        draft.count(taken_back(place.bad))
        draft.put_place(watched.id, region, Place(slot=place.slot, outcome=place.outcome))
    forgive(draft, watched, region)
    consider(draft, watched)


def _suspects(draft: Draft) -> list[Watched]:
    return [draft.rules.checks[check] for check in sorted(draft.state.suspects) if check in draft.rules.checks]


# --- time -------------------------------------------------------------------------------------------------------------


def _tick(draft: Draft) -> None:
    for watched in _suspects(draft):
        consider(draft, watched)
    for cause in sorted(draft.state.incidents):
        _look_after(draft, cause)
    for name, region in draft.state.regions.items():
        if region.blind is not None and draft.now - (region.tried or region.blind) >= RECHECK:
            draft.ask_control(name)


def _look_after(draft: Draft, cause: str) -> None:
    """What an open incident needs as time passes."""
    for check in draft.state.incidents[cause].members:
        incident = draft.incident(cause)
        if (
            incident is not None
            and not _is_watched(check, cause, draft.rules)
            and incident.members[check].recovered is None
        ):
            # Should it come back and still fail, that is another incident, with a beginning and keys of its own.
            places = draft.check(check).places.items()
            draft.put_check(
                check, CheckState(places={name: Place(slot=p.slot, outcome=p.outcome) for name, p in places})
            )
            cases.leave(draft, incident, check, draft.now, " is no longer watched")
    if (incident := draft.incident(cause)) is not None and not incident.members:
        burns.end(draft, incident)
    incident = draft.incident(cause)
    if incident is None:
        return
    if incident.acknowledged is None and (channels := escalation_due(incident, draft.rules, draft.now)):
        draft.put_incident(incident, What.ESCALATED, f"nobody has acknowledged: {', '.join(channels)}")
        draft.announce(cause, Reason.ESCALATED, channels)
        incident = draft.incident(cause) or incident
    quiet = incident.acknowledged is not None or (incident.muted_until is not None and draft.now < incident.muted_until)
    if not quiet and reminder_due(incident, draft.rules, draft.now):
        draft.put_incident(replace(incident, reminded=draft.now), What.REMINDED, ", ".join(incident.told))
        draft.announce(cause, Reason.REMINDER)


def _is_watched(check: CheckId, cause: str, rules: Rules) -> bool:
    """Whether anything of a check could still be put down to a cause; a reload may have given it another one."""
    watched = rules.checks.get(check)
    if watched is None:
        return check in rules.controls.values()
    return watched.cause == cause or cause.startswith("probe:")


# --- people -----------------------------------------------------------------------------------------------------------


def _command(draft: Draft, event: Acknowledge | Mute) -> None:
    incident = next((i for i in draft.state.incidents.values() if i.id == event.incident), None)
    if incident is None:
        raise KeyError(event.incident)
    if isinstance(event, Acknowledge):
        taken = replace(incident, acknowledged=draft.now, acknowledged_by=event.by)
        draft.put_incident(taken, What.ACKNOWLEDGED, f"by {event.by}")
    elif event.until is None:
        draft.put_incident(replace(incident, muted_until=None), What.UNMUTED, f"by {event.by}")
    else:
        lasting = format_duration(max(timedelta(seconds=1), event.until - draft.now))
        draft.put_incident(replace(incident, muted_until=event.until), What.MUTED, f"by {event.by} for {lasting}")
