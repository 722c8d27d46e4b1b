"""Which runs convinced us, in plain words and numbers that a stranger can count again in `probe history`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import exp
from typing import Final

from probe.core.detector import SLOW_BIN, Evidence, commonest, is_third_party
from probe.core.draft import Draft
from probe.core.fact import BLOCKED, WHOLE, Fact
from probe.core.failure import KINDS, Failure
from probe.core.holds import SLOW, region_of
from probe.core.incident import Verdict
from probe.core.rules import Severity, Watched
from probe.core.run import RunId
from probe.core.state import Place
from probe.core.verdict import ILL

DOWN: Final = 0.75
"""The share of customers from which they are said to be shut out, rather than hindered."""
PAGE_BURN: Final = 14.4
"""How many times too fast the error budget must burn for a page: 2 % of 30 days' in an hour (SRE workbook, chapter 5)."""
PROMISE: Final = 0.999
"""What is taken to be promised where nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Trouble of a check that is certain: what, where, since when, and which runs say so.

    `failure` speaks for all, `run` is the first bad run with it, `changed` what was otherwise in it than in the last good
    one, and `evidence` the sentence that convinces.
    """

    verdict: Verdict
    severity: Severity
    regions: tuple[str, ...]
    since: datetime
    share: float
    failure: Failure
    run: RunId
    picture: str | None
    evidence: str
    changed: str = ""


def find(
    draft: Draft, watched: Watched, key: str, evidence: Evidence, regions: tuple[str, ...], waited: float
) -> Finding | None:
    """What is to be said about trouble that is certain; `None` while no run has ended that shows it."""
    check = draft.check(watched.id)
    region = region_of(key)
    if key == SLOW:
        return _slow(draft, watched, evidence, regions, waited)
    start = _start(check.trail, evidence, region)
    places = regions if region is None else (region,)
    facts = [fact for fact in check.trail[start:] if fact.region in places and (fact.counts or not fact.ok)]
    failed = [fact for fact in facts if not fact.ok]
    names = tuple(sorted({fact.region for fact in failed}))
    mode = commonest(facts)
    told = _told(check.places, names, mode)
    if told is None or mode is None:
        return None
    place, failure, run = told
    bad, runs = len(failed), len(facts)
    since = datetime.fromtimestamp(min(fact.began for fact in failed), UTC)
    suffering = _suffering(facts)
    verdict = Verdict.REGIONAL if region is not None else _verdict(failed, suffering)
    text = account(draft, watched, facts, regions, failure, since, waited)
    return Finding(
        verdict=verdict,
        severity=_severity(draft, watched, verdict, suffering, names, regions),
        regions=names,
        since=since,
        share=(bad + 0.5) / (runs + 1),
        failure=failure,
        run=run,
        picture=place.picture,
        evidence=text,
        changed=place.changed,
    )


def _start(trail: Sequence[Fact], evidence: Evidence, region: str | None) -> int:
    """Where in a trail the trouble begins: of all regions together, or of those that are down by their own evidence."""
    pool = evidence.fail
    if region is None and pool.since is not None:
        known, names = [pool.since], evidence.down()
    else:
        known, names = [], list(evidence.doubts) if region is None else [region]
    begun = [since for name in names if (since := evidence.doubts[name].since) is not None]
    since = min(known + begun, default=0.0)
    return next((i for i, fact in enumerate(trail) if not fact.ok and fact.began >= since), 0)


def _told(
    places: Mapping[str, Place], names: tuple[str, ...], mode: tuple[str, str] | None
) -> tuple[Place, Failure, RunId] | None:
    """The region that speaks for all: the first whose failure is of the commonest sort, else the first of all."""
    found = sorted(
        (
            (place.since, name, place, place.failure, place.run)
            for name in names
            if (place := places.get(name)) is not None and place.failure and place.since and place.run
        ),
        key=lambda item: item[:2],
    )
    alike = [item for item in found if (item[3].step or "", item[3].kind) == mode]
    return (alike or found)[0][2:] if found else None


def _suffering(facts: Sequence[Fact]) -> float:
    """The share of customers that suffer: of the regions that were looked at from, each with its own share of bad runs.

    Where it fails more runs are made: counted alike, they would make half of the regions most of the customers.
    """
    runs: dict[str, tuple[int, int]] = {}
    for fact in facts:
        bad, of = runs.get(fact.region, (0, 0))
        runs[fact.region] = bad + (not fact.ok), of + 1
    return sum(bad / of for bad, of in runs.values()) / len(runs)


def _verdict(failed: Sequence[Fact], share: float) -> Verdict:
    known = [fact for fact in failed if not fact.overdue]
    if known and 2 * sum(is_third_party(fact.kind) for fact in known) > len(known):
        return Verdict.THIRD_PARTY
    if known and 2 * sum(fact.kind == BLOCKED for fact in known) > len(known):
        return Verdict.BLOCKED
    return Verdict.DOWN if share >= DOWN else Verdict.DEGRADED


