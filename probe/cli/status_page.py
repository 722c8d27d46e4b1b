"""`probe status-page`: the public page as files that any web server can serve."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli.exits import Exit

if TYPE_CHECKING:
    from probe.view.documents import StatusDocument

app = typer.Typer(help="The public status page.", no_args_is_help=True)


@app.callback()
def status_page() -> None:
    """The public status page."""


@app.command("build")
def build(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write into; made if need be.")],
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of text.")] = False,
) -> None:
    """Write the status page as it is now: page, feed, badges and JSON, with relative addresses.

    A file is replaced at once or not at all, so that a web server can serve the folder meanwhile. Run it every minute: what
    was written does not know that it grows old. Exit: 0, 2 wrong usage or configuration, 3 nothing can be read or written.
    """
    from probe.cli.sources import sources
    from probe.cli.stored import asked, mistaken
    from probe.errors import ProbeError
    from probe.view.status import status_document

    with asked(config, json=json) as call:
        if not call.config.status_page.components:
            mistaken(f"{config} has no status page: add [[status_page.component]] (docs/status-page.md)", json=json)
        with sources(call) as found:
            document = status_document(found)
        try:
            written = write_folder(out, document, call.config.status_page.url)
        except OSError as error:
            raise ProbeError(f"cannot write to {out}: {error.strerror}; name another folder with --out") from error
        if json:
            call.document(Exit.PASSED, {"out": str(out), "state": document["state"], "files": written})
        else:
            typer.echo(f"{out}: {', '.join(written)}; the state is {document['state']}")


def write_folder(out: Path, document: "StatusDocument", url: str | None) -> list[str]:
    """Write the files, the page last; gives their names. Badges of parts that are no more are taken away.

    Nobody can report there: what was written cannot count.
    """
    from probe.view.status_render import status_css, status_files

    files: Mapping[str, bytes] = {"status.css": status_css(), **status_files(document, base="", report=None, url=url)}
    gone = _badges_of(out / "status.json") - set(files)
    (out / "badge").mkdir(parents=True, exist_ok=True)
    names = sorted(files, key=lambda name: name == "index.html")
    for name in names:
        _replace(out / name, files[name])
    _remove(out / name for name in gone)
    return names


def _badges_of(path: Path) -> set[str]:
    """The badges that were written together with a document, should it be one of ours."""
    try:
        before = json.loads(path.read_bytes())
        return {f"badge/{part['slug']}.svg" for part in before["components"] if "/" not in part["slug"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _replace(path: Path, body: bytes) -> None:
    """Write a file so that whoever reads it sees all of the old one, or all of the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(body)
        fresh.chmod(0o644)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
