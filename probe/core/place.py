"""What one run does to what is known of a check in its region, and what it counts for."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from probe.core.ledger import HOUR
from probe.core.rules import Objective, Watched
from probe.core.run import Outcome, Run, Why
from probe.core.slo import classify
from probe.core.state import Place, Tally


def after(place: Place, run: Run, tallies: Iterable[Tally] = ()) -> Place:
    """The place after a run of it. Only answers of the target make and break rows; `tallies` is what it counted for."""
    place = replace(place, outcome=run.outcome, slot=run.slot or place.slot)
    if run.outcome is Outcome.PASSED:
        since = place.since if place.passes else run.started
        return Place(slot=place.slot, outcome=place.outcome, at=run.ended, since=since, passes=place.passes + 1)
    if run.outcome is Outcome.FAILED:
        bad = (*place.bad, *(tally for tally in tallies if tally.bad))
        if place.fails:
            return replace(place, at=run.ended, fails=place.fails + 1, errors=0, trouble=None, bad=bad)
        return Place(
            slot=place.slot,
            outcome=place.outcome,
            at=run.ended,
            since=run.started,
            fails=1,
            run=run.id,
            failure=run.failure,
            picture=next((a.path for a in run.observation.artifacts if a.kind == "screenshot"), None),
            bad=bad,
        )
    if run.outcome is Outcome.ERRORED:
        return replace(place, errors=place.errors + 1, trouble=run.failure)
    return place


def tallies_of(run: Run, objectives: Iterable[Objective], watched: Watched, now: datetime) -> tuple[Tally, ...]:
    """What a run counts for. Only the schedule counts: runs made on suspicion would count trouble several times.

    A run that stands for many missed slots is lost as often, spread over the hours in which they were due.
    """
    if run.slot is None or run.why is not Why.SCHEDULED:
        return ()
    slot = run.slot
    if slot.count == 1:
        return tuple(
            Tally(objective=o.name, at=slot.due, good=counts.good, bad=counts.bad, lost=counts.lost)
            for o in objectives
            for counts in (classify(run, o),)
        )
    hours: dict[datetime, int] = {}
    for number in range(slot.count):
        due = min(slot.due + number * watched.every, max(now, slot.due))
        hour = max(slot.due, due - timedelta(seconds=due.timestamp() % HOUR))
        hours[hour] = hours.get(hour, 0) + 1
    return tuple(Tally(objective=o.name, at=hour, lost=lost) for o in objectives for hour, lost in hours.items())


def taken_back(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """What undoes the tallies of bad runs that turned out to be our own: lost, not bad."""
    return tuple(replace(tally, bad=-tally.bad, lost=tally.bad) for tally in tallies)
