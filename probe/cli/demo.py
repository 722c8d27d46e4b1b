"""`probe demo`: the bundled shop, its faults, and the example checks walking it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from probe.cli.exits import Exit, exit_of, stop
from probe.errors import ProbeError

app = typer.Typer(
    help="The demo shop with a fault panel, and the example checks walking it.", invoke_without_command=True
)


@app.callback()
def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Walk the shop once, print what was seen, and end.")] = False,
) -> None:
    """Start the demo shop, and let the example checks (checks/shop.py) walk it until Ctrl-C.

    Switch faults on at the panel (its address is printed) or with `probe demo fault`, and see what the checks say.
    """
    if context.invoked_subcommand is not None:
        return
    import os

    from probe.cli.selection import select_jobs
    from probe.cli.session import run_once, run_repeatedly
    from probe.demo import checks_folder
    from probe.demo.child import shop_process
    from probe.demo.ports import DEFAULT_PORT, shop_url

    config = checks_folder() / "shop.toml"
    try:
        with shop_process(DEFAULT_PORT) as panel:
            typer.echo(f"demo shop   {shop_url(DEFAULT_PORT)}\nfault panel {panel}\nchecks      {_near(config)}\n")
            selection = select_jobs(config, (), environ=os.environ)
            evidence = selection.config.evidence_dir
            report = run_once(selection, evidence, show=True)
            if once or report.interrupted:
                raise typer.Exit(Exit.INTERRUPTED if report.interrupted else exit_of(report.runs))
            typer.echo(
                f"\nThe shop stays up, and is walked again and again; Ctrl-C ends both.\n"
                f"Break it at {panel} or with `probe demo fault deploy-bug on` in another terminal,\n"
                f"and ask for yourself with `probe check --once --config {_near(config)}`.\n"
            )
            raise typer.Exit(run_repeatedly(selection, evidence))
    except ProbeError as error:
        stop(error)


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
