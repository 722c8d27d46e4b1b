"""Cases for the tests of diagnosis: a host, its checks, and runs that are told in a word or two."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from probe.core.case import Case, case_of
from probe.core.check import CheckId
from probe.core.exchange import Exchange, Hop, Phases
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.people import Mark
from probe.core.rules import Severity
from probe.core.run import Comparison, Difference, Observation, Outcome, Run, RunId, Step, StepOutcome, Why
from tests.core.builders import NOW
from tests.core.world import rules_of, watched

HOST = "shop.example"
RULES = rules_of(*(watched(name, regions=("eu", "us")) for name in ("checkout", "api", "home", "search")))


def status(code: int, request: str = "GET /", step: str | None = None) -> Failure:
    method, _, path = request.partition(" ")
    words = f"{request} answered {code}"
    assert method
    return Failure.of("status", words, step=step, expected="200", actual=str(code), url=f"https://{HOST}{path}")


def seen(
    second: float, check: str = "checkout", failure: Failure | None = None, region: str = "eu", **given: Any
) -> Run:
    """A run that began so many seconds after the beginning; it passed unless it has a failure."""
    failures = () if failure is None else (failure,)
    return Run(
        id=RunId(f"{check}-{region}-{second:05.1f}"),
        check=CheckId(check),
        kind="http",
        target="shop",
        region=region,
        why=Why.SCHEDULED,
        outcome=Outcome.PASSED if failure is None else Outcome.FAILED,
        started=NOW + timedelta(seconds=second),
        duration=timedelta(seconds=1),
        observation=Observation(**{"failures": failures, **given}),
    )


def answer(
    request: str,
    status: int = 200,
    *,
    ttfb: float = 0.05,
    headers: dict[str, str] | None = None,
    phases: dict[str, float] | None = None,
) -> Exchange:
    """One answer of the host, with where its time went."""
    method, _, path = request.partition(" ")
    hop = Hop(
        method=method, url=f"https://{HOST}{path}", status=status, phases=Phases(**{"ttfb": ttfb, **(phases or {})})
    )
    return Exchange(
        method=method,
        url=hop.url,
        status=status,
        reason="",
        headers=tuple((headers or {}).items()),
        body=b"",
        hops=(hop,),
        duration=hop.phases.total,
        started=NOW,
        wire_size=1,
        size=1,
    )


def steps(*names: str, failure: Failure | None = None) -> tuple[Step, ...]:
    """Steps that passed, but for the last one, if there is a failure."""
    made = [Step(name=name, outcome=StepOutcome.PASSED, start=0.0, duration=0.5) for name in names]
    if failure is not None:
        made[-1] = replace(made[-1], outcome=StepOutcome.FAILED, failure=failure)
    return tuple(made)


def compared(*differences: tuple[str, str, str | None, str | None]) -> Comparison:
    """A comparison with a good run of ten seconds before."""
    found = tuple(Difference(what=what, name=name, before=b, after=a) for what, name, b, a in differences)
    return Comparison(good=RunId("good"), at=NOW - timedelta(seconds=10), differences=found)


def incident_of(runs: Iterable[Run], **given: Any) -> Incident:
    """The incident that runs make: each check that failed is a member, by its first failure."""
    bad = sorted((run for run in runs if run.failure is not None), key=lambda run: run.started)
    members: dict[CheckId, Member] = {}
    for run in bad:
        assert run.failure is not None
        regions = tuple(sorted({other.region for other in bad if other.check == run.check}))
        fresh = Member(check=run.check, regions=regions, since=run.started, run=run.id, failure=run.failure)
        members.setdefault(run.check, fresh)
    return Incident(
        **{
            "id": IncidentId("inc-1"),
            "cause": HOST,
            "verdict": Verdict.DOWN,
            "severity": Severity.PAGE,
            "since": NOW,
            "opened": NOW,
            "members": members,
            **given,
        }
    )


def case(*runs: Run, marks: tuple[Mark, ...] = (), **given: Any) -> Case:
    """The case that runs make."""
    return case_of(incident_of(runs, **given), runs, RULES, NOW + timedelta(minutes=5), marks)
