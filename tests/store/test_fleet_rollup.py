"""Adding up what a fleet has run: each run once, whoever commits late, and whoever else adds up at the same time."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from probe.core.notification import Fate
from probe.core.run import Outcome, Run, RunId, Slot
from probe.core.state import Change, Tally
from probe.fleet.tidy import tidy_fleet
from probe.ports import Record
from probe.store.fleet import FleetWriting
from probe.store.numbers import HALF
from probe.store.reader import Stretch
from tests.core.builders import NOW
from tests.postgres import Database
from tests.store.builders import at, attempt, failed, notification, run
from tests.store.fleet import FleetStore, fleet_store, read_fleet

pytestmark = pytest.mark.asyncio
SHARDS = ("", "cart", "pay")


@pytest.fixture
async def store(fleet: Database) -> AsyncIterator[FleetStore]:
    async with fleet_store(fleet) as found:
        async with found.hub.transaction() as connection:
            for name in SHARDS:
                await connection.execute(text("INSERT INTO probe.shards (name, version) VALUES (:n, 'v')"), {"n": name})
        yield found


async def judge(store: FleetStore, shard: str, runs: tuple[Run, ...], hold: float = 0.0) -> None:
    """As an evaluator does it: under the lock of a shard, which it may hold for long after it took its numbers."""
    async with store.hub.transaction() as connection:
        await connection.execute(text("SELECT FROM probe.shards WHERE name = :name FOR UPDATE"), {"name": shard})
        await connection.run_sync(lambda sync: FleetWriting(sync).write([Record(runs=runs)], shard=shard))
        await asyncio.sleep(hold)


async def hours(database: Database, check: str = "cart") -> list[Stretch]:
    return list(await read_fleet(database, lambda reader: reader.stretches(check, since=NOW - timedelta(hours=3))))


async def test_sums(fleet: Database, store: FleetStore) -> None:
    """By the hour and by the day, of every outcome; slots that were missed count each; a late run is in its own hour."""
    missed = run(3, outcome=Outcome.MISSED, slot=Slot(number=3, due=at(3), count=9))
    await judge(store, "cart", (run(1), failed(2), missed, run(70)))
    await store.tidy(at(90))
    await judge(store, "cart", (run(4, duration=timedelta(seconds=2)),))
    await store.tidy(at(90))
    await store.tidy(at(90))
    first, second = await hours(fleet)
    assert (first.start, first.sum.passed, first.sum.failed, first.sum.missed) == (NOW, 2, 1, 9)
    assert (first.sum.total, first.sum.shortest, first.sum.longest) == (2.25, 0.25, 2.0)
    assert (second.start, second.sum.passed) == (at(60), 1)
    day = await read_fleet(fleet, lambda r: r.stretches("cart", span=timedelta(days=1), since=NOW))
    assert [(s.sum.passed, s.sum.failed, s.sum.missed) for s in day] == [(3, 1, 9)]


async def test_it_waits_for_who_commits_late(fleet: Database, store: FleetStore) -> None:
    """An evaluator that took its numbers, and commits after another one that took higher ones, is not passed over."""
    written, go = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        async with store.hub.transaction() as connection:
            await connection.execute(text("SELECT FROM probe.shards WHERE name = 'cart' FOR UPDATE"))
            await connection.run_sync(lambda sync: FleetWriting(sync).write([Record(runs=(run(1),))], shard="cart"))
            written.set()
            await go.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(late(), name="late")
        await written.wait()
        await judge(store, "pay", (run(2, check="pay"),))
        tidying = group.create_task(store.tidy(at(90)), name="tidying")
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%shards%'")
        async with store.hub.transaction() as connection:
            while not await connection.scalar(waiting):
                await connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        assert not tidying.done()
        go.set()
    assert [s.sum.passed for s in await hours(fleet)] == [1]
    assert [s.sum.passed for s in await hours(fleet, "pay")] == [1]


async def test_every_run_is_counted_once(fleet: Database, store: FleetStore) -> None:
    """Evaluators that write, and two nodes that add up, all at the same time, in many turns."""
    rng = random.Random(5)
    made: list[Run] = []

    async def evaluator(number: int) -> None:
        for turn in range(12):
            shard = rng.choice(SHARDS)
            batch = tuple(
                replace(rng.choice((run, failed))(rng.randrange(170)), id=RunId(f"{number}-{turn}-{n}"), slot=None)
                for n in range(rng.randrange(9))
            )
            made.extend(batch)
            await judge(store, shard, batch, hold=rng.random() / 100)

    async def adding() -> None:
        for _ in range(6):
            await tidy_fleet(store.hub, store.settings, at(90))

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(evaluator(number), name=f"evaluator {number}")
        for number in range(2):
            group.create_task(adding(), name=f"adding {number}")
    await store.tidy(at(90))
    expected = {
        start: tuple(
            sum(r.outcome is outcome and start <= r.started < start + timedelta(hours=1) for r in made)
            for outcome in (Outcome.PASSED, Outcome.FAILED)
        )
        for start in (NOW, at(60), at(120))
    }
    assert {s.start: (s.sum.passed, s.sum.failed) for s in await hours(fleet)} == expected


@pytest.mark.parametrize("first", [HALF - 3, 7 * HALF - 2, 7 * HALF])
async def test_the_counter_begins_anew(fleet: Database, store: FleetStore, first: int) -> None:
    """Where it comes to the end of its half of the day, each run is counted once, too."""
    fleet.psql(
        f"ALTER SEQUENCE probe.run_numbers RESTART WITH {first};"
        f"INSERT INTO probe.meta VALUES ('rolled', {first - 1}), ('rolled_day', extract(epoch from now())::bigint / 86400)"
    )
    for number in range(8):
        await judge(store, "cart", ((run, failed)[number % 2](number),))
        if number % 3 == 0:
            await store.tidy(at(90))
    await store.tidy(at(90))
    assert [(s.sum.passed, s.sum.failed) for s in await hours(fleet)] == [(4, 4)]


@pytest.mark.parametrize("ago", [0, 1], ids=["midnight", "days"])
async def test_days_that_were_not_added_up(fleet: Database, store: FleetStore, ago: int) -> None:
    """The database was not tidied for days, or a run had yesterday's number still: it is counted all the same."""
    await judge(store, "cart", (run(1), failed(2), run(3)))
    await store.tidy(at(90))
    await judge(store, "cart", (run(4), failed(5)))
    # Yesterday's numbers: as if it had been a day ago, all of it.
    fleet.psql(f"UPDATE probe.meta SET value = value - {ago} WHERE key = 'rolled_day'")
    fleet.psql("UPDATE probe.runs SET seq = seq - 100000000000")
    await judge(store, "cart", (run(6),))
    await store.tidy(at(90))
    assert [(s.sum.passed, s.sum.failed) for s in await hours(fleet)] == [(4, 2)]


