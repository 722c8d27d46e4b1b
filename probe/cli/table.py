"""Runs as a table, and the reasons of those that did not pass: what a person reads in a terminal."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from probe.core.duration import format_duration
from probe.core.failure import Failure
from probe.core.run import Outcome, Run, Step, StepOutcome
from probe.view.markdown import visible

STYLES: Final = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.ERRORED: "bold yellow",
    Outcome.MISSED: "yellow",
    Outcome.ABORTED: "dim",
}
MARKS: Final = {
    outcome: Text(mark, STYLES[outcome])
    for outcome, mark in zip(Outcome, "✓✗!?–", strict=True)  # in the order of Outcome
}
_STEP_STYLES: Final = {
    StepOutcome.PASSED: ("✓", "green"),
    StepOutcome.FAILED: ("✗", "red"),
    StepOutcome.ERRORED: ("!", "yellow"),
    StepOutcome.SKIPPED: ("–", "dim"),
}


def columns(*names: str) -> Table:
    """An empty table without lines, of these columns."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


class _Harmless(Console):
    """What a shop has said moves no cursor and turns no line around: it is hostile text, whatever table it stands in."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does, with a mark in the place of each sign that nobody sees."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control or text.isprintable() else Segment(visible(text), style)


def console(*, stderr: bool = False) -> Console:
    """Rich's console; plain and unwrapped when the output is piped."""
    made = _Harmless(stderr=stderr, highlight=False, emoji=False)
    if not made.is_terminal:
        made = _Harmless(stderr=stderr, highlight=False, emoji=False, width=PIPE_WIDTH, no_color=True)
    return made


PIPE_WIDTH: Final = 200
"""Characters of a line in a pipe: wide enough that no reason is cut."""


def print_results(runs: Iterable[Run], seconds: float) -> None:
    """Print the table, the reasons, and one line that sums it up."""
    screen = console()
    rows = tuple(runs)
    screen.print(results_table(rows))
    for run in rows:
        if run.failure is not None:
            screen.print()
            print_reason(screen, run)
    screen.print()
    screen.print(summary(rows, seconds))


def results_table(runs: Iterable[Run]) -> Table:
    """One row a run, one row for each of its steps."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("check", no_wrap=True)
    table.add_column("region")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("what was seen", overflow="fold")
    for run in runs:
        name = Text.assemble(MARKS[run.outcome], " ", (run.check, "bold"))
        steps = run.observation.steps
        told = any(step.failure is not None for step in steps)  # the failing step's row says why
        seen = Text(run.outcome.value, STYLES[run.outcome]) if told else reason_line(run) or _seen(run)
        table.add_row(name, run.region, format_duration(run.duration), seen)
        for step in steps:
            table.add_row(*_step_row(step))
    return table


def _step_row(step: Step) -> tuple[Text, str, str, Text]:
    mark, style = _STEP_STYLES[step.outcome]
    name = Text.assemble("    ", (mark, style), " ", step.name)
    took = "" if step.duration is None else format_duration(step.duration)
    seen = Text("")
    if step.outcome is StepOutcome.SKIPPED:
        seen = Text("not reached", "dim")
    elif step.failure is not None:
        seen = Text(f"{step.failure.layer}: {step.failure.message}", style)
    elif step.within is not None:
        seen = Text(f"within {format_duration(step.within)}", "dim")
    return name, "", took, seen


def _seen(run: Run) -> Text:
    """One dim line of what a run that passed saw."""
    exchanges = run.observation.exchanges
    if len(exchanges) == 1 and not run.observation.steps:
        only = exchanges[0]
        phases = ((name, getattr(only.phases, name)) for name in ("dns", "connect", "tls", "ttfb", "transfer"))
        parts = [str(only.status), *(f"{name} {format_duration(value)}" for name, value in phases if value is not None)]
        return Text(" · ".join(parts), "dim")
    vitals = run.observation.vitals
    lcp = max((v.lcp for v in vitals if v.lcp is not None), default=None)
    return Text("" if lcp is None else f"slowest LCP {format_duration(lcp)}", "dim")


def reason_line(run: Run) -> Text | None:
    """The step, layer and reason of a run that did not pass, on one line; `None` when it passed."""
    failure = run.failure
    if failure is None:
        return None
    step = f"{failure.step}: " if failure.step else ""
    return Text.assemble((step, "bold"), (f"{failure.layer}: {failure.message.splitlines()[0]}", STYLES[run.outcome]))


def print_reason(screen: Console, run: Run) -> None:
    """Why a run did not pass, in full: step, layer, expected and actual, what else was seen, and where the proof is."""
    failure = run.failure
    assert failure is not None  # the caller asks for runs with a reason
    where = f' at step "{failure.step}"' if failure.step else ""
    title = Text.assemble(MARKS[run.outcome], " ", (run.check, "bold"), f" from {run.region} {run.outcome}{where}")
    if failure.ours:
        title.append(" (probe's own trouble: it says nothing about the target)", "dim")
    screen.print(title, soft_wrap=True)
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in _facts(run, failure):
        facts.add_row(key, Text(value))
    screen.print(Padding(facts, (0, 0, 0, 2)))


def _facts(run: Run, failure: Failure) -> Iterable[tuple[str, str]]:
    yield "layer", failure.layer.value
    yield "reason", failure.message
    if failure.expected is not None:
        yield "expected", failure.expected
    if failure.actual is not None:
        yield "got", failure.actual
    if failure.url is not None:
        yield "url", failure.url
    for other in run.observation.failures:
        if other != failure:
            yield "also", f"{other.step}: {other}" if other.step and other.step != failure.step else str(other)
    for request in run.observation.failed_requests[:SHOWN]:
        yield "request", f"{request.method} {request.url} {request.status or request.error}"
    for line in run.observation.log[-SHOWN:] if failure.ours else ():
        yield "log", line
    for artifact in run.observation.artifacts:
        yield artifact.kind, artifact.path


SHOWN: Final = 5
"""Failed requests and lines of log that the terminal shows; `--json` has them all."""


def summary(runs: Iterable[Run], seconds: float) -> Text:
    """How many runs ended how, and in what time."""
    rows = tuple(runs)
    counts = Counter(run.outcome for run in rows)
    text = Text(f"{len(rows)} run{'' if len(rows) == 1 else 's'}: ")
    parts = [(f"{counts[outcome]} {outcome}", STYLES[outcome]) for outcome in Outcome if counts[outcome]]
    for index, part in enumerate(parts):
        text.append(", " if index else "").append(*part)
    return text.append(f" in {format_duration(seconds)}")


def outcome_text(outcome: Outcome) -> Text:
    """The outcome's word in its colour."""
    return Text(outcome.value, STYLES[outcome])
