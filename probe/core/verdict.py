"""What the runs of all regions mean together for one check. Small rules, each by itself; the detector of v1."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from probe.core.failure import Layer
from probe.core.incident import Verdict
from probe.core.rules import Watched
from probe.core.state import CheckState, Place, RegionState

FAILS: Final = 2
"""Failed runs in a row that it takes in each region of a majority."""
LASTING: Final = timedelta(seconds=20)
"""How long a region that stands alone, which nobody else confirms, must have failed: blips have healed by then."""
FAILS_ALONE: Final = 3
"""Failed runs in a row that do as well."""
PASSES: Final = 3
"""Passed runs in a row after which a region has recovered."""
PATIENCE: Final = timedelta(seconds=30)
"""How long beyond a check's timeout the answers of other regions, and of a control run, are waited for."""


def time_to_live(watched: Watched) -> timedelta:
    """How long what is known of a check in a region is good for."""
    return 3 * watched.every + watched.timeout


def is_fresh(place: Place, watched: Watched, now: datetime) -> bool:
    """Whether the last answer about the target is young enough to say anything about the present."""
    return place.at is not None and now - place.at <= time_to_live(watched)


def is_lasting(place: Place) -> bool:
    """Whether a region has failed often or long enough to be believed by itself."""
    if place.fails < FAILS or place.at is None or place.since is None:
        return False
    return place.fails >= FAILS_ALONE or place.at - place.since >= LASTING


def awaits_control(region: RegionState | None, now: datetime) -> bool:
    """Whether a control run of the region was asked for and may still answer."""
    if region is None or region.asked is None or now > region.asked + PATIENCE:
        return False
    return region.answered is None or region.answered < region.asked


def reporting(
    check: CheckState, watched: Watched, regions: Mapping[str, RegionState], now: datetime
) -> dict[str, Place]:
    """The regions that have something to say: watched from, heard of lately, and not blind.

    A silent region leaves numerator and denominator.
    """
    return {
        name: place
        for name, place in check.places.items()
        if name in watched.regions
        and is_fresh(place, watched, now)
        and not ((region := regions.get(name)) and region.blind)
    }


def verdict_of(places: Mapping[str, Place], watched: Watched, now: datetime) -> Verdict:
    """The verdict over the regions that report. `OK` also where a suspicion is not confirmed yet.

    `DOWN` is more than half of them failing, each twice in a row (and lasting, where there is only one). `REGIONAL` is
    fewer, of which one has lasted, once the others were heard of since.
    """
    if not places:
        return Verdict.UNKNOWN
    bad = {name: place for name, place in places.items() if place.fails}
    if not bad:
        return Verdict.OK
    lasting = [place for place in bad.values() if is_lasting(place)]
    if 2 * len(bad) > len(places):
        if any(place.fails < FAILS for place in bad.values()) or (len(bad) == 1 and not lasting):
            return Verdict.OK
        blamed = all(place.failure and place.failure.layer is Layer.THIRD_PARTY for place in bad.values())
        return Verdict.THIRD_PARTY if blamed else Verdict.DOWN
    if not lasting or _others_pending(bad, places, watched, now):
        return Verdict.OK
    return Verdict.REGIONAL


def _others_pending(bad: Mapping[str, Place], places: Mapping[str, Place], watched: Watched, now: datetime) -> bool:
    """Whether a region that has not failed was not heard of since the failing began, and may still be."""
    since = min(place.since or now for place in bad.values())
    if now > since + watched.timeout + PATIENCE:
        return False
    return any(place.at is None or place.at < since for name, place in places.items() if name not in bad)


def status(check: CheckState | None, watched: Watched, regions: Mapping[str, RegionState], now: datetime) -> Verdict:
    """How a check stands, for whoever looks: `UNKNOWN` when nothing fresh is known."""
    if check is None:
        return Verdict.UNKNOWN
    return verdict_of(reporting(check, watched, regions, now), watched, now)
