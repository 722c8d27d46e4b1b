"""Forgets evidence: the folders of runs that are older than they are kept for."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from shutil import rmtree


def forget_evidence(folder: Path, before: datetime) -> int:
    """Remove the folder of each run that was last written before a moment; gives how many there were. Blocks.

    Below `folder` lies one folder for each check, and in it one for each run. What cannot be removed stays, to be
    tried again the next time.
    """
    limit, removed = before.timestamp(), 0
    for check in _folders(folder):
        for run in _folders(check):
            with suppress(OSError):
                if run.stat().st_mtime < limit:
                    rmtree(run)
                    removed += 1
        with suppress(OSError):
            check.rmdir()  # only an empty folder goes
    return removed


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [found for found in folder.iterdir() if found.is_dir() and not found.is_symlink()]
    return []
