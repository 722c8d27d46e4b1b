"""The whole judgement: one pure fold over events. Nothing else decides anything."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from probe.core import burns, cases, ours
from probe.core.announce import escalation_due, reminder_due
from probe.core.check import CheckId
from probe.core.draft import Draft
from probe.core.duration import format_duration
from probe.core.fact import Fact, fact_of
from probe.core.holds import region_of
from probe.core.incident import IncidentId, What
from probe.core.judge import came_to_nothing, consider, observe
from probe.core.network import control, is_void, sample, suspects
from probe.core.notification import Reason
from probe.core.place import after, tallies_of
from probe.core.rules import Rules, Watched
from probe.core.run import Outcome, Run, Slot, Why
from probe.core.silence import stale_region
from probe.core.state import Change, Place, State, Tally
from probe.core.verdict import PATIENCE, ill

RECHECK: Final = timedelta(minutes=1)
"""How often a region that is blind is looked at again."""


NEWS: Final = timedelta(minutes=1)
"""How long what was seen of a check that seldom runs is news, beyond what one waits for: a database takes less to fail over."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A run that came too late to say anything about the present (`is_late`): it is counted, and nothing else."""

    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing is heard from a region since then; `None`: it is heard again (core/silence.py says when)."""

    region: str
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTrouble:
    """A run of a check that is judged elsewhere, which concerns us (`ours.concerns_us`): for whoever tells our trouble."""

    run: Run


Event = Run | Tick | Overdue | Acknowledge | Mute | Late | Silence | OwnTrouble


def is_late(run: Run, watched: Watched | None, now: datetime) -> bool:
    """Whether a run ended so long ago that it says nothing about the present. `watched` is its check, if there is one.

    What is asked for is waited for as long as its timeout and `PATIENCE`; and the last that is known of a place is news
    until the next run from there has ended, but for no longer than `NEWS`.
    """
    waited = PATIENCE if watched is None else watched.timeout + PATIENCE + min(watched.every, NEWS)
    return now - run.ended > waited


def evaluate(state: State, event: Event, rules: Rules, now: datetime) -> Change:
    """What an event changes. Pure: `state` is only read; `state.apply` takes the change over.

    `KeyError` for an incident that is not open.
    """
    draft = Draft(state, rules, now)
    if isinstance(event, Run):
        if event.why is Why.CONTROL:
            control(draft, event)
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
    elif isinstance(event, Late):
        if (watched := rules.checks.get(event.run.check)) is not None and event.run.why is not Why.CONTROL:
            _late(draft, event.run, watched)
    elif isinstance(event, Silence):
        ours.hush(draft, event.region, event.since)
    elif isinstance(event, OwnTrouble):
        ours.hear(draft, event.run)
    else:
        _command(draft, event)
    return draft.change()


# --- runs -------------------------------------------------------------------------------------------------------------


def _run(draft: Draft, run: Run, watched: Watched) -> None:
    check = draft.check(run.check)
    before = check.places.get(run.region) or Place()
    if run.outcome is Outcome.FAILED and run.observation.control is not None:
        sample(draft, run, run.observation.control)
        check = draft.check(run.check)
        before = check.places.get(run.region) or Place()
    void = is_void(draft, run, watched)
    counted = draft.rules.counted.get(run.check, ())
    tallies = tallies_of(run, counted, watched, draft.now) if counted else ()
    if void:
        tallies = _lost(tallies)
    draft.count(tallies)
    if void and run.outcome is Outcome.FAILED:
        # The region cannot even reach what needs nothing of the target: this says nothing.
        slot = run.slot or before.slot
        place = replace(before, slot=slot, outcome=run.outcome, errors=0, trouble=None)
        draft.put_place(run.check, run.region, place)
        came_to_nothing(draft, watched, run.region)
        ours.able(draft, run.region, run.check, run.started)
        return
    if run.outcome not in (Outcome.PASSED, Outcome.FAILED):
        place = after(before, run)
        draft.put_place(run.check, run.region, place)
        came_to_nothing(draft, watched, run.region)
        if run.outcome is Outcome.ERRORED:
            ours.trouble(draft, run, place.errors)
        return
    if draft.state.incidents:
        ours.able(draft, run.region, run.check, run.started)
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


def _late(draft: Draft, run: Run, watched: Watched) -> None:
    """A run that says nothing about the present: counted for when it was due, by what it knows of itself."""
    counted, control = draft.rules.counted.get(run.check, ()), run.observation.control
    tallies = tallies_of(run, counted, watched, draft.now)
    if control is not None and not control.well:
        tallies = _lost(tallies)
    draft.count(tallies)
    place = draft.check(run.check).places.get(run.region) or Place()
    if run.slot is not None and _is_later(run.slot, place.slot):
        draft.put_place(run.check, run.region, replace(place, slot=run.slot))


def _is_later(slot: Slot, than: Slot | None) -> bool:
    return than is None or slot.due > than.due


def _lost(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """What counted as bad, as lost: our own network was at fault."""
    return tuple(replace(tally, bad=0, lost=tally.lost + tally.bad) for tally in tallies)


def _for_others(draft: Draft, run: Run) -> None:
    """A run that was asked for as the twin of another check, which is suspected."""
    for watched in suspects(draft):
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


# --- time -------------------------------------------------------------------------------------------------------------


def _tick(draft: Draft) -> None:
    for watched in suspects(draft):
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
            if check in draft.state.checks:  # else it is judged elsewhere
                draft.put_check(check, draft.check(check).anew())
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
    if (region := stale_region(cause)) is not None:
        return ours.is_watched_from(region, rules)
    if cause.startswith(ours.PROBE):
        return rules.watched(check) is not None or check in rules.controls.values()
    watched = rules.checks.get(check)
    return watched is not None and watched.cause == cause


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
