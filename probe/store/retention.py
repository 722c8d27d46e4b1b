"""Forgetting what is older than it is kept for, a little at a time: a commit may have to wait for one piece."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection, delete, select

from probe.core.ledger import FINE, HOUR, MINUTE
from probe.core.run import Outcome
from probe.store.outbox import forwarded
from probe.store.rollup import DAY, roll_up
from probe.store.schema import attempts, details, failures, ledger, meta, outbox, phases, places, rollups, runs, steps
from probe.store.settings import StoreSettings

PIECE: Final = 250
"""Rows at a time."""
FEW: Final = 10
"""Objectives at a time: each has some sixty rows to forget every hour."""
Work = Callable[[Connection], bool]
"""One piece of work, in a transaction of its own; whether there may be more of it."""


def tidying(settings: StoreSettings, now: datetime) -> Iterator[Work]:
    """What is to be done, each again and again until nothing is left of it."""
    yield roll_up
    yield partial(_forget_details, before=now - settings.keep_details, forwards=settings.forwards)
    for outcome in Outcome:
        kept = settings.keep_runs if outcome is Outcome.PASSED else settings.keep_failures
        yield partial(_forget_runs, outcome=outcome, before=now - kept, forwards=settings.forwards)
    yield from forgetting(settings, now)


def forgetting(settings: StoreSettings, now: datetime) -> Iterator[Work]:
    """The part of it that a fleet does likewise: what was told, and what was counted."""
    yield partial(_forget_told, before=now - settings.keep_told)
    yield _ForgetCounts(minutes=_hour(now - FINE), hours=_hour(now - settings.keep_counts))
    days = _hour(now - settings.keep_days)
    yield _ForgetRollups(hours=_hour(now - settings.keep_hours), days=days - days % DAY)


def _hour(moment: datetime) -> int:
    seconds = int(moment.timestamp())
    return seconds - seconds % HOUR


def _forget_details(connection: Connection, *, before: datetime, forwards: bool) -> bool:
    old = select(details.c.run).where(details.c.passed, details.c.started < before).limit(PIECE)
    if forwards:
        old = old.where(details.c.run <= min(forwarded(connection).values(), default=0))
    return connection.execute(delete(details).where(details.c.run.in_(old))).rowcount == PIECE


def _forget_runs(connection: Connection, *, outcome: Outcome, before: datetime, forwards: bool) -> bool:
    limit = connection.scalar(select(meta.c.value).where(meta.c.key == "rolled")) or 0
    if forwards:
        limit = min(limit, min(forwarded(connection).values(), default=0))
    old = runs.c.outcome == outcome.value, runs.c.started < before, runs.c.seq <= limit
    numbers = list(connection.scalars(select(runs.c.seq).where(*old).limit(PIECE)))
    if numbers:
        for table in (steps, phases, failures, details):
            connection.execute(delete(table).where(table.c.run.in_(numbers)))
        connection.execute(delete(runs).where(runs.c.seq.in_(numbers)))
    return len(numbers) == PIECE


def _forget_told(connection: Connection, *, before: datetime) -> bool:
    keys = list(connection.scalars(select(outbox.c.key).where(outbox.c.settled < before).limit(PIECE)))
    if keys:
        connection.execute(delete(attempts).where(attempts.c.key.in_(keys)))
        connection.execute(delete(outbox).where(outbox.c.key.in_(keys)))
    return len(keys) == PIECE


@dataclass(slots=True)
class _ForgetCounts:
    """As `Ledger.forget` does it: minutes by whole hours, and whole hours with their minutes. Some objectives at a time."""

    minutes: int
    hours: int
    after: str = ""

    def __call__(self, connection: Connection) -> bool:
        """The next objectives."""
        next_ones = select(ledger.c.objective).distinct().where(ledger.c.objective > self.after)
        names = list(connection.scalars(next_ones.order_by(ledger.c.objective).limit(FEW)))
        if names:
            self.after = names[-1]
            named = ledger.c.objective.in_(names)
            limit = max(self.minutes, self.hours)
            connection.execute(delete(ledger).where(named, ledger.c.span == MINUTE, ledger.c.start < limit))
            connection.execute(delete(ledger).where(named, ledger.c.span == HOUR, ledger.c.start < self.hours))
        return len(names) == FEW


@dataclass(slots=True)
class _ForgetRollups:
    """Some places at a time."""

    hours: int
    days: int
    after: int = 0

    def __call__(self, connection: Connection) -> bool:
        """The next places."""
        next_ones = select(places.c.id).where(places.c.id > self.after).order_by(places.c.id).limit(PIECE)
        numbers = list(connection.scalars(next_ones))
        if numbers:
            self.after = numbers[-1]
            here = rollups.c.place.in_(numbers)
            connection.execute(delete(rollups).where(here, rollups.c.span == HOUR, rollups.c.start < self.hours))
            connection.execute(delete(rollups).where(here, rollups.c.span == DAY, rollups.c.start < self.days))
        return len(numbers) == PIECE
