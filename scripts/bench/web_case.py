"""What the pages cost with ten million runs stored (web_data): prints a line of JSON.

python -m scripts.bench.web_case view FOLDER REQUESTS           # documents alone
python -m scripts.bench.web_case http FOLDER REQUESTS           # whole answers, over the wire
python -m scripts.bench.web_case lag FOLDER PAGES SECONDS       # scheduling lag of 2,500 jobs beside open pages
python -m scripts.bench.web_case open ADDRESS PAGES             # the open pages of `lag`, and two page views a second
"""

import asyncio
import json
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp
from aiohttp import web

from probe.core.access import Access
from probe.core.rules import Rules
from probe.core.run import Outcome, Run
from probe.core.secret import Redactor, Secret
from probe.core.state import State
from probe.core.target import Target
from probe.daemon import settle
from probe.engine.overdue import Timekeeper
from probe.engine.recorder import Recorder
from probe.engine.runner import Plan, SystemClock, open_runner
from probe.engine.scheduler import Scheduler
from probe.store.people import open_people
from probe.store.reader import open_reader
from probe.store.settings import StoreSettings
from probe.store.sqlite import open_store
from probe.view.evidence import LocalEvidence
from probe.view.journey import journey
from probe.view.overview import overview
from probe.view.recent import Recent
from probe.view.runs import runs
from probe.view.sources import Sources
from probe.web import live
from probe.web.access.entrance import Entrance
from probe.web.access.links import Links
from probe.web.app import pages_app
from probe.web.front import Front
from probe.web.ports import Known
from probe.web.reading import Opened, open_reading
from scripts.bench.measure import own_cpu, tree_memory
from scripts.bench.schedule_case import SETTLE, jobs, opened
from scripts.bench.web_data import FAST, NOW, SECOND, rules, specs
from tests.web.daemon import TOKENS, FakeDaemon

JOBS: Final = 2500
BETWEEN: Final = 0.5
"""Seconds between two page views, while pages are open."""
REDACTOR: Final = Redactor([Secret("a planted secret"), Secret("hunter22")])
TOKEN: Final = {"Authorization": f"Bearer {TOKENS[Access.VIEWER]}", "Accept": "text/html"}
PAGES: Final = {
    "overview": "/",
    "journey, a day": f"/checks/{FAST}?from=1d",
    "journey, a week": f"/checks/{FAST}?from=7d",
    "journey, a month": f"/checks/{FAST}?from=30d",
    "runs of all checks": "/runs",
    "overview, JSON": "/api/v1/overview",
    "journey, a month, JSON": f"/api/v1/checks/{FAST}?from=30d",
}


class Moving:
    """A clock that shows the moment the data were made for, and goes on from there."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - self._begun)


class Daemon(FakeDaemon):
    """A daemon with the checks of the bench."""

    def __init__(self) -> None:
        super().__init__(redactor=REDACTOR)
        self.bench = replace(super().known(), rules=rules(), checks=specs())

    def known(self) -> Known:
        return self.bench


@contextmanager
def stored(folder: Path) -> Iterator[Opened]:
    with open_reader(folder) as reader, open_people(folder) as people:
        yield Opened(reader=reader, people=people, evidence=LocalEvidence(folder))


def timed(count: int, work: Callable[[], Any]) -> dict[str, float]:
    """Milliseconds of so many, and kilobytes of the last one's answer as JSON."""
    times, cpu = [], []
    found: Any = None
    for _ in range(count):
        begun, used = time.perf_counter(), time.thread_time()
        found = work()
        times.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.thread_time() - used) * 1000)
    return summed(times, cpu, len(json.dumps(found, ensure_ascii=False, separators=(",", ":"))))


def summed(times: list[float], cpu: list[float], size: int) -> dict[str, float]:
    """Milliseconds of wall time, the median of those of processor time, and kilobytes."""
    ordered = sorted(times)
    return {
        "p50": statistics.median(ordered),
        "p95": ordered[int(len(ordered) * 0.95)],
        "max": ordered[-1],
        "cpu": statistics.median(cpu),
        "kb": size / 1000,
    }


def view(folder: Path, count: int) -> dict[str, Any]:
    known, checks, clock = rules(), specs(), Moving()
    settle()
    with stored(folder) as there:

        def sources() -> Sources:
            return Sources(
                now=clock.now(),
                reader=there.reader,
                people=there.people,
                evidence=there.evidence,
                rules=known,
                redactor=REDACTOR,
                checks=checks,
            )

        recent = Recent()
        found = {"overview, first look": timed(1, lambda: overview(sources(), recent))}
        with running(folder):
            found["overview"] = timed(count, lambda: overview(sources(), recent))
        for name, days in (("a day", 1), ("a week", 7), ("a month", 30)):
            found[f"journey, {name}"] = timed(count, partial(_journey, sources, timedelta(days=days)))
        found["runs of all checks"] = timed(count, lambda: runs(sources()))
        found["failures of a check in a month"] = timed(
            count, lambda: runs(sources(), check=FAST, step="pay", start=NOW - timedelta(days=30), end=NOW)
        )
    return found


