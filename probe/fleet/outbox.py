"""The durable outbox of a node: the runs in its own SQLite that the hub does not have yet."""

import asyncio
import secrets
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from probe.core.check import CheckId
from probe.core.notification import Attempt
from probe.store import outbox
from probe.store.outbox import Batch, Source
from probe.store.reader import open_reader
from probe.store.sqlite import SqliteStore

T = TypeVar("T")


class Told(NamedTuple):
    """An attempt that told somebody, by its number, and a check that it was about."""

    number: int
    check: CheckId
    attempt: Attempt


class Outbox(Protocol):
    """What a link needs of the node's own database. All methods raise `StoreUnavailable`."""

    async def join(self, region: str) -> Source:
        """The source of a region's runs, and how far it is. Before anything else."""
        ...

    async def rejoin(self, region: str) -> Source:
        """Be another source from now on: what the hub knows of this one is newer than what is here."""
        ...

    async def only(self, regions: Collection[str]) -> int:
        """Keep no books for other regions than these; gives how many of their runs are left behind."""
        ...

    async def batch(self, region: str, after: int, most: int) -> Batch:
        """The next runs of a region that wait."""
        ...

    async def forwarded(self, region: str, seq: int) -> None:
        """The hub has all of a region up to this number."""
        ...

    async def told(self) -> tuple[Told, ...]:
        """What was told from here and the hub does not know."""
        ...

    async def told_until(self, number: int) -> None:
        """The hub knows all that was told up to this number."""
        ...

    async def share(self, region: str, moment: datetime) -> None:
        """Other nodes of a region live at this moment."""
        ...


LARGEST = 4 * 2**20
"""Bytes of one batch."""


class SqliteOutbox:
    """Implements `Outbox`: reads beside the writer, and writes through it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def join(self, region: str) -> Source:
        """The source of a region's runs."""
        return await self._store.transact(lambda connection: outbox.join(connection, region, secrets.randbits(62)))

    async def rejoin(self, region: str) -> Source:
        """Be another source."""
        return await self._store.transact(lambda connection: outbox.rejoin(connection, region, secrets.randbits(62)))

    async def only(self, regions: Collection[str]) -> int:
        """Keep no books for other regions."""
        return await self._store.transact(lambda connection: outbox.only(connection, regions))

    async def batch(self, region: str, after: int, most: int) -> Batch:
        """The next runs of a region that wait."""
        return await self._read(partial(outbox.read_batch, region=region, after=after, most=most, largest=LARGEST))

    async def forwarded(self, region: str, seq: int) -> None:
        """The hub has all of a region up to this number."""
        await self._store.transact(lambda connection: outbox.put_forwarded(connection, region, seq))

    async def told(self) -> tuple[Told, ...]:
        """What was told from here."""
        return tuple(Told(*found) for found in await self._read(outbox.read_told))

    async def told_until(self, number: int) -> None:
        """The hub knows what was told."""
        await self._store.transact(lambda connection: outbox.put(connection, {outbox.TOLD: number}))

    async def share(self, region: str, moment: datetime) -> None:
        """Other nodes of a region live."""
        await self._store.transact(lambda connection: outbox.put_shared(connection, region, moment))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await read_beside(self._store, work)


async def read_beside(store: SqliteStore, work: Callable[[Connection], T]) -> T:
    """What is to be read, without keeping the writer waiting."""

    def reading() -> T:
        with open_reader(store.settings.path) as reader:
            return reader.read(work)

    return await asyncio.to_thread(reading)
