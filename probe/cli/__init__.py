"""The command line: options in, one call out. Nothing heavy is imported before a command needs it."""

import typer

from probe.cli import (
    backtest,
    check,
    demo,
    drill,
    export,
    fleet,
    history,
    incident,
    notify,
    report,
    run,
    status,
    status_page,
    trace,
    user,
    validate,
)
from probe.cli import open as open_

app = typer.Typer(
    name="probe",
    help="The customer who never sleeps: walks scripted user journeys and says which step fails, and why.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check", short_help="Run checks once, or again and again on their schedule.")(check.check)
app.command("run", short_help="The daemon: run checks on schedule, judge, alert.")(run.run)
app.command("status", short_help="What is failing, and how everything stands.")(status.status)
app.command("open", short_help="Open the pages in a browser, logged in.")(open_.open_pages)
app.command("history", short_help="The runs of a check.")(history.history)
app.command("drill", short_help="Plant faults into checks, and say which they notice.")(drill.drill)
app.add_typer(incident.app, name="incident", short_help="What is or was wrong: list, show, ack, mute.")
app.command("trace", short_help="Open the Playwright trace of a run.")(trace.trace)
app.add_typer(report.app, name="report", short_help="What to hand to others: an incident, a month of objectives.")
app.add_typer(status_page.app, name="status-page", short_help="The public status page: build it as files.")
app.add_typer(user.app, name="user", short_help="People who log in: make the hash of a password.")
app.add_typer(notify.app, name="notify", short_help="Send a test message to each channel.")
app.command("validate", short_help="Say all that is wrong with a configuration, or what it means.")(validate.validate)
app.command("backtest", short_help="Judge runs again: what would have been told, and when.")(backtest.backtest)
app.add_typer(fleet.app, name="fleet", short_help="Several regions on one PostgreSQL: init, publish, status.")
app.add_typer(export.app, name="export", short_help="Write the stored runs as JSON lines.")
app.add_typer(demo.app, name="demo", short_help="A shop to try it on, with faults to switch on.")


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    """The customer who never sleeps: walks scripted user journeys and says which step fails, and why."""
    if version:
        from probe import __version__

        typer.echo(f"probe {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
