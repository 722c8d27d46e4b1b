"""Maintenance windows: when trouble is expected. Runs go on and are marked; delivery is held back."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from probe.core.cron import DAY, times

if TYPE_CHECKING:
    from probe.core.rules import Watched  # which imports us

AHEAD: Final = timedelta(days=7)
"""How far windows that follow on each other are joined: windows without an end are not looked through to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, once (`start`) or again and again (`cron` in `timezone`), of `duration`.

    It holds for the checks that are named by id, target or tag; for all when none is named. The duration is real
    time: a window of two hours lasts two hours also in the night when clocks change.
    """

    name: str
    duration: timedelta
    start: datetime | None = None
    cron: str | None = None
    timezone: str = "UTC"
    checks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def covering(windows: Iterable[Window], watched: "Watched", at: datetime) -> str | None:
    """The name of the first window that holds for a check at a moment; `None` without one.

    A window holds from its start until just before its end.
    """
    for window in windows:
        if _concerns(window, watched) and _end(window, at) is not None:
            return window.name
    return None


def held_until(windows: Iterable[Window], watched: "Watched", at: datetime) -> datetime | None:
    """When the windows that hold for a check at a moment are over: those that overlap, or follow on, are one stretch.

    `None` when none holds. A stretch that goes on for more than `AHEAD` may be said to end sooner: ask again then.
    """
    ours = [window for window in windows if _concerns(window, watched)]
    until = at
    while ends := [end for window in ours if (end := _end(window, until)) is not None]:
        until = max(ends)
        if until - at > AHEAD:
            break
    return until if until > at else None


def occurrences(
    windows: Iterable[Window], watched: "Watched", start: datetime, end: datetime
) -> tuple[tuple[str, datetime, datetime], ...]:
    """Name, start and end of each stretch of the windows that hold for a check that has a part between two moments.

    In order; stretches of one window that overlap are one.
    """
    found: set[tuple[str, datetime, datetime]] = set()
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    for window in windows:
        if not _concerns(window, watched):
            continue
        if window.start is not None:
            begin = window.start.astimezone(UTC)
            found.add((window.name, begin, begin + window.duration))
        elif window.cron is not None:
            for begin in times(window.cron, window.timezone, first - window.duration, last):
                found.add((window.name, begin, begin + window.duration))
    joined: dict[str, list[tuple[datetime, datetime]]] = {}
    for name, begin, until in sorted(found):
        known = joined.setdefault(name, [])
        if known and begin <= known[-1][1]:
            known[-1] = (known[-1][0], max(known[-1][1], until))
        else:
            known.append((begin, until))
    held = ((begin, until, name) for name, known in joined.items() for begin, until in known)
    return tuple((name, begin, until) for begin, until, name in sorted(held) if begin < last and until > first)


def _concerns(window: Window, watched: "Watched") -> bool:
    if not (window.checks or window.targets or window.tags):
        return True
    return (
        watched.id in window.checks
        or watched.target in window.targets
        or any(tag in window.tags for tag in watched.tags)
    )


def _end(window: Window, at: datetime) -> datetime | None:
    """The end of the window, if it holds at a moment."""
    at = at.astimezone(UTC)
    if window.start is not None:
        start = window.start.astimezone(UTC)  # so that the duration is added in real time
        return start + window.duration if start <= at < start + window.duration else None
    if window.cron is None:
        return None
    stretches = _stretches(window.cron, window.timezone, window.duration, at.date())
    index = bisect_right(stretches, at, key=itemgetter(0)) - 1
    if index < 0 or stretches[index][1] <= at:
        return None
    return stretches[index][1]


@lru_cache(maxsize=1024)
def _stretches(cron: str, timezone: str, duration: timedelta, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """The stretches of a window that hold on some part of a day (of UTC), in order; those that overlap are one."""
    midnight = datetime.combine(day, time(), UTC)
    joined: list[tuple[datetime, datetime]] = []
    for start in times(cron, timezone, midnight - duration, midnight + DAY):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], start + duration)
        else:
            joined.append((start, start + duration))
    return tuple(joined)