async def test_what_is_old_is_forgotten(fleet: Database, store: FleetStore) -> None:
    """What was told, counts, evidence, asks that nobody took, rows and regions of shards that are gone, and old nodes."""
    now = datetime.now(UTC)
    sent = Record(
        changes=(
            Change(
                notifications=(notification("sent"), notification("open")),
                tallies=(
                    Tally(objective="o", at=now - timedelta(days=200), good=1),
                    Tally(objective="o", at=now, good=1),
                ),
            ),
        ),
        attempts=(attempt("sent", Fate.SENT),),
    )
    await store.commit(sent)
    fleet.psql(
        """
        INSERT INTO probe.state VALUES ('region:gone', 'eu', '{}'), ('region:cart', 'eu', '{}'), ('region', 'eu', '{}');
        INSERT INTO probe.evidence (run, name, region, stored, body)
            SELECT n::text, 'a', 'eu', now() - n * interval '1 day', '' FROM generate_series(1, 700) AS n;
        INSERT INTO probe.asks (region, check_id, why, asked)
            SELECT 'eu', 'cart', 'confirm', now() - n * interval '1 hour' FROM generate_series(1, 40) AS n;
        INSERT INTO probe.inbox (shard, source, node, region, kind, check_id, received, body)
            SELECT s, 's', 'n', 'eu', 'run', 'c', now() - interval '2 days', '' FROM unnest(array['gone', 'cart']) AS s;
        INSERT INTO probe.nodes (name, region, role, version, started, seen, skew, queue)
            SELECT n::text, 'eu', 'all', '1', now(), now() - n * interval '1 day', 0, 0 FROM generate_series(0, 60) AS n;
        """
    )
    await store.tidy(now + timedelta(days=40))
    left = fleet.psql(
        """
        SELECT (SELECT count(*) FROM probe.evidence), (SELECT count(*) FROM probe.asks), (SELECT count(*) FROM probe.nodes),
            (SELECT string_agg(shard, ',') FROM probe.inbox), (SELECT string_agg(kind, ',' ORDER BY kind) FROM probe.state),
            (SELECT count(*) FROM probe.ledger), (SELECT string_agg(key, ',' ORDER BY key) FROM probe.outbox)
        """
    )
    assert left == "50|0|0|cart|region,region:cart|1|open,sent"
    await store.tidy(now + timedelta(days=100))
    assert fleet.psql("SELECT string_agg(key, ',') FROM probe.outbox") == "open"
    assert fleet.psql("SELECT count(*) FROM probe.attempts") == "0"
