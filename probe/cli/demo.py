"""`probe demo`: the bundled shop, its faults, and the daemon watching it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli.exits import Exit, exit_of, stop
from probe.errors import ProbeError

if TYPE_CHECKING:
    from probe.loader import LoadedChecks

app = typer.Typer(help="The demo shop with a fault panel, and the daemon watching it.", invoke_without_command=True)


@app.callback()
def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Walk the shop once, print what was seen, and end.")] = False,
    channel: Annotated[
        str | None,
        typer.Option(
            "--channel", metavar="URL", help="Alert there too: any Apprise URL, such as mailto:// or slack://."
        ),
    ] = None,
) -> None:
    """Start the demo shop and the daemon that watches it (checks/shop.toml) until Ctrl-C.

    Switch faults on at the panel (its address is printed) or with `probe demo fault`, and see who is told what.
    """
    if context.invoked_subcommand is not None:
        return
    import os

    from probe.cli.selection import select_jobs
    from probe.cli.session import run_once
    from probe.demo import checks_folder
    from probe.demo.child import shop_process
    from probe.demo.ports import DEFAULT_PORT, shop_url

    config = checks_folder() / "shop.toml"
    try:
        with shop_process(DEFAULT_PORT) as panel:
            typer.echo(f"demo shop   {shop_url(DEFAULT_PORT)}\nfault panel {panel}\nchecks      {_near(config)}\n")
            selection = select_jobs(config, (), environ=os.environ)
            report = run_once(selection, selection.config.evidence_dir, show=True)
            if once or report.interrupted:
                raise typer.Exit(Exit.INTERRUPTED if report.interrupted else exit_of(report.runs))
            typer.echo(
                f"\nThe daemon watches the shop from now on, and alerts are printed here; Ctrl-C ends both.\n"
                f"Break it at {panel} or with `probe demo fault deploy-bug on` in another terminal;\n"
                f"an alert comes within two intervals (30 s to 1 min each).\n"
                f"Look at it with `probe open --config {_near(config)}`, or ask `probe status --config {_near(config)}`;\n"
                f"what customers would read is at http://127.0.0.1:8909/status.\n"
            )
            from probe.daemon import run

            raise typer.Exit(run(config, os.environ, adapt=_alerting(channel)))
    except ProbeError as error:
        stop(error)


def _alerting(url: str | None) -> "Callable[[LoadedChecks], LoadedChecks]":
    """What adds a channel of the user's to the demo's configuration."""

    def adapt(loaded: "LoadedChecks") -> "LoadedChecks":
        if url is None:
            return loaded
        from probe.core.rules import Route
        from probe.core.secret import Secret
        from probe.ports import ChannelSettings

        mine = ChannelSettings(name="yours", kind="apprise", urls=(Secret(url),))
        config = replace(
            loaded.config,
            channels={**loaded.config.channels, mine.name: mine},
            routes=(*loaded.config.routes, Route(channels=(mine.name,))),
            secrets=(*loaded.config.secrets, Secret(url)),
        )
        return replace(loaded, config=config)

    return adapt


@app.command("shop")
def shop(
    port: Annotated[
        int, typer.Option("--port", min=1, max=65500, help="The first of seven ports: http, https, CDN, payment, ...")
    ] = 8900,
) -> None:
    """Serve only the shop and its fault panel, for tests and for trying one's own checks."""
    from probe.demo.child import ca_file, serve

    try:
        serve(
            port,
            lambda urls: typer.echo(
                f"demo shop    {urls.http}, {urls.https} (authority: {ca_file()})\n"
                f"by name      {urls.named} (name server: {urls.nameserver})\n"
                f"fault panel  {urls.panel}\n"
                f"Ctrl-C stops it."
            ),
        )
    except ProbeError as error:
        stop(error)


@app.command("fault")
def fault(
    name: Annotated[str, typer.Argument(help="The fault's name; `list` shows them all, `off` ends all of them.")],
    state: Annotated[str, typer.Argument(help="on or off.", show_default=False)] = "",
    port: Annotated[
        int, typer.Option("--port", min=1, max=65500, help="The port that the shop was started with.")
    ] = 8900,
) -> None:
    """Switch a fault of the running demo shop on or off, or list them all."""
    from probe.demo.ports import panel_url
    from probe.demo.remote import clear_faults, list_faults, set_fault

    panel = panel_url(port)
    try:
        if name == "list":
            for known in list_faults(panel):
                typer.echo(
                    f"{'on ' if known['on'] else 'off'}  {known['name']:18} {known['layer']:12} {known['description']}"
                )
        elif name == "off" and not state:
            clear_faults(panel)
            typer.echo("all faults are off")
        elif state in {"on", "off"}:
            set_fault(panel, name, on=state == "on")
            typer.echo(f"{name} is {state}")
        else:
            print(f"say `probe demo fault {name} on` or `probe demo fault {name} off`", file=sys.stderr)
            raise typer.Exit(Exit.USAGE)
    except ProbeError as error:
        stop(error)


def _near(path: Path) -> Path:
    """The path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
