"""What machines read."""

import json
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from probe.cli.exits import Exit, exit_of
from probe.cli.output import report_problem, write_json, write_junit
from probe.cli.session import Report
from probe.core.diagnostic import Diagnostic
from probe.core.failure import Failure
from probe.core.run import Artifact, Observation, Outcome, Run, RunId, Step, StepOutcome, Why, finish
from probe.errors import ConfigError, ProbeError
from tests.core.builders import NOW, spec


def run(*failures: Failure, outcome: Outcome | None = None, **seen: object) -> Run:
    return finish(
        spec(),
        Observation(failures=failures, **seen),  # type: ignore[arg-type]  # the test's own words
        id=RunId("r"),
        region="local",
        why=Why.MANUAL,
        started=NOW,
        elapsed=timedelta(seconds=1.5),
        outcome=outcome,
    )


PASSED = run()
FAILED = run(
    Failure.of("status", "POST /api/cart answered 500", step="add to cart", expected="201", actual="500"),
    Failure.of("element", "no heading\x00\x1b[31m"),
    steps=(
        Step(name="add to cart", outcome=StepOutcome.FAILED, duration=0.2),
        Step(name="pay", outcome=StepOutcome.SKIPPED),
    ),
    artifacts=(Artifact(kind="screenshot", path="/e/s.png", size=1),),
)
ERRORED = run(Failure.of("browser_missing"))
ABORTED = run(outcome=Outcome.ABORTED)


def report(*runs: Run) -> Report:
    return Report(started=NOW, duration=2.0, runs=runs, interrupted=False)


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ((), Exit.PASSED),
        ((PASSED,), Exit.PASSED),
        ((PASSED, FAILED), Exit.FAILED),
        ((ERRORED, PASSED), Exit.ERRORED),
        ((ERRORED, FAILED), Exit.FAILED),
        ((ABORTED, PASSED), Exit.ERRORED),
    ],
    ids=str,
)
def test_exit_codes(runs: tuple[Run, ...], code: Exit) -> None:
    """A known failure of the target comes before our own trouble; what did not run is never a success."""
    assert exit_of(runs) is code


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One document: the summary counts every outcome, the exit code is in it."""
    write_json(report(PASSED, FAILED, ERRORED, ABORTED), Exit.FAILED)
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"passed": 1, "failed": 1, "errored": 1, "missed": 0, "aborted": 1}
    assert (document["schema"], document["exit"], document["duration"]) == (1, 1, 2.0)
    assert document["runs"][1]["failure"]["step"] == "add to cart"


def test_json_of_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    """What stopped us, with file and line."""
    report_problem(ConfigError((Diagnostic(file="a.toml", line=3, key="k", what="bad", hint="do"),)))
    document = json.loads(capsys.readouterr().out)
    assert document["diagnostics"] == [
        {"severity": "error", "file": "a.toml", "line": 3, "key": "k", "what": "bad", "hint": "do"}
    ]
    assert document["runs"] == []
    report_problem(ProbeError("no"))
    assert json.loads(capsys.readouterr().out)["diagnostics"][0]["what"] == "no"


def test_junit(tmp_path: Path) -> None:
    """The target's fault is a failure, ours an error, what did not end is skipped; no character breaks the XML."""
    place = tmp_path / "new" / "report.xml"
    write_junit(report(PASSED, FAILED, ERRORED, ABORTED), place)
    (suite,) = ET.parse(place).getroot()
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    passed, failed, errored, aborted = suite
    assert len(passed) == 0
    assert failed[0].tag == "failure"
    assert failed[0].get("type") == "http.status"
    assert failed[0].get("message") == "add to cart: POST /api/cart answered 500"
    assert "no heading" in (failed[0].text or "")
    assert "[[ATTACHMENT|/e/s.png]]" in (failed.findtext("system-out") or "")
    assert errored[0].tag == "error"
    assert aborted[0].tag == "skipped"
