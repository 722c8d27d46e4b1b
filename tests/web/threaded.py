"""The whole of the pages in a loop of its own thread, for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.web.whole import Whole, served


@contextmanager
def served_beside(folder: Path) -> Iterator[Whole]:
    """Serve it beside this thread, for the time of the context."""
    ready, stop = threading.Event(), asyncio.Event()
    found: list[Whole] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        async with served(folder) as whole:
            found.append(whole)
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="pages")
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        if found:
            loops[0].call_soon_threadsafe(stop.set)
        thread.join()
