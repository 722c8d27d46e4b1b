"""Checks that share one processor with whatever is busy there."""

import os
import time

from probe import CheckContext


def _share(t: CheckContext) -> None:
    os.sched_setaffinity(0, {int(t.params["processor"])})


async def works(t: CheckContext) -> None:
    """Needs the processor for 0.15 s, and has 0.3 s to get it."""
    _share(t)
    async with t.step("one", within="0.3s"):
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            pass


async def asks(t: CheckContext) -> None:
    """Needs hardly any of the processor, but an answer."""
    _share(t)
    async with t.step("one", within="0.3s"):
        await t.http.get("/late")
