"""What drills found, as tables for a person and as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from probe.cli.document import print_document
from probe.cli.table import console
from probe.core.duration import format_duration
from probe.drill.score import Finding, Score, Trial

_MARKS: Final = {
    Finding.NOTICED: ("✓ noticed", "green"),
    Finding.BLIND: ("✗ blind", "bold red"),
    Finding.TOLERATED: ("– tolerated", "dim"),
    Finding.UNMEASURED: ("? unmeasured", "yellow"),
}


def print_scores(scores: Sequence[Score], seconds: float) -> None:
    """A row for each fault, a score for each check, and how to mend what it is blind to."""
    screen = console()
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("check", "step", "fault", "planted at", "finding"):
        table.add_column(column, no_wrap=column != "planted at", overflow="fold")
    table.add_column("what was seen", overflow="fold")
    for score in scores:
        for trial in score.trials:
            table.add_row(*_row(score, trial))
    if table.row_count:
        screen.print(table)
    for score in scores:
        screen.print()
        screen.print(_sum(score), soft_wrap=True)
        for hint in score.hints:
            screen.print(f"  {hint}", soft_wrap=True, markup=False)
    noticed, counted = sum(score.noticed for score in scores), sum(score.counted for score in scores)
    checks = f"{len(scores)} check{'' if len(scores) == 1 else 's'}"
    share = f" ({noticed / counted:.0%})" if counted else ""
    screen.print()
    screen.print(f"{noticed} of {counted} faults noticed in {checks}{share}, in {format_duration(seconds)}")


def _row(score: Score, trial: Trial) -> Iterable[str | Text]:
    fault = trial.fault
    yield Text(score.check, "bold")
    yield fault.step or ("any" if fault.kind.foreign else "-")
    yield fault.kind.value
    yield fault.request
    yield Text(*_MARKS[trial.finding])
    at = f"{trial.step}: " if trial.step and trial.step != fault.step else ""
    yield Text(at + trial.reason, "" if trial.finding is Finding.NOTICED else "dim")


def _sum(score: Score) -> Text:
    if score.trouble:
        return Text.assemble((score.check, "bold"), f" was not drilled: {score.trouble}")
    if score.share is None:
        return Text.assemble((score.check, "bold"), ": no fault could be planted")
    said = f": {score.noticed} of {score.counted} faults noticed: {score.share:.0%}"
    return Text.assemble((score.check, "bold"), said, "; to mend it:" if score.hints else "")


def scores_as_json(scores: Sequence[Score], code: int, seconds: float) -> None:
    """The same as one document (docs/json.md)."""
    print_document(code, {"duration": round(seconds, 4), "checks": [_encoded(score) for score in scores]})


def _encoded(score: Score) -> dict[str, Any]:
    return {
        "check": score.check,
        "noticed": score.noticed,
        "counted": score.counted,
        "score": None if score.share is None else round(score.share, 4),
        "trouble": score.trouble or None,
        "mend": list(score.hints),
        "faults": [
            {
                "fault": trial.fault.kind.value,
                "step": trial.fault.step,
                "request": trial.fault.request,
                "finding": trial.finding.value,
                "noticed_at": trial.step,
                "reason": trial.reason or None,
                "seconds": round(trial.seconds, 4),
            }
            for trial in score.trials
        ],
    }
