"""Where two configurations tell different things of the same runs."""

from dataclasses import dataclass

from probe.backtest.alert import Alert, Event
from probe.cli.replay import Replay

SAME = 900.0
"""Seconds between two openings for the same cause that are one outage, noticed sooner by one."""
NOTED = 1.0
"""Seconds of difference that are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One incident that only one side (0 or 1) tells, or that the second tells `later` by so many seconds."""

    alert: Alert
    side: int
    later: float | None = None


def differences(old: Replay, new: Replay) -> tuple[Difference, ...]:
    """Incidents that are opened by one alone, in another severity, or at another time, in the order of time."""
    found = []
    rest = list(_telling(new))
    for alert in _telling(old):
        same = [other for other in rest if _is_same(alert, other)]
        if not same:
            found.append(Difference(alert=alert, side=0))
            continue
        twin = min(same, key=lambda other: abs(other.at - alert.at))
        rest.remove(twin)
        if abs(twin.at - alert.at) >= NOTED:
            found.append(Difference(alert=twin, side=1, later=twin.at - alert.at))
    found += [Difference(alert=alert, side=1) for alert in rest]
    return tuple(sorted(found, key=lambda one: one.alert.at))


def _telling(replay: Replay) -> list[Alert]:
    return [alert for alert in replay.played.alerts if alert.event is Event.OPENED or alert.page]


def _is_same(one: Alert, other: Alert) -> bool:
    close = one.incident == other.incident or abs(one.at - other.at) <= SAME
    return one.cause == other.cause and one.severity == other.severity and close
