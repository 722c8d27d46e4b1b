"""`probe drill --live`: asks the daemon for a drill, follows it, and says how long it took until people were told."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from probe.cli.control import Refused, ask
from probe.cli.document import print_document
from probe.cli.exits import Exit, stop
from probe.cli.table import console
from probe.core.duration import format_duration
from probe.core.fault import FaultKind
from probe.errors import ProbeError

LOOK: Final = 0.5
"""Seconds between two looks at how far it is."""
_STATES: Final = {
    "preparing": "a clean run, to see where the fault can be planted",
    "planted": "the fault is planted; waiting for the alert",
    "told": "the alert arrived; the fault is gone, waiting for the end of the incident",
}


def drill_live(config: Path, names: Sequence[str], kinds: Sequence[FaultKind], *, json: bool) -> Exit:
    """Make one drill; the exit code."""
    from probe.config.load import load_config

    if len(names) != 1 or len(kinds) > 1:
        typer.echo("--live drills one check with one fault: probe drill --live CHECK [--fault NAME]", err=True)
        return Exit.USAGE
    fault = kinds[0] if kinds else FaultKind.SERVER_ERROR
    try:
        data = load_config(config, environ=os.environ).config.data
    except ProbeError as error:
        stop(error)
    try:
        ask(data, "POST", "/drill", {"check": names[0], "fault": fault.value})
        report = _follow(data)
    except Refused as error:
        stop(error, Exit.USAGE if error.status == 404 else Exit.ERRORED)
    except ProbeError as error:
        stop(error, Exit.ERRORED)
    code = Exit.PASSED if report["trouble"] is None else Exit.FAILED
    if json:
        print_document(code, {"drill": report})
    else:
        _print(report)
    return code


def _follow(data: Path) -> Mapping[str, Any]:
    screen, state = console(stderr=True), ""
    while True:
        report: Mapping[str, Any] = ask(data, "GET", "/drill")["drill"]
        if report["state"] == "over":
            return report
        if report["state"] != state:
            state = report["state"]
            screen.print(f"drill of {report['check']}: {_STATES[state]}", soft_wrap=True, markup=False)
        time.sleep(LOOK)


def _print(report: Mapping[str, Any]) -> None:
    screen = console()
    at = f" at step {report['step']!r}" if report["step"] else ""
    planted = f": {report['fault']} of {report['request']}{at}" if report["request"] else ""
    screen.print(f"DRILL of {report['check']}{planted}", soft_wrap=True, markup=False)
    for name, key in (("detected", "detected"), ("told", "told"), ("resolved", "resolved")):
        if report[key] is not None:
            more = f" as {report['verdict']}" if key == "detected" else ""
            channels = ", ".join(f"{n} {format_duration(s)}" for n, s in report["channels"].items())
            more = f" ({channels})" if key == "told" else more
            screen.print(f"  {name:9} after {format_duration(report[key])}{more}", soft_wrap=True, markup=False)
    if report["trouble"] is not None:
        screen.print(f"  did not arrive: {report['trouble']}", soft_wrap=True, markup=False)
