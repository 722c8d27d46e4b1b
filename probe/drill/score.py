"""What a check made of the faults planted into it: a mutation score, and how to mend what it is blind to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from probe.core.check import CheckId, CheckSpec, HttpCall
from probe.core.duration import format_duration
from probe.core.fault import Asked, Fault, FaultKind
from probe.core.run import Outcome, Run
from probe.drill.planter import SAFE
from probe.drill.spoil import prices_in


class Finding(StrEnum):
    """What came of one planted fault.

    `TOLERATED`: a third party was blocked that the check can do without. `UNMEASURED`: nothing can be said: the fault
    met no request, or the run could not be made.
    """

    NOTICED = "noticed"
    BLIND = "blind"
    TOLERATED = "tolerated"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One fault and what came of it. `step` is where it was noticed, `reason` why; `seconds` is how long the run took."""

    fault: Fault
    finding: Finding
    step: str | None = None
    reason: str = ""
    seconds: float = 0.0
    hint: str = ""
    """How to have it noticed, where the check is blind to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a check made of its faults. `trouble` says why there are none: its clean run did not pass, for one."""

    check: CheckId
    trials: tuple[Trial, ...] = ()
    trouble: str = ""
    ours: bool = False
    """Whether the trouble is our own."""

    @property
    def noticed(self) -> int:
        """How many faults were noticed."""
        return sum(trial.finding is Finding.NOTICED for trial in self.trials)

    @property
    def counted(self) -> int:
        """Of how many: all that were noticed or should have been."""
        return sum(trial.finding in (Finding.NOTICED, Finding.BLIND) for trial in self.trials)

    @property
    def share(self) -> float | None:
        """The part that was noticed, 0 to 1; `None` when nothing could be planted."""
        return self.noticed / self.counted if self.counted else None

    @property
    def hints(self) -> tuple[str, ...]:
        """How to mend what it is blind to, each once."""
        return tuple(dict.fromkeys(trial.hint for trial in self.trials if trial.hint))


_BUGS: Final = frozenset({"check_bug", "check_blocked", "check_exited"})
"""Failures of ours that are the check's own: it stumbled over what the fault did, and would not have paged anybody."""
_LOOKS: Final = frozenset({"image", "stylesheet", "font", "media", "document"})
"""What a third party gives that a customer sees; of the rest the journey itself shows that it can do without."""


def judge(fault: Fault, run: Run, spec: CheckSpec, asked: Iterable[Asked]) -> Trial:
    """What the run with the fault says. `asked` are the requests of the clean run."""
    notes, failure, seconds = run.observation.drill, run.failure, run.duration.total_seconds()
    step = None if failure is None else failure.step
    reason = "" if failure is None else failure.message.splitlines()[0]

    def trial(finding: Finding, why: str = reason, hint: str = "") -> Trial:
        return Trial(fault=fault, finding=finding, step=step, reason=why, seconds=seconds, hint=hint)

    if notes is not None and notes.strayed:
        return trial(Finding.UNMEASURED, f"it asked for what the clean run did not: {notes.strayed[0]}")
    if run.outcome is Outcome.FAILED and (notes is None or notes.hits):
        return trial(Finding.NOTICED)
    if failure is not None and failure.kind == "host_starved" and fault.kind is FaultKind.SLOW and notes and notes.hits:
        # Whatever this host was at: what was planted alone is more than the limit that was found exceeded.
        return trial(Finding.NOTICED, reason.rpartition("; seen: ")[2])
    if run.outcome is Outcome.ERRORED and failure is not None:
        if failure.kind not in _BUGS:
            return trial(Finding.UNMEASURED)
        hint = f"{_at(fault, spec)}: expect what {fault.request} answers before its parts are used"
        return trial(Finding.BLIND, f"told as the check's own mistake, which never pages: {reason}", hint)
    if run.outcome is not Outcome.PASSED or notes is None or not notes.hits:
        return trial(Finding.UNMEASURED, reason or "the fault met no request")
    about = tuple(asked)
    if fault.kind is FaultKind.BLOCKED and not _gives_looks(fault, about):
        return trial(Finding.TOLERATED, "the journey does without it")
    return trial(Finding.BLIND, hint=_hint(fault, spec, about))


def _gives_looks(fault: Fault, asked: tuple[Asked, ...]) -> bool:
    return any(one.resource in _LOOKS for one in asked if not one.own and fault.hits(None, one.method, one.url))


def _at(fault: Fault, spec: CheckSpec) -> str:
    return (
        f"step {fault.step!r}" if fault.step else str(spec.source) if isinstance(spec.work, HttpCall) else "the check"
    )


def _hint(fault: Fault, spec: CheckSpec, asked: tuple[Asked, ...]) -> str:
    at, request, declared = _at(fault, spec), fault.request, isinstance(spec.work, HttpCall)
    answer = next((a.answer for a in asked if fault.hits(a.step, a.method, a.url) and a.answer is not None), None)
    match fault.kind:
        case FaultKind.WRONG_PRICE:
            shown = ", ".join(prices_in(answer)[:2]) if answer is not None else ""
            return f"{at}: add an assertion on the price{f' ({shown})' if shown else ''} that {request} brings"
        case FaultKind.WRONG_TEXT | FaultKind.STALE | FaultKind.EMPTY if declared:
            return f'{at}: expect = {{ body = "…" }}, or json, with something that only the right answer of {request} holds'
        case FaultKind.SERVER_ERROR if declared:
            return f"{at}: expect = {{ status = 200 }} of {request}"
        case FaultKind.SLOW:
            how = 'expect = { within = "…" }' if declared else 'give it a limit: t.step(…, within="…")'
            return f"{at}: {how} ({request} took {format_duration(fault.seconds)} longer, and nobody minded)"
        case FaultKind.WRONG_TEXT:
            return f"{at}: add an assertion on the text that {request} brings: its heading, a name"
        case FaultKind.STALE:
            return f"{at}: add an assertion on something that only the right answer of {request} holds"
        case FaultKind.SCRIPT_ERROR:
            return f'{at}: use what the script of {request} does, or fail on t.page.on("pageerror", …)'
        case FaultKind.BLOCKED:
            return f"add an assertion on what {request} brings, such as a picture's naturalWidth"
        case FaultKind.HANGING:
            return f"wait for the page to have loaded (page.goto does) where {request} is needed, or limit the step"
        case _ if fault.method in SAFE:
            return f"{at}: add an assertion on what {request} brings, and on its status"
        case _:
            return f"{at}: add an assertion on what {request} has done: its status, and what is seen of it afterwards"
