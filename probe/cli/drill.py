"""`probe drill`: plants faults into checks, and says which of them they notice."""

import os
from pathlib import Path
from typing import Annotated

import typer

from probe.cli.exits import Exit, stop
from probe.core.fault import FaultKind
from probe.errors import ConfigError, ProbeError


def drill(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of checks, patterns such as 'shop*', or tag:NAME. None: all.", show_default=False),
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    target: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="NAME=URL", help="Point a target at another URL, such as a preview."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="NAME", help="From this region. None: the first of each check."),
    ] = None,
    fault: Annotated[
        list[FaultKind] | None, typer.Option("--fault", help="Only faults of this kind. None: all.", show_default=False)
    ] = None,
    slow: Annotated[
        float,
        typer.Option("--slow", metavar="SECONDS", help="How much longer a slow answer takes, where no limit is set."),
    ] = 5.0,
    at_least: Annotated[
        str | None,
        typer.Option("--at-least", metavar="SHARE", help="Exit with 1 when a score is lower, such as 80%."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Plant one fault under the running daemon, and see when people are told.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of a table.")] = False,
) -> None:
    """Plant faults into runs of each check, and see which of them it notices: a mutation score.

    The check's own code is unchanged, and the shop gets no orders but that of the one clean run.

    With --live the one named check is run by the daemon as ever, with a fault in it (the first kind of --fault, else
    server-error), under a name and an incident of its own that say DRILL and count for nothing; the alert takes the
    real way, and how long that took is told.

    Exit: 0 it ran, or the alert arrived; 1 a score is below --at-least, or no alert arrived; 2 wrong usage or
    configuration; 3 a check could not be drilled, or no daemon runs.
    """
    if live:
        from probe.cli.livedrill import drill_live

        raise typer.Exit(drill_live(config, names or [], fault or [], json=json))
    from probe.cli.output import report_problem
    from probe.cli.selection import select_jobs
    from probe.cli.session import drill_once
    from probe.engine.mutation import Wish

    try:
        least = _share(at_least)
        selection = select_jobs(config, names or (), targets=target or (), regions=region or (), environ=os.environ)
    except ProbeError as error:
        if json:
            report_problem(error)
        stop(error)
    for warning in selection.warnings:
        typer.echo(str(warning), err=True)
    from probe.cli.scores import print_scores, scores_as_json

    report = drill_once(selection, Wish(kinds=frozenset(fault or ()), slow=slow), show=not json)
    code = Exit.PASSED
    if report.interrupted:
        code = Exit.INTERRUPTED
    elif any(score.trouble for score in report.scores):
        code = Exit.ERRORED
    elif least is not None and any(s.share is not None and s.share < least for s in report.scores):
        code = Exit.FAILED
    if json:
        scores_as_json(report.scores, code, report.duration)
    elif not report.interrupted:
        print_scores(report.scores, report.duration)
    raise typer.Exit(code)


def _share(text: str | None) -> float | None:
    """`80%` or `0.8` as a number from 0 to 1; `ConfigError` for anything else."""
    from probe.core.diagnostic import Diagnostic

    if text is None:
        return None
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        what = f"{text!r} is not a share"
        raise ConfigError((Diagnostic(file="--at-least", what=what, hint="write --at-least 80%"),))
    return number
