"""Whether the network of a region of ours works: told by control runs, and by samples taken as runs fail."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from probe.core import ours
from probe.core.draft import Draft
from probe.core.failure import Failure
from probe.core.judge import consider, forgive
from probe.core.place import taken_back
from probe.core.rules import Watched
from probe.core.run import Control, Outcome, Run
from probe.core.state import Place
from probe.core.verdict import awaits_control, ill

LASTING: Final = timedelta(minutes=2)
"""How long a region must be blind before that is told: most trouble of a network is over by then."""


def is_void(draft: Draft, run: Run, watched: Watched) -> bool:
    """Whether what fails where a run was made says nothing of the target."""
    region = draft.regions.get(run.region)
    if region is None or (region.blind is None and region.ill is None):
        return False
    return run.region in ill(watched, draft.regions, draft.now)


def control(draft: Draft, run: Run) -> None:
    """A control run: what needs nothing of any target works from a region, or it does not; told once that has lasted."""
    if run.outcome is Outcome.PASSED:
        _works(draft, run.region)
        ours.able(draft, run.region, run.check, run.started)
    elif run.outcome in (Outcome.FAILED, Outcome.ERRORED):
        blind = _is_gone(draft, run, run.started, run.failure)
        if run.failure is not None and draft.now - blind >= LASTING:
            ours.suffer(draft, run.region, run.check, run, run.failure)


def sample(draft: Draft, run: Run, control: Control) -> None:
    """A control sample that was taken as a run failed: it says of the region what a control run does.

    The control run that it was is told beside: whether the trouble of the region is worth a word is decided there.
    """
    if control.well:
        _works(draft, run.region, sampled=draft.now)
    else:
        _is_gone(draft, run, control.at, Failure.of("no_network", f"control sample: {control.text}"))


def _works(draft: Draft, name: str, *, sampled: datetime | None = None) -> None:
    """What needs nothing of any target works from a region: whoever has waited for that can go on."""
    region = draft.region(name)
    waited = region.blind is not None or awaits_control(region, draft.now)
    sampled = sampled or region.sampled
    draft.put_region(name, replace(region, answered=draft.now, blind=None, failure=None, run=None, sampled=sampled))
    if waited:
        for watched in suspects(draft):
            consider(draft, watched)


def _is_gone(draft: Draft, run: Run, at: datetime, failure: Failure | None) -> datetime:
    """The network of a region does not work, seen by a run at that time: what fails there says nothing.

    Since when it does not.
    """
    name, region = run.region, draft.region(run.region)
    blind = region.blind or at
    draft.put_region(name, replace(region, answered=draft.now, blind=blind, ill=draft.now, failure=failure, run=run.id))
    if region.blind is None:
        for watched in suspects(draft):
            _forgive(draft, watched, name)
    return blind


def _forgive(draft: Draft, watched: Watched, region: str) -> None:
    """It was us: what failed in a region that has gone blind was nothing, and counts as lost."""
    if region not in ill(watched, draft.regions, draft.now):
        return
    check = draft.check(watched.id)
    if check.opened:
        return
    place = check.places.get(region)
    if place is not None and place.fails:
        draft.count(taken_back(place.bad))
        draft.put_place(watched.id, region, Place(slot=place.slot, outcome=place.outcome))
    forgive(draft, watched, region)
    consider(draft, watched)


def suspects(draft: Draft) -> list[Watched]:
    """The checks of which more is to be asked as time passes, or as our own network is heard of."""
    return [draft.rules.checks[check] for check in sorted(draft.state.suspects) if check in draft.rules.checks]
