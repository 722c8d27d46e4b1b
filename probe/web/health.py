"""When the daemon does its work, and why not: one rule for `/healthz`, the heartbeat and systemd's watchdog."""

from typing import Final

from probe.core.duration import format_duration

TICK: Final = 10.0
"""Seconds within which the scheduler must have ticked."""
WRITE: Final = 30.0
"""Seconds within which something must have been written, while there is something to write."""


def reason(now: float, *, ticked: float | None, written: float | None, queued: int, trouble: str | None) -> str | None:
    """Why it is not healthy; `None`: it is. All times are of the loop's clock, in seconds.

    `ticked` is when the scheduler last turned, `written` when the store last took something (`None`: not yet);
    `queued` records wait to be written, and `trouble` is what the store says about it.

    >>> reason(100, ticked=99.5, written=20, queued=0, trouble=None)
    >>> reason(100, ticked=80, written=99, queued=0, trouble=None)
    'the scheduler has not ticked for 20 s'
    >>> reason(100, ticked=99.5, written=59, queued=7, trouble="the disk is full")
    'nothing could be written for 41 s, 7 records wait: the disk is full'
    """
    if ticked is None:
        return "the scheduler has not ticked yet"
    if now - ticked > TICK:
        return f"the scheduler has not ticked for {format_duration(now - ticked)}"
    if not queued or (written is not None and now - written <= WRITE):
        return None
    since = "yet" if written is None else f"for {format_duration(now - written)}"
    waiting = f"{queued} record{' waits' if queued == 1 else 's wait'}"
    return f"nothing could be written {since}, {waiting}" + (f": {trouble}" if trouble else "")
