"""When trouble of a check is certain, and whether it is told at once or held back to see whether it heals."""

from dataclasses import replace
from typing import Final

from probe.core import cases
from probe.core.account import Finding, find
from probe.core.confirm import Suspicion
from probe.core.detector import Evidence, are_served
from probe.core.draft import Draft
from probe.core.fact import Fact
from probe.core.holds import FAIL, SLOW, Held, healed, key_of, patience, region_of, returned
from probe.core.incident import Verdict
from probe.core.rules import Severity, Watched
from probe.core.run import RunId
from probe.core.state import CheckState, Opened
from probe.core.verdict import awaits_control

TICKET_AFTER: Final = 120.0
"""Seconds of trouble in one region after which it is a ticket, while it is watched whether it heals."""
MANY: Final = 300.0
"""Seconds after which several regions, but not all, are believed that cannot reach the target."""


def open_what_is_certain(
    draft: Draft, watched: Watched, evidence: Evidence, regions: tuple[str, ...], fact: Fact | None
) -> None:
    """Tell what is certain and has lasted; hold back what is certain and may heal. `fact` is what is new."""
    check, pool, bounds = draft.check(watched.id), evidence.fail, evidence.limits
    if FAIL in check.opened:
        _worsen(draft, watched, evidence, regions)
        return
    if any(not _is_watched_from(key, watched) for key in check.held):
        check = replace(check, held={key: held for key, held in check.held.items() if _is_watched_from(key, watched)})
        draft.put_check(watched.id, check)
    down = [name for name in evidence.down() if name in regions]
    many = _many(check, evidence, down, regions)
    begun = [since for name in down if (since := evidence.doubts[name].since) is not None]
    since = min(begun) if many and pool.firm < bounds.needed and begun else pool.since
    lasted = max([pool.last, *(evidence.doubts[name].last for name in down)])
    sure = pool.firm >= bounds.needed or many
    over = pool.score < bounds.needed / 4 and len(down) < 2
    if _gate(draft, watched, FAIL, evidence, regions, sure, over, since, lasted, pool.badness):
        return
    if SLOW not in check.opened and (slowest := evidence.slowest) is not None:
        _, slow = slowest
        _gate(
            draft, watched, SLOW, evidence, regions,
            slow.score >= bounds.needed, slow.score < bounds.needed / 4, slow.since, slow.last, slow.badness,
        )  # fmt: skip
    elif SLOW in check.held:
        _gate(draft, watched, SLOW, evidence, regions, False, True, None, 0.0, 1.0)
    if len(watched.regions) > 1:
        broad = FAIL in draft.check(watched.id).held  # what is watched in all regions is not that of one
        for name, doubt in evidence.doubts.items():
            key = key_of(name)
            if (key in check.opened and key not in check.held) or (fact is not None and name != fact.region):
                continue
            sure = not broad and doubt.score >= bounds.needed and doubt.is_bad
            over = doubt.score < bounds.needed / 4 or not doubt.recent & 31
            _gate(draft, watched, key, evidence, regions, sure, over, doubt.since, doubt.last, 1.0)


def _is_watched_from(key: str, watched: Watched) -> bool:
    return (region := region_of(key)) is None or region in watched.regions


def _worsen(draft: Draft, watched: Watched, evidence: Evidence, regions: tuple[str, ...]) -> None:
    """Say that customers are shut out, when what was told as less has become all: three failures in a row everywhere."""
    check = draft.check(watched.id)
    if check.verdict not in (Verdict.DEGRADED, Verdict.REGIONAL):
        return
    doubts = [evidence.doubts.get(name) for name in regions]
    if all(doubt is not None and doubt.recent & 7 == 7 for doubt in doubts):
        finding = find(draft, watched, FAIL, evidence, regions, 0.0)
        if finding is not None and finding.verdict in (Verdict.DEGRADED, Verdict.DOWN):
            draft.put_check(watched.id, replace(check, verdict=Verdict.DOWN))
            cases.tell(draft, watched, replace(finding, verdict=Verdict.DOWN), None)


def _many(check: CheckState, evidence: Evidence, down: list[str], regions: tuple[str, ...]) -> bool:
    """Whether several regions are down, each by its own evidence: two do, where it is the service that answers badly."""
    doubts = [evidence.doubts[name] for name in down]
    if len(down) < 2 or not any(doubt.classified for doubt in doubts):
        return False
    if are_served(doubts, 4):
        return True
    if len(down) < evidence.limits.regions:
        return False
    keys = [key_of(name) for name in down]
    known = [trouble.since for key in keys for trouble in (check.held.get(key), check.opened.get(key)) if trouble]
    began = min(
        [*known, *(doubt.since for doubt in doubts if doubt.since is not None)]
    )  # a trail goes back only so far
    return len(down) == len(regions) or check.trail[-1].ended - began >= MANY


def _gate(
    draft: Draft,
    watched: Watched,
    key: str,
    evidence: Evidence,
    regions: tuple[str, ...],
    sure: bool,
    over: bool,
    since: float | None,
    last: float,
    share: float,
) -> bool:
    """From certain, over held back, to told; what heals while it is held back was a blip. Whether it was told."""
    check = draft.check(watched.id)
    held, habits, now = check.held.get(key), check.habits, check.trail[-1].ended
    if held is not None:
        held = replace(held, last=max(held.last, last), share=share)
        if over:
            rest = {name: value for name, value in check.held.items() if name != key}
            if not set(check.opened) - {key}:
                habits = healed(habits, key, now, held.since, held.mass)
            if region_of(key) is not None:  # the path from one region, and not what was promised
                draft.explain(o.name for o in draft.rules.counted.get(watched.id, ()))
            draft.put_check(watched.id, replace(check, held=rest, habits=habits))
            return False
    if not sure:
        if held is not None:
            draft.put_check(watched.id, replace(check, held={**check.held, key: held}))
        return False
    if held is None:
        habits, before = returned(habits, key, now)
        begun = now if since is None else since
        if before is not None and region_of(key) is None:
            begun = min(begun, before)
        held = Held(since=begun, last=max(last, begun), share=share)
    draft.put_check(watched.id, replace(check, habits=habits, held={**check.held, key: held}))
    region = region_of(key)
    doubts = [evidence.doubts[region]] if region is not None else [*evidence.doubts.values()]
    needed = patience(habits, key, doubts, len(regions), now)
    if held.mass < needed and (region is None or key in check.opened or held.last - held.since < TICKET_AFTER):
        return False
    finding = find(draft, watched, key, evidence, regions, needed)
    if finding is None or any(awaits_control(draft.region(name), draft.now) for name in finding.regions):
        return False
    if held.mass < needed:  # it is worth a word in the morning, and is watched on
        _open(draft, watched, key, held, replace(finding, severity=Severity.TICKET), keep=True)
        return False
    _open(draft, watched, key, held, finding)
    return True


def _open(draft: Draft, watched: Watched, key: str, held: Held, finding: Finding, *, keep: bool = False) -> None:
    check = draft.check(watched.id)
    opened = Opened(
        since=held.since,
        last=held.last,
        share=finding.share,
    )
    broad = key == FAIL  # it takes in what is narrower
    rest = check.held if keep else {name: value for name, value in check.held.items() if name != key}
    suspicion = (check.suspicion or Suspicion())._replace(rounds=0)
    draft.put_check(
        watched.id,
        replace(
            check,
            held={} if broad else rest,
            opened={key: opened} if broad else {**check.opened, key: opened},
            suspicion=suspicion,
            verdict=finding.verdict,
        ),
    )
    cases.tell(draft, watched, finding, RunId(check.trail[-1].run) if check.trail[-1].run else None)
