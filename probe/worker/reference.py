"""Pictures of how the steps of a journey look when all is well: taken now and then, laid beside the picture of a failure.

They are kept for each check and region, one for each step, and replaced together when a whole run has passed. Whoever
needs one gets a link of its own: a run that failed stays complete when the pictures are replaced or forgotten.
"""

import asyncio
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from probe.core.run import Artifact
from probe.core.secret import Redactor
from probe.worker.screenshot import take_screenshot

if TYPE_CHECKING:
    from playwright.async_api import Page

ONE: Final = 1.0
"""Seconds that one picture may take."""
ALL: Final = 3.0
"""Seconds that those of one run may take together: the supervisor waits no longer for it (worker/partial.py)."""
TAKEN: Final = "taken"
"""A file whose age is that of the pictures. That of their folder tells when one was last taken or needed."""


@dataclass(slots=True)
class Reference:
    """The pictures that one run takes. `folder` is where those of its check and region are kept, `scratch` the run's own."""

    folder: Path
    scratch: Path
    redactor: Redactor
    note: Callable[[str], None]
    mask: tuple[str, ...] = ()
    _pictures: list[Path] = field(default_factory=list)
    _spent: float = 0.0

    async def take(self, page: "Page", number: int, step: str) -> float:
        """Take the picture of a step that has passed, the run's `number`th; the seconds that it took."""
        limit = min(ONE, ALL - self._spent)
        if limit <= 0:
            return 0.0
        began = time.monotonic()
        path = self.scratch / name_of(number, step)
        why = await take_screenshot(page, path, self.redactor, limit, self.mask)
        if why is None:
            self._pictures.append(path)
        else:
            self.note(f"no reference picture of step {step!r}: {why}")
        took = time.monotonic() - began
        self._spent += took
        return took

    async def keep(self) -> None:
        """Let the pictures take the place of the former ones: the run has passed."""
        try:
            await asyncio.to_thread(_replace, self._pictures, self.folder)
        except OSError as error:
            self.note(f"the reference pictures could not be kept: {error.strerror or error}")


def is_due(folder: Path, every: timedelta) -> bool:
    """Whether there are no pictures, or they are older than `every`. Blocks."""
    try:
        age = time.time() - (folder / TAKEN).stat().st_mtime
    except OSError:
        return True
    return not 0 <= age < every.total_seconds()


def attach(folder: Path, number: int, step: str, kept: Path) -> Artifact | None:
    """Lay the picture of a step, the run's `number`th, into the folder of a run's evidence; `None`: there is none. Blocks."""
    found = _picture(folder, number, step)
    if found is None:
        return None
    target = kept / "reference.jpg"
    with suppress(OSError):
        os.utime(folder)  # still needed: it is not forgotten
    try:
        os.link(found, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(found, target)
    return Artifact(kind="reference", path=str(target), size=target.stat().st_size)


def name_of(number: int, step: str) -> str:
    """The file of a step.

    >>> name_of(2, "Add to cart")
    '2-add-to-cart.jpg'
    """
    return f"{number}-{_slug(step)}.jpg"


def _slug(step: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "-", step.lower()).strip("-.")[:60] or "step"


def _picture(folder: Path, number: int, step: str) -> Path | None:
    """That of the step at the same place; else, where a step came or went before it, the only one of its name."""
    exact = folder / name_of(number, step)
    if exact.is_file():
        return exact
    alike = [p for p in folder.glob("*.jpg") if p.stem.partition("-")[2] == _slug(step)]
    return alike[0] if len(alike) == 1 else None


def _replace(pictures: list[Path], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{os.getpid()}"
    new, old = (folder.with_name(f".{folder.name}.{word}{mark}") for word in ("new", "old"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir()
    try:
        for picture in pictures:
            shutil.move(picture, new / picture.name)
        (new / TAKEN).touch()
        with suppress(FileNotFoundError):
            folder.rename(old)
        new.rename(folder)
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
