"""Ten million runs to look at: 500 checks in 5 regions, one of them every 30 seconds for 30 days. Written past the store.

Built once (two minutes, 3 GB) into a folder that stays. `NOW` is when all of it was the present.
"""

import asyncio
import random
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from probe.core.check import CheckId, CheckSpec, Function, HttpCall, Source
from probe.core.evaluate import evaluate
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.maintenance import Window
from probe.core.rules import Objective, Rules, Severity, Watched
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Step, StepOutcome, ThirdParty, Vitals, Why
from probe.core.state import Change, State, Tally
from probe.core.target import BrowserKind
from probe.ports import Record
from probe.store.rollup import Sum
from probe.store.rows import to_json
from probe.store.settings import StoreSettings
from probe.store.sqlite import open_store

NOW: Final = datetime(2026, 11, 24, 12, 7, 30, tzinfo=UTC)
REGIONS: Final = ("eu-west", "eu-north", "us-east", "us-west", "ap-south")
CHECKS: Final = 500
DAYS: Final = 30
DAYS_OF_OTHERS: Final = 14
EVERY: Final = timedelta(minutes=5)
FAST: Final = CheckId("checkout")
FAST_EVERY: Final = timedelta(seconds=30)
STEPS: Final = ("open the shop", "search", "product", "cart", "address", "pay")
OUTAGE: Final = (80_000, 80_240)
"""Slots of the fast check in which its last step failed everywhere."""
READY: Final = "ready"
SECOND: Final = 1_000_000


def names() -> list[CheckId]:
    return [FAST, *(CheckId(f"check-{n:03}") for n in range(1, CHECKS))]


def specs() -> dict[CheckId, CheckSpec]:
    """The definitions."""
    found = {}
    for number, name in enumerate(names()):
        fast = name == FAST
        found[name] = CheckSpec(
            id=name,
            kind="browser" if fast else "http",
            target=f"shop-{number % 25:02}",
            every=FAST_EVERY if fast else EVERY,
            timeout=timedelta(seconds=60 if fast else 10),
            work=Function(file="checks/checkout.py", name="checkout", browser=BrowserKind.HEADLESS_SHELL)
            if fast
            else HttpCall(),
            source=Source(file="config.toml", line=number + 1),
            description="buy something" if fast else f"see the page {number}",
            steps=STEPS if fast else (),
            tags=("shop",),
            slo="checkout",
        )
    return found


def rules() -> Rules:
    """What judgement goes by: twenty objectives, and a window every night."""
    found = specs()
    watched = {
        spec.id: Watched(
            id=spec.id,
            target=spec.target,
            cause=f"{spec.target}.example",
            regions=REGIONS,
            every=spec.every,
            timeout=spec.timeout,
            promise=spec.description,
            tags=spec.tags,
        )
        for spec in found.values()
    }
    objectives = {}
    for number in range(20):
        name = "checkout" if number == 0 else f"objective-{number:02}"
        checks = [FAST] if number == 0 else names()[number * 20 : number * 20 + 20]
        objectives[name] = Objective(name=name, checks=frozenset(checks), target=0.995)
    return Rules(
        checks=MappingProxyType(watched),
        objectives=MappingProxyType(objectives),
        windows=(Window(name="backup", cron="0 3 * * *", duration=timedelta(minutes=20)),),
    )


def folder_of(folder: Path) -> Path:
    """The folder of data, built if it is not there yet."""
    if not (folder / READY).exists():
        build(folder)
        (folder / READY).touch()
    return folder


def build(folder: Path) -> None:
    """Write all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.glob("probe.db*"):
        former.unlink()
    asyncio.run(_remembered(folder))
    connection = sqlite3.connect(folder / "probe.db", isolation_level=None)
    for words in ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000", "BEGIN"):
        connection.execute(words)
    _runs(connection)
    print("roll-ups", file=sys.stderr)
    _rollups(connection)
    print("details", file=sys.stderr)
    _details(connection)
    connection.execute("INSERT OR REPLACE INTO meta SELECT 'runs', max(seq) FROM runs")
    connection.execute("COMMIT")
    old = int((NOW - timedelta(hours=75)).timestamp()) // 3600 * 3600
    connection.execute("DELETE FROM ledger WHERE span = 60 AND start < ?", (old,))  # as every tidying does
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _micro(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND


START: Final = _micro(NOW - timedelta(days=DAYS))
OTHERS: Final = (CHECKS - 1) * len(REGIONS)
APART: Final = int(EVERY.total_seconds()) * SECOND // OTHERS
NUMBER: Final = f"((started - {START}) / 1000 * 8 + kept)"
_FAST_RUNS: Final = f"""
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last - 1),
r(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM r WHERE k < {len(REGIONS)})
SELECT {START} + i * {30 * SECOND} + k * 1200000 AS started, k AS kept, k AS place, i AS slot, 'browser' AS kind,
 CASE WHEN i BETWEEN {OUTAGE[0]} AND {OUTAGE[1]} OR (i * 7919 + k * 31) % 1000 < 3 THEN 'failed' ELSE 'passed' END AS outcome,
 2500000 + abs(random()) % 900000 + (abs(random()) % 20 = 0) * 2000000 AS duration, i * 5 + k AS id FROM n, r
