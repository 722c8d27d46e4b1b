"""What machines read: JSON on standard output, JUnit XML in a file."""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from probe import __version__
from probe.cli.session import Report
from probe.core.encode import SCHEMA, encode_run, timestamp
from probe.core.run import Outcome, Run
from probe.errors import ConfigError, ProbeError


def write_json(report: Report, code: int) -> None:
    """Print the report as one JSON document (docs/json.md)."""
    counts = Counter(run.outcome for run in report.runs)
    _print(
        {
            "schema": SCHEMA,
            "probe": __version__,
            "started": timestamp(report.started),
            "duration": round(report.duration, 4),
            "exit": int(code),
            "interrupted": report.interrupted,
            "summary": {outcome.value: counts[outcome] for outcome in Outcome},
            "runs": [encode_run(run) for run in report.runs],
        }
    )


def report_problem(error: ProbeError) -> None:
    """Print what stopped us as JSON of the same shape, without runs."""
    found = error.diagnostics if isinstance(error, ConfigError) else ()
    diagnostics = [
        {"severity": d.severity.value, "file": d.file, "line": d.line, "key": d.key, "what": d.what, "hint": d.hint}
        for d in found
    ] or [{"severity": "error", "file": None, "line": None, "key": "", "what": str(error), "hint": ""}]
    _print({"schema": SCHEMA, "probe": __version__, "exit": 2, "diagnostics": diagnostics, "runs": []})


def _print(document: dict[str, Any]) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def write_junit(report: Report, path: Path) -> None:
    """Write the runs as JUnit XML: a test case a run, `failure` for the target's fault, `error` for ours.

    The shape is the one that GitLab, Jenkins and GitHub read (https://github.com/testmoapp/junitxml). `OSError` when
    the file cannot be written.
    """
    counts = Counter(run.outcome for run in report.runs)
    suite = ET.Element(
        "testsuite",
        name="probe",
        tests=str(len(report.runs)),
        failures=str(counts[Outcome.FAILED]),
        errors=str(counts[Outcome.ERRORED]),
        skipped=str(counts[Outcome.MISSED] + counts[Outcome.ABORTED]),
        time=f"{report.duration:.3f}",
        timestamp=timestamp(report.started),
    )
    for run in report.runs:
        suite.append(_case(run))
    root = ET.Element("testsuites")
    root.append(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8"
    )


def _case(run: Run) -> ET.Element:
    case = ET.Element(
        "testcase",
        name=run.check,
        classname=f"{run.kind}.{run.region}",
        time=f"{run.duration.total_seconds():.3f}",
    )
    failure = run.failure
    if failure is not None:
        tag = "error" if run.outcome is Outcome.ERRORED else "failure"
        where = f"{failure.step}: " if failure.step else ""
        element = ET.SubElement(
            case, tag, type=f"{failure.layer}.{failure.kind}", message=_xml(where + failure.message)
        )
        element.text = _xml("\n".join(map(str, run.observation.failures)))
    elif run.outcome is not Outcome.PASSED:
        ET.SubElement(case, "skipped", message=run.outcome.value)
    lines = [
        f"{s.outcome:8} {s.name}" + (f" {s.duration:.3f} s" if s.duration is not None else "")
        for s in run.observation.steps
    ]
    lines += [f"[[ATTACHMENT|{a.path}]]" for a in run.observation.artifacts]
    if lines:
        ET.SubElement(case, "system-out").text = _xml("\n".join(lines))
    return case


def _xml(text: str) -> str:
    """`text` without the characters that XML 1.0 cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)
