"""`probe check`: run checks once, or again and again while somebody looks."""

import os
from pathlib import Path
from typing import Annotated

import typer

from probe.cli.exits import Exit, exit_of, stop
from probe.errors import ProbeError


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of checks, patterns such as 'shop*', or tag:NAME. None: all.", show_default=False),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Run each check once, print what was seen, and end.")] = False,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    target: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="NAME=URL", help="Point a target at another URL, such as a preview."),
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", metavar="NAME", help="Only from this region. None: all local ones.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of a table.")] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write the runs as JUnit XML.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="DIR", help="Where evidence goes, instead of probe.data.")
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Keep full evidence of every journey: trace, screenshot, HAR, console.")
    ] = False,
) -> None:
    """Run checks from every local region; without --once, again and again on their schedule.

    Exit: 0 all passed, 1 a check failed, 2 wrong usage or configuration, 3 probe itself could not run a check.
    """
    if not once and (json or junit):
        typer.echo("--json and --junit say what one round saw: use them with --once", err=True)
        raise typer.Exit(Exit.USAGE)
    from probe.cli.output import report_problem
    from probe.cli.selection import select_jobs

    try:
        selection = select_jobs(
            config, names or (), targets=target or (), regions=region or (), full_evidence=trace, environ=os.environ
        )
    except ProbeError as error:
        if json:
            report_problem(error)
        stop(error)
    for warning in selection.warnings:
        typer.echo(str(warning), err=True)

    from probe.cli.session import run_once, run_repeatedly

    folder = evidence or selection.config.evidence_dir
    if not once:
        raise typer.Exit(run_repeatedly(selection, folder))
    report = run_once(selection, folder, show=not json)
    from probe.cli.output import write_json, write_junit

    code = Exit.INTERRUPTED if report.interrupted else exit_of(report.runs)
    if json:
        write_json(report, code)
    if junit is not None:
        try:
            write_junit(report, junit)
        except OSError as error:
            typer.echo(f"{junit}: the JUnit file cannot be written: {error.strerror}", err=True)
            code = max(code, Exit.USAGE)
    raise typer.Exit(code)
