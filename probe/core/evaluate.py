"""The whole judgement: one pure fold over events. Nothing else decides anything."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from probe.core import burns, cases
from probe.core.announce import escalation_due, reminder_due
from probe.core.check import CheckId
from probe.core.draft import Draft
from probe.core.duration import format_duration
from probe.core.incident import Incident, IncidentId, What
from probe.core.notification import Reason
from probe.core.place import after, taken_back, tallies_of
from probe.core.rules import Rules, Watched
from probe.core.run import Outcome, Run, Why
from probe.core.state import Change, CheckState, Place, State
from probe.core.verdict import awaits_control, is_lasting

AGAIN: Final = timedelta(seconds=15)
"""How long after a request for confirmation the next one is made: trouble that heals itself has gone by then."""
RECHECK: Final = timedelta(minutes=1)
"""How often a check that is part of an incident is run at least, so that its recovery is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: reminders, escalations, burn rates and expired states are looked at. Every few seconds."""


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


Event = Run | Tick | Acknowledge | Mute


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
    else:
        _command(draft, event)
    return draft.change()


# --- runs -------------------------------------------------------------------------------------------------------------


def _run(draft: Draft, run: Run, watched: Watched) -> None:
    blind = draft.region(run.region).blind is not None
    tallies = tallies_of(run, draft.rules.counted.get(run.check, ()), watched, draft.now)
    if blind:
        tallies = tuple(replace(tally, bad=0, lost=tally.lost + tally.bad) for tally in tallies)
    draft.count(tallies)
    before = draft.check(run.check).places.get(run.region, Place())
    if blind and run.outcome is Outcome.FAILED:
        # The region cannot even reach what needs nothing of the target: this says nothing.
        place = replace(before, slot=run.slot or before.slot, outcome=run.outcome)
    else:
        place = after(before, run, tallies)
    draft.put_place(run.check, run.region, place)
    if run.outcome in (Outcome.PASSED, Outcome.FAILED):
        cases.able(draft, run)
        if place.fails:
            _suspect(draft, watched, run.region, first=place.fails == 1)
            cases.judge(draft, watched, run.id)
        elif place.passes:
            _relax(draft, watched)
            cases.recover(draft, watched)
    elif run.outcome is Outcome.ERRORED:
        cases.trouble(draft, run, place)


def _suspect(draft: Draft, watched: Watched, region: str, *, first: bool) -> None:
    """The first failure of a check asks every region at once, and each failing region for a control run."""
    incident = draft.incident(watched.cause)
    if incident is not None and watched.id in incident.members:
        return
    check = draft.check(watched.id)
    if check.asked is None:
        draft.put_check(watched.id, replace(check, asked=draft.now))
        draft.ask(watched.id, watched.regions)
    if first:
        _ask_control(draft, region)


def _ask_control(draft: Draft, name: str) -> None:
    control, region = draft.rules.controls.get(name), draft.region(name)
    if control is None or awaits_control(region, draft.now):
        return
    if region.answered is None or draft.now - region.answered > AGAIN:
        draft.put_region(name, replace(region, asked=draft.now))
        draft.ask(control, (name,), Why.CONTROL)


def _relax(draft: Draft, watched: Watched) -> None:
    """Nothing is suspected any more when no region that reports fails."""
    check = draft.check(watched.id)
    if check.asked is not None and not any(place.fails for place in draft.reporting(watched).values()):
        draft.put_check(watched.id, replace(check, asked=None))


def _control(draft: Draft, run: Run) -> None:
    """A control run: what needs nothing of any target works from a region, or it does not."""
    name, region = run.region, draft.region(run.region)
    if run.outcome in (Outcome.MISSED, Outcome.ABORTED):
        return
    if run.outcome is Outcome.PASSED:
        draft.put_region(name, replace(region, answered=draft.now, blind=None, failure=None, run=None))
        cases.able(draft, run)
        for watched in _suspects(draft):
            cases.judge(draft, watched)
        return
    draft.put_region(
        name,
        replace(region, answered=draft.now, blind=region.blind or run.started, failure=run.failure, run=run.id),
    )
    if region.blind is None:
        for watched in _suspects(draft):
            _forgive(draft, watched, name)
    if run.failure is not None:
        cases.suffer(draft, f"probe:{name}", run, run.failure)


def _forgive(draft: Draft, watched: Watched, region: str) -> None:
    """It was us: a failing row of a suspect in a region that has gone blind was nothing, and counts as lost."""
    place = draft.check(watched.id).places.get(region)
    if place is not None and place.fails:
        draft.count(taken_back(place.bad))
        draft.put_place(watched.id, region, Place(slot=place.slot, outcome=place.outcome))
    _relax(draft, watched)


def _suspects(draft: Draft) -> list[Watched]:
    return [draft.rules.checks[check] for check in sorted(draft.state.suspects) if check in draft.rules.checks]


# --- time -------------------------------------------------------------------------------------------------------------


def _tick(draft: Draft) -> None:
    for watched in _suspects(draft):
        _insist(draft, watched)
    for cause in sorted(draft.state.incidents):
        _look_after(draft, cause)
    for objective in draft.rules.objectives.values():
        burns.watch(draft, objective)
    for name, region in draft.state.regions.items():
        if region.blind is not None and draft.now - (region.asked or region.blind) >= RECHECK:
            _ask_control(draft, name)


def _insist(draft: Draft, watched: Watched) -> None:
    """Ask again for what is not decided, a little later: a blip has healed by then; and judge what has waited enough."""
    check, places = draft.check(watched.id), draft.reporting(watched)
    if not any(place.fails for place in places.values()):
        draft.put_check(watched.id, replace(check, asked=None))
        return
    cases.judge(draft, watched)
    asked = check.asked
    undecided = [name for name, place in places.items() if place.fails and not is_lasting(place)]
    if asked is not None and undecided and draft.now - asked >= AGAIN:
        draft.put_check(watched.id, replace(draft.check(watched.id), asked=draft.now))
        draft.ask(watched.id, undecided)


def _look_after(draft: Draft, cause: str) -> None:
    """What an open incident needs as time passes."""
    for check in draft.state.incidents[cause].members:
        incident = draft.incident(cause)
        if incident is not None and not _is_watched(check, draft.rules) and incident.members[check].recovered is None:
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
    _recheck(draft, incident)
    if incident.acknowledged is None and (channels := escalation_due(incident, draft.rules, draft.now)):
        draft.put_incident(incident, What.ESCALATED, f"nobody has acknowledged: {', '.join(channels)}")
        draft.announce(cause, Reason.ESCALATED, channels)
        incident = draft.incident(cause) or incident
    quiet = incident.acknowledged is not None or (incident.muted_until is not None and draft.now < incident.muted_until)
    if not quiet and reminder_due(incident, draft.rules, draft.now):
        draft.put_incident(replace(incident, reminded=draft.now), What.REMINDED, ", ".join(incident.told))
        draft.announce(cause, Reason.REMINDER)


def _is_watched(check: CheckId, rules: Rules) -> bool:
    return check in rules.checks or check in rules.controls.values()


def _recheck(draft: Draft, incident: Incident) -> None:
    """Run the members that have not recovered at least once a minute, whatever their own schedule is."""
    for member in incident.members.values():
        watched = draft.rules.checks.get(member.check)
        if watched is None or member.recovered is not None or watched.every <= RECHECK:
            continue
        check = draft.check(watched.id)
        places = [(name, check.places.get(name)) for name in member.regions if name in watched.regions]
        due = [name for name, place in places if place and place.at and draft.now - place.at >= RECHECK]
        if due and draft.now - (check.asked or incident.opened) >= RECHECK:
            draft.put_check(watched.id, replace(check, asked=draft.now))
            draft.ask(watched.id, due)


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
