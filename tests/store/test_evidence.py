"""Evidence is kept as long as it is to be, and no longer."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probe.store.evidence import forget_evidence

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def run_folder(root: Path, check: str, run: str, age: timedelta) -> Path:
    folder = root / check / run
    folder.mkdir(parents=True)
    (folder / "shot.png").write_bytes(b"x")
    stamp = (NOW - age).timestamp()
    os.utime(folder, (stamp, stamp))
    return folder


def test_old_evidence_goes_and_young_stays(tmp_path: Path) -> None:
    """Whole runs go, with the folder of a check that has none left; a link out of the folder is not followed."""
    old = run_folder(tmp_path, "checkout", "r1", timedelta(days=91))
    young = run_folder(tmp_path, "checkout", "r2", timedelta(days=89))
    alone = run_folder(tmp_path, "api", "r3", timedelta(days=91))
    outside = run_folder(tmp_path / "elsewhere", "x", "r4", timedelta(days=91))
    (tmp_path / "link").symlink_to(outside.parent, target_is_directory=True)
    (tmp_path / "note.txt").write_text("not a folder")
    assert forget_evidence(tmp_path, NOW - timedelta(days=90)) >= 2
    assert (old.exists(), young.exists(), alone.parent.exists(), (outside / "shot.png").exists()) == (
        False,
        True,
        False,
        True,
    )


def test_pictures_of_what_is_well_stay_while_they_are_used(tmp_path: Path) -> None:
    """They lie among the runs, by region. One goes when nothing was shown or taken there for as long as evidence is kept."""
    used = run_folder(tmp_path, "checkout/reference", "eu", timedelta(days=1))
    left = run_folder(tmp_path, "checkout/reference", "us", timedelta(days=91))
    stamp = (NOW - timedelta(days=200)).timestamp()
    os.utime(used.parent, (stamp, stamp))
    gone = run_folder(tmp_path, "retired/reference", "eu", timedelta(days=91))
    assert forget_evidence(tmp_path, NOW - timedelta(days=90)) == 2
    assert (used / "shot.png").exists()
    assert not left.exists()
    assert not gone.parent.parent.exists()


def test_no_evidence_is_nothing_to_forget(tmp_path: Path) -> None:
    """The folder may not be there yet."""
    assert forget_evidence(tmp_path / "none", NOW) == 0
