"""`probe status`: what is failing, and how everything stands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probe.cli.exits import Exit

if TYPE_CHECKING:
    from probe.cli.stored import Asked
    from probe.core.rules import Rules


def status(
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of tables.")] = False,
) -> None:
    """Say what is failing, and how objectives, regions, channels and the daemon stand.

    Exit: 0 no incident is open, 1 one is, 2 wrong usage or configuration, 3 nothing can be read, or none is open but no
    healthy daemon watches.
    """
    from datetime import UTC, datetime

    from probe.cli.overview import encode_standing, print_standing
    from probe.cli.stored import asked
    from probe.view.standing import standing

    with asked(config, json=json) as call:
        live = _live(call)
        with call.reader() as reader:
            found = call.clean(standing(reader, _rules(call), live, datetime.now(UTC)))
        watched = live is not None and live["healthy"]
        code = Exit.FAILED if found.incidents else Exit.PASSED if watched else Exit.ERRORED
        if json:
            call.document(code, encode_standing(found))
        else:
            print_standing(found)
    raise typer.Exit(code)


def _live(call: "Asked") -> dict[str, Any] | None:
    """What the daemon says about itself, if one answers."""
    from probe.cli.control import NoDaemon, Refused, ask

    try:
        return ask(call.config.data, "GET", "/status")
    except (NoDaemon, Refused):
        return None


def _rules(call: "Asked") -> "Rules | None":
    """What objectives and checks there are; `None`, with a word about it, when that cannot be read here."""
    from probe.config.rules import rules_of
    from probe.errors import ConfigError
    from probe.loader import load_checks

    try:
        rules, _ = rules_of(call.config, load_checks(call.config))
    except ConfigError:
        typer.echo("the checks cannot be loaded here (see `probe validate`): objectives are left out", err=True)
        return None
    return rules
