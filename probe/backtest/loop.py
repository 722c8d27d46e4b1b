"""Plays worlds through the fold in simulated time: the schedule, the runs that judgement asks for, and time itself.

What the daemon's scheduler and recorder do between them, without waiting for anything.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from heapq import heappop, heappush, merge
from math import floor, inf
from typing import Any, Final

from probe.backtest.alert import Alert, Watcher
from probe.backtest.casting import EPOCH, Casting
from probe.backtest.sample import Sample, World
from probe.core.check import CheckId
from probe.core.evaluate import Event, Overdue, Tick, evaluate
from probe.core.ledger import FINE
from probe.core.rules import Rules
from probe.core.run import Run, Why
from probe.core.state import Ask, Change, State
from probe.core.verdict import late_after

EVERY: Final = 2.0
"""Seconds between two ticks of judgement, as in the daemon; here only while anything may come of them."""
PERIOD: Final = 256
"""Scheduled runs after which what need not be exact is looked at again."""
KEEP: Final = timedelta(days=400)
"""How long the counts of objectives are kept."""
TICK: Final = Tick()

Progress = Callable[[float], None]
"""Is told the time of the world, in seconds, now and then."""
Judge = Callable[[State, Event, Rules, datetime], Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of it. `unanswered`: runs that were asked for, and of which the world knew no answer."""

    alerts: tuple[Alert, ...]
    scheduled: int
    confirms: int
    controls: int
    unanswered: int
    seconds: float
    state: State


def play(
    world: World, rules: Rules, *, state: State | None = None, progress: Progress | None = None, judge: Judge = evaluate
) -> Played:
    """Judge the runs of a world by these rules, from `state` on; without one nothing is remembered at the beginning."""
    return play_together((world,), rules, state=state, progress=progress, judge=judge)


def play_together(
    worlds: Sequence[World],
    rules: Rules,
    *,
    state: State | None = None,
    progress: Progress | None = None,
    judge: Judge = evaluate,
) -> Played:
    """The same for several checks that are judged side by side. Their worlds must begin at the same time."""
    stage = _Stage(worlds, rules, State() if state is None else state, judge)
    stage.play(progress)
    return stage.played()


class _What(Enum):
    """What becomes due."""

    BEGAN = auto()
    """A scheduled run that will be slow has begun."""
    ASKED = auto()
    """A run was asked for while another one was on."""
    ENDED = auto()
    """A run that was asked for has ended."""
    OVERDUE = auto()
    TICK = auto()


_Item = tuple[float, int, Casting, Sample]
"""A scheduled run: when it ended, the number of its world, its world, and what was seen."""


