"""Forgets evidence: the folders of runs that are older than they are kept for."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from shutil import rmtree

from probe.ports import REFERENCE


def forget_evidence(folder: Path, before: datetime) -> int:
    """Remove the folder of each run that was last written before a moment; gives how many there were. Blocks.

    Below `folder` lies one folder for each check, and in it one for each run; and one with pictures of how the check looks
    when all is well, by region, which are written or needed again and again for as long as it runs from there. What
    cannot be removed stays, to be tried again the next time.
    """
    limit, removed = before.timestamp(), 0
    for check in _folders(folder):
        pictures = check / REFERENCE
        for old in (*(f for f in _folders(check) if f != pictures), *_folders(pictures)):
            with suppress(OSError):
                if old.stat().st_mtime < limit:
                    rmtree(old)
                    removed += 1
        for empty in (pictures, check):
            with suppress(OSError):
                empty.rmdir()  # only an empty folder goes
    return removed


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [found for found in folder.iterdir() if found.is_dir() and not found.is_symlink()]
    return []
