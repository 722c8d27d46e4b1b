"""`probe notify`: whether the channels work, said by the services themselves."""

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.exits import Exit

app = typer.Typer(help="The channels that people are told by.", no_args_is_help=True)


@app.callback()
def notify() -> None:
    """The channels that people are told by."""


@app.command("test")
def try_out(
    channels: Annotated[
        list[str] | None,
        typer.Argument(help="Names of channels. None: all.", metavar="CHANNEL", show_default=False),
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of a table.")] = False,
) -> None:
    """Send a test message to each channel, and print what its service answered.

    Needs no running daemon. Exit: 0 all took it, 1 one did not, 2 wrong usage or configuration.
    """
    import asyncio
    import os
    import sys
    from contextlib import redirect_stdout

    from probe.cli.exits import stop
    from probe.cli.output import report_problem
    from probe.cli.trial import print_trials, trials_as_json, try_all
    from probe.config.load import load_config
    from probe.core.diagnostic import Diagnostic, did_you_mean
    from probe.core.secret import Redactor
    from probe.errors import ConfigError, ProbeError

    try:
        settings = load_config(config, environ=os.environ).config
        known = settings.channels
        unknown = [name for name in channels or () if name not in known]
        if unknown or not known:
            raise ConfigError(
                tuple(
                    Diagnostic(file=str(config), what=f"there is no channel {n!r}", hint=did_you_mean(n, known))
                    for n in unknown
                )
                or (Diagnostic(file=str(config), what="there is no channel", hint="write a [channels.NAME] table"),)
            )
    except ProbeError as error:
        if json:
            report_problem(error)
        stop(error)
    chosen = [known[name] for name in dict.fromkeys(channels or known)]
    with redirect_stdout(sys.stderr if json else sys.stdout):  # a channel of kind "terminal" prints
        trials = asyncio.run(try_all(chosen, Redactor(settings.secrets)))
    code = Exit.PASSED if all(trial.ok for trial in trials) else Exit.FAILED
    if json:
        trials_as_json(trials, code)
    else:
        print_trials(trials)
    raise typer.Exit(code)
