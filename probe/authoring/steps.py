"""The steps of one run: what `t.step(...)` opens, and the book they are written into."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TypeAlias

from probe.authoring.events import (
    Found,
    Logged,
    Ordered,
    Paused,
    Spared,
    StepEntered,
    StepLeft,
    Tell,
    Undone,
    UndoPlanned,
    nobody,
)
from probe.authoring.findings import Findings
from probe.core.duration import format_duration, parse_duration
from probe.core.failure import CheckFailed, Failure
from probe.core.run import Step, StepOutcome

Explain: TypeAlias = Callable[[BaseException, str | None, float], tuple[Failure, ...]]
"""Makes failures, the deciding one first, of what was raised, in which step, begun at which `time.monotonic()`."""


class StoppedBefore(BaseException):
    """Ends a run at the step from which on it would have side effects. No error: who catches all errors lets it pass."""


async def _look_at_nothing(_step: Step) -> None:
    """Nobody looks."""


@dataclass(slots=True)
class Book:
    """All that one run notes. Each entry is told to `tell` at once, so that it outlives a killed worker."""

    explain: Explain
    findings: Findings
    tell: Tell = nobody
    entered: Callable[[], None] = lambda: None
    """Called when a step begins: the browser's timeouts are set to what is left of the run."""
    ended: Callable[[Step], Awaitable[None]] = _look_at_nothing
    """Awaited when a step has ended and its time was taken. It raises nothing."""
    started: float = field(default_factory=time.monotonic)
    steps: list[Step] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    current: str | None = None
    stopped: tuple[Failure, ...] = ()
    """Why the run is being cancelled: set before the cancellation, for the step that it meets."""
    settled: BaseException | None = None
    """The exception that is in `failures` already."""
    stop_before: str | None = None
    """The step that is not to begin: from there on the run has side effects, and they are not wanted."""
    stopped_before: str | None = None
    """The step that did not begin, once it has come to that."""

    def start(self) -> None:
        """The run begins now: times of steps count from here."""
        self.started = time.monotonic()

    def pause(self, seconds: float) -> None:
        """Let the clock of the run have stood still: what comes then begins, and has to end, so much later."""
        self.started += seconds
        self.tell(Paused(seconds))

    def left(self, step: Step) -> None:
        """Note a step that has ended."""
        self.steps.append(step)
        self.tell(StepLeft(step))

    def fail(self, failures: Iterable[Failure]) -> None:
        """Note failures, in the order in which they decide."""
        new = tuple(failures)
        if new:
            self.failures += new
            self.tell(Found(new))

    def amend(self, failure: Failure, reason: Failure) -> None:
        """Put what was found out later, the `reason` behind a failure, before it; in its step as well.

        A reason of our own takes its place: what was seen is no longer the target's.
        """
        at = self.failures.index(failure)
        self.failures[at : at + reason.ours] = [reason]
        self.tell(Found((reason,)))
        outcome = StepOutcome.ERRORED if reason.ours else StepOutcome.FAILED
        self.steps = [replace(s, failure=reason, outcome=outcome) if s.failure == failure else s for s in self.steps]

    def spare(self, step: str) -> None:
        """End the run here if this is where its side effects begin, or if it has come to that before."""
        if self.stopped_before is None and step == self.stop_before:
            self.stopped_before = step
            self.tell(Spared(step))
        if self.stopped_before is not None:
            raise StoppedBefore(f"step {self.stopped_before!r} has side effects")

    def settle(self, error: BaseException) -> None:
        """Note what an exception that ended the run means, unless its step has noted it already.

        That it was stopped before its side effects means nothing.
        """
        rest: BaseException | None
        if isinstance(error, BaseExceptionGroup):
            rest = error.split(StoppedBefore)[1]  # from inside the user's own TaskGroup
        else:
            rest = None if isinstance(error, StoppedBefore) else error
        if rest is not None:
            self._settle(rest)

    def _settle(self, error: BaseException) -> None:
        if error is not self.settled and not self._within_settled(error):
            self.fail(self.all_that(error, None, self.started))
            self.settled = error

    def _within_settled(self, error: BaseException) -> bool:
        # A step inside the user's own TaskGroup: its exception comes back in a group.
        return isinstance(error, BaseExceptionGroup) and all(
            e is self.settled or self._within_settled(e) for e in error.exceptions
        )

    def all_that(self, error: BaseException, step: str | None, since: float) -> tuple[Failure, ...]:
        """What an exception means. Expectations that failed before it explain a bug that follows from them."""
        earlier = self.findings.take()
        found = tuple(f.at(step) for f in self.explain(error, step, since))
        if earlier and any(f.kind == "check_bug" for f in found):
            self.note(f"then: {'; '.join(f.message for f in found)}")
            found = ()
        return (*(f.at(step) for f in earlier), *found)

    def note(self, line: str) -> None:
        """Write a line into the run's log."""
        self.log.append(line)
        self.tell(Logged(line))

    def order(self, id: str) -> None:
        """Note an order that was placed in the shop."""
        self.orders.append(id)
        self.tell(Ordered(id))

    def planned(self, name: str) -> None:
        """Tell that there will be something to undo."""
        self.tell(UndoPlanned(name))

    def undo_ran(self, name: str) -> None:
        """Note a clean-up that ran to its end."""
        self.undone.append(name)
        self.tell(Undone(name))

    def close(self, declared: Iterable[str]) -> tuple[Step, ...]:
        """All steps: those that were run, and as `skipped` the declared ones that it did not come to.

        A run did not come to them when it failed, or when it was stopped before its side effects.
        """
        done = {step.name for step in self.steps}
        names = list(declared)
        if self.stopped_before is not None and self.stopped_before not in names:
            names.append(self.stopped_before)
        ended_early = self.stopped_before is not None or any(not f.soft for f in self.failures)
        skipped = (Step(name=n, outcome=StepOutcome.SKIPPED) for n in names if n not in done) if ended_early else ()
        return (*self.steps, *skipped)


