"""One check: what a run of it means, and which runs to ask for."""

from collections.abc import Mapping
from dataclasses import replace

from probe.core.cases import is_told
from probe.core.confirm import PROBED, SLOW_STILL, SLOW_SUSPICIOUS, SUSPICIOUS, Suspicion, Wish, probes_of, round_of
from probe.core.detector import SLOW_BIN, Evidence, commonest, limits, points_of, weigh
from probe.core.draft import Draft
from probe.core.fact import Fact
from probe.core.gates import open_what_is_certain
from probe.core.habits import fading
from probe.core.holds import FAIL, SLOW, key_of
from probe.core.recovery import recover
from probe.core.rules import Watched
from probe.core.state import CheckState, Place
from probe.core.trail import cut, insert, learn, settle, without, without_overdue
from probe.core.verdict import PATIENCE, speaking


def observe(draft: Draft, watched: Watched, check: CheckState, fact: Fact, places: Mapping[str, Place]) -> None:
    """Take a fact in: into the trail; and see what it means, unless all is as ever.

    `check` is the state to go on from, `places` are those that it has from now on.
    """
    habits = check.habits
    alarming = not fact.ok
    if fact.took and (bins := habits.bins(fact)):
        worst = bins[0][1] if len(bins) == 1 else max(number for _, number in bins)
        fact = Fact(*fact[:-2], bins, worst)
        alarming = worst >= SLOW_BIN
    trail = insert(check.trail, fact)
    if not alarming and check.suspicion is None and not check.opened and not check.held:
        trail, old = settle(trail, _memory(watched))
        if old:
            habits = learn(habits, old, fading(watched.every))
        draft.put_check(watched.id, CheckState(places=places, trail=trail, habits=habits, purse=check.purse))
        return
    if trail[-1] is fact and len(trail) == len(check.trail) + 1:  # it is the latest: what was weighed still holds
        weighed = draft.weighed(watched.id)
        if weighed is not None and weighed.trail is check.trail:
            draft.put_weighed(watched.id, trail, weighed.evidence.then(fact))
    draft.put_check(watched.id, replace(check, places=places, trail=trail))
    consider(draft, watched, fact)


def _is_cool(check: CheckState, evidence: Evidence) -> bool:
    """Whether so little speaks against the target that nothing is to be decided or asked for."""
    return not (
        check.opened
        or check.held
        or check.suspicion is None
        or check.suspicion.is_hot
        or check.suspicion.rounds
        or evidence.fail.score >= SUSPICIOUS
        or any(doubt.score >= PROBED for doubt in evidence.doubts.values())
        or any(pool.score >= SLOW_STILL for pool in evidence.slow.values())
    )


def consider(draft: Draft, watched: Watched, fact: Fact | None = None) -> None:
    """See what is known of a check: `fact` is what is new, `None` as time passes."""
    check = draft.check(watched.id)
    if not check.trail:
        draft.put_check(watched.id, replace(check, suspicion=None))
        return
    if check.opened and not is_told(draft, watched):  # its incident was left behind with its former cause
        draft.put_check(watched.id, check.anew())
        return
    regions = speaking(check, watched, draft.regions, draft.now)
    evidence = _weigh(draft, watched, regions)
    if _is_cool(draft.check(watched.id), evidence):
        _forget(draft, watched, evidence)
        return
    open_what_is_certain(draft, watched, evidence, regions, fact)
    recovering = recover(draft, watched)
    if draft.check(watched.id).trail is check.trail:  # else something is over: what was weighed says nothing any more
        _ask(draft, watched, evidence, regions, fact, recovering=recovering)
    _forget(draft, watched, evidence)


def _weigh(draft: Draft, watched: Watched, regions: tuple[str, ...]) -> Evidence:
    """What the trail of a check says, of the regions that take part; as it was weighed already, if that still holds."""
    check, bounds = draft.check(watched.id), limits(watched.every.total_seconds(), len(regions))
    suspicion = check.suspicion or Suspicion()
    if not suspicion.points:
        worth = tuple((name, points_of(check.habits, name)) for name in watched.regions)
        suspicion = suspicion._replace(points=worth)
        check = replace(check, suspicion=suspicion)
        draft.put_check(watched.id, check)
    weighed = draft.weighed(watched.id)
    if weighed is not None and weighed.trail is check.trail:
        evidence = weighed.evidence
        if (
            evidence.limits is bounds
            and len(evidence.points) == len(regions)
            and all(n in evidence.points for n in regions)
        ):
            return evidence
    points = {name: worth for name, worth in suspicion.points if name in regions}
    evidence = weigh(check.trail, points, bounds)
    draft.put_weighed(watched.id, check.trail, evidence)
    return evidence


