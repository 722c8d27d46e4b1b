"""`probe report`: an incident as a post-mortem to be finished, or as a bundle to be handed on; a month of objectives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli.exits import Exit
from probe.cli.report_slo import slo

if TYPE_CHECKING:
    from probe.view.sources import Sources

app = typer.Typer(help="What to hand to others: an incident, a month of objectives.", no_args_is_help=True)
app.command("slo")(slo)


@app.command("incident")
def incident(
    id: Annotated[
        str | None,
        typer.Argument(
            help="Its id, or the beginning of it. None: the one that is open, or else the last.",
            metavar="ID",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="One HTML file, with pictures.", show_default=False)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Markdown.", show_default=False)
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="FILE", help="A zip: timeline, runs and their evidence, redacted.", show_default=False
        ),
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
) -> None:
    """Begin a post-mortem: what happened, for whom, since when, the likely cause, and what speaks for it. As Markdown.

    With --bundle also for those without access: the runs that matter, and their evidence.

    Exit: 0, 2 there is no such incident or a file cannot be written, 3 nothing can be read.
    """
    from probe.cli.sources import sources
    from probe.cli.stored import asked, mistaken
    from probe.view.bundle import bundle as bundle_of
    from probe.view.incident import incident as document_of
    from probe.view.report import incident_report, pictures_of

    with asked(config, json=False) as call, sources(call) as found:
        name = _id(found, id)
        document = document_of(found, name)
        assert document is not None  # the id was read from the same database, and incidents are kept for good
        try:
            if html is not None:
                pictures = pictures_of(found, document, restricted=True)
                _write(html, incident_report(document, "html", pictures).encode())
            if markdown is not None:
                _write(markdown, incident_report(document, "md", {}).encode())
            if bundle is not None:
                made = bundle_of(found, name, restricted=True)
                assert made is not None  # the same
                _write(bundle, made)
        except OSError as error:
            mistaken(f"{error.filename or 'the file'} cannot be written: {error.strerror}", json=False)
        if html is markdown is bundle is None:
            typer.echo(incident_report(document, "md", {}), nl=False)
    raise typer.Exit(Exit.PASSED)


def _write(path: Path, body: bytes) -> None:
    path.write_bytes(body)
    typer.echo(f"{path}: {len(body):,} bytes", err=True)


def _id(sources: "Sources", given: str | None) -> str:
    """The id that was meant; ends the program when it is not plain which."""
    from probe.cli.stored import mistaken
    from probe.core.diagnostic import did_you_mean

    stored = sources.reader.incidents(limit=10_000)
    known = [str(one.id) for one in stored]
    now_open = [str(one.id) for one in stored if one.resolved is None]
    if given is None:
        if len(now_open) > 1:
            mistaken(f"name one of these: {', '.join(now_open)}", json=False)
        return (now_open or known or [mistaken("there was no incident yet", json=False)])[0]
    found = [one for one in known if one == given] or [one for one in known if one.startswith(given)]
    if len(found) == 1:
        return found[0]
    if found:
        mistaken(f"{given!r} may be any of {', '.join(found[:10])}", json=False)
    hint = did_you_mean(given, known[:20]) if known else "there was none yet"
    return mistaken(f"there is no incident {given!r}; {hint}", json=False)
