"""`people.sqlite3`: opened by every thread that needs it, and by commands while the daemon runs."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from probe.errors import StoreUnavailable
from probe.store.people import People
from probe.store.people_schema import metadata
from probe.store.trouble import unavailable

T = TypeVar("T")

FILE: Final = "people.sqlite3"
VERSION: Final = 1
"""The schema of this version, in `PRAGMA user_version`."""
PATIENCE: Final = 5.0
"""Seconds for another thread or command to end its transaction."""
PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a note that was taken survives the power
    "PRAGMA journal_size_limit = 4194304",
    "PRAGMA cache_size = -2048",
    "PRAGMA temp_store = MEMORY",
)
_OPENING: Final = threading.Lock()
"""Turning a new file to WAL does not wait for others that do the same: one thread at a time."""


@contextmanager
def open_people_file(folder: Path) -> Iterator[People]:
    """What people do, in a folder of data. Made when it is not there. Any thread may use it: one at a time does."""
    path = folder / FILE
    file = _File(path)
    try:
        with _told(path), _OPENING:
            folder.mkdir(parents=True, exist_ok=True)
            _make_private(path)
            file.open()
        yield People(file.transact)
    finally:
        file.close()


class _File:
    """One connection, and whose turn it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._begin = "BEGIN"

    def open(self) -> None:
        """Connect, and make or check the tables."""
        self._connection = self._engine().connect()
        self.transact(self._bring_up_to_date, writes=True)

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            engine = self._connection.engine
            self._connection.close()
            engine.dispose()
            self._connection = None

    def transact(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Do something in a transaction. One that writes begins as such: it waits for others, and does not fail halfway."""
        with self._turn, _told(self._path):
            assert self._connection is not None, "it is open"
            self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
            with self._connection.begin():
                return work(self._connection)

    def _engine(self) -> Engine:
        engine = create_engine("sqlite+pysqlite://", creator=self._connect, poolclass=NullPool)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(self._begin)

        return engine

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            for pragma in PRAGMAS:
                connection.execute(pragma).close()
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: Connection) -> None:
        found: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if found > VERSION:
            raise StoreUnavailable(
                f"{self._path} was written by a newer probe (schema {found}, this one knows up to {VERSION}): install"
                " that version again, or move the file aside",
                lasting=True,
            )
        if found == 0:
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")


def _make_private(path: Path) -> None:
    """For its owner alone, before anything is in it; SQLite makes what lies beside it in the same way."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with the file, in words."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        known = unavailable(error, path)
        if known is None:
            raise
        words = str(known).replace("move probe.db,", f"move {FILE},")
        raise StoreUnavailable(words, lasting=known.lasting) from error
