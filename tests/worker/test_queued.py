"""A slow run is our host's only when we waited for a processor, not when others do. Each with real busy processes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from probe.core.run import Outcome, Run, Why, finish
from probe.core.target import BrowserSettings
from probe.worker.pool import WorkerPool
from probe.worker.queued import QueueMeter, threads_of
from tests.core.builders import NOW
from tests.worker.conftest import HERE, Bench, Shop

PROCESSOR = min(os.sched_getaffinity(0))
SPIN = "print(flush=True)\nwhile True: pass"
BURN = "import time; end = time.thread_time() + 0.1\nwhile time.thread_time() < end: pass\nprint('done', flush=True); input()"


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that do nothing but use one processor."""
    with ExitStack() as stack:
        for _ in range(processes):
            # In a session of its own: Linux shares a processor out among sessions first, and a worker has its own as well.
            spinning = subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE, start_new_session=True)
            process = stack.enter_context(spinning)
            stack.callback(process.kill)
            os.sched_setaffinity(process.pid, {PROCESSOR})
            assert process.stdout is not None
            process.stdout.readline()  # from here on it is busy
        yield


@asynccontextmanager
async def late_shop() -> AsyncIterator[Shop]:
    """A shop that answers after a second."""

    async def late(_request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response(text="late")

    app = web.Application()
    app.add_routes([web.get("/late", late)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Shop(f"http://127.0.0.1:{runner.addresses[0][1]}", {})
    await runner.cleanup()


async def run(name: str, tmp: Path) -> Run:
    """A check that shares a processor with three busy processes, run as the daemon runs it."""
    async with late_shop() as shop, WorkerPool(BrowserSettings(), tmp / "s") as pool:
        bench = Bench(pool, shop, tmp)
        file = str(HERE / "data" / "queued.py")
        spec = bench.spec(name, file=file, timeout=10, steps=("one",), processor=str(PROCESSOR))
        context = bench.context()
        with busy(3):
            seen = await pool.run(spec, context)
        return finish(
            spec, seen, id=context.run, region="here", why=Why.MANUAL, started=NOW, elapsed=timedelta(seconds=1)
        )


@pytest.mark.parametrize(
    ("check", "outcome", "kind"),
    [
        ("works", Outcome.ERRORED, "host_starved"),  # the three took what we needed
        ("asks", Outcome.FAILED, "step_slow"),  # they took what they needed, and we waited for the shop
    ],
)
async def test_whose_a_slow_step_is(check: str, outcome: Outcome, kind: str, tmp_path: Path) -> None:
    """The same busy host: slow by itself, or in front of a slow shop."""
    seen = await run(check, tmp_path)
    assert seen.failure is not None
    assert (seen.outcome, seen.failure.kind, seen.failure.step) == (outcome, kind, "one"), seen.observation.host


def test_the_processes_below_count_each_for_itself() -> None:
    """What a child waited is seen with `below` only; a process that is gone waits no more."""
    alone, tree = QueueMeter(below=False), QueueMeter(below=True)
    alone.start()
    tree.start()
    child = subprocess.Popen(
        ["taskset", "-c", str(PROCESSOR), sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child, busy(2):
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
        (waited,) = threads_of(child.pid).values()
        longest, ours = tree.longest(), alone.longest()
        child.kill()
    assert waited > 0.02
    assert longest is not None
    assert longest >= waited
    assert ours is not None
    assert threads_of(child.pid) == {}
