"""What a channel is to be told next, and when: order, holding back, trying again, and many messages as one. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from probe.core.incident import IncidentId
from probe.core.notification import Notification, Reason

FIRST: Final = timedelta(seconds=5)
"""The longest wait before the second try; twice as long before each further one."""
LONGEST: Final = timedelta(minutes=15)
"""The longest wait before any further try."""
LEAST: Final = timedelta(seconds=1)
"""The shortest wait before a further try."""
ASKED: Final = timedelta(hours=1)
"""No longer than this is waited, whatever a service asks for."""
GIVEN_UP: Final = timedelta(hours=24)
"""How long after it was created a notification is tried again."""

Held = Callable[[Notification], datetime | None]
"""Until when a notification is held back (muted, maintenance); `None`: it may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A notification whose fate is open: how often it was tried, and when it may be tried again."""

    notification: Notification
    tries: int = 0
    again: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Tokens, one for each message: no more than `size` in a row, and as many in each stretch of `per`.

    `at` is a monotonic time in seconds, at which `level` tokens were left.
    """

    size: int = 20
    per: timedelta = timedelta(minutes=5)
    level: float | None = None
    at: float = 0.0

    def left(self, now: float) -> float:
        """How many tokens there are now: all of them, until the first was taken."""
        if self.level is None:
            return self.size
        return min(self.size, self.level + (now - self.at) * self.size / self.per.total_seconds())

    def taken(self, now: float) -> "Bucket":
        """The bucket without one token."""
        return Bucket(size=self.size, per=self.per, level=self.left(now) - 1, at=now)

    def wait(self, now: float) -> float:
        """Seconds until there is a whole token, to the millisecond; 0 when there is one."""
        return max(0.0, round((1 - self.left(now)) * self.per.total_seconds() / self.size, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send these: one as it is, several as one digest."""

    pending: tuple[Pending, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """These need not be said any more, and why."""

    pending: tuple[Pending, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be sent for so many seconds; `None`: until something new comes. `held`: people may let it go sooner."""

    seconds: float | None = None
    held: bool = False


def next_step(
    pending: Sequence[Pending], now: datetime, held: Held, bucket: Bucket, tick: float
) -> Send | Withdraw | Wait:
    """What a channel does next with all that is pending for it, in the order in which it came.

    What is said of one incident is said in its order: one that waits keeps back the later ones, but not those of other
    incidents. The last token takes all that could be sent, as a digest. `tick` is the monotonic time of the bucket.
    """
    lines: dict[IncidentId, list[Pending]] = {}
    for one in sorted(pending, key=lambda p: p.notification.number):
        lines.setdefault(one.notification.incident, []).append(one)
    ready: list[Pending] = []
    waits: list[float] = []
    anything_held = False
    for line in lines.values():
        if withdrawn := _withdrawn(line, held):
            return withdrawn
        for one in line:
            until = held(one.notification)
            anything_held = anything_held or until is not None
            wait = max((moment - now).total_seconds() for moment in (until or now, _again(one, now)))
            if wait > 0:
                waits.append(wait)
                break
            ready.append(one)
    if not ready:
        return Wait(seconds=min(waits, default=None), held=anything_held)
    if seconds := bucket.wait(tick):
        return Wait(seconds=seconds)
    chosen = {id(one) for one in ready}
    ready = [one for one in pending if id(one) in chosen]
    if len(ready) > 1 and bucket.left(tick) < 2:
        return Send(pending=tuple(ready))
    first = min((p for p in ready if p.notification.incident == ready[0].notification.incident), key=_number)
    return Send(pending=(first,))


def backoff(tries: int, draw: float, asked: timedelta | None = None) -> timedelta:
    """How long to wait after so many tries: exponential with full jitter; what the service asked for, if it did.

    `draw` is a random number from 0 to 1.

    >>> backoff(3, 0.5), backoff(100, 1.0), backoff(1, 0.0, timedelta(minutes=2))
    (datetime.timedelta(seconds=10), datetime.timedelta(seconds=900), datetime.timedelta(seconds=120))
    """
    if asked is not None:
        return min(max(asked, LEAST), ASKED)
    ceiling = min(LONGEST, FIRST * (1 << min(tries - 1, 20)))
    return max(LEAST, ceiling * draw)


def again_at(one: Pending, now: datetime, wait: timedelta) -> datetime | None:
    """When to try again what has just failed; `None`: not any more, it has been tried for long enough."""
    again = now + wait
    return None if again >= one.notification.created + GIVEN_UP else again


def _number(one: Pending) -> int:
    return one.notification.number


def _again(one: Pending, now: datetime) -> datetime:
    """When it may be tried. A moment further away than anything is put off to was written by a clock that was wrong."""
    again = one.again or now
    return now if again - now > ASKED else again


def _withdrawn(line: list[Pending], held: Held) -> Withdraw | None:
    """What of an incident need not be said any more, because a later announcement makes it pointless."""
    resolved = any(p.notification.reason is Reason.RESOLVED for p in line)
    first = line[0]
    if resolved and first.tries == 0 and first.notification.reason is not Reason.RESOLVED and held(first.notification):
        return Withdraw(pending=tuple(line), why="it was over before anything of it was to be said")
    last_reminder = max((_number(p) for p in line if p.notification.reason is Reason.REMINDER), default=0)
    old = tuple(
        p
        for p in line
        if (resolved and p.notification.reason in (Reason.REMINDER, Reason.ESCALATED))
        or (p.notification.reason is Reason.REMINDER and _number(p) < last_reminder)
    )
    return Withdraw(pending=old, why="a later announcement says more") if old else None


def without(pending: Iterable[Pending], gone: Sequence[Pending]) -> list[Pending]:
    """What is pending when these are settled."""
    keys = {one.notification.key for one in gone}
    return [one for one in pending if one.notification.key not in keys]
