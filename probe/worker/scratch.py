"""Scratch folders: where a worker's temporary files, its browser's profile and evidence not yet redacted live."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from probe.worker.tree import owner_lives

PREFIX: Final = "pw-"
LONGEST: Final = 60
"""Characters of a scratch path: Chromium's socket, some 40 characters below it, may not exceed 107 bytes."""


def new_scratch(base: Path, mark: str) -> Path:
    """A new, empty folder for the worker that carries `mark`; below the system's folder when `base` is too long."""
    name = PREFIX + mark
    if len(str(base / name)) > LONGEST:
        base = Path(tempfile.gettempdir())
    folder = base / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def drop_scratch(folder: Path) -> None:
    """Remove a worker's folder with all that is in it. What cannot be removed is left for the next sweep."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep(*bases: Path) -> list[Path]:
    """Remove the folders of workers whose supervisor is dead, below `bases` and the system's folder."""
    swept = []
    for base in {*bases, Path(tempfile.gettempdir())}:
        for folder in base.glob(PREFIX + "*.*.*"):
            if not owner_lives(folder.name.removeprefix(PREFIX)):
                drop_scratch(folder)
                swept.append(folder)
    return swept
