"""How the probes themselves are: everything that somebody should mend, in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from probe.core.duration import format_duration
from probe.core.run import Outcome
from probe.core.state import RegionState, State
from probe.view.documents import Health
from probe.view.incidents import optional
from probe.view.standing import Standing

GONE: Final = timedelta(seconds=60)
"""Time without a sign of life after which the daemon is gone."""
STUCK: Final = timedelta(minutes=5)
"""Time after which something that waits for a channel is trouble."""
LATE: Final = 5.0
"""Seconds that runs begin late, in the median, from which there is too much to do."""


def health(standing: Standing, state: State, lag: float | None, worst_lag: float | None) -> Health:
    """How they are. `lag` and `worst_lag` are how late runs began in the last minutes, in seconds."""
    together: dict[Outcome, int] = {}
    for region in standing.regions:
        for outcome, count in region.runs.items():
            together[outcome] = together.get(outcome, 0) + count
    return Health(
        alive=optional(standing.alive),
        trouble=list(_trouble(standing, state, lag)),
        coverage=coverage(together),
        lag=None if lag is None else round(lag, 4),
        worst_lag=None if worst_lag is None else round(worst_lag, 4),
        daemon=None if standing.live is None else dict(standing.live),
    )


def coverage(outcomes: Mapping[Outcome, int]) -> float | None:
    """The share of what was due that says something of a target; `None`: nothing was due."""
    due = sum(outcomes.values())
    if not due:
        return None
    return (outcomes.get(Outcome.PASSED, 0) + outcomes.get(Outcome.FAILED, 0)) / due


def region_trouble(region: RegionState | None, now: datetime) -> str | None:
    """Why a region is not listened to; `None`: it is."""
    if region is None:
        return None
    if region.silent is not None:
        return f"nothing was heard from it for {_ago(region.silent, now)}"
    if region.blind is not None:
        return f"its own network has failed for {_ago(region.blind, now)}: it says nothing of targets"
    return None


def _trouble(standing: Standing, state: State, lag: float | None) -> Iterable[str]:
    now = standing.now
    if standing.alive is not None and now - standing.alive > GONE:
        yield f"no data for {_ago(standing.alive, now)}: the last sign of life of the daemon is that old"
    elif standing.alive is None and standing.live is None:
        yield "no daemon has written anything yet"
    if standing.live is not None:
        yield from _said(standing.live)
    for region in standing.regions:
        if (text := region_trouble(state.regions.get(region.name), now)) is not None:
            yield f"region {region.name}: {text}"
    for channel in standing.channels:
        if channel.disabled is not None:
            yield f"channel {channel.channel} is disabled: {channel.disabled}"
        elif channel.oldest is not None and now - channel.oldest > STUCK:
            waits = "message waits" if channel.pending == 1 else "messages wait"
            yield (f"channel {channel.channel}: {channel.pending} {waits}, the oldest for {_ago(channel.oldest, now)}")
    if lag is not None and lag > LATE:
        yield f"runs begin {format_duration(lag)} late: there is more to do than there is room for"


def _said(live: Mapping[str, Any]) -> Iterable[str]:
    """What the daemon says of itself (`probe.web.ports.Live`)."""
    if live.get("reason"):
        yield f"the daemon does not do its work: {live['reason']}"
    reload, recorder, fleet = live.get("reload") or {}, live.get("recorder") or {}, live.get("fleet") or {}
    if not reload.get("ok", True):
        yield f"the last reload failed, the old configuration is in use: {reload.get('error') or 'see its log'}"
    if recorder.get("trouble"):
        yield f"the store: {recorder['trouble']}; {recorder.get('queued', 0)} records wait"
    if fleet.get("trouble"):
        yield f"the fleet: {fleet['trouble']}"


def _ago(since: datetime, now: datetime) -> str:
    return format_duration(max(timedelta(seconds=1), timedelta(seconds=round((now - since).total_seconds()))))
