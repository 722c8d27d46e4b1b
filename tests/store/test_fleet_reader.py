"""What the command line sees of a fleet: the same as of one node, from whatever node it is called."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from probe.core.incident import Entry
from probe.core.notification import Fate
from probe.core.run import Outcome, RunId, Slot, Step, StepOutcome
from probe.core.secret import Secret
from probe.core.state import Change, RegionState
from probe.errors import StoreUnavailable
from probe.fleet.read import open_fleet
from probe.ports import Record
from probe.store.reader import Backlog, Receipt
from probe.store.recorded import extents, recorded
from tests.core.builders import NOW
from tests.postgres import Database, fresh_database
from tests.store.builders import at, attempt, failed, full_change, full_incident, full_run, notification, run
from tests.store.fleet import FleetStore, fleet_store, read_fleet

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def store(fleet: Database) -> AsyncIterator[FleetStore]:
    async with fleet_store(fleet) as found:
        yield found


async def test_runs(fleet: Database, store: FleetStore) -> None:
    """A run with all that was seen, history in all its ways, counts by outcome: as of one node."""
    missed = run(4, outcome=Outcome.MISSED, slot=Slot(number=4, due=at(4), count=9))
    us = [run(n, id=RunId(f"us-{n}"), region="us") for n in (1, 2)]
    given = (full_run(), run(1), failed(3), *us, missed, run(2), run(1, check="pay", id="p"))
    await store.commit(Record(runs=given))
    assert await read_fleet(fleet, lambda reader: reader.run("full")) == full_run()
    assert await read_fleet(fleet, lambda reader: reader.run("none")) is None
    found = await read_fleet(fleet, lambda reader: reader.history("cart"))
    assert [r.id for r in found] == ["full", "run-4", "run-3", "run-2", "us-2", "us-1", "run-1"]
    some = await read_fleet(
        fleet, lambda reader: reader.history("cart", "eu", since=at(2), until=at(5), failed=True, limit=1)
    )
    assert [r.id for r in some] == ["run-4"]
    assert await read_fleet(fleet, lambda reader: reader.outcomes(since=NOW)) == {
        "eu": {Outcome.PASSED: 3, Outcome.FAILED: 4, Outcome.MISSED: 9},
        "us": {Outcome.PASSED: 2},
    }


async def test_runs_in_the_order_of_judgement(fleet: Database, store: FleetStore) -> None:
    """What passed and what did not are numbered apart, and read together: across pages, days and late runs."""
    fleet.psql("ALTER SEQUENCE probe.run_numbers RESTART WITH 4321")
    steps = (Step(name="cart", outcome=StepOutcome.PASSED, start=0.5, duration=1.25),)
    made = [replace((failed if n % 3 == 0 else run)(n), id=RunId(f"r{n:05}")) for n in range(2000)]
    made += [replace(run(0), id=RunId(f"r{n:05}"), slot=None) for n in range(2000, 4100)]
    for begin in range(0, 3000, 500):
        await store.commit(Record(runs=tuple(made[begin : begin + 500])))
    fleet.psql(
        "UPDATE probe.steps SET run = run - 100000000000; UPDATE probe.runs SET seq = seq - 100000000000"
    )  # yesterday
    seen = replace(made[3000].observation, steps=steps)
    await store.commit(Record(runs=(replace(made[3000], observation=seen), *made[3001:])))
    found = await read_fleet(fleet, lambda reader: list(recorded(reader, since=NOW)))
    assert [r.id for r in found] == [r.id for r in made]
    assert found[3000].observation.steps == steps
    late = await read_fleet(fleet, lambda reader: list(recorded(reader, since=at(1990))))
    assert [r.id for r in late] == [f"r{n:05}" for n in range(1990, 2000)]
    (extent,) = await read_fleet(fleet, lambda reader: extents(reader, since=NOW, checks=["cart"]))
    assert (extent.region, extent.slots, extent.every) == ("eu", 2000, 60.0)
    assert await read_fleet(fleet, lambda reader: list(recorded(reader, since=NOW + timedelta(days=9000)))) == []


async def test_how_things_stand(fleet: Database, store: FleetStore) -> None:
    """What is remembered, regions as the whole fleet sees them, channels, and the last word of a node that judges."""
    change = full_change()
    await store.commit(Record(changes=(change,), attempts=(attempt("k1", Fate.REFUSED, 1),)))
    part = FleetStore(store.hub, shard="cart")
    await part.commit(Record(changes=(Change(regions={"eu": RegionState(blind=at(9)), "us": RegionState()}),)))
    fleet.psql(
        "INSERT INTO probe.nodes (name, region, role, version, started, seen, skew, queue) VALUES"
        " ('a', 'eu', 'agent', '1', now(), '2026-11-23T05:00Z', 0, 0), ('e', 'eu', 'evaluate', '1', now(), '2026-11-23T04:00Z', 0, 0)"
    )
    status = await read_fleet(fleet, lambda reader: reader.status())
    assert status.state.checks == change.checks
    assert status.state.regions == change.regions
    assert status.state.incidents == change.incidents
    assert status.outbox == (
        Backlog(channel="oncall", fate=Fate.REFUSED, count=1, oldest=change.notifications[0].created),
        Backlog(channel="team", fate=None, count=1, oldest=change.notifications[0].created),
    )
    assert status.alive == at(60)


async def test_incidents(fleet: Database, store: FleetStore) -> None:
    """Open ones and all, and the story of one with every attempt to tell it."""
    change = full_change()
    await store.commit(Record(changes=(change,)))
    await store.commit(Record(attempts=(attempt("k1", Fate.FAILED, answer="500"), attempt("k1", Fate.SENT, 1))))
    assert await read_fleet(fleet, lambda reader: reader.incidents(open_only=True)) == (full_incident(),)
    story = await read_fleet(fleet, lambda reader: reader.incident("inc-1"))
    assert story is not None
    assert story.incident == full_incident()
    assert [line for line in story.lines if isinstance(line, Entry)] == list(change.entries)
    assert [(line.fate, line.answer) for line in story.lines if isinstance(line, Receipt)] == [
        (Fate.FAILED, "500"),
        (Fate.SENT, ""),
    ]
    assert await read_fleet(fleet, lambda reader: reader.incident("none")) is None


async def test_one_state_of_the_whole_database(fleet: Database, store: FleetStore) -> None:
    """What is committed in the midst of a look is seen by the next one; nobody waits for the other."""
    loop = asyncio.get_running_loop()
    await store.commit(Record(changes=(Change(notifications=(notification("a"),)),)))

    def look() -> list[int]:
        with open_fleet(Secret(fleet.url())) as reader:

            def twice(connection: object) -> list[int]:
                from sqlalchemy import func, select

                from probe.store.schema import outbox

                wanted = select(func.count()).select_from(outbox)
                before = connection.scalar(wanted)  # type: ignore[attr-defined]  # it is one
                more = Record(changes=(Change(notifications=(notification("b"),)),))
                asyncio.run_coroutine_threadsafe(store.commit(more), loop).result(30)
                return [before, connection.scalar(wanted)]  # type: ignore[attr-defined]  # it is one

            return [*reader.read(twice), len(reader.status().outbox)]

    assert await asyncio.to_thread(look) == [1, 1, 1]
    assert [n.key for n in (await store.restore()).pending] == ["a", "b"]


async def test_a_reader_cannot_write(fleet: Database) -> None:
    """Whoever calls a command cannot change anything by it."""
    from sqlalchemy import text

    with pytest.raises(StoreUnavailable):
        await read_fleet(fleet, lambda reader: reader.read(lambda c: c.execute(text("DELETE FROM probe.meta"))))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("empty", "run `probe fleet init`"),
        ("password", "password"),
        ("port", "cannot be reached"),
        ("database", "no database of that name"),
    ],
)
async def test_trouble_in_words(fleet: Database, broken: str, words: str) -> None:
    """Says what is wrong, and never a password."""
    with fresh_database(fleet.server, "empty") as empty:
        urls = {
            "empty": empty.url(),
            "password": fleet.url(password="hunter2"),
            "port": fleet.url(password="hunter2").replace(str(fleet.server.port), "1"),
            "database": empty.url(password="probe").replace("/empty", "/nowhere"),
        }

        def look() -> None:
            with open_fleet(Secret(urls[broken])):
                raise AssertionError("it was opened")

        with pytest.raises(StoreUnavailable, match=words) as caught:
            await asyncio.to_thread(look)
    assert "hunter2" not in str(caught.value)
