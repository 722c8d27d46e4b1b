"""A fleet on one PostgreSQL: runs a second, how late they are judged, catching up, and how large the database becomes.

python -m scripts.bench.fleet --checks 600 1500 3000 --seconds 60      # prints the section of docs/performance.md

Real `probe.sync` and `probe.deliver`, real evaluators, a private PostgreSQL with fsync; agents are simulated, twenty regions
in one process (fleet_load). What probe itself does in an agent, making the run, is left out.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import text

from probe.core.secret import Secret
from probe.core.shards import split
from probe.fleet.hub import Hub
from probe.fleet.install import install
from probe.fleet.partitions import arrange_partitions
from probe.fleet.tidy import tidy_fleet
from probe.store.settings import StoreSettings
from scripts.bench.fleet_judge import VERSION, rules
from scripts.bench.fleet_load import EVERY, REGIONS, TOGETHER
from scripts.bench.measure import table
from tests.postgres import Postgres, private_postgres

FULL: Final = 5000
"""Checks of the fleet that is meant: 20 regions, every 30 s."""
BEHIND: Final = 60
"""Checks of those that come back after an hour."""
SETTINGS: Final = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
}


@dataclass
class Case:
    """What one case has cost."""

    delivered: dict[str, Any] = field(default_factory=dict)
    judges: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    postgres: float = 0.0
    wal: int = 0
    waiting: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    rolled: float = 0.0

    @property
    def judged(self) -> int:
        return sum(judge["judged"] for judge in self.judges)

    def of_judges(self, name: str) -> list[float]:
        """What judges have seen, of the second half of the time, in order."""
        seen = [(at, value) for judge in self.judges for at, value in judge[name]]
        if not seen:
            return [0.0]
        half = (min(at for at, _ in seen) + max(at for at, _ in seen)) / 2
        return sorted(value for at, value in seen if at > half)


class Server:
    """The database, and what it has used."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        assert postgres._process is not None  # to weigh it
        self._process = psutil.Process(postgres._process.pid)  # to weigh it

    @property
    def cpu(self) -> float:
        """Processor seconds so far, those of connections that ended included."""
        total = 0.0
        for process in (self._process, *self._process.children()):
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:2])
        return total + sum(self._process.cpu_times()[2:4])

    def ask(self, statement: str) -> str:
        return self.postgres.psql(statement)

    @contextmanager
    def weighing(self, case: Case) -> Iterator[None]:
        cpu, wal, begun = self.cpu, self.ask("SELECT pg_current_wal_lsn()"), time.perf_counter()
        yield
        case.seconds = time.perf_counter() - begun
        case.postgres = self.cpu - cpu
        case.wal = int(float(self.ask(f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{wal}')")))

    @property
    def waiting(self) -> int:
        return int(self.ask("SELECT count(*) FROM probe.inbox"))


@contextmanager
def fleet(checks: int) -> Iterator[Server]:
    """A database with the rules of so many checks in force."""
    with private_postgres(durable=True, settings=SETTINGS) as postgres:
        asyncio.run(_prepare(postgres.url(), checks))
        yield Server(postgres)


async def _prepare(url: str, checks: int) -> None:
    hub = Hub(Secret(url), node="bench")
    await install(hub)
    await arrange_partitions(hub, StoreSettings(path=Path()))
    homes = [(check, name) for name, part in split(rules(checks)).items() for check in part.checks]
    names = sorted({"", *(name for _, name in homes)})
    async with hub.transaction() as connection:
        await connection.execute(
            text("INSERT INTO probe.checks SELECT * FROM unnest(CAST(:checks AS text[]), CAST(:homes AS text[]))"),
            {"checks": [check for check, _ in homes], "homes": [name for _, name in homes]},
        )
        await connection.execute(
            text(
                "INSERT INTO probe.shards (name, version, awake, tick)"
                f" SELECT name, '{VERSION}', true, clock_timestamp() FROM unnest(CAST(:names AS text[])) AS name"
            ),
            {"names": names},
        )
    await hub.close()


def _start(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"scripts.bench.{module}", *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=120)
    found: dict[str, Any] = json.loads(said)
    return found


def live(checks: int, judges: int, seconds: float) -> Case:
    """Runs come as they are due."""
    case = Case()
    with fleet(checks) as server, server.weighing(case):
        judging = [_start("fleet_judge", server.postgres.url(), checks, f"judge {n}") for n in range(judges)]
        loading = _start("fleet_load", server.postgres.url(), checks, seconds, 0)
        case.delivered = _end(loading)
        case.waiting = server.waiting
        case.judges = [_end(process) for process in judging]
        case.sizes = _sizes(server)
        begun = time.perf_counter()
        asyncio.run(_tidy(server.postgres.url()))
        case.rolled = time.perf_counter() - begun
    return case


def after_an_hour(judges: int) -> Case:
    """All that a fleet has run in an hour is delivered at once; then it is judged."""
    case = Case()
    with fleet(BEHIND) as server:
        case.delivered = _end(_start("fleet_load", server.postgres.url(), BEHIND, 0, 1))
        with server.weighing(case):
            judging = [_start("fleet_judge", server.postgres.url(), BEHIND, f"judge {n}") for n in range(judges)]
            while server.waiting:
                time.sleep(0.5)
        case.judges = [_end(process) for process in judging]
    return case


async def _tidy(url: str) -> None:
    hub = Hub(Secret(url), node="bench")
    await tidy_fleet(hub, StoreSettings(path=Path()), datetime.now(UTC))
    await hub.close()


def _sizes(server: Server) -> dict[str, int]:
    """Bytes of tables with their indexes, partitions together; and how many rows `runs` has."""
    asked = (
        "SELECT split_part(relname, '_', 1), sum(pg_total_relation_size(oid)) FROM pg_class"
        " WHERE relnamespace = 'probe'::regnamespace AND relkind = 'r' GROUP BY 1"
        " UNION ALL SELECT 'count', count(*) FROM probe.runs"
    )
    return {name: int(size) for name, size in (line.split("|") for line in server.ask(asked).splitlines())}


def fleet_section(counts: Sequence[int] = (600, 1500, 3000), seconds: float = 60, judges: int = 2) -> str:
    """The section of docs/performance.md."""
    load = os.getloadavg()[0]
    cases = [(checks, live(checks, judges, seconds)) for checks in counts]
    back = after_an_hour(judges)
    rows = [
        [
            f"{checks:,}",
            f"{case.delivered['delivered'] / seconds:,.0f}",
            f"{(case.judged) / seconds:,.0f}",
            f"{case.waiting:,}",
            f"{_at(case.of_judges('lags'), 0.5):.2f} / {_at(case.of_judges('lags'), 0.99):.2f}",
            f"{_each(sum(judge['cpu'] for judge in case.judges), case.judged)}",
            f"{_each(case.postgres, case.judged)}",
            f"{_each(case.delivered['cpu'], case.judged)}",
            f"{case.wal / max(1, case.judged) / 1024:.1f}",
        ]
        for checks, case in cases
    ]
    head = [
        "checks",
        "delivered /s",
        "judged /s",
        "left",
        "lag s p50 / p99",
        "judge µs",
        "PostgreSQL µs",
        "load µs",
        "WAL KiB",
    ]
    last = cases[-1][1]
    count = max(1, last.sizes["count"])
    names = ("runs", "steps", "phases", "failures", "details")
    whole = sum(last.sizes.get(name, 0) for name in names) / count
    details, slim = last.sizes.get("details", 0) / count, last.sizes["runs"] / count
    postgres = last.postgres / max(1, last.judged)
    judge = sum(one["cpu"] for one in last.judges) / max(1, last.judged)
    wanted = FULL * REGIONS / EVERY
    sent, took = back.delivered["delivered"], back.delivered["seconds"]
    return f"""## A fleet

Written by `make bench-fleet` (`--checks {" ".join(map(str, counts))} --seconds {seconds:.0f}`) on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} processors, PostgreSQL with fsync, {judges} evaluators and \
{REGIONS} simulated regions on the same host (load before: {load:.1f}). Each check runs from every region every {EVERY} s and belongs to a target of \
{TOGETHER} (a shard), which has an objective. Regions sync and deliver once a second; {seconds:.0f} s, figures of lag of the second half. Lag is from
the end of a run until its judgement was committed, half a second to deliver it included. µs are processor time for each run.

{table(head, rows)}

The fleet that is meant, {FULL:,} checks from {REGIONS} regions every {EVERY} s, is {wanted:,.0f} runs a second.

| | |
|---|---|
| an hour of {BEHIND * REGIONS * 3600 // EVERY:,} runs, delivered at once | {sent / took:,.0f} /s |
| the same, judged | {back.judged / back.seconds:,.0f} /s, {_each(sum(one["cpu"] for one in back.judges), back.judged)} µs of judges and {_each(back.postgres, back.judged)} µs of PostgreSQL a run |
| a million runs with all details | {whole * 1e6 / 2**30:.2f} GiB |
| of it, without details (what is kept of a run after a day) | {(whole - details) * 1e6 / 2**30:.2f} GiB |
| of it, only the row and its indexes | {slim * 1e6 / 2**30:.2f} GiB |
| state of a check in {REGIONS} regions | {last.sizes["state"] / max(1, cases[-1][0]) / 1024:.1f} KiB |
| rolling up {count:,} runs, each of another hour's sum | {last.rolled:.1f} s, {_each(last.rolled, count)} µs a run |

Where one PostgreSQL ends, by these figures: {wanted:,.0f} runs a second are {wanted * postgres:.1f} processors of PostgreSQL, {wanted * judge:.1f} of
evaluators (a process each: {max(1, -(-wanted * judge // 0.7)):.0f} of them), and {wanted * last.wal / max(1, last.judged) / 2**20:.0f} MiB of WAL a second; \
a day is {wanted * 86400 / 1e6:,.0f} million runs, {wanted * 86400 * whole / 2**30:,.0f} GiB with all details and \
{wanted * 86400 * (whole - details) / 2**30:,.0f} GiB without. The disk comes first: `store.keep_details`
and `store.keep_runs` decide how many such days there are. Then come the evaluators, of which there may be any number, on any host: shards share no row that is
written. Then the processors of PostgreSQL. Commands read one snapshot and may be pointed at a standby. Beyond that fleets are divided by target: what
shares no cause and no objective is judged apart already, so two databases lose nothing but the one list of incidents."""


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def _each(seconds: float, count: int) -> str:
    return f"{seconds / max(1, count) * 1e6:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, nargs="+", default=[600, 1500, 3000])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--judges", type=int, default=2)
    options = parser.parse_args()
    print(fleet_section(options.checks, options.seconds, options.judges))


if __name__ == "__main__":
    main()
