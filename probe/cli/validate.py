"""`probe validate`: everything that is wrong with a configuration, and what it means when nothing is."""

import os
from pathlib import Path
from typing import Annotated

import typer

from probe.cli.exits import stop
from probe.errors import ProbeError


def validate(
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
) -> None:
    """Say everything that is wrong with the configuration and the checks, or what they mean.

    Exit: 0 when they can be used (warnings are printed), 2 when not.
    """
    from probe.cli.meaning import print_meaning
    from probe.cli.selection import select_jobs

    try:
        selection = select_jobs(config, (), everywhere=True, environ=os.environ)
    except ProbeError as error:
        stop(error)
    for warning in selection.warnings:
        typer.echo(str(warning), err=True)
    if not selection.jobs:
        typer.echo("it says what this node does in its fleet; what it runs is given to it there")
        return
    print_meaning(selection)
