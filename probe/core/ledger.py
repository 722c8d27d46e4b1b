"""The counts of an objective: how many runs were good, bad or lost, by the minute they were due."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MINUTE = 60
HOUR = 3600
FINE = timedelta(hours=75)
"""For how long counts are kept by the minute: the longest window of a burn rate, and some. Older ones are by the hour."""


class Counts(NamedTuple):
    """Runs that were good, bad, or lost: due, but without an answer about the target."""

    good: int = 0
    bad: int = 0
    lost: int = 0

    @property
    def ratio(self) -> float:
        """The share of bad runs among those that count; 0 when none does."""
        counted = self.good + self.bad
        return self.bad / counted if counted else 0.0

    @property
    def coverage(self) -> float:
        """The share of what was due that has an answer; 0 when nothing was due."""
        due = self.good + self.bad + self.lost
        return (self.good + self.bad) / due if due else 0.0

    def plus(self, good: int, bad: int, lost: int) -> "Counts":
        """These and some more."""
        return Counts(self.good + good, self.bad + bad, self.lost + lost)


class Ledger:
    """Counts by the minute, and by the hour. `between` is exact to the minute within `FINE`, to the hour before.

    >>> ledger = Ledger()
    >>> ledger.add(datetime(2026, 11, 23, 3, 0, 20, tzinfo=UTC), bad=1)
    >>> ledger.between(datetime(2026, 11, 23, 3, 0, tzinfo=UTC), datetime(2026, 11, 23, 4, 0, tzinfo=UTC))
    Counts(good=0, bad=1, lost=0)
    """

    __slots__ = ("hours", "minutes")

    def __init__(self) -> None:
        self.hours: dict[int, Counts] = {}
        """Start of an hour (seconds since 1970) → all of it."""
        self.minutes: dict[int, dict[int, Counts]] = {}
        """Start of an hour → start of a minute → counts; for recent hours only."""

    def add(self, at: datetime, *, good: int = 0, bad: int = 0, lost: int = 0) -> None:
        """Count runs that were due at `at`."""
        moment = int(at.timestamp())
        hour, minute = moment - moment % HOUR, moment - moment % MINUTE
        if hour not in self.hours or hour in self.minutes:  # else its minutes are forgotten, and some would be a lie
            minutes = self.minutes.setdefault(hour, {})
            minutes[minute] = minutes.get(minute, Counts()).plus(good, bad, lost)
        self.hours[hour] = self.hours.get(hour, Counts()).plus(good, bad, lost)

    def between(self, start: datetime, end: datetime) -> Counts:
        """What was due from the minute of `start` (the hour, where minutes are forgotten) until before `end`."""
        first, last = int(start.timestamp()), int(end.timestamp())
        first -= first % MINUTE
        good = bad = lost = 0
        for hour in range(first - first % HOUR, last, HOUR):
            whole = self.hours.get(hour)
            if whole is None:
                continue
            inside = first <= hour and hour + HOUR <= last
            minutes = None if inside else self.minutes.get(hour)
            parts = [whole] if minutes is None else [c for m, c in minutes.items() if first <= m < last]
            for part in parts:
                good, bad, lost = good + part.good, bad + part.bad, lost + part.lost
        return Counts(good, bad, lost)

    def first(self) -> datetime | None:
        """When the first run was due that it knows of, to the minute; to the hour, where minutes are forgotten."""
        if not self.hours:
            return None
        hour = min(self.hours)
        return datetime.fromtimestamp(min(self.minutes.get(hour, {hour: None})), UTC)

    def reached(self, start: datetime, bad: float) -> datetime | None:
        """When the bad runs from `start` on came to be as many as `bad`, to the minute, or the hour; `None`: never."""
        first, seen = int(start.timestamp()), 0
        first -= first % MINUTE
        for hour in sorted(hour for hour in self.hours if hour + HOUR > first):
            minutes = self.minutes.get(hour)
            parts = {hour: self.hours[hour]} if minutes is None else {m: c for m, c in minutes.items() if m >= first}
            for moment in sorted(parts):
                seen += parts[moment].bad
                if seen >= bad:
                    return datetime.fromtimestamp(moment, UTC)
        return None

    def amended(self, parts: Iterable[tuple[datetime, Counts]]) -> "Ledger":
        """A ledger in which these are counted too; this one stays as it is."""
        found = Ledger()
        found.hours, found.minutes = dict(self.hours), dict(self.minutes)
        for at, counts in parts:
            hour = int(at.timestamp()) // HOUR * HOUR
            if hour in found.minutes:
                found.minutes[hour] = dict(found.minutes[hour])
            found.add(at, good=counts.good, bad=counts.bad, lost=counts.lost)
        return found

    def forget(self, before: datetime, *, all_before: datetime | None = None) -> None:
        """Drop minutes of hours that ended before `before`, and whole hours that ended before `all_before`."""
        limit = int(before.timestamp())
        for hour in [h for h in self.minutes if h + HOUR <= limit]:
            del self.minutes[hour]
        if all_before is not None:
            limit = int(all_before.timestamp())
            for hour in [h for h in self.hours if h + HOUR <= limit]:
                del self.hours[hour]
                self.minutes.pop(hour, None)
