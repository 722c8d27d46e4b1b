"""The store on SQLite."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from probe.ports import Record, Restored
from probe.store.database import Database
from probe.store.restore import read_restored
from probe.store.retention import tidying
from probe.store.settings import StoreSettings
from probe.store.writer import Writer

log = logging.getLogger(__name__)
T = TypeVar("T")
FAREWELL: Final = 10.0
"""Seconds that the end waits for what is being written."""


class SqliteStore:
    """Implements `Store`. Get one from `open_store`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self.settings = database.settings

    @property
    def low_on_space(self) -> bool:
        """Whether room is short: what can be done without (evidence) should not be written. Cheap to ask."""
        return self._database.space.low

    async def restore(self) -> Restored:
        """What was remembered: once, at the start."""
        return await self._writer.run(partial(self._database.transact, read_restored))

    async def commit(self, record: Record) -> None:
        """Write it down, all of it or nothing. Records that wait at the same time share one transaction."""
        await self._writer.commit(record)

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Do something else in a transaction of its own, by the one who writes. `StoreUnavailable` as everywhere."""
        return await self._writer.run(partial(self._database.transact, work))

    async def tidy(self, now: datetime) -> None:
        """Roll up, forget what is older than it is kept for, and put the ballast back when there is room."""
        for piece in tidying(self.settings, now):
            while await self._writer.run(partial(self._database.transact, piece)):
                pass
        await self._writer.run(self._database.space.make)


@asynccontextmanager
async def open_store(settings: StoreSettings) -> AsyncIterator[SqliteStore]:
    """The store of a folder of data, made or brought to the newest schema first, for one process at a time.

    `StoreUnavailable`, lasting but for a database that is locked just now, says why it cannot be used: another probe
    has it, it cannot be written, it is damaged, or a newer version wrote it.
    """
    database = Database(settings)
    writer = Writer(database.commit, database.close)
    try:
        await writer.run(database.open)
        yield SqliteStore(database, writer)
    finally:
        if not await writer.close(FAREWELL):
            log.error("%s did not end in %.0f s: the disk hangs", settings.database, FAREWELL)
