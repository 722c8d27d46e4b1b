"""What was counted for objectives, looked at again and again: only what has changed since the last look is read.

Twenty objectives have some two hundred thousand counts. Those of the last hours are compared at each look, by the hour;
older ones change when a run arrives late, and are compared once a minute, by the day.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, func, literal_column, or_, select

from probe.core.ledger import FINE, HOUR, MINUTE, Counts, Ledger
from probe.store.schema import ledger

A_DAY: Final = 86400
RECENT: Final = 6 * HOUR
"""Seconds within which nearly everything is counted."""
SOME: Final = 200
"""Days in one question."""
_c: Final = ledger.c


class Counted:
    """The ledgers, kept between two looks. Not for two threads at a time."""

    def __init__(self) -> None:
        self._ledgers: dict[str, Ledger] = {}
        self._compared: datetime | None = None

    def refresh(self, connection: Connection, names: Collection[str], now: datetime) -> Mapping[str, Ledger]:
        """The ledgers of these objectives, as they are stored; of others what was known of them before."""
        known, new = [name for name in names if name in self._ledgers], sorted(set(names) - self._ledgers.keys())
        self._ledgers.update((name, Ledger()) for name in new)
        if new:
            self._read_minutes(connection, self._changed(_hours(connection, new, 0)), whole=True)
        if known:
            self._read_minutes(connection, self._changed(_hours(connection, known, int(now.timestamp()) - RECENT)))
        if self._compared is None or not timedelta() <= now - self._compared < timedelta(seconds=MINUTE):
            if known:
                self._compare_days(connection, known)
            self._compared = now
        for book in self._ledgers.values():
            book.forget(now - FINE)
        return self._ledgers

    def _changed(self, rows: Iterable[tuple[str, int, Counts]]) -> dict[str, set[int]]:
        """Take the sums of hours over: which of them are others than before."""
        found: dict[str, set[int]] = {}
        for name, start, counts in rows:
            hours = self._ledgers[name].hours
            if hours.get(start) != counts:
                hours[start] = counts
                found.setdefault(name, set()).add(start)
        return found

    def _read_minutes(self, connection: Connection, changed: Mapping[str, set[int]], *, whole: bool = False) -> None:
        """Read the minutes of these hours; `whole`: there is nothing else of these objectives."""
        if not changed:
            return
        every = {start for starts in changed.values() for start in starts}
        wanted = select(_c.objective, _c.start, _c.good, _c.bad, _c.lost).where(
            _c.objective.in_(sorted(changed)), _c.span == MINUTE
        )
        if not whole:
            wanted = wanted.where(_c.start >= min(every), _c.start < max(every) + HOUR)
        found: dict[tuple[str, int], dict[int, Counts]] = {}
        for name, start, good, bad, lost in connection.execute(wanted).all():
            found.setdefault((name, start - start % HOUR), {})[start] = Counts(good, bad, lost)
        for name, starts in changed.items():
            book = self._ledgers[name]
            for hour in starts:
                minutes = found.get((name, hour))
                # Minutes that are not all of the hour came late, after the others were forgotten: the hour counts whole.
                if minutes and Counts(*map(sum, zip(*minutes.values(), strict=True))) == book.hours[hour]:
                    book.minutes[hour] = minutes
                else:
                    book.minutes.pop(hour, None)

    def _compare_days(self, connection: Connection, names: list[str]) -> None:
        """Read the hours of the days whose sums are others than before."""
        day = _c.start.op("/")(literal_column(str(A_DAY)))
        sums = select(_c.objective, day, func.sum(_c.good), func.sum(_c.bad), func.sum(_c.lost))
        grouped = sums.where(_c.objective.in_(names), _c.span == HOUR).group_by(_c.objective, day)
        days = {
            (name, int(at)): Counts(int(good), int(bad), int(lost))
            for name, at, good, bad, lost in connection.execute(grouped)
        }
        mine: dict[tuple[str, int], Counts] = {}
        for name in names:
            for hour, counts in self._ledgers[name].hours.items():
                key = (name, hour // A_DAY)
                mine[key] = mine.get(key, Counts()).plus(*counts)
        differing = [key for key in {**days, **mine} if days.get(key) != mine.get(key)]
        for begin in range(0, len(differing), SOME):
            self._read_days(connection, differing[begin : begin + SOME])

    def _read_days(self, connection: Connection, days: list[tuple[str, int]]) -> None:
        theirs = or_(
            *(and_(_c.objective == name, _c.start >= day * A_DAY, _c.start < (day + 1) * A_DAY) for name, day in days)
        )
        rows = _hours_of(connection.execute(_HOURS.where(theirs)).all())
        kept = {(name, start) for name, start, _ in rows}
        for name, day in days:
            book = self._ledgers[name]
            for hour in range(day * A_DAY, (day + 1) * A_DAY, HOUR):
                if (name, hour) not in kept:  # it was forgotten
                    book.hours.pop(hour, None)
                    book.minutes.pop(hour, None)
        self._read_minutes(connection, self._changed(rows))


_HOURS: Final = select(_c.objective, _c.start, _c.good, _c.bad, _c.lost).where(_c.span == HOUR)


def _hours(connection: Connection, names: Collection[str], since: int) -> list[tuple[str, int, Counts]]:
    return _hours_of(connection.execute(_HOURS.where(_c.objective.in_(names), _c.start >= since - since % HOUR)).all())


def _hours_of(rows: Iterable[Any]) -> list[tuple[str, int, Counts]]:
    return [(name, start, Counts(good, bad, lost)) for name, start, good, bad, lost in rows]
