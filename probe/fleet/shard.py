"""One shard of a fleet's checks, folded for one transaction: what came in, by its rules, on its state."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from probe.core.check import CheckId
from probe.core.evaluate import Acknowledge, Event, Late, Mute, Overdue, OwnTrouble, Silence, Tick, evaluate, is_late
from probe.core.notification import Attempt, Notification
from probe.core.ours import concerns_us
from probe.core.place import tallies_of
from probe.core.rules import Rules, Watched
from probe.core.run import Observation, Outcome, Run, Why
from probe.core.shards import OWN, causes_of
from probe.core.state import Ask, Change, State
from probe.engine.recorder import marked
from probe.fleet.inbox import Kind, Waiting
from probe.fleet.slots import ANSWERS, PlaceKey, Taken, overlap, taken_by
from probe.ports import Record
from probe.store.restore import Part

log = logging.getLogger(__name__)

Judge = Callable[[State, Event, Rules, datetime], Change]
Seen = tuple[Run | None, Change]
"""What an event changed, with the run that brought it about, if one did."""


@dataclass(frozen=True)
class Plan:
    """The rules of one version of the configuration, in the parts that are judged apart (core/shards.py)."""

    version: str
    shards: Mapping[str, Rules]

    @cached_property
    def checks(self) -> Mapping[CheckId, Watched]:
        """All that is watched."""
        return {check: watched for rules in self.shards.values() for check, watched in rules.checks.items()}

    @cached_property
    def homes(self) -> Mapping[CheckId, str]:
        """The shard of each check."""
        return {check: name for name, rules in self.shards.items() for check in rules.checks}

    @cached_property
    def causes(self) -> Mapping[str, str]:
        """The shard of each cause that an incident can have."""
        return {cause: name for name, rules in self.shards.items() for cause in causes_of(rules)}

    @property
    def controls(self) -> Mapping[str, CheckId]:
        """The control check of each region that has one."""
        return self.shards[OWN].controls

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """All regions that anything is watched from."""
        return tuple(sorted({*self.shards[OWN].regions(), *self.controls}))

    def home_of(self, cause: str, members: Iterable[CheckId]) -> str:
        """The shard that an incident belongs to; one whose cause is none any more, to that of its first check."""
        home = self.causes.get(cause)
        return home if home is not None else next((self.homes[c] for c in sorted(members) if c in self.homes), OWN)

    def part(self, name: str, causes: Iterable[str]) -> Part:
        """What a shard must remember, and incidents of these causes."""
        rules = self.shards[name]
        return Part(shard=name, checks=rules.checks, objectives=rules.objectives, causes=tuple(causes))


@dataclass(slots=True)
class Fold:
    """A shard in the making: takes events one by one, and holds what is to be written down of them."""

    name: str
    plan: Plan
    state: State
    now: datetime
    judge: Judge = evaluate
    taken: Mapping[PlaceKey, list[Taken]] = field(default_factory=dict)
    """Slots with rows, of the places where that is in doubt."""
    runs: list[Run] = field(default_factory=list)
    told: dict[str, list[Attempt]] = field(default_factory=dict)
    """What regions told by themselves."""
    own: list[Waiting] = field(default_factory=list)
    """Rows that whoever tells our own trouble must see too."""
    seen: list[Seen] = field(default_factory=list)

    @property
    def record(self) -> Record:
        """All that is to be written down."""
        changes = tuple(change for _, change in self.seen if change != Change())
        return Record(runs=tuple(self.runs), changes=changes)

    @property
    def asks(self) -> Sequence[Ask]:
        """The runs that are wanted."""
        return [ask for _, change in self.seen for ask in change.asks]

    @property
    def notifications(self) -> Sequence[Notification]:
        """What is to be delivered."""
        return [notification for _, change in self.seen for notification in change.notifications]

    @property
    def rules(self) -> Rules:
        """What it is judged by."""
        return self.plan.shards[self.name]

    def hear(self, silent: Mapping[str, datetime | None]) -> None:
        """Take in which regions are silent, and since when, where that is not known here. All others are not."""
        for region in sorted({*silent, *self.state.regions}):
            known, since = self.state.regions.get(region), silent.get(region)
            if (None if known is None else known.silent) != since:
                self._event(Silence(region=region, since=since))

    def tick(self) -> None:
        """Time has passed."""
        self._event(Tick())

    def command(self, event: Acknowledge | Mute) -> Change:
        """Do what somebody commands; raises what judgement raises."""
        change = self._ours(self.judge(self.state, event, self.rules, self.now))
        self._take(None, change)
        return change

    def overdue(self, event: Overdue) -> None:
        """A run should have ended. One that should have long ago has been judged by now, or is missed."""
        watched = self.rules.checks.get(event.check)
        if watched is not None and self.now - event.began <= 2 * watched.timeout:
            self._event(event)

    def run(self, waiting: Waiting, run: Run) -> None:
        """Take a run, as what its row says."""
        if waiting.kind == Kind.OWN:
            self._event(OwnTrouble(run=run))
            return
        if waiting.kind == Kind.CONTROL:
            if self.name == OWN:
                self.runs.append(run)
            if not is_late(run, None, self.now):
                self._event(run, run)
            return
        watched = self.rules.checks.get(run.check)
        if watched is None:  # of a check that was taken out, or is not judged yet
            self.runs.append(run)
            return
        run = marked(run, self.rules)
        self.runs.append(run)
        self._slot(waiting, run, watched)

    def keep(self, run: Run) -> None:
        """Take a run that is not to be judged."""
        self.runs.append(run)

    def _slot(self, waiting: Waiting, run: Run, watched: Watched) -> None:
        """Judge a run of a check for as many of its slots as count for it."""
        judged, taken = run, self.taken.get((run.check, run.region))
        if taken is not None and run.slot is not None and run.why is Why.SCHEDULED:
            known = overlap(run.slot, watched, taken)
            taken.append(taken_by(run.slot, run.outcome, watched))
            gone = known.answered if run.outcome in ANSWERS else known.answered + known.lost
            if gone >= run.slot.count:
                return
            if gone:
                judged = replace(run, slot=replace(run.slot, count=run.slot.count - gone))
            if run.outcome in ANSWERS and known.lost:
                self._take_back(judged, watched, known.lost)
        if is_late(run, watched, self.now):
            self._event(Late(run=judged), run)
            return
        check = self.state.checks.get(run.check)
        if concerns_us(run, None if check is None else check.places.get(run.region)):
            self.own.append(waiting)
        self._event(judged, run)

    def _take_back(self, run: Run, watched: Watched, lost: int) -> None:
        """What counted as lost has an answer now."""
        assert run.slot is not None
        missed = replace(
            run,
            outcome=Outcome.MISSED,
            observation=Observation(),
            slot=replace(run.slot, count=min(lost, run.slot.count)),
        )
        tallies = tallies_of(missed, self.rules.counted.get(run.check, ()), watched, self.now)
        self._take(None, Change(tallies=tuple(replace(tally, lost=-tally.lost) for tally in tallies)))

    def _event(self, event: Event, run: Run | None = None) -> None:
        try:
            change = self._ours(self.judge(self.state, event, self.rules, self.now))
        except Exception:  # a bug in judgement must not stop the books: the run is kept without it
            extra = {"shard": self.name, "check": run.check if run else "", "run": run.id if run else ""}
            log.exception("an event could not be judged", extra=extra)
            change = Change()
        self._take(run, change)

    def _take(self, run: Run | None, change: Change) -> None:
        self.state.apply(change)
        self.seen.append((run, change))

    def _ours(self, change: Change) -> Change:
        """The change without checks that are judged elsewhere: an incident that lost its cause may still name them."""
        homes = self.plan.homes
        if all(homes.get(check, self.name) == self.name for check in change.checks):
            return change
        return change._replace(
            checks={check: value for check, value in change.checks.items() if homes.get(check, self.name) == self.name}
        )
