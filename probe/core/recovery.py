"""When trouble of a check is over: as well founded as that it began."""

from collections.abc import Iterable
from dataclasses import replace
from math import log
from typing import Final

from probe.core import cases
from probe.core.confirm import Suspicion
from probe.core.detector import SLOW_POINTS
from probe.core.draft import Draft
from probe.core.fact import Fact
from probe.core.holds import SHORT, SLOW, healed, region_of, sort_of
from probe.core.rules import Watched
from probe.core.state import CheckState, Opened

OVER: Final = log(100)
"""Log-likelihood ratio at which trouble is over: a hundred to one."""
LEAST_SHARE: Final = 0.2
MOST_SHARE: Final = 0.95
"""Bounds of the share of bad runs that a recovery is measured by."""
QUIET: Final = 120.0
"""Seconds without a bad run after which trouble is over; twice as many for each time that it came back."""
QUIET_MOST: Final = 900.0


def recover(draft: Draft, watched: Watched) -> bool:
    """End what is over; whether something is on the way to be."""
    check, recovering = draft.check(watched.id), False
    for key in list(check.opened):
        opened, good = _progress(draft.check(watched.id), key, watched, draft)
        check = draft.check(watched.id)
        draft.put_check(watched.id, replace(check, opened={**check.opened, key: opened}))
        if (region := region_of(key)) is not None and region not in watched.regions:  # nobody looks from there any more
            _close(draft, watched, key, opened)
            continue
        if good <= 0.0:
            continue
        quiet = min(QUIET_MOST, QUIET * 2 ** cases.relapses(draft, watched))
        if good < OVER or check.trail[-1].ended - opened.last < quiet:
            recovering = recovering or region_of(key) is None
            continue
        _close(draft, watched, key, opened)
    return recovering


def _progress(check: CheckState, key: str, watched: Watched, draft: Draft) -> tuple[Opened, float]:
    """The trouble with its last bad run, and how much the runs since then say that it is over."""
    opened, region = check.opened[key], region_of(key)
    facts = [fact for fact in check.trail if region in (None, fact.region)]
    if sort_of(key) == SLOW:
        return _quicker(opened, [fact for fact in facts if fact.ended > opened.last])
    last = max((fact.ended for fact in facts if not fact.ok), default=opened.last)
    since = [fact for fact in facts if fact.ended > last and fact.counts]
    share = _share(opened, [fact for fact in facts if fact.ended <= last])
    noise = sum(check.habits.noise(region))
    good = len(since) * log((1 - noise) / (1 - min(MOST_SHARE, max(LEAST_SHARE, share))))
    if region is None and not cases.all_pass(draft, watched, {fact.region for fact in since}):
        good = min(good, OVER / 2)
    return replace(opened, last=last, share=share), good


def _share(opened: Opened, facts: Iterable[Fact]) -> float:
    """The share of bad runs while it lasted, as far as the trail goes back."""
    during = [fact for fact in facts if fact.began >= opened.since and (fact.counts or not fact.ok)]
    return (sum(not fact.ok for fact in during) + 0.5) / (len(during) + 1) if during else opened.share


def _quicker(opened: Opened, facts: Iterable[Fact]) -> tuple[Opened, float]:
    """The same for what was slow: a slow run now and then is ordinary, and does not begin it anew."""
    last, good = opened.last, 0.0
    for fact in facts:
        if fact.ok:
            good -= max((SLOW_POINTS[number] for _, number in fact.bins), default=0.0)
        else:
            good = 0.0
        good = min(good, 2 * OVER)
        if good <= 0.0:
            last, good = fact.ended, 0.0
    return replace(opened, last=last), good


def _close(draft: Draft, watched: Watched, key: str, opened: Opened) -> None:
    check, region = draft.check(watched.id), region_of(key)
    now, habits = check.trail[-1].ended, check.habits
    short = opened.last - opened.since
    rest = {name: value for name, value in check.opened.items() if name != key}
    held = {name: value for name, value in check.held.items() if name != key}
    if cases.relapses(draft, watched) == 0 and short < SHORT[sort_of(key)]:
        mass = max(1.0, short * (opened.share if region is None else 1.0))
        habits = healed(habits, key, now, opened.since, mass)
    good = [fact.began for fact in check.trail if fact.ok and fact.ended > opened.last]
    trail = () if region is None else tuple(fact for fact in check.trail if fact.region != region)
    suspicion = (check.suspicion or Suspicion())._replace(rounds=0)
    draft.put_check(watched.id, replace(check, habits=habits, held=held, opened=rest, trail=trail, suspicion=suspicion))
    if not rest:
        cases.recovered(draft, watched, min(good, default=now))