def forgive(draft: Draft, watched: Watched, region: str) -> None:
    """It was us: what failed from a region says nothing."""
    check = draft.check(watched.id)
    draft.put_check(watched.id, replace(check, trail=without(check.trail, region)))


def came_to_nothing(draft: Draft, watched: Watched, region: str) -> None:
    """A run that was overdue from a region has ended, and says nothing."""
    check = draft.check(watched.id)
    if any(fact.overdue and fact.region == region for fact in check.trail):
        draft.put_check(watched.id, replace(check, trail=without_overdue(check.trail, region)))
        consider(draft, watched)


def _memory(watched: Watched) -> float:
    """Seconds for which the result of a run may still come after those of later ones."""
    return watched.timeout.total_seconds() + PATIENCE.total_seconds()


def _forget(draft: Draft, watched: Watched, evidence: Evidence) -> None:
    """Drop what does not matter any more, and learn from it, if it was part of an ordinary day."""
    check = draft.check(watched.id)
    if not check.trail:
        draft.put_check(watched.id, replace(check, suspicion=None))
        return
    quiet = not check.opened and not check.held
    if quiet and evidence.is_none and check.trail[-1].ok:
        trail, old = settle(check.trail, _memory(watched))
        habits = learn(check.habits, old, fading(watched.every)) if old else check.habits
        draft.put_check(watched.id, replace(check, trail=trail, habits=habits, suspicion=None))
    elif (trail := cut(check.trail, len(watched.regions))) is not check.trail:
        draft.put_check(watched.id, replace(check, trail=trail))


def _ask(
    draft: Draft,
    watched: Watched,
    evidence: Evidence,
    regions: tuple[str, ...],
    fact: Fact | None,
    *,
    recovering: bool,
) -> None:
    check, now, timeout = draft.check(watched.id), draft.now.timestamp(), watched.timeout.total_seconds()
    suspicion = check.suspicion or Suspicion()
    if fact is not None and not fact.scheduled:
        suspicion = suspicion.heard(fact.region, now)
    purse = check.purse.filled(now, watched.every.total_seconds(), len(watched.regions))
    wish, score = Wish(suspicion, purse), evidence.fail.score
    slow = slowest[1].score if (slowest := evidence.slowest) is not None else 0.0
    grave = bool({FAIL, SLOW} & set(check.held))
    broad = bool({FAIL, SLOW} & set(check.opened))

    def ask_round(*, skip: str | None = None, urgent: bool = False) -> Wish:
        return round_of(
            suspicion, purse, evidence, regions, now, timeout, skip=skip, urgent=urgent, grave=grave or recovering
        )

    vain = _in_vain(check, watched)
    if vain:
        if fact is not None and not fact.ok:
            wish = Wish(suspicion, purse, (), tuple(name for name, share in evidence.fail.share.items() if share > 0.0))
    elif broad:
        whole = not watched.spared and watched.confirm_with is None  # else extra runs prove nothing by passing
        if recovering and whole and suspicion.rested(now, timeout):
            wish = ask_round()
    elif fact is not None and not fact.ok and score >= SUSPICIOUS:
        wish = ask_round(skip=fact.region, urgent=score >= evidence.limits.needed / 2 and FAIL not in check.held)
    elif slow >= SLOW_SUSPICIOUS and not suspicion.asked:
        wish = ask_round()
    elif suspicion.rested(now, timeout):
        if grave or score >= SUSPICIOUS or slow >= SLOW_STILL:
            wish = ask_round()
        else:
            wish = Wish(suspicion._replace(rounds=0), purse)
    if FAIL not in check.opened and len(watched.regions) > 1 and not vain:
        told = {name for name in regions if key_of(name) in check.opened}
        wish = probes_of(wish, evidence, tuple(name for name in regions if name not in told), now)
    hot = bool(
        check.opened or check.held or score >= SUSPICIOUS or slow >= SLOW_STILL or wish.suspicion.awaited
    ) or any(doubt.score >= PROBED for doubt in evidence.doubts.values())
    draft.put_check(watched.id, replace(check, suspicion=wish.suspicion._replace(is_hot=hot), purse=wish.purse))
    if wish.runs:
        draft.ask(watched.confirm_with or watched.id, wish.runs)
    for name in wish.controls:
        draft.ask_control(name)


def _in_vain(check: CheckState, watched: Watched) -> bool:
    """Whether extra runs can say nothing: what fails is a step that they do not reach."""
    if watched.confirm_with is not None or not watched.spared:
        return False
    mode = commonest(check.trail)
    return mode is not None and mode[0] in watched.spared
