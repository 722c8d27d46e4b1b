"""What people do, in a fleet's database: the same tables and the same code as on SQLite, so that every judging node shows the same."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import Connection, text

from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub
from probe.store.people import People

T = TypeVar("T")
NODE: Final = "pages"
"""What the database knows us as, in place of the name of a node."""
_THERE: Final = text("SELECT to_regclass('probe.sessions') IS NOT NULL")


@contextmanager
def open_fleet_people(url: Secret) -> Iterator[People]:
    """Those of a fleet, for threads without an event loop: one at a time uses it.

    `StoreUnavailable` when the database cannot be reached, or when its schema is older than this probe: then lasting.
    """
    turn = threading.Lock()
    with asyncio.Runner() as runner:
        hub = Hub(url, node=NODE)

        def transact(work: Callable[[Connection], T], *, writes: bool) -> T:
            with turn:
                return runner.run(_transact(hub, work, writes=writes))

        try:
            if not transact(lambda connection: connection.scalar(_THERE), writes=False):
                raise StoreUnavailable(
                    f"the database {hub.address} has no tables of what people do: run `probe fleet init`", lasting=True
                )
            yield People(transact)
        finally:
            with turn:
                runner.run(hub.close())


async def _transact(hub: Hub, work: Callable[[Connection], T], *, writes: bool) -> T:
    async with hub.transaction(snapshot=not writes) as connection:
        return await connection.run_sync(work)
