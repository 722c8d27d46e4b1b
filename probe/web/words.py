"""Moments, durations and shares as the pages write them. Pure; they are the filters of the templates.

What is not known is a dash, never an empty place.
"""

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from probe.core.duration import format_duration

NOTHING: Final = "–"
"""What stands where nothing is known."""


def instant(value: datetime | str) -> datetime:
    """A moment, from RFC 3339 where it is a text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def rfc3339(value: datetime | str) -> str:
    """A moment in UTC as machines read it, to the second.

    >>> rfc3339("2026-11-24T15:02:10.5+01:00")
    '2026-11-24T14:02:10Z'
    """
    return instant(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(value: datetime | str) -> str:
    """The time of day alone."""
    return instant(value).astimezone(UTC).strftime("%H:%M:%S")


def moment(value: datetime | str | None) -> str:
    """A moment for people: `24 Nov 14:02:10`, in UTC, as a `<time>`."""
    if value is None:
        return NOTHING
    said = instant(value).astimezone(UTC)
    text = f"{said.day} {said:%b %H:%M:%S}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(rfc3339(said), f"{said:%A}, {said:%Y}, UTC", text)


def day(value: datetime | str | None) -> str:
    """A day for people: `24 Nov 2026`, as a `<time>`."""
    if value is None:
        return NOTHING
    said = instant(value).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(f"{said:%Y-%m-%d}", f"{said.day} {said:%b %Y}")


def age(seconds: float) -> str:
    """A stretch of time in one unit, roughly; `static/ages.js` goes on in the same words.

    >>> age(12), age(119), age(600), age(7200), age(200_000)
    ('12 s', '119 s', '10 min', '2 h', '2 d')
    """
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 172_800:
        return f"{whole // 3600} h"
    return f"{whole // 86_400} d"


def ago(value: datetime | str | None, now: datetime | None, after: str = " ago") -> str:
    """How long ago that was, as a `<time>` that the browser keeps going. `after`: `" ago"`, or `""` for "for 5 min".

    Without a `now` it is the clock's time: what is sent to many pages is to change only when something has.
    """
    if value is None:
        return NOTHING
    said = instant(value)
    text = f"{clock(said)}" if now is None else f"{age((now - said).total_seconds())}{after}"
    return Markup('<time datetime="{}" title="{}" data-ago="{}">{}</time>').format(
        rfc3339(said), f"{said.astimezone(UTC):%d %b %H:%M:%S} UTC", after, text
    )


def duration(seconds: float | None) -> str:
    """How long something took."""
    return NOTHING if seconds is None else format_duration(seconds)


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1, never rounded up to a whole that it is not.

    >>> percent(0.9994), percent(1.0), percent(0.99996), percent(0.5, 0), percent(None)
    ('99.9 %', '100 %', '99.9 %', '50 %', '–')
    """
    if share is None:
        return NOTHING
    scale = 10**digits
    shown = round(share * 100 * scale) / scale
    if shown >= 100 > share * 100:
        shown = 100 - 1 / scale
    return f"{shown:.{digits}f}".removesuffix("." + "0" * digits) + " %"


def promise(share: float) -> str:
    """A promised share, all of its digits: `99.95 %`."""
    return f"{share * 100:.7g} %"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    >>> plural(1, "check"), plural(3, "check"), plural(1200, "entry", "entries")
    ('1 check', '3 checks', '1,200 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def spoken(word: str) -> str:
    """A verdict or a kind as one says it: without its underscores."""
    return word.replace("_", " ")
