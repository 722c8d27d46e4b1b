"""Records runs in a SQLite of its own and forwards them to a hub until it is killed: started by test_forward_hub.py.

Says on its standard output which runs are stored: what was said must reach the hub.
"""

import asyncio
import os
import random
import sys
from itertools import count
from pathlib import Path

from probe.core.run import RunId
from probe.core.secret import Secret
from probe.engine.runner import SystemClock
from probe.fleet.calls import HubCalls
from probe.fleet.forward import Tap
from probe.fleet.hub import Hub
from probe.fleet.links import Links
from probe.fleet.outbox import SqliteOutbox
from probe.ports import Record
from probe.store.sqlite import SqliteStore
from tests.fleet.nodes import ears, link_settings
from tests.store.builders import failed, run, store_in


async def links_of(hub: Hub, store: SqliteStore, *regions: str, name: str = "n1") -> Links:
    """The links of a node over real databases."""
    clock = SystemClock()
    settings = link_settings(name, regions[0])
    return Links(HubCalls(hub, clock), SqliteOutbox(store), settings, regions, ears(), clock, random.Random(1))


async def forward(folder: Path, url: str, life: int) -> None:
    """Write and forward, without an end."""
    hub = Hub(Secret(url), node="n1")
    async with store_in(folder) as store:
        links = await links_of(hub, store, "eu")
        tap = Tap(store, links.recorded)
        await links.greet()
        async with asyncio.TaskGroup() as group:
            group.create_task(links.run(asyncio.Event()), name="links")
            for n in count():
                name = f"{life:03d}-{n:06d}"
                one = run(n, id=RunId(name), slot=None) if n % 3 else failed(n, id=RunId(name), slot=None)
                await tap.commit(Record(runs=(one,)))
                os.write(1, f"{name}\n".encode())
                await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(forward(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
