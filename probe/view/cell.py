"""A check in a region: its last runs, how old they are, and what is wrong."""

from datetime import timedelta
from typing import Final

from probe.core.encode import timestamp
from probe.core.rules import Watched
from probe.core.run import Outcome
from probe.core.state import State
from probe.core.verdict import ill, time_to_live
from probe.store.latest import Glance, moment_of
from probe.view.documents import Cell, Failing
from probe.view.recent import Strip
from probe.view.sources import Sources

UNKNOWN: Final = "unknown"
BLIND: Final = "blind"


def cell_of(watched: Watched, region: str, strip: Strip | None, state: State, sources: Sources) -> Cell:
    """How a check stands in a region.

    What is too old says nothing of the present: after three times the time between two runs, and the timeout, it is
    `unknown`. Where the region's own network fails it is `blind`.
    """
    if strip is None:
        return Cell(
            region=region,
            state=BLIND if _is_blind(watched, region, state, sources) else UNKNOWN,
            bars="",
            heights="",
            at=None,
            age=None,
            run=None,
            failing=None,
        )
    last, now = strip.last, sources.now
    ended = moment_of(last.started + last.duration)
    if last.outcome == Outcome.MISSED and last.slots > 1:
        ended = min(ended + (last.slots - 1) * watched.every, max(now, ended))
    age = max(now - ended, timedelta())
    if _is_blind(watched, region, state, sources):
        word = BLIND
    else:
        word = UNKNOWN if age > time_to_live(watched) else last.outcome
    return Cell(
        region=region,
        state=word,
        bars=strip.bars,
        heights=strip.heights,
        at=timestamp(ended),
        age=round(age.total_seconds(), 1),
        run=last.id,
        failing=None if last.layer is None else _failing(last, sources),
    )


def _is_blind(watched: Watched, region: str, state: State, sources: Sources) -> bool:
    known = state.regions.get(region)
    if known is None or (known.blind is None and known.ill is None):
        return False
    return region in ill(watched, state.regions, sources.now)


def _failing(last: Glance, sources: Sources) -> Failing:
    return Failing(
        layer=last.layer or "",
        kind=last.kind or "",
        message=sources.redactor.text(last.message or ""),
        step=None if last.step is None else sources.redactor.text(last.step),
    )
