"""What did not count of a month for an objective, and why: maintenance, silence, and what could not be measured."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from probe.core.cron import times
from probe.core.ledger import HOUR, Counts
from probe.core.maintenance import Window, covering
from probe.core.rules import Objective, Rules
from probe.store.months import Cell, Month
from probe.view.documents import Excluded
from probe.view.month import last_second, rfc3339, whole_second

SHORTEST: Final = timedelta(hours=2)
"""Silence that is worth a line, where checks come often."""
UNCONFIGURED: Final = "maintenance, by a window that is not configured any more"
UNANSWERED: Final = "no answer: what was due could not be measured, or was missed"
SILENT: Final = "nothing was due or counted: nobody watched"
UNCOUNTED: Final = "nothing is counted yet, or not any more: counts are kept for 100 days, or for the longest window"


def excluded(objective: Objective, rules: Rules, cells: Sequence[Cell], known: Month) -> Iterable[Excluded]:
    """The stretches of time, of each sort in order."""
    held: dict[int, int] = {}
    for (check, hour), count in known.maintenance.items():
        if check in objective.checks:
            held[hour] = held.get(hour, 0) + count
    yield from _maintained(objective, rules, held, known)
    first = known.first.get(objective.name)
    if first is None:
        return
    if first - first % HOUR > known.start.timestamp():
        yield _row(known.start.timestamp(), min(first, known.until.timestamp()), UNCOUNTED, 0)
    yield from _lost(objective, rules, cells, held, known)


def _maintained(objective: Objective, rules: Rules, held: Mapping[int, int], known: Month) -> Iterable[Excluded]:
    """The windows in which runs were made that did not count: by the configuration, and those that it has no more."""
    rest = dict(held)
    for start, end, name in sorted(_occurrences(objective, rules, known)):
        hours = range(int(start) - int(start) % HOUR, whole_second(end), HOUR)
        if any(hour in held for hour in hours):
            yield _row(start, end, f"maintenance: {name}", sum(rest.pop(hour, 0) for hour in hours))
    for stretch in _stretches(rest):
        runs = sum(rest[hour] for hour in stretch)
        yield _row(stretch[0], min(stretch[-1] + HOUR, known.until.timestamp()), UNCONFIGURED, runs)


def _occurrences(objective: Objective, rules: Rules, known: Month) -> set[tuple[float, float, str]]:
    watched = [found for check in objective.checks if (found := rules.watched(check)) is not None]
    return {
        (max(start, known.start).timestamp(), min(start + window.duration, known.until).timestamp(), window.name)
        for window in rules.windows
        for start in _starts(window, known)
        if any(covering((window,), one, start) is not None for one in watched)
    }


def _starts(window: Window, known: Month) -> Iterable[datetime]:
    """When a window began that held in some part of the month."""
    if window.start is not None:
        start = window.start.astimezone(UTC)
        return (start,) if start < known.until and start + window.duration > known.start else ()
    if window.cron is None:
        return ()
    begun = times(window.cron, window.timezone, known.start - window.duration, known.until)
    return (start for start in begun if start + window.duration > known.start)


def _lost(
    objective: Objective, rules: Rules, cells: Sequence[Cell], held: Mapping[int, int], known: Month
) -> Iterable[Excluded]:
    """Hours in which nothing of what was due has an answer, and those in which nothing was due."""
    hours: dict[int, Counts] = {}
    for cell in cells:
        hour = cell.start - cell.start % HOUR
        hours[hour] = hours.get(hour, Counts()).plus(*cell.counts)
    lost = {
        hour: counts.lost - held.get(hour, 0)
        for hour, counts in hours.items()
        if not counts.good + counts.bad and counts.lost > held.get(hour, 0)
    }
    for stretch in _stretches(lost):
        end = min(stretch[-1] + HOUR, known.until.timestamp())
        yield _row(stretch[0], end, UNANSWERED, sum(lost[hour] for hour in stretch))
    rarest = max((w.every for check in objective.checks if (w := rules.watched(check)) is not None), default=SHORTEST)
    patience = max(SHORTEST, 2 * rarest).total_seconds()
    begun = max(int(known.start.timestamp()), known.first[objective.name] // HOUR * HOUR)
    silent = dict.fromkeys(hour for hour in range(begun, last_second(known.until), HOUR) if hour not in hours)
    for stretch in _stretches(silent):
        end = min(stretch[-1] + HOUR, known.until.timestamp())
        if end - stretch[0] > patience:
            yield _row(stretch[0], end, SILENT, 0)


def _stretches(hours: Iterable[int]) -> list[list[int]]:
    """Hours that follow on each other, together."""
    found: list[list[int]] = []
    for hour in sorted(hours):
        if found and found[-1][-1] + HOUR == hour:
            found[-1].append(hour)
        else:
            found.append([hour])
    return found


def _row(start: float, end: float, why: str, runs: int) -> Excluded:
    first, last = (datetime.fromtimestamp(moment, UTC) for moment in (start, end))
    return Excluded(start=rfc3339(first), end=rfc3339(last), why=why, runs=runs)
