"""When nothing is heard from a region any more, and when it is heard again: with a margin, so that it does not flap."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

STALE: Final = "stale:"
"""What the cause of an incident begins with that is about a silent region."""
BACK: Final = 1 / 3
"""The share of the time after which a region is silent, for which it must be heard until it is not."""


class Hearing(NamedTuple):
    """Whether a region is heard: `silent` is since when nothing was, `back` since when a silent one is heard again."""

    silent: datetime | None = None
    back: datetime | None = None


def silence(
    heard: datetime | None, was: Hearing, now: datetime, stale_after: timedelta, *, listening: datetime
) -> Hearing:
    """How a region is heard now, that was last heard at `heard`, and stood so when this was last asked.

    It is silent after `stale_after` without a word, while somebody was there to hear one: `listening` is since when
    somebody is. It is over when it was heard for a third of that time, never waiting longer than that for the next word.
    To be asked every few seconds; `was.back` may be lost (then it only takes longer).

    >>> from datetime import UTC
    >>> def at(second): return datetime(2026, 11, 24, 3, 0, second, tzinfo=UTC)
    >>> silence(at(0), Hearing(), at(46), timedelta(seconds=45), listening=at(0)).silent == at(0)
    True
    """
    word = listening if heard is None else heard
    if was.silent is None:
        silent = now - max(word, listening) > stale_after
        return Hearing(silent=word) if silent else Hearing()
    if heard is None or heard <= was.silent or now - heard > stale_after * BACK:
        return Hearing(silent=was.silent)
    back = heard if was.back is None else was.back
    return Hearing() if heard - back >= stale_after * BACK else Hearing(silent=was.silent, back=back)


def stale(region: str) -> str:
    """The cause of the incident about a region that is silent."""
    return f"{STALE}{region}"


def stale_region(cause: str) -> str | None:
    """The region that an incident of this cause is about, if it is about a silent one."""
    return cause.removeprefix(STALE) if cause.startswith(STALE) else None