class StepContext:
    """What `t.step(...)` gives: use it with `async with`."""

    __slots__ = ("_begun", "_book", "_limit", "_name", "_soft")

    def __init__(self, book: Book, name: str, within: str | None, soft: bool) -> None:
        self._book = book
        self._name = name
        self._limit = None if within is None else parse_duration(within).total_seconds()
        self._soft = soft
        self._begun = 0.0

    async def __aenter__(self) -> None:
        book, name = self._book, self._name
        if book.current is not None:
            raise ValueError(
                f"step {name!r} begins inside step {book.current!r}: end that one first, steps do not nest"
            )
        if any(step.name == name for step in book.steps):
            raise ValueError(f"there was a step {name!r} already: each step of a run needs a name of its own")
        # What was collected before the step belongs to no step.
        book.fail(book.findings.take())
        book.spare(name)
        book.current = book.findings.step = name
        book.entered()
        self._begun = time.monotonic()
        book.tell(StepEntered(name=name, start=self._begun - book.started, within=self._limit, soft=self._soft))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        book = self._book
        duration = time.monotonic() - self._begun
        book.current = book.findings.step = None
        if error is None:
            failures = tuple(f.at(self._name) for f in book.findings.take()) or self._too_slow(duration)
        elif isinstance(error, asyncio.CancelledError):
            failures = tuple(f.at(self._name) for f in (*book.findings.take(), *book.stopped))
        else:
            failures = book.all_that(error, self._name, self._begun)
        # A soft step forgives the target, not the check's own bugs nor the end of the run.
        soft = self._soft and not any(f.ours for f in failures) and (error is None or isinstance(error, Exception))
        if soft:
            failures = tuple(replace(f, soft=True) for f in failures)
        step = self._note(failures, duration, cancelled=isinstance(error, asyncio.CancelledError))
        if not isinstance(error, GeneratorExit):  # which lets nobody wait for anything
            await book.ended(step)
        if error is None:
            if failures and not soft:
                raised = CheckFailed(*failures)
                book.settled = raised
                raise raised
            return False
        book.settled = error
        return soft

    def _too_slow(self, duration: float) -> tuple[Failure, ...]:
        if self._limit is None or duration <= self._limit:
            return ()
        took, limit = format_duration(duration), format_duration(self._limit)
        message = f"step {self._name!r} took {took}, more than {limit}"
        return (Failure.of("step_slow", message, step=self._name, expected=f"at most {limit}", actual=took),)

    def _note(self, failures: tuple[Failure, ...], duration: float, *, cancelled: bool) -> Step:
        decider = next((f for f in failures if f.ours), failures[0] if failures else None)
        if decider is None:
            outcome = StepOutcome.ERRORED if cancelled else StepOutcome.PASSED
        else:
            outcome = StepOutcome.ERRORED if decider.ours else StepOutcome.FAILED
        self._book.fail(failures)
        step = Step(
            name=self._name,
            outcome=outcome,
            start=self._begun - self._book.started,
            duration=duration,
            within=self._limit,
            soft=self._soft,
            failure=decider,
        )
        self._book.left(step)
        return step
