"""Runs made of samples: what judgement is given in place of what the daemon would have made."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from probe.backtest.sample import Recorded, Sample, Setting, World
from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.maintenance import covering
from probe.core.rules import Rules, Watched
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Step, StepOutcome, Why

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING: Final = Observation()
UNTOLD: Final = Recorded()

# A run costs 2 µs to make by its constructor (each field of a frozen class is set by name), half of it like this; a year
# of one check has 2.6 million of them.
_new: Final = object.__new__
_set_id, _set_started, _set_duration, _set_slot = (
    getattr(Run, name).__set__ for name in ("id", "started", "duration", "slot")
)
_set_number, _set_due, _set_count = (getattr(Slot, name).__set__ for name in ("number", "due", "count"))
_CHANGING: Final = frozenset({"id", "started", "duration", "slot"})


class Casting:
    """Makes the runs of one world. Slots are numbered for each region, unless their numbers were recorded."""

    def __init__(self, world: World, rules: Rules) -> None:
        self.world = world
        self.setting: Setting = world.setting
        self.check = CheckId(self.setting.check)
        self.watched: Watched | None = rules.checks.get(self.check)
        self._origin = EPOCH + timedelta(seconds=self.setting.start)
        self._rules = rules
        self._in_windows = bool(rules.windows)
        self._numbers = dict.fromkeys(self.setting.regions, 0)
        self._extras = 0
        self._kind = "browser" if self.setting.steps else "http"
        self._target = "" if self.watched is None else self.watched.target
        self._seen: dict[tuple[str | None, str | None], Observation] = {}
        self._fixed = {region: tuple(self._setters(region)) for region in self.setting.regions}

    def scheduled(self, sample: Sample) -> Run:
        """The run of a slot."""
        at, region, outcome, seconds, _, _, steps, recorded = sample
        self._numbers[region] = number = self._numbers[region] + 1
        started = self._origin + timedelta(0, at)
        if outcome != "passed" or recorded is not None or steps or self._in_windows:
            return self._whole(sample, number, started)
        run: Run = _new(Run)
        for put, value in self._fixed[region]:
            put(run, value)
        _set_id(run, f"{region}-{number}")
        _set_started(run, started)
        _set_duration(run, timedelta(0, seconds))
        slot: Slot = _new(Slot)
        _set_number(slot, number)
        _set_due(slot, started)
        _set_count(slot, 1)
        _set_slot(run, slot)
        return run

    def asked_for(self, sample: Sample, at: float, region: str, check: CheckId, why: Why) -> Run:
        """A run that was asked for and began at `at`; `sample` is what it returned."""
        self._extras += 1
        known = sample.recorded or UNTOLD
        return Run(
            id=RunId(known.id or f"{region}-{why.value}-{self._extras}"),
            check=check,
            kind="http" if why is Why.CONTROL else self._kind,
            target=self._target,
            region=region,
            why=why,
            outcome=Outcome(sample.outcome),
            started=self._origin + timedelta(seconds=at),
            duration=timedelta(seconds=sample.seconds),
            observation=self._observation(sample),
        )

    def moment(self, at: float) -> datetime:
        """A time of this world."""
        return self._origin + timedelta(seconds=at)

    def _whole(self, sample: Sample, number: int, started: datetime) -> Run:
        known = sample.recorded or UNTOLD
        if known.slot is not None:
            self._numbers[sample.region] = number = known.slot + known.slots - 1
        elif known.slots > 1:
            self._numbers[sample.region] = number + known.slots - 1
        first = number if known.slot is None else known.slot
        maintenance = known.maintenance
        if self._rules.windows and self.watched is not None:
            maintenance = covering(self._rules.windows, self.watched, started)
        return Run(
            id=RunId(known.id or f"{sample.region}-{number}"),
            check=self.check,
            kind=self._kind,
            target=self._target,
            region=sample.region,
            why=Why.SCHEDULED,
            outcome=Outcome(sample.outcome),
            started=started,
            duration=timedelta(seconds=sample.seconds),
            observation=self._observation(sample),
            slot=Slot(number=first, due=started, count=known.slots),
            maintenance=maintenance,
        )

    def _observation(self, sample: Sample) -> Observation:
        known = sample.recorded or UNTOLD
        if sample.steps or known.message or known.stopped_before:
            seen = self._observed(sample, known.message or "")
            return replace(seen, stopped_before=known.stopped_before) if known.stopped_before else seen
        if sample.kind is None and sample.outcome != "failed":
            return NOTHING
        key = (sample.kind, sample.step)
        found = self._seen.get(key)
        if found is None:
            found = self._seen[key] = self._observed(sample, "")
        return found

    def _observed(self, sample: Sample, message: str) -> Observation:
        failure = None
        if sample.kind is not None or sample.outcome == "failed":
            failure = Failure.of(sample.kind or "assertion", message, step=sample.step)
        return Observation(failures=() if failure is None else (failure,), steps=tuple(self._steps(sample, failure)))

    def _steps(self, sample: Sample, failure: Failure | None) -> Iterator[Step]:
        """The steps that were reached, then the one that failed, then those that were not."""
        start = 0.0
        taken = sample.steps or {}
        for name, seconds in taken.items():
            outcome = StepOutcome.FAILED if name == sample.step else StepOutcome.PASSED
            yield Step(
                name=name,
                outcome=outcome,
                start=start,
                duration=seconds,
                failure=failure if name == sample.step else None,
            )
            start += seconds
        if sample.step is None:
            return
        names = self.setting.steps
        if sample.step not in taken:
            yield Step(name=sample.step, outcome=StepOutcome.FAILED, failure=failure)
        if sample.step in names:
            for name in names[names.index(sample.step) + 1 :]:
                if name not in taken:
                    yield Step(name=name, outcome=StepOutcome.SKIPPED)

    def _setters(self, region: str) -> Iterator[tuple[Any, Any]]:
        """What all passed runs of a region have in common, each with what puts it into a run."""
        model = Run(
            id=RunId(""),
            check=self.check,
            kind=self._kind,
            target=self._target,
            region=region,
            why=Why.SCHEDULED,
            outcome=Outcome.PASSED,
            started=self._origin,
            duration=timedelta(),
            observation=NOTHING,
        )
        for field in fields(Run):
            if field.name not in _CHANGING:
                yield getattr(Run, field.name).__set__, getattr(model, field.name)
