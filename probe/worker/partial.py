"""What the supervisor knows of a run from outside: enough for a truthful observation when the worker is gone."""

import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from probe.authoring.events import Found, Logged, Ordered, Paused, Spared, StepEntered, StepLeft, Undone, UndoPlanned
from probe.core.check import CheckSpec
from probe.core.duration import format_duration
from probe.core.failure import Failure
from probe.core.run import ConsoleLine, Observation, Outcome, PageRequest, Step, StepOutcome, outcome_of
from probe.worker.wire import Beat, Message, Noticed, Phase

MOST_PAUSED = 5.0
"""Seconds that the clock of a run may stand still in all, whatever the worker says."""
SILENT = 1.5
"""Seconds without a sign of life from which a worker is held to be blocked."""


@dataclass(slots=True)
class Partial:
    """A run as told by its worker so far. Times are `time.monotonic()`."""

    spec: CheckSpec
    trace_id: str
    traced: bool = False
    """Whether there is a trace to be written at its end."""
    phase: str = "start"
    since: float = field(default_factory=time.monotonic)
    """When the phase began."""
    begun: float | None = None
    """When the check's own code began; later by what the clock of the run stood still."""
    paused: float = 0.0
    ended: float | None = None
    beat: Beat | None = None
    heard: float = field(default_factory=time.monotonic)
    step: StepEntered | None = None
    steps: list[Step] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    spared: str | None = None
    log: list[str] = field(default_factory=list)
    console: list[ConsoleLine] = field(default_factory=list)
    requests: list[PageRequest] = field(default_factory=list)

    def hear(self, message: Message) -> None:
        """Note one message of the worker."""
        self.heard = time.monotonic()
        match message:
            case Phase(name):
                self.phase, self.since = name, self.heard
                if name == "journey":
                    self.begun = self.heard
                elif name in ("undo", "close") and self.ended is None:
                    self.ended = self.heard
            case Beat():
                self.beat = message
            case StepEntered():
                self.step = message
            case StepLeft(step):
                self.step = None
                self.steps.append(step)
            case Paused(seconds) if seconds > 0 and self.begun is not None:
                more = min(seconds, MOST_PAUSED - self.paused)
                self.paused += more
                self.begun += more
            case Found(failures):
                self.failures += [f for f in failures if f not in self.failures]
            case Ordered(id):
                self.orders.append(id)
            case UndoPlanned(name):
                self.planned.append(name)
            case Undone(name):
                self.undone.append(name)
            case Spared(name):
                self.spared = name
            case Logged(line):
                self.log.append(line)
            case Noticed(ConsoleLine() as line):
                self.console.append(line)
            case Noticed(PageRequest() as request):
                self.requests.append(request)
            case _:
                pass

    @property
    def running(self) -> bool:
        """Whether the check's own code runs, or ought to have ended."""
        return self.phase in ("journey", "undo")

    @property
    def blocked(self) -> bool:
        """Whether the worker gives no sign of life, or its loop does not turn."""
        return self.beat is None or time.monotonic() - self.heard > SILENT or self.beat.late > SILENT

    def overdue(self, *, stopped: bool) -> Failure:
        """The failure of a run that had to be killed at its deadline. `stopped`: by the worker's state in /proc."""
        limit = format_duration(self.spec.timeout)
        if stopped:
            return Failure.of("worker_died", "our worker process was stopped from outside (SIGSTOP)")
        if self.blocked:
            at = f" at {self.beat.at}" if self.beat is not None and self.beat.at else ""
            return Failure.of(
                "check_blocked", f"the check's own code did not end within {limit}: it blocks its process{at}"
            )
        if self.spec.needs_browser:
            return Failure.of("browser_unresponsive", f"neither check nor browser came to an end within {limit}")
        return Failure.of(
            "check_blocked", f"the check's own code did not end within {limit}, nor when it was cancelled"
        )

    def not_begun(self, limit: float) -> Failure:
        """The failure of a run whose preparation took too long."""
        after = f"within {format_duration(limit)}"
        if self.phase == "load":
            return Failure.of("check_unloadable", f"{self._file} was not imported {after}")
        if self.phase in ("browser", "prepare") and self.spec.needs_browser:
            return Failure.of("browser_start", f"the browser did not start {after}")
        return Failure.of("worker_died", f"our worker process did not start {after}")

    def died(self, code: int) -> Failure:
        """The failure of a run whose worker process ended: `code` as `Popen.returncode`."""
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            why = ": out of memory, or by somebody" if -code == signal.SIGKILL else ""
            return Failure.of("worker_died", f"our worker process was killed by {name}{why}")
        if self.running:
            return Failure.of("check_exited", f"the check ended its process with exit code {code}")
        if self.phase == "load":
            return Failure.of(
                "check_unloadable", f"{self._file} ended the process while it was imported (exit code {code})"
            )
        return Failure.of("worker_died", f"our worker process ended with exit code {code}")

    @property
    def _file(self) -> str:
        return getattr(self.spec.work, "file", "the check's file")

    def observation(self, decider: Failure | None, now: float, notes: Iterable[str] = ()) -> Observation:
        """The observation of what was told, with `decider` as the reason why it ended; the open step ends with it."""
        steps, failures = list(self.steps), list(self.failures)
        if decider is not None:
            decider = decider.at(self.step.name if self.step else None)
            # What the worker found out before it was killed is nearer to the truth than that it was killed.
            if outcome_of(tuple(f for f in failures if not f.soft)) is Outcome.PASSED:
                failures.append(decider)
        if self.step is not None and self.begun is not None:
            reason = next((f for f in failures if f.step == self.step.name and not f.soft), decider)
            steps.append(
                Step(
                    name=self.step.name,
                    outcome=StepOutcome.ERRORED if reason is None or reason.ours else StepOutcome.FAILED,
                    start=self.step.start,
                    duration=max(0.0, (self.ended or now) - self.begun - self.step.start),
                    within=self.step.within,
                    soft=self.step.soft,
                    failure=reason,
                )
            )
        done = {s.name for s in steps}
        if failures or self.spared is not None:
            steps += [Step(name=n, outcome=StepOutcome.SKIPPED) for n in self.spec.steps if n not in done]
        missed = [name for name in self.planned if name not in self.undone]
        undo = (f"undo did not run: {', '.join(missed)}",) if missed else ()
        return Observation(
            failures=tuple(failures),
            steps=tuple(steps),
            failed_requests=tuple(self.requests),
            console=tuple(self.console),
            orders=tuple(self.orders),
            undone=tuple(self.undone),
            log=(*self.log, *undo, *notes),
            duration=None if self.begun is None else (self.ended or now) - self.begun,
            trace_id=self.trace_id,
            stopped_before=self.spared,
        )


def with_log(observation: Observation, lines: Iterable[str]) -> Observation:
    """The observation with further lines in its log."""
    more = tuple(lines)
    return replace(observation, log=(*observation.log, *more)) if more else observation