def _journey(sources: Callable[[], Sources], back: timedelta) -> Any:
    return journey(sources(), FAST, NOW - back, NOW, None)


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """The database as while 2,500 jobs run: forty runs a second are written, and taken away at the end."""
    import threading  # only here

    stop = threading.Event()
    connection = sqlite3.connect(folder / "probe.db", isolation_level=None, timeout=30, check_same_thread=False)
    last = connection.execute("SELECT max(seq) FROM runs").fetchone()[0]

    def write() -> None:
        chance, seq, begun = random.Random(1), last, time.monotonic()
        while not stop.wait(0.25):
            at = int(NOW.timestamp() * SECOND) + int((time.monotonic() - begun) * SECOND)
            rows = []
            for place in chance.sample(range(1, JOBS + 1), 10):
                seq += 1
                rows.append((seq, f"new-{seq}", place, at - 300_000, 250_000, seq, at - 300_000))
            connection.executemany(
                "INSERT INTO runs (seq, id, place, kind, target, why, outcome, started, duration, slot, due, slots, lag)"
                " VALUES (?, ?, ?, 'http', 'shop', 'scheduled', 'passed', ?, ?, ?, ?, 1, 0.001)",
                rows,
            )

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        connection.execute("DELETE FROM runs WHERE seq > ?", (last,))
        connection.close()


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """All pages, on a free port of this machine."""
    daemon, clock = Daemon(), Moving()
    async with open_reading(lambda: stored(folder)) as reading:
        app, _ = pages_app(Front(daemon, reading, clock), Entrance(links=Links(), listen="127.0.0.1"))
        if live.MAY_SEE not in app:
            live.install(app)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=256).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


async def http(folder: Path, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with served(folder) as address, aiohttp.ClientSession(headers=TOKEN) as session:
        settle()
        with running(folder):
            for name, path in PAGES.items():
                times, cpu, size = [], [], 0
                for _ in range(count + 1):
                    begun, used = time.perf_counter(), time.process_time()
                    async with session.get(address + path) as answer:
                        body = await answer.read()
                        if answer.status != 200:
                            sys.exit(f"{path}: {answer.status} {body[:500]!r}")
                    times.append((time.perf_counter() - begun) * 1000)
                    cpu.append((time.process_time() - used) * 1000)
                    size = len(body)
                    if path in ("/", "/api/v1/overview"):
                        await asyncio.sleep(2.1)  # else it is the one of a moment ago
                found[name] = summed(times[1:], cpu[1:], size)
    return found


async def lag(folder: Path, pages: int, seconds: float) -> dict[str, Any]:
    """The scheduling lag of 2,500 jobs every 30 s, in the process that serves the pages.

    Their runs are judged and recorded in a store of their own, so that the data of the bench stay as they are.
    """
    plan = Plan(
        targets={"bench": Target(name="bench", url="http://127.0.0.1")},
        redactor=REDACTOR,
        user_agent="probe/bench",
        marker_header="x-synthetic-check",
        evidence=None,
        network=1000,
        browser=1,
    )
    lags: list[float] = []

    def put(run: Run) -> None:
        assert run.outcome is Outcome.PASSED, run
        lags.append(run.lag)
        recorder.put(run)

    scratch = TemporaryDirectory(prefix="probe-bench-lag-")
    async with (
        served(folder) as address,
        open_runner(plan, opened) as runner,
        open_store(StoreSettings(path=Path(scratch.name))) as store,
    ):
        recorder = Recorder(store, State(), Rules(), SystemClock(), lambda _: None, lambda _: None)
        keeper = Timekeeper(runner.run, lambda _: None, lambda _: None, SystemClock())
        scheduler, stop = Scheduler(keeper.run, put, SystemClock()), asyncio.Event()
        scheduler.plan([replace(job, spec=replace(job.spec, every=timedelta(seconds=30))) for job in jobs(JOBS)])
        settle()
        command = [sys.executable, "-m", "scripts.bench.web_case", "open", address, str(pages)]
        readers = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) if pages else None
        with running(folder):
            async with asyncio.TaskGroup() as group:
                group.create_task(scheduler.run(stop, timedelta(seconds=5)), name="scheduler")
                group.create_task(recorder.run(stop, timedelta(seconds=5)), name="recorder")
                if readers is not None:
                    assert readers.stdout is not None
                    await readers.stdout.readline()  # all are open
                await asyncio.sleep(SETTLE)
                lags.clear()
                used = own_cpu()
                await asyncio.sleep(seconds)
                used = own_cpu() - used
                stop.set()
        memory = tree_memory()
        if readers is not None and readers.returncode is None:
            readers.terminate()
            await readers.wait()
    scratch.cleanup()
    lags.sort()
    return {
        "runs": len(lags),
        "p50": statistics.median(lags) * 1000,
        "p99": lags[int(len(lags) * 0.99)] * 1000,
        "max": lags[-1] * 1000,
        "cpu": used / seconds,
        "mib": memory,
    }


async def open_pages(address: str, pages: int) -> None:
    """So many open overviews, which read what they are sent until the end, and somebody who reads one page after the other."""

    async def listen(session: aiohttp.ClientSession, ready: asyncio.Semaphore) -> None:
        async with session.get(f"{address}/api/v1/events") as answer:
            first = await answer.content.readany()
            assert answer.status == 200, first
            ready.release()
            async for _ in answer.content.iter_any():
                pass

    async def look(session: aiohttp.ClientSession, path: str) -> None:
        async with session.get(address + path) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    ready = asyncio.Semaphore(0)
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(headers=TOKEN, timeout=timeout, connector=connector) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(pages):
            group.create_task(listen(session, ready), name=f"page {number}")
        for _ in range(pages):
            await ready.acquire()
        print("open", flush=True)
        for path in cycle(path for path in PAGES.values() if "/api/" not in path):
            group.create_task(look(session, path), name=f"view of {path}")
            await asyncio.sleep(BETWEEN)


def main() -> None:
    what, where, *numbers = sys.argv[1:]
    if what == "open":
        asyncio.run(open_pages(where, int(numbers[0])))
        return
    folder = Path(where)
    if what == "view":
        found = view(folder, int(numbers[0]))
    elif what == "http":
        found = asyncio.run(http(folder, int(numbers[0])))
    else:
        found = asyncio.run(lag(folder, int(numbers[0]), float(numbers[1])))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
