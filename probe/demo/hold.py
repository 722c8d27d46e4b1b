"""Waiting that ends early when its cause does."""

import asyncio
from contextlib import suppress


class Hold:
    """Holds whoever waits, for seconds or until released.

    Turning a fault off has to restore the shop at once: everything that was being held goes on, rather than
    sleeping out a delay whose cause is gone.
    """

    def __init__(self) -> None:
        self._released = asyncio.Event()

    async def wait(self, seconds: float | None) -> None:
        """Wait so many seconds (None: without end), or until `release`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._released.wait()

    def release(self) -> None:
        """Let everyone who waits now go on; who comes later waits again."""
        self._released.set()
        self._released = asyncio.Event()
