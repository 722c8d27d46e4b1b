"""`probe history`: the runs of a check."""

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.exits import Exit


def history(
    check: Annotated[str, typer.Argument(help="The id of a check.", show_default=False)],
    region: Annotated[
        str | None, typer.Option("--region", metavar="NAME", help="Only from this region. None: from all.")
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="TIME", help="From when: 90m or 7d ago, or 12:03:10, or 2026-11-24T12:03 (UTC)."
        ),
    ] = "24h",
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Until when, said in the same ways. None: until now.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest.")] = 50,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that did not pass.")] = False,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of a table.")] = False,
) -> None:
    """List the runs of a check that the daemon has made, newest first.

    Exit: 0, 2 wrong usage or no such check, 3 nothing can be read.
    """
    from probe.cli.encode import encode_rows
    from probe.cli.past import print_history
    from probe.cli.stored import asked, mistaken, moment_of
    from probe.core.check import CheckId
    from probe.core.diagnostic import did_you_mean

    with asked(config, json=json) as call:
        begin = moment_of("--since", since, call.now, json=json)
        end = None if until is None else moment_of("--until", until, call.now, json=json)
        with call.reader() as reader:
            runs = call.clean(reader.history(check, region, since=begin, until=end, limit=limit, failed=failed))
            known = {} if runs else {one: tuple(found.places) for one, found in reader.status().state.checks.items()}
        if not runs and check not in known:
            mistaken(f"no run of a check {check!r} is stored; {did_you_mean(check, known)}", json=json)
        if not runs and region is not None and region not in known[CheckId(check)]:
            places = known[CheckId(check)]
            mistaken(f"no run of {check!r} from {region!r} is stored; {did_you_mean(region, places)}", json=json)
        if json:
            call.document(Exit.PASSED, {"check": check, "runs": encode_rows(runs)})
        else:
            print_history(runs, begin, limit)
