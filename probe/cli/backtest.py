"""`probe backtest`: what would have been told of runs that were made, by this configuration or by another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from probe.cli.replay import Replay
    from probe.cli.source import Source
    from probe.core.rules import Rules


def backtest(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Runs as JSON lines. None: those that the daemon has made.", show_default=False
        ),
    ] = None,
    config: Annotated[
        Path,
        typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration. With FILE only if it is named."),
    ] = Path("config.toml"),
    checks: Annotated[
        list[str] | None, typer.Option("--check", metavar="NAME", help="Only this check. Again for more. None: all.")
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back; not with FILE.")] = "30d",
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="Outages as JSON lines. None: the incidents on record."),
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option("--alerts", metavar="FILE", help="Write the alerts there, as JSON lines.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="OLD.toml NEW.toml", help="Judge by both, and show the difference."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of tables.")] = False,
) -> None:
    """Judge runs again, and print what would have been told and when: false alarms, time to detect, extra runs.

    Exit: 0, 2 wrong usage, configuration or file, 3 nothing can be read.
    """
    from probe.backtest.interchange import write_alerts
    from probe.backtest.read import read_truth
    from probe.cli.exits import Exit, stop
    from probe.cli.progress import telling
    from probe.cli.replay import replay
    from probe.cli.replay_json import encode_replays
    from probe.cli.replay_table import print_replays
    from probe.cli.source import strict_rules
    from probe.errors import ConfigError, ProbeError

    named = context.get_parameter_source("config").name == "COMMANDLINE"  # type: ignore[union-attr]  # it is one of its own
    try:
        if compare is not None and named and file is not None:
            raise ProbeError("--config and --compare both say what to judge by: leave one")
        if compare is not None and not named:
            config = compare[1]
        source, own = _source(file, config, checks or [], since, json=json, named=named)
        if not source.recordings:
            raise ProbeError(f"no run is stored of the last {since}: ask for more with --since, or name a file")
        truths = source.truths if truth is None else read_truth(truth, source.start)
        sides: list[tuple[str, Rules]] = [(str(config) if own is not None else "", own or _default(source))]
        if compare is not None:
            sides = [(str(path), strict_rules(path)) for path in compare]
        found: list[Replay] = []
        for name, rules in sides:
            with telling(f"judging by {name}" if name else "judging") as progress:
                found.append(replay(source, rules, truths, name=name, progress=progress))
        if alerts is not None:
            write_alerts(alerts, found[-1].played.alerts, source.start)
    except ConfigError as error:
        _end(error, Exit.USAGE, json=json)
        stop(error)
    except ProbeError as error:
        _end(error, Exit.USAGE, json=json)
        stop(error)
    except OSError as error:
        trouble = ProbeError(f"{alerts} cannot be written: {error.strerror or error}")
        _end(trouble, Exit.ERRORED, json=json)
        stop(trouble, Exit.ERRORED)
    if json:
        encode_replays(found, source)
    else:
        print_replays(found, source)


def _source(
    file: Path | None, config: Path, checks: list[str], since: str, *, json: bool, named: bool
) -> "tuple[Source, Rules | None]":
    """The runs, and the rules of the configuration that goes with them; `None`: there is none."""
    from probe.cli.progress import telling
    from probe.cli.source import from_file, from_store, lenient_rules, strict_rules
    from probe.cli.stored import asked, duration_of

    if file is not None:
        rules = strict_rules(config) if named else None
        with telling("reading") as progress:
            return from_file(file, checks, progress), rules
    with asked(config, json=json) as call, telling("reading") as progress:
        begin = call.now - duration_of("--since", since, json=json)
        found, _ = lenient_rules(call)
        return from_store(call, found, begin, checks, progress), found if found.checks else None


def _default(source: "Source") -> "Rules":
    from probe.backtest.rules import default_rules

    return default_rules(source.recordings)


def _end(error: Exception, code: int, *, json: bool) -> None:
    if json:
        from probe.cli.document import print_document

        print_document(code, {"error": str(error)})
