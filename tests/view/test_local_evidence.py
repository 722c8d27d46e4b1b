"""Evidence on the disk: the files of that run, and nothing else, whatever names a run gives them."""

import os
from pathlib import Path

import pytest

from probe.core.check import CheckId
from probe.core.run import Artifact, Observation, Run, RunId
from probe.errors import StoreUnavailable
from probe.view import evidence
from probe.view.evidence import LocalEvidence, available, type_of
from probe.view.sources import Sources
from tests.store.builders import run


def with_files(*paths: str, id: str = "run-1", check: str = "cart") -> Run:
    artifacts = tuple(Artifact(kind="log", path=path, size=1) for path in paths)
    return run(1, id=RunId(id), check=CheckId(check), observation=Observation(artifacts=artifacts))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of `run-1`, beside things that nobody may see."""
    folder = tmp_path / "evidence" / "cart" / "run-1"
    folder.mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("of the host")
    (tmp_path / "evidence" / "secret.txt").write_text("beside")
    (folder / "a.png").write_bytes(b"picture")
    return folder


def test_a_file_of_the_run_is_read_wherever_it_was_made(home: Path) -> None:
    """The folder may have moved, and in a fleet the path is that of another machine: the name counts."""
    shelf = LocalEvidence(home.parents[1])
    made = with_files("/somewhere/else/a.png", "gone.log")
    assert shelf.names(made) == {"a.png"}
    assert shelf.read(made, "a.png") == b"picture"
    assert shelf.read(made, "gone.log") is None


def test_a_file_that_the_run_does_not_name_is_not_its_own(home: Path) -> None:
    (home / "b.png").write_bytes(b"of whom?")
    assert LocalEvidence(home.parents[1]).read(with_files("a.png"), "b.png") is None


@pytest.mark.parametrize(
    "name",
    ["../../secret.txt", "../../../secret.txt", "/etc/hostname", "..", ".", "", "a.png/", "a.png\0", "..\\..\\secret.txt", "./a.png"],
)  # fmt: skip
def test_a_hostile_name_is_none(home: Path, name: str) -> None:
    shelf = LocalEvidence(home.parents[1])
    assert shelf.read(with_files(name, "a.png"), name) is None
    assert shelf.names(with_files(name)) <= {"a.png"}


@pytest.mark.parametrize("id", ["..", ".", "../cart", "/", "", "run-1/../../..", "run\0"])
def test_a_hostile_run_or_check_is_none(home: Path, id: str) -> None:
    shelf = LocalEvidence(home.parents[1])
    for made in (
        with_files("secret.txt", id=id),
        with_files("secret.txt", check=id),
        with_files("secret.txt", id=id, check=id),
    ):
        assert shelf.names(made) == frozenset()
        assert shelf.read(made, "secret.txt") is None


def test_no_link_is_followed_on_any_part_of_the_way(home: Path, tmp_path: Path) -> None:
    root = home.parents[1]
    shelf = LocalEvidence(root)
    (home / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "cart" / "run-2").symlink_to(tmp_path)
    (root / "other").symlink_to(tmp_path.parent)
    made = with_files("link.txt")
    assert (shelf.names(made), shelf.read(made, "link.txt")) == (frozenset(), None)
    for made in (with_files("secret.txt", id="run-2"), with_files("secret.txt", id=tmp_path.name, check="other")):
        assert (shelf.names(made), shelf.read(made, "secret.txt")) == (frozenset(), None)


def test_pipes_folders_and_giants_are_no_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe would be waited for without an end."""
    os.mkfifo(home / "pipe.log")
    (home / "folder.log").mkdir()
    (home / "giant.log").write_bytes(b"x" * 100)
    monkeypatch.setattr(evidence, "LARGEST", 99)
    shelf = LocalEvidence(home.parents[1])
    made = with_files("pipe.log", "folder.log", "giant.log", "a.png")
    assert shelf.names(made) == {"a.png"}
    assert [shelf.read(made, name) for name in ("pipe.log", "folder.log", "giant.log")] == [None] * 3


def test_a_folder_that_cannot_be_read_is_trouble_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, folder_sources: Sources
) -> None:
    """Not an answer. A page shows the rest all the same."""

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    shelf = LocalEvidence(home.parents[1])
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreUnavailable, match=r"evidence in .* cannot be read: Permission denied; .* rights"):
        shelf.read(with_files("a.png"), "a.png")
    assert available(folder_sources, with_files("a.png")) == frozenset()


@pytest.fixture
def folder_sources(home: Path) -> Sources:
    """Sources of which only the evidence is looked at."""
    made = object.__new__(Sources)
    object.__setattr__(made, "evidence", LocalEvidence(home.parents[1]))
    return made


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("a.jpg", "image/jpeg"),
        ("trace.zip", "application/zip"),
        ("network.har", "application/json"),
        ("console.log", "text/plain; charset=utf-8"),
        ("page.svg", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_only_what_we_write_has_a_type(name: str, type: str) -> None:
    assert type_of(name) == type
