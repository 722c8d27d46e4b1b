"""How long trouble that is as good as certain is watched before it is told: as long as this check's own blips last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from probe.core.detector import Doubt, are_served
from probe.core.habits import DAY, Blip, Habits

FAIL: Final = "fail"
SLOW: Final = "slow"
REGION: Final = "region"
"""Sorts of trouble. That of a region has a key of its own: `region eu-west`."""

LEAST: Final[Mapping[str, float]] = {FAIL: 0.0, SLOW: 30.0, REGION: 900.0}
"""Bad seconds that trouble of each sort must last at least: seconds times the share of bad runs."""
MOST: Final[Mapping[str, float]] = {FAIL: 60.0, SLOW: 180.0, REGION: 1200.0}
"""Bad seconds after which it is told, whatever blips there were."""
SHORT: Final[Mapping[str, float]] = {FAIL: 60.0, SLOW: 240.0, REGION: 900.0}
"""Seconds below which an incident that is over was a blip."""
SERVED: Final = 30.0
"""Bad seconds for one region, when it is the service that answers badly there."""
ALONE: Final = 60.0
ALONE_SERVED: Final = 20.0
ALONE_SLOW: Final = 300.0
"""Bad seconds for a check that is run from one region only, where nothing can be cross-checked."""
MARGIN: Final = 1.2
"""How many times as long as the gravest blip."""
KNOWN: Final[Mapping[str, float]] = {FAIL: 30.0, SLOW: 100.0, REGION: 900.0}
"""The same for a check that is known for blips, however short the ones seen were: the next may be longer."""
REMEMBERED: Final = 90 * DAY
"""How long blips are remembered."""
RETURNS: Final = 600.0
"""Seconds within which trouble that comes back is the same trouble."""
KEPT: Final = 8
"""Blips of a sort that are remembered: the gravest, and the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Trouble that is certain enough, and waits: when it began, its last bad run, and the share of bad runs."""

    since: float
    last: float
    share: float

    @property
    def mass(self) -> float:
        """Bad seconds so far."""
        return (self.last - self.since) * self.share


def region_of(key: str) -> str | None:
    """The region of a key, for trouble of one region."""
    return key.removeprefix(f"{REGION} ") if key.startswith(f"{REGION} ") else None


def sort_of(key: str) -> str:
    """The sort of trouble that a key names."""
    return key.partition(" ")[0]


def key_of(region: str) -> str:
    """The key of the trouble of a region."""
    return f"{REGION} {region}"


def patience(habits: Habits, key: str, doubts: Sequence[Doubt], regions: int, now: float) -> float:
    """Bad seconds to wait for: a little longer than what healed by itself before, the more so the less is known."""
    sort = sort_of(key)
    needed = _learned(habits, sort, now)
    if sort == REGION and are_served(doubts, 3):
        return min(needed, SERVED)
    if regions == 1 and sort == FAIL:
        return max(needed, ALONE_SERVED if are_served(doubts, 3) else ALONE)
    if regions == 1 and sort == SLOW:
        return max(needed, ALONE_SLOW)
    return needed


def _learned(habits: Habits, sort: str, now: float) -> float:
    masses = sorted((blip.mass for blip in habits.blips.get(sort, ()) if now - blip.at <= REMEMBERED), reverse=True)
    rank = 1 if sort == REGION else 0
    if len(masses) <= rank:
        return LEAST[sort]
    return max(KNOWN[sort], min(MOST[sort], MARGIN * masses[rank]))


def healed(habits: Habits, key: str, now: float, since: float, mass: float) -> Habits:
    """The habits after trouble that healed by itself: a blip, should it not come back soon."""
    habits, _ = returned(habits, key, now)
    return habits._replace(last={**habits.last, key: (now, since, mass)})


def returned(habits: Habits, key: str, now: float) -> tuple[Habits, float | None]:
    """The habits as new trouble begins, and when it really began, if it is that of a moment ago that came back."""
    known = habits.last.get(key)
    if known is None:
        return habits, None
    over, since, mass = known
    last = {name: value for name, value in habits.last.items() if name != key}
    if now - over <= RETURNS:
        return habits._replace(last=last), since
    sort = sort_of(key)
    blips = (*habits.blips.get(sort, ()), Blip(over, mass))
    if len(blips) > KEPT:
        lightest = min(blips[:-1], key=lambda blip: blip.mass)
        blips = tuple(blip for blip in blips if blip is not lightest)
    return habits._replace(last=last, blips={**habits.blips, sort: blips}), None
