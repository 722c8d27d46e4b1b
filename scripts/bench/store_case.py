"""The store: rows a second, the start with much in it, and how large it becomes. Prints a table for each.

python -m scripts.bench.store_case            # all of it: some minutes, and 3 GB below --folder
python -m scripts.bench.store_case --rows 0   # without the ten million rows
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from probe.core.check import CheckId
from probe.core.exchange import Exchange, Hop, Phases
from probe.core.failure import Failure
from probe.core.run import HostLoad, Observation, Outcome, Run, RunId, Slot, Why
from probe.core.state import Change, CheckState, Place, Tally
from probe.ports import Record
from probe.store.settings import StoreSettings
from probe.store.sqlite import SqliteStore, open_store
from scripts.bench.measure import own_cpu, table

NOW = datetime.fromisoformat("2026-11-23T03:00:00+00:00")
CHECKS = 20_000
DAYS = 90
INTERVAL = 30


def http_run(number: int, due: datetime, check: str, chance: random.Random) -> Run:
    """A run as the HTTP prober makes it; one in two hundred fails."""
    bad = chance.random() < 0.005
    phases = Phases(dns=0.001, connect=0.002, tls=0.02, ttfb=chance.lognormvariate(-2, 0.4), transfer=0.004)
    hop = Hop(method="GET", url="https://shop.example/cart", status=500 if bad else 200, phases=phases)
    seen = Exchange(
        method="GET",
        url=hop.url,
        status=hop.status,
        reason="OK",
        headers=tuple((f"x-header-{n}", "value " * 5) for n in range(12)),
        body=b"",
        hops=(hop,),
        duration=phases.total,
        started=due,
        wire_size=4096,
        size=4096,
    )
    failures = (Failure.of("status", "GET /cart answered 500", expected="200", actual="500"),) if bad else ()
    return Run(
        id=RunId(f"{int(due.timestamp() * 1000):011x}-{chance.getrandbits(40):010x}"),
        check=CheckId(check),
        kind="http",
        target="shop",
        region="eu-west",
        why=Why.SCHEDULED,
        outcome=Outcome.FAILED if bad else Outcome.PASSED,
        started=due + timedelta(milliseconds=chance.randrange(5)),
        duration=timedelta(seconds=phases.total),
        observation=Observation(
            failures=failures, exchanges=(seen,), host=HostLoad(cpu=0.1), trace_id=f"{number:032x}"
        ),
        slot=Slot(number=number, due=due),
        lag=0.001,
    )


def record_of(runs: list[Run]) -> Record:
    """The runs, with the state and the count that each changes."""
    changes = tuple(
        Change(
            checks={run.check: CheckState(places={run.region: Place(slot=run.slot, outcome=run.outcome)})},
            tallies=(Tally(objective="checkout", at=run.started, good=1),),
        )
        for run in runs
    )
    return Record(runs=tuple(runs), changes=changes, alive=NOW)


def stream(checks: int, number: int = 0) -> Iterator[Run]:
    """Runs of many checks, in turn, after slot `number`."""
    chance = random.Random(number)
    while True:
        number += 1
        for check in range(checks):
            yield http_run(number, NOW + timedelta(seconds=60 * number), f"check number {check}", chance)


async def commit_rows(folder: Path) -> list[list[str]]:
    """Rows of the table of commits; the last is of commits that meet a large tidying."""
    rows = []
    for size, count in ((1, 2000), (10, 1000), (100, 200)):
        records = prepared(size, count)
        async with open_store(StoreSettings(path=folder / f"by{size}")) as store:
            rows.append([f"{size} a commit", *await committed(store, records)])
            if size == 100:
                more = prepared(size, count, first=count * size // 1000)
                async with asyncio.TaskGroup() as group:
                    tidying = group.create_task(store.tidy(NOW + timedelta(days=20)), name="tidy")
                    rows.append([f"{size} a commit, beside a tidying", *await committed(store, more)])
                    await tidying
    return rows


def prepared(size: int, count: int, first: int = 0) -> list[Record]:
    runs = islice(stream(1000, first), size * count)
    return [record_of(list(islice(runs, size))) for _ in range(count)]


async def committed(store: SqliteStore, records: list[Record]) -> list[str]:
    """Rows a second, CPU for each, and the time of a commit, one after the other."""
    done, times, cpu, begun = sum(len(r.runs) for r in records), [], own_cpu(), time.perf_counter()
    for record in records:
        before = time.perf_counter()
        await store.commit(record)
        times.append((time.perf_counter() - before) * 1000)
    took, used = time.perf_counter() - begun, own_cpu() - cpu
    p50, p99 = statistics.median(times), sorted(times)[int(len(times) * 0.99)]
    return [f"{done / took:.0f}", f"{used / done * 1e6:.0f}", f"{p50:.1f} / {p99:.1f} / {max(times):.0f}"]


async def size_rows(folder: Path) -> list[list[str]]:
    """Rows of the table of sizes: 90 days of a check every 30 seconds, tidied every day."""
    chance = random.Random(2)
    settings = StoreSettings(path=folder / "size", ballast=0)
    rows = []
    slowest = 0.0
    async with open_store(settings) as store:
        for day in range(DAYS):
            for hour in range(24):
                first = (day * 24 + hour) * 3600 // INTERVAL
                runs = [
                    http_run(n, NOW + timedelta(seconds=n * INTERVAL), "cart", chance)
                    for n in range(first, first + 3600 // INTERVAL)
                ]
                await store.commit(record_of(runs))
            begun = time.perf_counter()
            await store.tidy(NOW + timedelta(days=day + 1))
            slowest = max(slowest, time.perf_counter() - begun)
    rows.append(["the file after 90 days", f"{settings.database.stat().st_size / 2**20:.1f} MiB"])
    rows += [[f"of it, {name}", f"{size / 2**20:.2f} MiB"] for name, size in parts_of(settings.database)]
    rows.append(["longest tidying of a day (2,880 runs)", f"{slowest * 1000:.0f} ms"])
    return rows


def parts_of(path: Path) -> list[tuple[str, int]]:
    """The size of each table with its indexes, largest first, as far as this SQLite can tell."""
    with sqlite3.connect(path) as connection:
        try:
            words = (
                "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name"
                " GROUP BY 1 ORDER BY 2 DESC LIMIT 6"
            )
            return connection.execute(words).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            print(f"({free} free pages)")


def fill(path: Path, rows: int) -> None:
    """Ten million runs of 20,000 checks, written past the store."""
    connection = sqlite3.connect(path, isolation_level=None)
    for words in ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -400000", "BEGIN"):
        connection.execute(words)
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)"
        " INSERT INTO places (id, check_id, region) SELECT i + 1, 'check number ' || i, 'eu-west' FROM n",
        (CHECKS,),
    )
    start = int((NOW - timedelta(days=14)).timestamp()) * 1_000_000
    words = (
        "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)"
        " INSERT INTO runs (seq, id, place, kind, target, why, outcome, started, duration, slot, due, slots, lag)"
        f" SELECT i + 1, printf('%011x-%010x', i, i), i % {CHECKS} + 1, 'http', 'shop', 'scheduled', 'passed',"
        f" {start} + i * 120000, 250000, i / {CHECKS}, {start} + i * 120000, 1, 0.001 FROM n"
    )
    for first in range(0, rows, 500_000):
        connection.execute(words, (first, min(rows, first + 500_000)))
        print(f"\r{first:,} rows", end="", file=sys.stderr, flush=True)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('runs', ?), ('rolled', ?)", (rows, rows))
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


async def states(store: SqliteStore) -> None:
    """The states of 20,000 checks in two regions, and the counts of ten objectives over 90 days."""
    place = Place(slot=Slot(number=7, due=NOW), outcome=Outcome.PASSED, at=NOW, since=NOW)
    for first in range(0, CHECKS, 1000):
        checks = {
            CheckId(f"check number {n}"): CheckState(places={"eu-west": place, "us": place})
            for n in range(first, first + 1000)
        }
        await store.commit(Record(changes=(Change(checks=checks),)))
    for name in range(10):
        hours = [Tally(objective=f"o{name}", at=NOW - timedelta(hours=n), good=60) for n in range(DAYS * 24)]
        minutes = [Tally(objective=f"o{name}", at=NOW - timedelta(minutes=n), good=1) for n in range(75 * 60)]
        await store.commit(Record(changes=(Change(tallies=tuple(hours + minutes)),), alive=NOW))
    await store.tidy(NOW)


def start_rows(folder: Path, count: int) -> list[list[str]]:
    """Rows of the table of starts: each in a process of its own, the page cache warm and cold."""
    path = folder / "start"

    async def prepare() -> None:
        async with open_store(StoreSettings(path=path)):
            pass
        fill(path / "probe.db", count)
        async with open_store(StoreSettings(path=path)) as store:
            await states(store)

    asyncio.run(prepare())
    size = (path / "probe.db").stat().st_size / 2**20
    rows = [[f"{count:,} runs, {CHECKS:,} check states, 10 objectives", f"{size:,.0f} MiB", "", "", ""]]
    for cold in (False, True):
        if cold:
            os.sync()
            Path("/proc/sys/vm/drop_caches").write_text("3")
        command = [sys.executable, "-m", "scripts.bench.store_case", "--start", str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        rows.append(["cold" if cold else "warm", "", *said])
    return rows


async def started(path: Path) -> list[str]:
    """Open, restore, and the first commit, in ms; then the memory in MiB."""
    begun = time.perf_counter()
    async with open_store(StoreSettings(path=path)) as store:
        opened = time.perf_counter()
        restored = await store.restore()
        read = time.perf_counter()
        assert len(restored.state.checks) == CHECKS
        await store.commit(record_of(list(islice(stream(CHECKS), 100))))
        written = time.perf_counter()
        memory = psutil.Process().memory_info().rss / 2**20
        spans = f"{(opened - begun) * 1000:.0f}+{(read - opened) * 1000:.0f}"
        return [spans, f"{(written - read) * 1000:.0f}", f"{memory:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        print(*asyncio.run(started(options.start)))
        return
    with TemporaryDirectory(prefix="pbench-", dir=options.folder) as name:
        folder = Path(name)
        commits = asyncio.run(commit_rows(folder))
        print(table(["HTTP runs", "rows a second", "CPU µs a row", "commit ms p50 / p99 / max"], commits))
        print(table(["90 days, every 30 s", ""], asyncio.run(size_rows(folder))))
        if options.rows:
            head = ["start", "size", "open + restore ms", "first commit of 100 ms", "memory MiB"]
            print(table(head, start_rows(folder, options.rows)))


if __name__ == "__main__":
    main()