"""
_OTHER_RUNS: Final = f"""
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last - 1)
SELECT {START + (DAYS - DAYS_OF_OTHERS) * 86400 * SECOND} + i * {APART} AS started, 0 AS kept,
 {len(REGIONS)} + 1 + i % {OTHERS} AS place, i / {OTHERS} AS slot, 'http' AS kind,
 CASE WHEN (i * 7919) % 1009 < 3 THEN 'failed' WHEN (i * 7919) % 1009 = 7 THEN 'errored' ELSE 'passed' END AS outcome,
 150000 + abs(random()) % 200000 + (abs(random()) % 20 = 0) * 500000 AS duration, 1000000 + i AS id FROM n
"""
_INSERT: Final = f"""
INSERT INTO runs (seq, id, place, kind, target, why, outcome, started, duration, slot, due, slots, lag, layer, failure, step,
 message) SELECT {NUMBER}, printf('%011x-%010x', started / 1000, id), place, kind, 'shop', 'scheduled', outcome, started,
 duration, slot, started, 1, 0.002, CASE outcome WHEN 'failed' THEN 'http' WHEN 'errored' THEN 'probe' END,
 CASE outcome WHEN 'failed' THEN 'status' WHEN 'errored' THEN 'host_starved' END,
 CASE WHEN outcome = 'failed' AND kind = 'browser' THEN 'pay' END,
 CASE outcome WHEN 'failed' THEN 'POST /pay answered ' || (500 + id % 3) WHEN 'errored' THEN 'this host was too busy' END
