"""Which regions have something to say about a check, and how it stands."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from probe.core.incident import Verdict
from probe.core.rules import Watched
from probe.core.state import CheckState, Place, RegionState

ILL: Final = timedelta(seconds=90)
"""How long after a control run has failed what fails in its region says nothing about targets."""
PATIENCE: Final = timedelta(seconds=30)
"""How long beyond a check's timeout the answers of other regions, and of a control run, are waited for."""


def time_to_live(watched: Watched) -> timedelta:
    """How long what is known of a check in a region is good for."""
    return 3 * watched.every + watched.timeout


def is_fresh(place: Place, watched: Watched, now: datetime) -> bool:
    """Whether the last answer about the target is young enough to say anything about the present."""
    return place.at is not None and now - place.at <= time_to_live(watched)


def awaits_control(region: RegionState | None, now: datetime) -> bool:
    """Whether a control run of the region was asked for and may still answer."""
    if region is None or region.asked is None or now > region.asked + PATIENCE:
        return False
    return region.answered is None or region.answered < region.asked


def reporting(
    check: CheckState, watched: Watched, regions: Mapping[str, RegionState], now: datetime
) -> dict[str, Place]:
    """The regions that have something to say: watched from, heard of lately, neither blind nor silent.

    A silent region leaves numerator and denominator.
    """
    return {
        name: place
        for name, place in check.places.items()
        if name in watched.regions
        and is_fresh(place, watched, now)
        and not ((region := regions.get(name)) and (region.blind or region.silent))
    }


def ill(watched: Watched, regions: Mapping[str, RegionState], now: datetime) -> frozenset[str]:
    """The regions of a check whose own network fails, or did a moment ago: what fails there says nothing.

    Unless it is so in all of several regions that are not silent: then it is the internet, or what the control runs
    look at.
    """
    if not regions:
        return frozenset()
    found = frozenset(
        name
        for name in watched.regions
        if (region := regions.get(name)) is not None
        and (region.blind is not None or (region.ill is not None and now - region.ill <= ILL))
    )
    if len(found) < 2:
        return found
    heard = {name for name in watched.regions if not is_silent(regions, name)}
    return found - heard if len(heard) > 1 and heard <= found else found


def is_silent(regions: Mapping[str, RegionState], name: str) -> bool:
    """Whether nothing is heard from a region."""
    return (region := regions.get(name)) is not None and region.silent is not None


def speaking(check: CheckState, watched: Watched, regions: Mapping[str, RegionState], now: datetime) -> tuple[str, ...]:
    """The regions that take part in a judgement: neither ill nor silent, and heard of this check lately.

    One that was never heard of yet does.
    """
    void = ill(watched, regions, now)
    return tuple(
        name
        for name in watched.regions
        if name not in void
        and not is_silent(regions, name)
        and ((place := check.places.get(name)) is None or place.at is None or is_fresh(place, watched, now))
    )


def status(check: CheckState | None, watched: Watched, regions: Mapping[str, RegionState], now: datetime) -> Verdict:
    """How a check stands, for whoever looks: `UNKNOWN` when nothing fresh is known."""
    if check is None or not reporting(check, watched, regions, now):
        return Verdict.UNKNOWN
    return check.verdict


def late_after(check: CheckState | None, watched: Watched, region: str) -> float | None:
    """Seconds after which a run of a check from a region is overdue; `None`: not known, or not before its timeout."""
    late = None if check is None else check.habits.late_after(region)
    return None if late is None or late >= watched.timeout.total_seconds() else late
