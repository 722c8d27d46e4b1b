"""The one connection that writes: opening, migrating, transactions, and what is done when the disk is full."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError, IntegrityError

from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.store.lock import take_lock
from probe.store.mend import mended
from probe.store.schema import metadata
from probe.store.settings import StoreSettings
from probe.store.space import Space
from probe.store.trouble import Trouble, trouble_of, unavailable
from probe.store.write import Writing

T = TypeVar("T")

REVISIONS: Final = ("0001", "0002")
"""The schemas that this version knows, the newest last (migrations/versions/)."""
PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL loses the last commits with the power
    "PRAGMA journal_size_limit = 16777216",  # less than the ballast, which must make room for a log
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
)


def sqlite_engine(connect: Callable[[], sqlite3.Connection], begin: str) -> Engine:
    """An engine whose transactions begin with `begin`: the driver's own way would leave DDL and reads outside."""
    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def check_schema(connection: Connection, path: Path) -> str | None:
    """The schema that a database has; `None`: it is empty. `StoreUnavailable`, lasting, when it is not one of ours."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreUnavailable(f"{path} is a database, but not one of probe's: move it aside", lasting=True)
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if version not in REVISIONS:
        raise StoreUnavailable(
            f"{path} was written by a newer probe (schema {version}, this one knows up to {REVISIONS[-1]}): install that"
            " version again, or move the file aside",
            lasting=True,
        )
    return str(version)


class Database:
    """The database, as its only writer has it. Everything here belongs to the writer's thread, but for `space.low`."""

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self.space = Space(settings.path, settings.ballast)
        self._path = settings.database
        self._lock: int | None = None
        self._connection: Connection | None = None
        self._writing: Writing | None = None

    def open(self) -> None:
        """Make or open it. `StoreUnavailable` says why it cannot be used, and what to do. `close` it in any case."""
        folder = self.settings.path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(folder)
            self.space.make()
            self._connection = sqlite_engine(self._connect, "BEGIN IMMEDIATE").connect()
            self._migrate(self._connection)
            self._writing = Writing(self._connection)
        except (DBAPIError, OSError) as error:
            if (known := unavailable(error, folder if isinstance(error, OSError) else self._path)) is not None:
                raise known from error
            raise

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            engine = self._connection.engine
            with suppress(DBAPIError):  # what was committed is safe, whatever the end is like
                self._connection.close()
            engine.dispose()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def commit(self, records: Sequence[Record]) -> None:
        """Write records, in one transaction."""
        writing = self._writing
        assert writing is not None
        try:
            self.transact(lambda _: writing.write(records))
        except (UnicodeEncodeError, IntegrityError):
            better = self.transact(lambda connection: mended(connection, records))
            self.transact(lambda _: writing.write(better))

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do something in a transaction. On a full disk, once more without the ballast."""
        assert self._connection is not None
        try:
            try:
                result = self._once(work, self._connection)
            except DBAPIError as error:
                if trouble_of(error) is not Trouble.FULL or not self.space.give_up():
                    raise
                self._shrink(self._connection)
                result = self._once(work, self._connection)
        except (DBAPIError, sqlite3.Error) as error:
            if (known := unavailable(error, self._path)) is not None:
                raise known from error
            raise
        self.space.look()
        return result

    @staticmethod
    def _shrink(connection: Connection) -> None:
        """Move the log into the database and cut it to nothing: that is not possible inside a transaction."""
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def _once(self, work: Callable[[Connection], T], connection: Connection) -> T:
        try:
            with connection.begin():
                return work(connection)
        except BaseException:
            if self._writing is not None:
                self._writing.forget()
            raise

    def _connect(self) -> sqlite3.Connection:
        seconds = self.settings.patience.total_seconds()
        connection = sqlite3.connect(self._path, timeout=seconds, isolation_level=None)
        try:
            for pragma in PRAGMAS:
                connection.execute(pragma).close()
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: Connection) -> None:
        with connection.begin():  # a file that cannot be written is noticed here
            found = check_schema(connection, self._path)
            if found is None:
                create(connection)
            elif found != REVISIONS[-1]:
                from probe.store.migrations import upgrade  # Alembic is large, and hardly ever needed

                upgrade(connection)


def create(connection: Connection) -> None:
    """Make all tables of the newest schema in an empty database: what the migrations would make, without Alembic."""
    metadata.create_all(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY"
        " (version_num))"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (REVISIONS[-1],))
