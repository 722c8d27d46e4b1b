"""Months and moments, as reports say them."""

import re
from datetime import UTC, datetime, timedelta


def month_of(text: str) -> tuple[datetime, datetime]:
    """The beginning of a month, and of the one after it; `ValueError` for what is none.

    >>> [f"{moment:%Y-%m-%d}" for moment in month_of("2026-12")]
    ['2026-12-01', '2027-01-01']
    """
    found = re.fullmatch(r"((?:19|20|21)\d\d)-(0[1-9]|1[0-2])", text, re.ASCII)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a month: write its year and number, such as 2026-11")
    start = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    return start, (start + timedelta(days=31)).replace(day=1)


def last_second(until: datetime) -> int:
    """Past the second of `until`: what began in it is known."""
    return whole_second(until.timestamp())


def whole_second(moment: float) -> int:
    """The same of seconds since 1970."""
    return int(moment) + (moment % 1 > 0)


def rfc3339(moment: datetime) -> str:
    """A moment as documents have it, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