class _Stage:
    def __init__(self, worlds: Sequence[World], rules: Rules, state: State, judge: Judge) -> None:
        self._rules, self._state, self._judge = rules, state, judge
        self._castings = [Casting(world, rules) for world in worlds]
        self._by_check = {casting.check: casting for casting in self._castings}
        self._origin = EPOCH + timedelta(seconds=worlds[0].setting.start if worlds else 0.0)
        self._watcher = Watcher(state, rules)
        self._heap: list[tuple[float, int, _What, Any]] = []
        self._pushed = 0
        self._waiting: deque[_Item] = deque()
        """Scheduled runs that have not ended yet: as many as it takes to know which of them have begun."""
        self._until: dict[tuple[CheckId, str], float] = {}
        """Until when a run that was asked for is on."""
        self._queued: set[tuple[CheckId, str]] = set()
        self._ticking = False
        self._counts = bool(rules.objectives)
        self._slow = 0.0
        self._scheduled = self._confirms = self._controls = self._unanswered = 0
        self._now = 0.0

    def played(self) -> Played:
        return Played(
            alerts=tuple(self._watcher.alerts),
            scheduled=self._scheduled,
            confirms=self._confirms,
            controls=self._controls,
            unanswered=self._unanswered,
            seconds=self._now,
            state=self._state,
        )

    def play(self, progress: Progress | None) -> None:
        ahead = 2 * max((casting.setting.timeout for casting in self._castings), default=0.0) + 1.0
        waiting, last = self._waiting, 0.0
        for item in self._items():
            last = item[0]
            sample = item[3]
            if sample[3] > self._slow:
                self._push(max(sample.at, self._now), _What.BEGAN, item)
            waiting.append(item)
            limit = last - ahead
            while waiting[0][0] <= limit:
                self._end(waiting.popleft())
                if not self._scheduled % PERIOD:
                    self._now_and_then(progress)
        while waiting:
            self._end(waiting.popleft())
        self._pass_until(max(last, *(casting.setting.length for casting in self._castings), 0.0))

    def _items(self) -> Iterator[_Item]:
        """All scheduled runs, in the order in which they ended."""
        streams = [self._of(index, casting) for index, casting in enumerate(self._castings)]
        return streams[0] if len(streams) == 1 else merge(*streams)

    def _of(self, index: int, casting: Casting) -> Iterator[_Item]:
        for sample in casting.world.scheduled():
            yield sample[0] + sample[3], index, casting, sample

    def _end(self, item: _Item) -> None:
        """A scheduled run has ended."""
        at, _, casting, sample = item
        heap = self._heap
        if heap and heap[0][0] <= at:
            self._pass_until(at)
        self._now = at
        self._scheduled += 1
        run = casting.scheduled(sample)
        now = run.started + run.duration
        self._take(self._judge(self._state, run, self._rules, now), now)

    def _pass_until(self, limit: float) -> None:
        """Let happen what is due by then."""
        heap = self._heap
        while heap and heap[0][0] <= limit:
            self._now, _, what, whom = heappop(heap)
            if what is _What.TICK:
                self._ticking = False
                self._happen(TICK)
                if self._state.awake:
                    self._keep_ticking()
            elif what is _What.ENDED:
                self._happen(whom)
            elif what is _What.ASKED:
                self._queued.discard((whom.check, whom.region))
                self._ask(whom)
            elif what is _What.OVERDUE:
                self._happen(whom)
            else:
                _, _, casting, sample = whom
                self._foresee(casting, sample.region, sample.at, sample.seconds)
        self._now = max(self._now, limit)

    def _happen(self, event: Event) -> None:
        now = event.ended if isinstance(event, Run) else self._origin + timedelta(seconds=self._now)
        self._take(self._judge(self._state, event, self._rules, now), now)

    def _take(self, change: Change, now: datetime) -> None:
        """Let a change come about."""
        state = self._state
        state.apply(change)
        if change.incidents:
            self._watcher.see(change, self._now, now)
        if change.asks:
            for ask in change.asks:
                self._ask(ask)
        if state.suspects or state.incidents or (change.regions and state.awake) or (self._counts and _is_bad(change)):
            self._keep_ticking()

    def _keep_ticking(self) -> None:
        """Have time pass at the next of the moments at which it does."""
        if not self._ticking:
            self._ticking = True
            self._push((floor(self._now / EVERY) + 1) * EVERY, _What.TICK, None)

    # --- runs that are asked for ------------------------------------------------------------------------------------

    def _ask(self, ask: Ask) -> None:
        """Make a run at once, or right after the one that the check has now in that region."""
        key = ask.check, ask.region
        if key in self._queued:
            return
        free = self._free(ask)
        if free > self._now:
            self._queued.add(key)
            self._push(free, _What.ASKED, ask)
            return
        casting = self._answering(ask)
        answer = None
        if casting is not None:
            world = casting.world
            answer = (world.control if ask.why is Why.CONTROL else world.extra)(self._now, ask.region)
        if casting is None or answer is None:
            self._unanswered += 1
            return
        if ask.why is Why.CONTROL:
            self._controls += 1
        else:
            self._confirms += 1
        run = casting.asked_for(answer, self._now, ask.region, ask.check, ask.why)
        self._until[key] = ended = self._now + answer.seconds
        self._push(ended, _What.ENDED, run)
        if ask.why is not Why.CONTROL and answer.seconds > self._slow:
            self._foresee(casting, ask.region, self._now, answer.seconds)

    def _answering(self, ask: Ask) -> Casting | None:
        """The world that knows what the run returns."""
        if ask.why is not Why.CONTROL:
            casting = self._by_check.get(ask.check)
            return casting if casting is not None and ask.region in casting.setting.regions else None
        return next((casting for casting in self._castings if ask.region in casting.setting.regions), None)

    def _free(self, ask: Ask) -> float:
        """When the check is next without a run in that region."""
        now = self._now
        ends = [self._until.get((ask.check, ask.region), now)]
        ends += [
            ended
            for ended, _, casting, sample in self._waiting
            if casting.check == ask.check and sample.region == ask.region and sample.at < now
        ]
        return max(ends)

    # --- what takes too long ----------------------------------------------------------------------------------------

    def _foresee(self, casting: Casting, region: str, began: float, seconds: float) -> None:
        """Should a run take longer than it usually does, say so when that is known, not when it ends."""
        late = self._late_after(casting, region)
        if late is not None and late < seconds:
            event = Overdue(check=casting.check, region=region, began=casting.moment(began))
            self._push(began + late, _What.OVERDUE, event)

    def _late_after(self, casting: Casting, region: str) -> float | None:
        watched = casting.watched
        return None if watched is None else late_after(self._state.checks.get(casting.check), watched, region)

    def _now_and_then(self, progress: Progress | None) -> None:
        if progress is not None:
            progress(self._now)
        now = self._origin + timedelta(seconds=self._now)
        for ledger in self._state.ledgers.values():
            ledger.forget(now - FINE, all_before=now - KEEP)
        # What is faster than this is overdue nowhere: the start of each run need not be looked at.
        places = ((casting, region) for casting in self._castings for region in casting.setting.regions)
        known = (late for casting, region in places if (late := self._late_after(casting, region)) is not None)
        self._slow = 0.9 * min(known, default=inf)

    def _push(self, at: float, what: _What, whom: Any) -> None:
        self._pushed += 1
        heappush(self._heap, (at, self._pushed, what, whom))


def _is_bad(change: Change) -> bool:
    """Whether a run was counted that an objective may burn for."""
    return any(tally.bad for tally in change.tallies)
