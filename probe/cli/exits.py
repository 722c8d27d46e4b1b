"""The exit codes, and how runs become one."""

import sys
from collections.abc import Iterable
from enum import IntEnum
from typing import NoReturn

import typer

from probe.core.run import Outcome, Run
from probe.errors import ConfigError, ProbeError


class Exit(IntEnum):
    """What the process says to its caller."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    ERRORED = 3
    INTERRUPTED = 130


def exit_of(runs: Iterable[Run]) -> Exit:
    """1 when any check failed; else 3 when we could not run one; else 0. Known trouble of the target comes first."""
    outcomes = {run.outcome for run in runs}
    if Outcome.FAILED in outcomes:
        return Exit.FAILED
    return Exit.PASSED if outcomes <= {Outcome.PASSED} else Exit.ERRORED


def stop(error: ProbeError, code: Exit = Exit.USAGE) -> NoReturn:
    """End the program for a user's mistake (exit code 2) or trouble of ours: every diagnostic on standard error."""
    print(error, file=sys.stderr)
    if isinstance(error, ConfigError):
        count = sum(d.severity == "error" for d in error.diagnostics)
        print(f"{count} error{'' if count == 1 else 's'}; nothing was run", file=sys.stderr)
    raise typer.Exit(code)
