"""An incident with the runs that were made in it: what its likely cause is found from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from probe.core.failure import Failure
from probe.core.incident import Incident
from probe.core.people import Mark
from probe.core.rules import Rules
from probe.core.run import Comparison, Difference, Outcome, Run, StepOutcome

DEPLOY: Final = "deploy"
"""The kind of a mark that says that something new was brought out."""
BEFORE: Final = timedelta(minutes=10)
"""How long before the first bad run a deploy is thought to have to do with it."""


class Confidence(StrEnum):
    """How sure a cause is: the runs show it, they suggest it, or they do not say."""

    LIKELY = "likely"
    POSSIBLE = "possible"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is likely the cause. `layer` is one of `Layer`'s, `words` says it in a sentence, `look_at` is where to look next."""

    layer: str
    words: str
    confidence: Confidence
    evidence_for: tuple[str, ...] = ()
    evidence_against: tuple[str, ...] = ()
    look_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of an incident.

    `failed` and `passed` are runs of the checks that suffer, from its beginning to its end, oldest first; one that was
    ended before it could meet the trouble is in neither. `others` are the runs, good and bad, of other checks of the same
    host meanwhile. `regions` are all that the suffering checks are watched from. `deploys` are the marks of the minutes
    before. A run may be without details: then it says only how it ended, and at which step.
    """

    incident: Incident
    failed: tuple[Run, ...] = ()
    passed: tuple[Run, ...] = ()
    others: tuple[Run, ...] = ()
    regions: tuple[str, ...] = ()
    deploys: tuple[Mark, ...] = ()

    @property
    def failure(self) -> Failure | None:
        """The failure that speaks for all; `None`: it is about an objective alone."""
        return None if self.incident.first is None else self.incident.first.failure

    @property
    def compared(self) -> Comparison | None:
        """How the first bad run that could be compared differs from the last good one."""
        return next((run.observation.compared for run in self.failed if run.observation.compared is not None), None)

    def changed(self, *what: str) -> tuple[Difference, ...]:
        """What of these sorts is otherwise than in the last good run."""
        return () if self.compared is None else tuple(d for d in self.compared.differences if d.what in what)

    @property
    def affected(self) -> tuple[str, ...]:
        """The regions that it fails from."""
        return tuple(sorted({region for member in self.incident.members.values() for region in member.regions}))

    @property
    def everywhere(self) -> bool:
        """Whether it fails from every region that looks."""
        return set(self.affected) >= set(self.regions)

    @property
    def share(self) -> float:
        """The share of bad runs, 0 to 1; 1 where there is nothing to count."""
        count = len(self.failed) + len(self.passed)
        return len(self.failed) / count if count else 1.0

    @property
    def fine(self) -> tuple[str, ...]:
        """The other checks of the host that passed whenever they ran meanwhile."""
        bad = {run.check for run in self.others if run.outcome is not Outcome.PASSED}
        return tuple(sorted({run.check for run in self.others} - bad))


def case_of(incident: Incident, runs: Iterable[Run], rules: Rules, now: datetime, marks: Sequence[Mark] = ()) -> Case:
    """The case that an incident makes with runs of its host: those of the checks that suffer, and those of the others.

    Runs of other times and of other hosts may be among them: they are left out. `marks` likewise.
    """
    until = incident.resolved or now
    failed, passed, others = [], [], []
    for run in sorted(runs, key=lambda run: (run.started, run.id)):
        if not incident.since <= run.started <= until or run.outcome not in (Outcome.PASSED, Outcome.FAILED):
            continue
        member = incident.members.get(run.check)
        if member is not None and run.outcome is Outcome.FAILED:
            failed.append(run)
        elif member is not None:
            passed += [run] if _met(run, member.failure.step) else []
        elif (watched := rules.watched(run.check)) is not None and watched.cause == incident.cause:
            others.append(run)
    known = [watched for check in incident.members if (watched := rules.watched(check)) is not None]
    affected = {region for member in incident.members.values() for region in member.regions}
    return Case(
        incident=incident,
        failed=tuple(failed),
        passed=tuple(passed),
        others=tuple(others),
        regions=tuple(sorted({region for watched in known for region in watched.regions} | affected)),
        deploys=tuple(
            sorted((mark for mark in marks if mark.kind == DEPLOY and _is_before(mark, incident)), key=lambda m: m.at)
        ),
    )


def _is_before(mark: Mark, incident: Incident) -> bool:
    concerns = not mark.checks or any(check in incident.members for check in mark.checks)
    return concerns and timedelta(0) <= incident.since - mark.at <= BEFORE


def _met(run: Run, step: str | None) -> bool:
    """Whether a run that passed went as far as the trouble: a run made to confirm may end before it."""
    seen = run.observation
    if seen.stopped_before is None:
        return True
    return any(s.name == step and s.outcome is StepOutcome.PASSED for s in seen.steps)
