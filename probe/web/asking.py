"""What the query of an address says: moments, stretches of time, and how many. What it cannot say is refused with 400."""

from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from probe.core.duration import parse_duration
from probe.web.answers import Refused

LONGEST: Final = timedelta(days=400)
"""A stretch of time that a document is about, at most."""
MOST: Final = 1000
"""Rows of a list that are given at once."""
EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def moment_of(text: str, name: str) -> datetime:
    """A moment with its offset (RFC 3339); where the offset lacks, it is UTC."""
    try:
        # A "+" of an offset that was not escaped comes as a blank.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(400, f'"{name}" is to be a time such as 2026-11-24T12:03:00Z, not {text[:40]!r}') from None
    if not EARLIEST <= moment <= LATEST:
        raise Refused(400, f'"{name}" lies outside of what can be stored: {text[:40]!r}')
    return moment


def span_of(text: str, name: str) -> timedelta:
    """A duration such as `90m` or `7d`."""
    try:
        return parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise Refused(400, f'"{name}": {error}') from None


def period_of(request: web.Request, now: datetime, *, default: timedelta) -> tuple[datetime, datetime]:
    """The stretch that `from` and `to` say; `from` may be so long before `to` (`7d`), or a moment; without `to`: until now."""
    end = moment_of(request.query["to"], "to") if request.query.get("to") else now
    text = request.query.get("from", "")
    if not text:
        start = end - default
    elif text[:1].isdigit() and "-" not in text:
        span = span_of(text, "from")
        if span > LONGEST:
            raise Refused(400, f'"from": {text[:40]} is too long: {LONGEST.days} days at most')
        start = end - span
    else:
        start = moment_of(text, "from")
    if not timedelta(0) < end - start <= LONGEST:
        raise Refused(400, f'"from" is to lie before "to", by {LONGEST.days} days at most')
    return start, end


def limit_of(request: web.Request, *, default: int = 100) -> int:
    """How many rows are wanted, 1 to 1000."""
    text = request.query.get("limit", "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise Refused(400, f'"limit" is to be a number from 1 to {MOST}')
    return int(text)


def word_of(request: web.Request, name: str) -> str | None:
    """A parameter that filters; an empty one is none."""
    return request.query.get(name) or None
