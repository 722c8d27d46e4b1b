"""Durations as people write them: `"500ms"`, `"45s"`, `"1m30s"`, `"2h"`, `"7d"`."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> timedelta:
    """The duration that `text` says; `ValueError` that tells how to write one.

    >>> parse_duration("1m30s").total_seconds()
    90.0
    """
    compact = text.replace(" ", "")
    if not _WHOLE.fullmatch(compact):
        raise ValueError(
            f"{text!r} is not a duration: write a number and a unit (ms s m h d w), such as 500ms, 45s or 1m30s"
        )
    try:
        return timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(compact)))
    except OverflowError:
        raise ValueError(f"{text!r} is too long for a duration") from None


def format_duration(duration: timedelta | float) -> str:
    """The shortest exact-enough text for a duration (seconds when a number): three significant digits.

    >>> format_duration(0.0421), format_duration(1.5), format_duration(90), format_duration(3600)
    ('42 ms', '1.5 s', '1m30s', '1h')
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds < 1:
        milliseconds = seconds * 1000
        return f"{milliseconds:.0f} ms" if milliseconds >= 10 or milliseconds == 0 else f"{milliseconds:.1f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    rest, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def about(duration: timedelta) -> str:
    """A duration that is not known exactly, in one unit, of which there are at least three where there can be.

    >>> about(timedelta(hours=40, minutes=12)), about(timedelta(days=3, hours=5)), about(timedelta(seconds=5))
    ('40h', '3d', '1m')
    """
    for unit, size in (("d", 86400), ("h", 3600)):
        if duration.total_seconds() >= 3 * size:
            return f"{duration.total_seconds() / size:.0f}{unit}"
    return f"{max(1.0, duration.total_seconds() / 60):.0f}m"
