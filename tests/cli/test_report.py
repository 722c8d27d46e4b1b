"""`probe report incident`, as a user types it, against a database that the real store wrote."""

import asyncio
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from probe import __version__
from probe.generation import hash_of
from probe.loader import load
from probe.store.people import open_people
from tests.canary import told
from tests.cli.world import BURNING, CANARY, OLD, OPEN, configure, fill, records
from tests.store.builders import store_in
from tests.web.daemon import unix_sockets_allowed


@pytest.fixture(autouse=True)
def _unix_sockets() -> Iterator[None]:
    """The daemon is asked over one, if there is any."""
    with unix_sockets_allowed():
        yield


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bad night: two incidents are open, one is over."""
    folder = tmp_path_factory.mktemp("night")
    configure(folder)
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All was well always."""
    folder = tmp_path_factory.mktemp("before")
    configure(folder)
    fill(folder, trouble=False)
    return folder


def test_the_draft_goes_to_the_terminal(cli: Any, night: Path) -> None:
    """Markdown alone, to be piped into a file; looking makes no database of what people do."""
    result = cli(night, "report", "incident", OPEN)
    assert result.exit_code == 0
    assert result.stdout.startswith("# Post-mortem (draft): DOWN: shop.example")
    assert "\n- Detected: after 40 s\n- Told: after 45 s\n" in result.stdout
    assert "\n| checkout | local | " in result.stdout
    assert result.stdout.endswith("\n## Actions\n\n- (yours to write)\n")
    assert told("the draft", result.stdout.encode(), CANARY) == []
    assert not list((night / "data").glob("people*"))


def test_files_are_written_where_they_are_asked_for(cli: Any, night: Path, tmp_path: Path) -> None:
    """All three at once; nothing but their sizes is printed, beside the output."""
    html, markdown, bundle = (tmp_path / name for name in ("a.html", "a.md", "a.zip"))
    options = ("--html", str(html), "--markdown", str(markdown), "--bundle", str(bundle))
    result = cli(night, "report", "incident", OPEN[:-2], *options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"{bundle}: " in result.stderr
    assert html.read_text().startswith("<!doctype html>")
    assert markdown.read_text().startswith("# Post-mortem (draft)")
    with zipfile.ZipFile(BytesIO(bundle.read_bytes())) as packed:
        shown = packed.read("README.txt").decode()
        assert "runs/run-12-local.json" in packed.namelist()
    assert "\n    probe check checkout --once --region local\n" in shown
    loaded = load(night / "config.toml", environ={"CANARY": CANARY})
    assert f"Configuration {hash_of(loaded)}, probe {__version__}." in shown
    for file in (html, markdown, bundle):
        assert told(file.name, file.read_bytes(), CANARY) == []


def test_notes_of_people_are_in_it(cli: Any, night: Path) -> None:
    """Where somebody has written some."""
    with open_people(night / "data") as people:
        people.add_note(OLD, datetime(2026, 11, 22, 11, 3, tzinfo=UTC), "ada", f"it was the router {CANARY}")
    result = cli(night, "report", "incident", OLD)
    assert "| note | it was the router \\*\\*\\* (by ada) |" in result.stdout
    for file in (night / "data").glob("people*"):
        file.unlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), f"name one of these: {OPEN}, {BURNING}"),
        (("2026112",), f"'2026112' may be any of {OPEN}, {BURNING}, {OLD}"),
        (("20261123-030120-2aae",), f"there is no incident '20261123-030120-2aae'; did you mean '{OPEN}'?"),
        ((OPEN, "--html", "/nowhere/a.html"), "/nowhere/a.html cannot be written: No such file or directory"),
    ],
)
def test_mistakes_end_with_2_and_say_what_to_do(
    cli: Any, night: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = cli(night, "report", "incident", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_without_an_open_one_it_is_the_last(cli: Any, tmp_path: Path) -> None:
    """The one that was opened last: it is over."""
    configure(tmp_path)
    now = datetime.now(UTC)
    record = records(now)[1]
    over = [
        change._replace(incidents={c: replace(i, resolved=i.resolved or now) for c, i in change.incidents.items()})
        for change in record.changes
    ]

    async def write() -> None:
        async with store_in(tmp_path / "data") as store:
            await store.commit(replace(record, changes=tuple(over)))

    asyncio.run(write())
    assert f"\n{OPEN}, as recorded until " in cli(tmp_path, "report", "incident").stdout


def test_where_there_was_none_yet_that_is_said(cli: Any, before: Path) -> None:
    result = cli(before, "report", "incident")
    assert (result.exit_code, result.stderr.strip().splitlines()[-1]) == (2, "there was no incident yet")