def _severity(
    draft: Draft, watched: Watched, verdict: Verdict, share: float, names: tuple[str, ...], regions: tuple[str, ...]
) -> Severity:
    """From how fast the budget burns, over how much of the customers. What may be us alone is not worth a night."""
    if verdict is Verdict.REGIONAL and not all(name in draft.rules.controls for name in names):
        return Severity.TICKET
    if verdict is Verdict.BLOCKED and len(names) < len(regions):
        return Severity.TICKET
    targets = [o.target for o in draft.rules.counted.get(watched.id, ()) if o.under is None]
    breadth = len(names) / max(1, len(regions)) if verdict is Verdict.REGIONAL else 1.0
    burn = share * breadth / (1 - max(targets, default=PROMISE))
    return Severity.PAGE if burn >= PAGE_BURN else Severity.TICKET


def account(
    draft: Draft,
    watched: Watched,
    facts: Sequence[Fact],
    regions: tuple[str, ...],
    failure: Failure,
    since: datetime,
    waited: float,
) -> str:
    """The sentence on failed runs.

    `3 of 5 regions: 7 of 9 runs failed since 12:03:10, 6 of them at "add to cart" with HTTP 500; usual: 1 in 400; control
    runs fine`
    """
    failed = [fact for fact in facts if not fact.ok]
    names = sorted({fact.region for fact in failed})
    mode = commonest(facts)
    alike = sum((fact.step, fact.kind) == mode for fact in failed)
    where = f' at "{failure.step}"' if failure.step else ""
    how = f"{where} with {_kind(failure)}"
    of = "" if alike == len(failed) else f", {alike} of them"
    over = sum(fact.overdue for fact in failed)
    parts = [
        f"{len(names)} of {len(regions)} regions: {len(failed)} of {len(facts)} runs failed since {since:%H:%M:%S}{of}{how}"
        if of
        else f"{len(names)} of {len(regions)} regions: {len(failed)} of {len(facts)} runs failed{how} since {since:%H:%M:%S}"
    ]
    if over:
        parts.append(f"{over} of these {'has' if over == 1 else 'have'} not ended yet, far past the usual time")
    noise = draft.check(watched.id).habits.noise(names[0] if len(names) == 1 else None)
    parts.append(f"usual: 1 in {1 / sum(noise):.0f}")
    if waited >= 1:
        parts.append(f"watched for {waited:.0f} s, and it did not heal")
    parts.append(_controls(draft, names))
    return "; ".join(parts)


def _kind(failure: Failure) -> str:
    if failure.kind == "status" and failure.actual:
        return f"HTTP {failure.actual}"
    return f"{failure.layer}: {KINDS[failure.kind].words}" if failure.kind in KINDS else failure.kind


def _controls(draft: Draft, names: Sequence[str]) -> str:
    """What the control runs of these regions said in the last moments."""
    known = [draft.region(name) for name in names if name in draft.rules.controls]
    if not known:
        return "no control runs"
    fresh = [region for region in known if region.answered is not None and draft.now - region.answered <= ILL]
    if not fresh:
        return "no control run has answered yet"
    if all(region.sampled is not None and draft.now - region.sampled <= ILL for region in fresh) and len(fresh) == len(
        names
    ):
        return f"{_runs_from(names)} in the same second {'was' if len(names) == 1 else 'were'} well"
    fine = sum(region.blind is None and (region.ill is None or draft.now - region.ill > ILL) for region in fresh)
    return "control runs fine" if fine == len(names) else f"control runs fine in {fine} of {len(names)}"


def _runs_from(names: Sequence[str]) -> str:
    return f"a control run from {names[0]}" if len(names) == 1 else f"control runs from {', '.join(names)}"


def _slow(
    draft: Draft, watched: Watched, evidence: Evidence, regions: tuple[str, ...], waited: float
) -> Finding | None:
    found = evidence.slowest
    check = draft.check(watched.id)
    if found is None:
        return None
    name, pool = found
    facts = [fact for fact in check.trail[pool.first :] if fact.ok and fact.region in regions and fact.took]
    slow = [fact for fact in facts if dict(fact.bins).get(name, 0) >= SLOW_BIN]
    if not slow:
        return None
    series = check.habits.series[name]
    names = tuple(sorted({fact.region for fact in slow}))
    now = sorted(exp(dict(fact.took)[name]) for fact in slow)[len(slow) // 2]
    medians = [exp(series.medians[region][0]) for region in names if region in series.medians]
    usual = sum(medians) / len(medians)
    bound = usual * exp(series.bounds[1])
    since = datetime.fromtimestamp(slow[0].began, UTC)
    step = name if name != WHOLE else None
    what = f'step "{step}"' if step else "the run"
    failure = Failure.of("slow", f"{what} takes {now:.2g} s, usually {usual:.2g} s", step=step)
    text = (
        f"{len(names)} of {len(regions)} regions: {len(slow)} of {len(facts)} runs took more than {bound:.2g} s for {what} since "
        f"{since:%H:%M:%S}; usual: {usual:.2g} s, and 1 run in 50 as slow as that"
    )
    if waited >= 1:
        text += f"; watched for {waited:.0f} s, and it did not heal"
    share = len(slow) / len(facts)
    return Finding(
        verdict=Verdict.DEGRADED,
        severity=_severity(draft, watched, Verdict.DEGRADED, share, names, regions),
        regions=names,
        since=since,
        share=share,
        failure=failure,
        run=RunId(slow[0].run),
        picture=None,
        evidence=text,
    )
