"""Looks into a fleet's database from a command: what it shows of one node, it shows of the fleet."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import Connection, text

from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub
from probe.store.reader import Reader

T = TypeVar("T")
COMMAND: Final = "command"
"""What the database knows a command as, in place of the name of a node."""
_THERE: Final = text("SELECT to_regclass('probe.versions') IS NOT NULL")


@contextmanager
def open_fleet(url: Secret) -> Iterator[Reader]:
    """A reader of a fleet's database, for a thread without an event loop.

    `StoreUnavailable` when it cannot be reached, or `probe fleet init` was not run: then lasting.
    """
    with asyncio.Runner() as runner:
        hub = Hub(url, node=COMMAND)

        def transact(work: Callable[[Connection], T]) -> T:
            return runner.run(_transact(hub, work))

        try:
            if not transact(lambda connection: connection.scalar(_THERE)):
                raise StoreUnavailable(
                    f"the database {hub.address} is not a fleet's yet: run `probe fleet init`", lasting=True
                )
            yield Reader(transact)
        finally:
            runner.run(hub.close())


async def _transact(hub: Hub, work: Callable[[Connection], T]) -> T:
    async with hub.transaction(snapshot=True) as connection:
        return await connection.run_sync(work)
