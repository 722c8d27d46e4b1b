"""`probe run`: the daemon."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from probe.cli.exits import Exit, stop
from probe.errors import ConfigError, ProbeError


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    log_level: Annotated[
        Level | None,
        typer.Option("--log-level", help="How much is logged, instead of probe.log_level.", show_default=False),
    ] = None,
) -> None:
    """Run every check on its schedule, remember, judge, and tell whom the routes name, until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration again. A second signal ends it at once.

    Exit: 0 after a stop that was asked for, 2 wrong configuration, 3 it cannot run here (store, address in use).
    """
    from probe.daemon import run as run_daemon

    try:
        code = run_daemon(config, os.environ, log_level=log_level and log_level.value)
    except (ProbeError, ExceptionGroup) as error:
        trouble = _alone(error)
        if trouble is None:
            raise
        stop(trouble, Exit.USAGE if isinstance(trouble, ConfigError) else Exit.ERRORED)
    raise typer.Exit(code)


def _alone(error: Exception) -> ProbeError | None:
    """Our own trouble, also when a task group has wrapped it; `None`: something else happened, or more than that."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, ProbeError) else None
