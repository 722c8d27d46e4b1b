"""Room on the disk: a ballast file that is given up when there is none left."""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


class Space:
    """The room in a folder. Call its methods in the writer's thread; `low` may be read anywhere.

    On a full disk SQLite can neither insert nor delete nor checkpoint. A file as large as its log, removed, lets it do
    all three again.
    """

    def __init__(self, folder: Path, ballast: int) -> None:
        self._folder = folder
        self._file = folder / "ballast"
        self._size = ballast
        self.low = False
        """Whether what can be done without should not be written."""

    def look(self) -> None:
        """See how much room there is: low while the ballast is gone, or less than twice as much is free."""
        with suppress(OSError):  # whoever writes next is told
            self.low = self._size > 0 and (not self._file.exists() or self._free() < 2 * self._size)

    def make(self) -> None:
        """Put the ballast there, when there is room for it and for twice as much again."""
        try:
            if self._size == 0:
                self._file.unlink(missing_ok=True)
            elif not self._is_whole() and self._free() >= 3 * self._size:
                with self._file.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError as error:
            log.warning("no ballast in %s: %s", self._folder, error)
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
        self.look()

    def give_up(self) -> bool:
        """Remove the ballast; whether there was one."""
        try:
            self._file.unlink()
        except OSError:  # gone already, or the disk is beyond that too
            return False
        log.error("%s is full: gave up the ballast of %d MiB, evidence stops", self._folder, self._size // 2**20)
        self.low = True
        return True

    def _free(self) -> int:
        room = os.statvfs(self._folder)
        return room.f_bavail * room.f_frsize

    def _is_whole(self) -> bool:
        return self._file.exists() and self._file.stat().st_size == self._size
