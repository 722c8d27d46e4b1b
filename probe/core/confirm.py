"""Extra runs on suspicion: in the other regions at once, again until it is clear, and control runs where it fails.

Bought from a budget, so that a shop that is ill is not pressed harder than the user allows.
"""

from typing import Final, NamedTuple

from probe.core.detector import APART, Evidence, Points

SUSPICIOUS: Final = 2.0
"""Points from which every other region is asked."""
SLOW_SUSPICIOUS: Final = 6.0
SLOW_STILL: Final = 5.0
PROBED: Final = 3.5
"""Points from which a region is looked at by itself."""
GAP: Final = 5.0
"""Seconds between the last answer of a round and the next round."""
ROUNDS: Final = 12
"""Rounds in one excursion at most; twice as many for a check in one region."""
SOLO: Final = 3
SOLO_WITHIN: Final = 300.0
"""Rounds in so many seconds while only one region says anything, at most."""
SHARE: Final = 0.15
"""Of the runs of the schedule, as many extra runs are allowed."""
PURSE: Final = 60.0
"""Extra runs that may be saved up. Half of them are kept for grave suspicion."""
PATIENCE: Final = 30.0
"""Seconds beyond its timeout that an extra run is waited for."""


class Purse(NamedTuple):
    """Extra runs that may be made, as of `at` (a token bucket)."""

    runs: float = PURSE
    at: float = 0.0

    def filled(self, now: float, every: float, regions: int) -> "Purse":
        """The purse with what has come in since."""
        return Purse(min(PURSE, self.runs + max(0.0, now - self.at) * SHARE * regions / every), max(self.at, now))

    def spent(self, count: int, *, grave: bool) -> "Purse | None":
        """The purse after buying; `None` when that cannot be afforded."""
        return Purse(self.runs - count, self.at) if self.runs >= count + (0.0 if grave else PURSE / 2) else None


FULL: Final = Purse()
"""A purse that nothing was taken from."""


class Suspicion(NamedTuple):
    """An excursion that is looked into. Times are seconds since 1970.

    `awaited` are the regions whose answer to the last round has not come, `asked` is when it was asked for, `answered`
    when the last answer came. `solo` are rounds for the sake of one region alone; `probed` is when each region was
    looked at by itself. `points` are those that runs are worth in this excursion, by region: fixed when it begins. `is_hot`
    says whether there may be more to ask for as time passes.
    """

    rounds: int = 0
    asked: float = 0.0
    answered: float = 0.0
    awaited: tuple[str, ...] = ()
    solo: tuple[float, ...] = ()
    probed: tuple[tuple[str, float], ...] = ()
    points: tuple[tuple[str, Points], ...] = ()
    is_hot: bool = False

    def heard(self, region: str, now: float) -> "Suspicion":
        """It, after an answer."""
        if region not in self.awaited:
            return self
        awaited = tuple(name for name in self.awaited if name != region)
        return self._replace(awaited=awaited, answered=now if not awaited else self.answered)

    def waits(self, now: float, timeout: float) -> bool:
        """Whether an answer may still come."""
        return bool(self.awaited) and now <= self.asked + timeout + PATIENCE

    def rested(self, now: float, timeout: float) -> bool:
        """Whether it is time for another round."""
        return not self.waits(now, timeout) and now - max(self.answered, self.asked) >= GAP


class Wish(NamedTuple):
    """What is to be asked for: runs of the check, and control runs, from these regions."""

    suspicion: Suspicion
    purse: Purse
    runs: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()


def round_of(
    suspicion: Suspicion,
    purse: Purse,
    evidence: Evidence,
    regions: tuple[str, ...],
    now: float,
    timeout: float,
    *,
    skip: str | None = None,
    urgent: bool = False,
    grave: bool = False,
) -> Wish:
    """One run in every region that can add something, if it is time, allowed and affordable."""
    nothing = Wish(suspicion, purse)
    if suspicion.rounds >= (ROUNDS if len(regions) > 1 else 2 * ROUNDS):
        return nothing
    if not urgent and suspicion.asked and not suspicion.rested(now, timeout):
        return nothing
    places = tuple(
        name
        for name in regions
        if (name != skip or len(regions) == 1)
        and (urgent or not (suspicion.waits(now, timeout) and name in suspicion.awaited))
        and ((doubt := evidence.doubts.get(name)) is None or now - doubt.counted >= APART)
    )
    if not places:
        return nothing
    pool = evidence.fail
    grave = grave or pool.score >= pool.limits.needed / 2
    suspects = tuple(name for name, share in pool.share.items() if share > 0.0)
    solo = suspicion.solo
    if not grave and len(regions) > 1 and len(suspects) == 1:
        solo = tuple(at for at in solo if at > now - SOLO_WITHIN)
        if len(solo) >= SOLO:
            return nothing
        solo += (now,)
    left = purse.spent(len(places), grave=grave)
    if left is None:
        return nothing
    asked = suspicion._replace(rounds=suspicion.rounds + 1, asked=now, answered=0.0, awaited=places, solo=solo)
    return Wish(asked, left, places, suspects)


def probes_of(wish: Wish, evidence: Evidence, regions: tuple[str, ...], now: float) -> Wish:
    """And a run, with a control run, in each region that looks bad by itself."""
    suspicion, purse, runs, controls = wish
    probed = dict(suspicion.probed)
    for name, doubt in evidence.doubts.items():
        if doubt.score < PROBED or name in runs or name not in regions:
            continue
        if not (doubt.recent & 1 or doubt.is_failing):
            continue  # what it said last was good news
        if now - doubt.counted < APART or now - probed.get(name, 0.0) < APART:
            continue
        left = purse.spent(1, grave=doubt.bad > 1)
        if left is not None:
            purse, probed[name] = left, now
            runs, controls = (*runs, name), tuple(dict.fromkeys((*controls, name)))
    return Wish(suspicion._replace(probed=tuple(probed.items())), purse, runs, controls)
