"""`probe export`: what is stored, for others to read."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Write what is stored, for others to read.", no_args_is_help=True)


@app.callback()
def export() -> None:
    """Write what is stored, for others to read."""


@app.command("runs")
def runs(
    checks: Annotated[
        list[str] | None, typer.Option("--check", metavar="NAME", help="Only this check. Again for more. None: all.")
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back, such as 90m or 7d.")] = "30d",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to. None: standard output.", show_default=False),
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
) -> None:
    """Write the runs that the daemon has made as JSON lines (docs/backtest.md): what `probe backtest` reads.

    Exit: 0, 2 wrong usage or no such check, 3 nothing can be read or written.
    """
    from probe.cli.progress import telling
    from probe.cli.source import export_runs
    from probe.cli.stored import asked, duration_of
    from probe.errors import ProbeError

    with asked(config, json=False) as call, telling("writing") as progress:
        begin = call.now - duration_of("--since", since, json=False)
        try:
            if output is None:
                export_runs(call, typer.get_binary_stream("stdout"), begin, checks or (), progress)
            else:
                with output.open("wb") as file:
                    count = export_runs(call, file, begin, checks or (), progress)
                typer.echo(f"{count} runs written to {output}", err=True)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise ProbeError(f"{output or 'standard output'} cannot be written: {error.strerror or error}") from error
