"""The store of a fleet as the evaluators use it, in the shape of the `Store` port, for the contract."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from probe.core.secret import Secret
from probe.fleet.hub import Hub
from probe.fleet.read import open_fleet
from probe.fleet.tidy import tidy_fleet
from probe.ports import Record, Restored
from probe.store.fleet import FleetWriting
from probe.store.reader import Reader
from probe.store.restore import read_restored, read_state
from probe.store.settings import StoreSettings
from tests.postgres import Database

T = TypeVar("T")


class FleetStore:
    """One shard, all of whose transactions come one after the other. Runs are not forgotten: they go by partitions."""

    def __init__(self, hub: Hub, shard: str = "") -> None:
        self.hub = hub
        self.shard = shard
        self.alive: datetime | None = None
        self.turn = asyncio.Lock()
        self.settings = StoreSettings(path=Path())

    async def restore(self) -> Restored:
        async with self.hub.transaction() as connection:
            restored = await connection.run_sync(read_restored)
            state = await connection.run_sync(read_state, self.alive)
        return replace(restored, state=state, alive=self.alive)

    async def commit(self, record: Record) -> None:
        async with self.turn, self.hub.transaction() as connection:
            await connection.run_sync(lambda sync: FleetWriting(sync).write([record], shard=self.shard))
        self.alive = record.alive or self.alive

    async def tidy(self, now: datetime) -> None:
        await tidy_fleet(self.hub, self.settings, now)


@asynccontextmanager
async def fleet_store(database: Database) -> AsyncIterator[FleetStore]:
    hub = Hub(Secret(database.url()), node="test")
    try:
        yield FleetStore(hub)
    finally:
        await hub.close()


async def read_fleet(database: Database, look: Callable[[Reader], T]) -> T:
    """What a reader sees, in a thread: readers block."""

    def reading() -> T:
        with open_fleet(Secret(database.url())) as reader:
            return look(reader)

    return await asyncio.to_thread(reading)
