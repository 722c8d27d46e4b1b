"""Maintenance windows: when trouble is expected. Runs go on and are marked; delivery is held back."""

from dataclasses import dataclass
from datetime import datetime, timedelta


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
