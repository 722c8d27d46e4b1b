"""Files of evidence: those of a data folder, and what is said of each of them.

Names and paths come from whoever made the run, in a fleet from another machine: of a path only the last part counts, and
it is looked for in the folder of that run alone. No link is followed on the way there.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from probe.core.run import Run
from probe.errors import StoreUnavailable
from probe.view.documents import EvidenceRow
from probe.view.sources import Sources

LARGEST: Final = 64 * 2**20
"""Bytes of a file at most: what is larger is not shown."""
TYPES: Final[Mapping[str, str]] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".zip": "application/zip",
    ".har": "application/json",
    ".log": "text/plain; charset=utf-8",
}
PICTURES: Final = ("screenshot", "reference")
"""Kinds of evidence that are pictures."""


def type_of(name: str) -> str:
    """The content type of a file of evidence, by its name: of none that we do not write ourselves is anything believed.

    >>> type_of("screenshot.png"), type_of("page.html")
    ('image/png', 'application/octet-stream')
    """
    return TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def names_of(run: Run) -> frozenset[str]:
    """The names of all files of evidence that a run has made."""
    found = (PurePosixPath(artifact.path).name for artifact in run.observation.artifacts)
    return frozenset(name for name in found if is_plain(name))


def is_plain(name: str) -> bool:
    """Whether something can be the name of a file in a folder, and nothing else.

    >>> is_plain("trace.zip"), is_plain(".."), is_plain("a/b"), is_plain("")
    (True, False, False, False)
    """
    return name not in ("", ".", "..") and not any(sign in "/\\" or not sign.isprintable() for sign in name)


def available(sources: Sources, run: Run) -> frozenset[str]:
    """The files of a run that can be had just now: none while the place where they are kept cannot be asked."""
    if not run.observation.artifacts:
        return frozenset()
    try:
        return sources.evidence.names(run)
    except StoreUnavailable:
        return frozenset()


def evidence_rows(sources: Sources, run: Run) -> list[EvidenceRow]:
    """What is said of each file of a run."""
    there, restricted = available(sources, run), run.check in sources.restricted
    rows = []
    for artifact in run.observation.artifacts:
        name = PurePosixPath(artifact.path).name
        rows.append(
            EvidenceRow(
                kind=artifact.kind,
                name=name,
                size=artifact.size,
                type=type_of(name),
                restricted=restricted,
                available=name in there,
            )
        )
    return rows


class LocalEvidence:
    """Implements `EvidenceFiles` on the evidence folder of a node: below it lies a folder for each check, in it one for each run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, run: Run) -> frozenset[str]:
        """The names of the files of a run that are there."""
        wanted = names_of(run)
        if not wanted:
            return wanted
        with self._opened(run) as folder:
            return frozenset(name for name in wanted if folder is not None and _size(folder, name) is not None)

    def read(self, run: Run, name: str) -> bytes | None:
        """One of them; `None`: there is none of that name, or it is larger than any that we make."""
        if name not in names_of(run):
            return None
        with self._opened(run) as folder:
            if folder is None or _size(folder, name) is None:
                return None
            with open(
                name, "rb", opener=lambda path, _: os.open(path, _FILE, dir_fd=folder)
            ) as file:  # below an open folder
                body = file.read(LARGEST + 1)
        return body if len(body) <= LARGEST else None

    @contextmanager
    def _opened(self, run: Run) -> Iterator[int | None]:
        """The folder of a run, opened; `None`: there is none. `StoreUnavailable` for whatever cannot be read."""
        opened: int | None = None
        try:
            if is_plain(run.check) and is_plain(run.id):
                opened = self._open(run)
            yield opened
        except OSError as error:
            raise StoreUnavailable(
                f"evidence in {self._folder} cannot be read: {error.strerror}; whoever looks needs the rights of the daemon"
            ) from error
        finally:
            if opened is not None:
                os.close(opened)

    def _open(self, run: Run) -> int | None:
        try:
            top = os.open(self._folder, _FOLDER)
            try:
                check = os.open(run.check, _FOLDER | os.O_NOFOLLOW, dir_fd=top)
            finally:
                os.close(top)
            try:
                return os.open(run.id, _FOLDER | os.O_NOFOLLOW, dir_fd=check)
            finally:
                os.close(check)
        except (FileNotFoundError, NotADirectoryError):  # a link in its place is no folder, either
            return None


_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _size(folder: int, name: str) -> int | None:
    """The size of a file of a folder; `None`: there is none that we could have made (a link, a pipe, a giant)."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)  # below an open folder
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST else None
