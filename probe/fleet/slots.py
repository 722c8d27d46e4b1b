"""Slots that have runs already: two nodes of a region may both have made one, or one of them missed what the other made.

A slot counts once, and a run with an answer about the target beats all that is without one. The nodes number their slots
apart, so a slot is known by when it was due.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from probe.core.check import CheckId
from probe.core.rules import Watched
from probe.core.run import Outcome, Run, Slot, Why
from probe.core.state import State
from probe.store.numbers import DAY, day_of
from probe.store.schema import EPOCH, MICROSECOND

PlaceKey = tuple[CheckId, str]
ANSWERS: Final = frozenset({Outcome.PASSED, Outcome.FAILED})
"""Outcomes that say something about the target."""
NEAR: Final = timedelta(hours=1)
"""How far from when its slot was due a run may begin: rows for many slots apart, which begin with the first of them."""
FAR: Final = timedelta(days=7)
"""How long before a slot a row that stands for many may begin."""
SAME: Final = timedelta(milliseconds=500)
"""Two slots that were due so close to each other are one."""

_TAKEN: Final = text("""
    WITH wanted AS (
        SELECT places.id, given.* FROM unnest(
            CAST(:checks AS text[]), CAST(:regions AS text[]), CAST(:first AS bigint[]), CAST(:last AS bigint[])
        ) AS given (check_id, region, first, last) JOIN probe.places USING (check_id, region)
    )
    SELECT wanted.check_id, wanted.region, found.due, found.slots, found.outcome
    FROM wanted CROSS JOIN LATERAL (
        SELECT due, slots, outcome FROM probe.runs
        WHERE place = wanted.id AND due IS NOT NULL AND seq >= :number
            AND started BETWEEN wanted.first - :near AND wanted.last + :near
        UNION ALL
        SELECT due, slots, outcome FROM probe.runs
        WHERE place = wanted.id AND due IS NOT NULL AND seq >= :number AND outcome IN ('missed', 'aborted') AND slots > 1
            AND started >= wanted.first - :far AND started < wanted.first - :near
    ) AS found
""")


class Stretch(NamedTuple):
    """All slots that were due from `first` to `last`."""

    first: datetime
    last: datetime


class Taken(NamedTuple):
    """Slots of a place that have a row: when the first and the last of them were due, and whether it has an answer."""

    first: datetime
    last: datetime
    answered: bool


class Overlap(NamedTuple):
    """Of the slots that a run stands for: how many have an answer already, and how many a row without one."""

    answered: int = 0
    lost: int = 0


def last_due(slot: Slot, every: timedelta) -> datetime:
    """When the last of the slots was due that a row stands for."""
    return slot.due + (slot.count - 1) * every


def doubtful(runs: Iterable[Run], state: State, checks: Mapping[CheckId, Watched]) -> dict[PlaceKey, Stretch]:
    """The places of which some of the runs are for slots that are not later than all that is known, and a stretch with these."""
    latest: dict[PlaceKey, datetime] = {}
    found: dict[PlaceKey, Stretch] = {}
    for run in runs:
        watched, slot, key = checks.get(run.check), run.slot, (run.check, run.region)
        if watched is None or slot is None or run.why is not Why.SCHEDULED:
            continue
        until = last_due(slot, watched.every)
        known = latest.get(key) or _known(state, key, watched)
        if known is not None and slot.due - SAME <= known:
            first, last = found.get(key, (slot.due, until))
            found[key] = Stretch(min(first, slot.due), max(last, until))
        latest[key] = until if known is None else max(known, until)
    return found


def read_taken(
    connection: Connection, wanted: Mapping[PlaceKey, Stretch], checks: Mapping[CheckId, Watched]
) -> dict[PlaceKey, list[Taken]]:
    """The slots of these places that have rows, around the stretches that `doubtful` gave."""
    rows = connection.execute(
        _TAKEN,
        {
            "checks": [check for check, _ in wanted],
            "regions": [region for _, region in wanted],
            "first": [(stretch.first - EPOCH) // MICROSECOND for stretch in wanted.values()],
            "last": [(stretch.last - EPOCH) // MICROSECOND for stretch in wanted.values()],
            "number": max(day_of(min(stretch.first for stretch in wanted.values())) - 1, 0) * DAY,
            "near": NEAR // MICROSECOND,
            "far": FAR // MICROSECOND,
        },
    )
    found: dict[PlaceKey, list[Taken]] = {key: [] for key in wanted}
    for row in rows:
        slot = Slot(number=0, due=EPOCH + row.due * MICROSECOND, count=row.slots or 1)
        found[row.check_id, row.region].append(taken_by(slot, Outcome(row.outcome), checks[row.check_id]))
    return found


def taken_by(slot: Slot, outcome: Outcome, watched: Watched) -> Taken:
    """The slots that a run takes."""
    return Taken(slot.due, last_due(slot, watched.every), outcome in ANSWERS)


def overlap(slot: Slot, watched: Watched, taken: Iterable[Taken]) -> Overlap:
    """How many of the slots of a run have rows. One that has both sorts of them has an answer."""
    last, answered, lost = last_due(slot, watched.every), 0, 0
    for one in taken:
        stretch = min(last, one.last) - max(slot.due, one.first)
        if stretch >= -SAME:
            count = 1 + max(stretch + SAME, timedelta(0)) // watched.every
            if one.answered:
                answered += count
            else:
                lost += count
    answered = min(answered, slot.count)
    return Overlap(answered, min(lost, slot.count - answered))


def _known(state: State, key: PlaceKey, watched: Watched) -> datetime | None:
    check = state.checks.get(key[0])
    place = None if check is None else check.places.get(key[1])
    return None if place is None or place.slot is None else last_due(place.slot, watched.every)
