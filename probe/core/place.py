"""What one run does to what is known of a check in its region, and what it counts for."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from probe.core.changes import changed_words
from probe.core.ledger import HOUR
from probe.core.rules import Objective, Watched
from probe.core.run import Outcome, Run, Why
from probe.core.slo import classify
from probe.core.state import Place, Tally


def after(place: Place, run: Run, tallies: Iterable[Tally] = (), *, troubled: bool = False) -> Place:
    """The place after a run of it. Only answers of the target make trouble; `tallies` is what the run counted for.

    `troubled` says whether an earlier failed run from here still matters: this one then belongs to the same trouble.
    """
    slot = run.slot or place.slot
    at = run.ended if place.at is None else max(place.at, run.ended)
    if run.outcome is Outcome.PASSED:
        if troubled:
            return replace(place, outcome=run.outcome, slot=slot, at=at, errors=0, trouble=None)
        return Place(slot=slot, outcome=run.outcome, at=at)
    if run.outcome is Outcome.FAILED:
        bad = tuple(tally for tally in tallies if tally.bad)
        known = troubled and place.since is not None and place.since <= run.started
        found = (
            place
            if known
            else replace(
                place,
                since=run.started,
                run=run.id,
                failure=run.failure,
                picture=_picture(run),
                changed=changed_words(run.observation.compared),
            )
        )
        return replace(
            found,
            outcome=run.outcome,
            slot=slot,
            at=at,
            fails=place.fails + 1 if troubled else 1,
            errors=0,
            trouble=None,
            bad=(*(place.bad if troubled else ()), *bad)[-KEPT:],
        )
    if run.outcome is Outcome.ERRORED:
        return replace(place, outcome=run.outcome, slot=slot, errors=place.errors + 1, trouble=run.failure)
    return replace(place, outcome=run.outcome, slot=slot)


def _picture(run: Run) -> str | None:
    return next((a.path for a in run.observation.artifacts if a.kind == "screenshot"), None)


KEPT: Final = 100
"""Bad runs that may be taken back at most: what lasts longer was not us."""


def tallies_of(run: Run, objectives: Sequence[Objective], watched: Watched, now: datetime) -> tuple[Tally, ...]:
    """What a run counts for. Only the schedule counts: runs made on suspicion would count trouble several times.

    A run that stands for many slots counts as often, spread over the hours in which they were due. Where they all
    passed, nothing is known of their steps, or of how long they took.
    """
    if run.slot is None or run.why is not Why.SCHEDULED or not objectives:
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
    passed = run.outcome is Outcome.PASSED and run.maintenance is None
    return tuple(
        Tally(objective=o.name, at=hour, good=count)
        if passed and o.step is None and o.under is None
        else Tally(objective=o.name, at=hour, lost=count)
        for o in objectives
        for hour, count in hours.items()
    )


def taken_back(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """What undoes the tallies of bad runs that turned out to be our own: lost, not bad."""
    return tuple(replace(tally, bad=-tally.bad, lost=tally.bad) for tally in tallies)