"""


def _runs(connection: sqlite3.Connection) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO places (id, check_id, region) VALUES (?, ?, ?)",
        [
            (number * len(REGIONS) + k + 1, name, region)
            for number, name in enumerate(names())
            for k, region in enumerate(REGIONS)
        ],
    )
    a_day = 86400 // 30
    for day in range(DAYS):
        fast = {"first": day * a_day, "last": (day + 1) * a_day}
        source = _FAST_RUNS
        others = day - (DAYS - DAYS_OF_OTHERS)
        if others >= 0:
            there = [86400 * SECOND * n // APART for n in (others, others + 1)]
            bounded = _OTHER_RUNS.replace(":first", str(there[0])).replace(":last", str(there[1]))
            source = f"SELECT * FROM ({_FAST_RUNS}) UNION ALL SELECT * FROM ({bounded})"
        connection.execute(f"{_INSERT} FROM ({source}) ORDER BY started", fast)
        print(f"\rday {day + 1} of {DAYS}", end="", file=sys.stderr, flush=True)
    for position, name in enumerate(STEPS):
        last = position == len(STEPS) - 1
        connection.execute(
            "INSERT INTO steps (run, position, name, outcome, start, duration) SELECT seq, ?, ?,"
            f" CASE WHEN outcome = 'failed' AND {int(last)} THEN 'failed' ELSE 'passed' END,"
            f" ? * duration / 6, duration / 6 + abs(random()) % 9000 FROM runs WHERE place <= {len(REGIONS)}",
            (position, name, position),
        )


def _rollups(connection: sqlite3.Connection) -> None:
    chance = random.Random(3)
    pool = []
    for _ in range(16):
        hour = Sum()
        for _ in range(12):
            hour.add(Outcome.PASSED, chance.lognormvariate(-1.3, 0.5), 1, maintenance=False)
        pool.append(to_json(hour.histogram))
    connection.execute("CREATE TEMP TABLE pool (n INTEGER PRIMARY KEY, histogram TEXT)")
    connection.executemany("INSERT INTO pool VALUES (?, ?)", enumerate(pool))
    counted = ", ".join(f"sum(outcome = '{outcome}')" for outcome in ("passed", "failed", "errored"))
    for span in (3600, 86400):
        connection.execute(
            f"INSERT INTO rollups SELECT place, {span}, start, p, f, e, 0, 0, 0, total, shortest, longest, histogram FROM"
            f" (SELECT place, started / {SECOND} / {span} * {span} AS start, {counted.replace('),', ') AS {},').format('p', 'f')} AS e,"
            " sum(duration) AS total, min(duration) AS shortest, max(duration) AS longest FROM runs"
            f" WHERE place > {len(REGIONS)} GROUP BY 1, 2) JOIN pool ON n = (place + start / {span}) % 16"
        )
        _fast_rollups(connection, span)
    connection.execute("INSERT OR REPLACE INTO meta SELECT 'rolled', max(seq) FROM runs WHERE started < ?", [_rolled()])


def _rolled() -> int:
    return _micro(NOW - timedelta(minutes=40))


def _fast_rollups(connection: sqlite3.Connection, span: int) -> None:
    sums: dict[tuple[int, int], Sum] = {}
    wanted = "SELECT place, started, outcome, duration FROM runs WHERE place <= ? AND started < ?"
    for place, started, outcome, duration in connection.execute(wanted, (len(REGIONS), _rolled())):
        start = started // SECOND // span * span
        sums.setdefault((place, start), Sum()).add(Outcome(outcome), duration / SECOND, 1, maintenance=False)
    connection.executemany(
        "INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?)",
        [
            (place, span, start, s.passed, s.failed, s.errored, round(s.total * SECOND), 0, 0, to_json(s.histogram))
            for (place, start), s in sorted(sums.items())
        ],
    )


def _observation(number: int) -> Observation:
    chance = random.Random(number)
    steps = tuple(
        Step(name=name, outcome=StepOutcome.PASSED, start=n * 0.5, duration=0.4 + chance.random() / 5, within=2.0)
        for n, name in enumerate(STEPS)
    )
    pages = tuple(
        Vitals(
            url=f"https://shop-00.example/{name}",
            ttfb=chance.lognormvariate(-2, 0.3),
            fcp=chance.lognormvariate(-1, 0.3),
            lcp=chance.lognormvariate(-0.5, 0.3),
            cls=chance.random() / 10,
        )
        for name in ("", "product", "cart", "pay")
    )
    hosts = tuple(ThirdParty(host=f"cdn-{n}.example", requests=3, failed=0, time=0.1, share=0.02) for n in range(8))
    return Observation(steps=steps, vitals=pages, third_parties=hosts, log=tuple(f"line {n}" for n in range(20)))


def _details(connection: sqlite3.Connection) -> None:
    bodies = [zlib.compress(to_json(_observation(n)).encode(), 1) for n in range(40)]
    day = _micro(NOW - timedelta(days=1))
    wanted = f"SELECT seq, outcome = 'passed', started FROM runs WHERE place <= {len(REGIONS)} AND (started >= ? OR outcome = 'failed')"
    rows = connection.execute(wanted, (day,)).fetchall()
    connection.executemany(
        "INSERT INTO details VALUES (?, ?, ?, ?)", [(*row, bodies[n % len(bodies)]) for n, row in enumerate(rows)]
    )


def _samples(name: CheckId, every: timedelta, steps: tuple[str, ...]) -> Iterator[Run]:
    """The last runs of a check, as judgement has heard them."""
    chance = random.Random(name)
    for number in range(-300, 0):
        for k, region in enumerate(REGIONS):
            due = NOW + every * number + timedelta(seconds=k)
            took = chance.lognormvariate(-1, 0.3)
            seen = tuple(
                Step(name=step, outcome=StepOutcome.PASSED, start=n * took / 6, duration=took / 6)
                for n, step in enumerate(steps)
            )
            yield Run(
                id=RunId(f"{name}-{region}-{number}"),
                check=name,
                kind="http",
                target="shop",
                region=region,
                why=Why.SCHEDULED,
                outcome=Outcome.PASSED,
                started=due,
                duration=timedelta(seconds=took),
                observation=Observation(steps=seen),
                slot=Slot(number=number + 300, due=due),
            )


async def _remembered(folder: Path) -> None:
    """What judgement remembers of 500 checks, what was counted of 20 objectives, and some hundred incidents."""
    known, state = rules(), State()
    for name, every, steps in ((FAST, FAST_EVERY, STEPS), (names()[1], EVERY, ())):
        for run in _samples(name, every, steps):
            state.apply(evaluate(state, run, known, run.ended))
    checks = {name: state.checks[FAST if name == FAST else names()[1]] for name in names()}
    failure = Failure.of("status", "POST /pay answered 500", step="pay", expected="200", actual="500")
    async with open_store(StoreSettings(path=folder, ballast=0)) as store:
        await store.commit(Record(changes=(Change(checks=checks),), alive=NOW))
        for promise in known.objectives:
            hours = [
                Tally(objective=promise, at=NOW - timedelta(hours=n), good=599, bad=1) for n in range(76, 100 * 24)
            ]
            minutes = [Tally(objective=promise, at=NOW - timedelta(minutes=n), good=10) for n in range(75 * 60)]
            await store.commit(Record(changes=(Change(tallies=tuple(hours + minutes)),)))
        for number in range(120):
            check = names()[number % 40]
            since = NOW - timedelta(hours=6 * number, minutes=9)
            told = Incident(
                id=IncidentId(f"20261124-{number:06}"),
                cause=f"shop-{number % 40:02}.example",
                verdict=Verdict.DOWN,
                severity=Severity.PAGE,
                since=since,
                opened=since + timedelta(minutes=1),
                members={
                    check: Member(
                        check=check, regions=REGIONS, since=since, run=RunId(f"run-{number}"), failure=failure
                    )
                },
                told=("oncall",),
            )
            if number >= 3:
                told = replace(told, resolved=since + timedelta(minutes=20))
            await store.commit(Record(changes=(Change(incidents={told.cause: told}),)))


if __name__ == "__main__":
    folder_of(Path(sys.argv[1]))
