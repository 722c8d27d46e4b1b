"""The other customers: a light load of page views, which is what makes a lost cache hurt.

They go to the app workers directly, past the load balancer, so that its rotation is the customer's alone.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from statistics import median
from typing import Final

import aiohttp

from probe.demo.catalogue import PRODUCTS
from probe.demo.ports import LOOPBACK

SHOPPERS: Final = 16
THINK: Final = (2.0, 4.0)
"""Seconds a shopper looks at a page before the next."""

PATIENCE: Final = 60.0


class Shoppers:
    """Customers who look at products all day and never buy."""

    def __init__(self, workers: Sequence[int], tasks: asyncio.TaskGroup) -> None:
        self._rotation = cycle(workers)
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []
        self._waiting = 0
        self._took: deque[float] = deque(maxlen=24)
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the doors: fill the cache first, as a shop does before its customers come."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=20),
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
        )
        await self.warm_up(2.0)
        for number in range(SHOPPERS):
            self._running.append(self._tasks.create_task(self._shop(), name=f"demo shopper {number + 1}"))

    async def stop(self) -> None:
        """Send them home."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        if self._client is not None:
            await self._client.close()

    @property
    def note(self) -> str:
        """How they fare, for the panel."""
        latest = f", their latest took {median(self._took) * 1000:,.0f} ms (median)" if self._took else ""
        return f"{self._waiting} of {len(self._running)} wait for a page{latest}"

    async def warm_up(self, seconds: float) -> None:
        """Ask once for everything that is worth caching; give up after `seconds`."""
        paths = ["/", *(f"/product/{number}" for number in PRODUCTS), *(f"/api/products/{n}/reviews" for n in PRODUCTS)]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                for path in paths:
                    tasks.create_task(self._view(path), name=f"demo warm-up {path}")
        self._took.clear()

    async def _shop(self) -> None:
        # Not all at once: the first page is somewhere in the first pause.
        await asyncio.sleep(random.uniform(0, THINK[1]))  # noqa: S311  # a shopper's whim
        while True:
            await self._view(f"/product/{random.choice(tuple(PRODUCTS))}")  # noqa: S311  # as above
            await asyncio.sleep(random.uniform(*THINK))  # noqa: S311  # as above

    async def _view(self, path: str) -> None:
        assert self._client is not None
        began = asyncio.get_running_loop().time()
        self._waiting += 1
        try:
            async with self._client.get(f"http://{LOOPBACK}:{next(self._rotation)}{path}") as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            pass  # a shopper shrugs, and comes back
        finally:
            self._waiting -= 1
        self._took.append(asyncio.get_running_loop().time() - began)
