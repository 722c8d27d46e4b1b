"""What goes wrong with a database file, in words that say what to do."""

import errno
import sqlite3
from enum import Enum
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from probe.errors import StoreUnavailable


class Trouble(Enum):
    """Sorts of trouble: the words, and whether it lasts until somebody mends it."""

    LOCKED = "is locked by another program: whoever has it open (a database tool?) must let it go", False
    FULL = "has no room left: the disk is full; make room, and writing goes on by itself", False
    IO = "cannot be read or written: the disk or the network file system fails", False
    CORRUPT = "is damaged: stop probe, move probe.db, -wal and -shm aside or restore a backup, and start it again", True
    READ_ONLY = "cannot be written: chown it and its folder to probe's user, or make the file system writable", True
    UNOPENED = "cannot be made or opened: look at the path, and at what probe's user may do there", True
    OTHER = "cannot be used", False


CODES = {
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Trouble.LOCKED,
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_IOERR: Trouble.IO,
    sqlite3.SQLITE_NOMEM: Trouble.OTHER,
    sqlite3.SQLITE_CORRUPT: Trouble.CORRUPT,
    sqlite3.SQLITE_NOTADB: Trouble.CORRUPT,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Trouble.UNOPENED,
    sqlite3.SQLITE_INTERRUPT: Trouble.OTHER,
}
NUMBERS = {
    errno.ENOSPC: Trouble.FULL,
    errno.EDQUOT: Trouble.FULL,
    errno.EROFS: Trouble.READ_ONLY,
    errno.EACCES: Trouble.READ_ONLY,
    errno.EPERM: Trouble.READ_ONLY,
    errno.ENOTDIR: Trouble.UNOPENED,
    errno.EEXIST: Trouble.UNOPENED,
    errno.EISDIR: Trouble.UNOPENED,
    errno.ENOENT: Trouble.UNOPENED,
    errno.EIO: Trouble.IO,
    errno.ESTALE: Trouble.IO,
}


def trouble_of(error: BaseException) -> Trouble | None:
    """The sort of trouble that an error of the database or the system tells of; `None`: a bug, not trouble."""
    if isinstance(error, DBAPIError):
        error = error.orig or error
    if isinstance(error, sqlite3.Error):
        return CODES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if isinstance(error, OSError):
        return NUMBERS.get(error.errno or 0, Trouble.OTHER)
    return None


def unavailable(error: BaseException, path: Path) -> StoreUnavailable | None:
    """The error for whoever uses the store; `None` when it is a bug, which shows its traceback."""
    trouble = trouble_of(error)
    if trouble is None:
        return None
    words, lasting = trouble.value
    said = error.orig if isinstance(error, DBAPIError) else error
    return StoreUnavailable(f"{path} {words} ({said})", lasting=lasting)
