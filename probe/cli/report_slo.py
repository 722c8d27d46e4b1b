"""`probe report slo`: a month of all objectives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli.exits import Exit

if TYPE_CHECKING:
    from probe.view.documents import SloReport


def slo(
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="Which month, in UTC. None: the running one.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write it as CSV, a row for each objective.")
    ] = None,
    days: Annotated[bool, typer.Option("--days", help="With --csv: a row for each day of each objective.")] = False,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of a table.")] = False,
) -> None:
    """What was promised and kept in a month, what each incident cost, and what did not count, and why.

    Exit: 0 no promise is broken, 1 one is, 2 wrong usage or configuration, 3 nothing can be read or written.
    """
    from probe.cli.sources import sources
    from probe.cli.stored import asked, mistaken
    from probe.errors import ProbeError
    from probe.view.slo_render import csv_of, html_of
    from probe.view.slo_report import slo_report

    with asked(config, json=json) as call:
        if days and csv is None:
            mistaken("--days goes with --csv FILE", json=json)
        with sources(call) as found:
            try:
                report = slo_report(found, month or f"{call.now:%Y-%m}")
            except ValueError as error:
                mistaken(f"--month: {error}", json=json)
        for path, make in ((html, html_of), (csv, lambda it: csv_of(it, days=days))):
            if path is not None:
                try:
                    path.write_text(make(report), encoding="utf-8", newline="")
                except OSError as error:
                    raise ProbeError(f"cannot write {path}: {error.strerror}") from error
        broken = any(one["met"] is False for one in report["objectives"])
        code = Exit.FAILED if broken else Exit.PASSED
        if json:
            call.document(code, dict(report))
        elif html is None and csv is None:
            print_month(report)
        else:
            typer.echo(f"wrote {' and '.join(str(path) for path in (html, csv) if path is not None)}")
    raise typer.Exit(code)


def print_month(report: "SloReport") -> None:
    """Each objective in a line, and below what it cost and what did not count."""
    from rich.text import Text

    from probe.cli.table import columns, console
    from probe.view.slo_render import amount, promise, verdict
    from probe.view.slo_report import outside
    from probe.view.status_render import percent

    screen = console()
    end = "" if report["complete"] else ", so far"
    screen.print(f"Objectives in {report['month']}, until {report['until'].replace('T', ' ').rstrip('Z')} UTC{end}")
    if not report["objectives"]:
        screen.print(Text("none is configured: add [slo.NAME] to the configuration"))
        return
    table = columns("objective", "promised", "attained", "kept", "bad", "of allowed", "budget used", "coverage")
    for one in report["objectives"]:
        table.add_row(
            Text(one["objective"]),
            promise(one["promised"]),
            "–" if one["attained"] is None else percent(one["attained"]),
            verdict(one),
            str(one["bad"]),
            amount(one["budget"]),
            percent(one["used"]),
            percent(one["coverage"]),
        )
    screen.print(table)
    for one in report["objectives"]:
        lines = [f"{cost['bad']} bad in {cost['incident']} ({cost['title']})" for cost in one["costs"]]
        if one["bad"]:
            lines.append(f"{outside(one)} bad outside of incidents")
        lines += [
            f"not counted: {row['start']} to {row['end']}, {row['why']}"
            + (f" ({row['runs']} runs)" if row["runs"] else "")
            for row in one["excluded"]
        ]
        for line in lines:
            screen.print(Text(f"{one['objective']}: {line}"), soft_wrap=True)
