"""What only a fleet's PostgreSQL promises: numbers, places and parts of the state, and that it is what the code thinks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, Float, Integer, LargeBinary, Text, event, select, text

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId
from probe.core.notification import Fate
from probe.core.run import Observation, Outcome, RunId
from probe.core.state import Change, ObjectiveState, RegionState, Tally
from probe.ports import Record
from probe.store.fleet import FleetWriting
from probe.store.numbers import DAY, HALF, last_counter, today
from probe.store.restore import Part, read_state
from probe.store.schema import attempts, metadata, outbox, places, runs
from tests.core.builders import NOW
from tests.postgres import Database
from tests.store.builders import (
    at,
    attempt,
    failed,
    full_change,
    full_incident,
    full_run,
    notification,
    run,
    suspected,
)
from tests.store.fleet import FleetStore, fleet_store

pytestmark = pytest.mark.asyncio
TYPES = {Text: "text", Integer: "integer", Float: "double precision", Boolean: "boolean", LargeBinary: "bytea"}


@pytest.fixture
async def store(fleet: Database) -> AsyncIterator[FleetStore]:
    async with fleet_store(fleet) as found:
        yield found


async def rows(store: FleetStore, wanted: Any) -> list[Any]:
    async with store.hub.transaction() as connection:
        return list((await connection.execute(wanted)).all())


async def write(store: FleetStore, judged: dict[str, list[Record]]) -> None:
    async with store.hub.transaction() as connection:
        await connection.run_sync(lambda sync: FleetWriting(sync).write_shards(judged))


async def test_the_tables_are_what_the_code_thinks(store: FleetStore) -> None:
    """Column for column, in their order, with their types and keys: the SQL of the fleet and schema.py are the same."""
    asked = text(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'probe' ORDER BY table_name, ordinal_position"
    )
    found: dict[str, list[tuple[str, str, str]]] = {}
    for table, column, kind, nullable in await rows(store, asked):
        found.setdefault(table, []).append((column, kind, nullable))
    for table in metadata.sorted_tables:
        expected = [
            (
                column.name,
                TYPES.get(type(column.type), "bigint"),
                "YES" if column.nullable else "NO",
            )
            for column in table.columns
        ]
        assert found[table.name] == expected
    keys = text(
        "SELECT conrelid::regclass::text AS name, array_agg(attname::text ORDER BY position) AS columns FROM pg_constraint"
        " CROSS JOIN unnest(conkey) WITH ORDINALITY AS key (number, position)"
        " JOIN pg_attribute ON attrelid = conrelid AND attnum = number"
        " WHERE contype = 'p' AND connamespace = 'probe'::regnamespace GROUP BY 1"
    )
    theirs = {name.removeprefix("probe."): columns for name, columns in await rows(store, keys)}
    for table in metadata.sorted_tables:
        assert theirs[table.name] == [column.name for column in table.primary_key]


async def test_numbers_say_day_outcome_and_order(store: FleetStore) -> None:
    """What passed and what did not lie in different halves of the day; the counter goes up in the order of the runs."""
    given = [run(1), failed(2), run(3), failed(4), run(5, outcome=Outcome.MISSED), run(6)]
    await store.commit(Record(runs=tuple(given)))
    found = {row.id: row.seq for row in await rows(store, select(runs.c.id, runs.c.seq))}
    async with store.hub.transaction() as connection:
        day = await connection.run_sync(today)
        last = await connection.run_sync(last_counter)
    assert {name: number // DAY for name, number in found.items()} == dict.fromkeys(found, day)
    assert {r.id for r in given if found[r.id] % DAY < HALF} == {"run-1", "run-3", "run-6"}
    counters = [found[r.id] % HALF for r in given]
    assert counters == sorted(counters)
    assert len(set(counters)) == 6
    assert counters[-1] == last


async def test_a_batch_is_a_few_statements(store: FleetStore) -> None:
    """Five hundred runs of a hundred places, with state and counts, cost as many as one run does."""
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    def record(number: int) -> Record:
        made = replace(full_run(), id=RunId(f"r{number}"), region=f"region-{number % 100}")
        tally = Tally(objective=f"o{number % 7}", at=made.started, bad=1)
        return Record(runs=(made,), changes=(Change(checks={CheckId("cart"): suspected(number)}, tallies=(tally,)),))

    event.listen(store.hub._engine.sync_engine, "before_cursor_execute", count)
    await store.commit(record(0))
    first, asked = asked, 0
    await write(store, {f"s{number}": [record(500 * number + n) for n in range(1, 250)] for number in (1, 2)})
    assert asked <= first
    assert len(await rows(store, select(places))) == 100


async def test_two_evaluators_name_a_place_at_the_same_time(store: FleetStore) -> None:
    """Both get the one number, whoever comes first."""
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            record = Record(runs=(run(number), run(number, id=RunId(f"us-{number}"), region="us")))
            group.create_task(write(store, {"": [record]}), name=f"evaluator {number}")
    known = {(row.check_id, row.region): row.id for row in await rows(store, select(places))}
    assert set(known) == {("cart", "eu"), ("cart", "us")}
    found = await rows(store, select(runs.c.id, runs.c.place))
    assert {row.id: row.place for row in found} == {
        **{f"run-{n}": known["cart", "eu"] for n in range(6)},
        **{f"us-{n}": known["cart", "us"] for n in range(6)},
    }


async def test_a_transaction_that_came_to_nothing_leaves_nothing(store: FleetStore) -> None:
    """Its runs are not there, its place is named by the next, and its numbers are not given again."""

    def write_and_fail(connection: Connection) -> None:
        FleetWriting(connection).write([Record(runs=(run(1),), changes=(full_change(),))])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with store.hub.transaction() as connection:
            await connection.run_sync(write_and_fail)
    await store.commit(Record(runs=(run(2),)))
    found = await rows(store, select(runs.c.id, runs.c.place, runs.c.seq))
    assert [(row.id, row.seq % HALF) for row in found] == [("run-2", 2)]
    assert [row.place for row in found] == [row.id for row in await rows(store, select(places))]


async def test_odd_text_is_stored(store: FleetStore) -> None:
    """PostgreSQL has no NUL, and nobody has half a character: both are replaced, wherever they come from."""
    odd = Failure.of("status", "a\0b", actual="\0")
    made = failed(1, odd, observation=Observation(failures=(odd,), log=("\0",)))
    await store.commit(
        Record(
            runs=(made,),
            changes=(Change(notifications=(notification("k"),)),),
            attempts=(attempt("k", Fate.FAILED, answer="half \ud800 and \0"),),
        )
    )
    assert [row.message for row in await rows(store, select(runs.c.message))] == ["a\ufffdb"]
    assert [row.answer for row in await rows(store, select(attempts.c.answer))] == ["half ? and \ufffd"]


async def test_what_is_settled_stays_settled(store: FleetStore) -> None:
    """A node that was paused writes down late what came of its attempt: it was sent by another one meanwhile."""
    await store.commit(Record(changes=(Change(notifications=(notification("k"),)),)))
    await store.commit(Record(attempts=(attempt("k", Fate.SENT, 2),)))
    await store.commit(Record(attempts=(attempt("k", Fate.FAILED, 1, again=at(3)),)))
    assert (await store.restore()).pending == ()
    assert [(row.fate, row.again) for row in await rows(store, select(outbox))] == [("sent", None)]
    assert [row.fate for row in await rows(store, select(attempts.c.fate))] == ["sent", "failed"]


async def test_a_shard_has_its_own_view_of_regions(store: FleetStore) -> None:
    """What one has seen of a region is not what the fleet says of it."""
    ours, theirs = RegionState(blind=at(1)), RegionState(ill=at(2))
    await write(
        store,
        {
            "": [Record(changes=(Change(regions={"eu": ours}),))],
            "cart": [Record(changes=(Change(regions={"eu": theirs}),))],
        },
    )
    async with store.hub.transaction() as connection:
        for shard, expected in (("", {"eu": ours}), ("cart", {"eu": theirs}), ("pay", {})):
            state = await connection.run_sync(read_state, None, Part(shard=shard))
            assert state.regions == expected
    assert (await store.restore()).state.regions == {"eu": ours}


async def test_a_part_of_the_state(store: FleetStore) -> None:
    """A shard reads its own checks, objectives and incidents, open and closed, and nothing else."""

    def incident(name: str, cause: str, **given: Any) -> Incident:
        return replace(full_incident(), id=IncidentId(name), cause=cause, **given)

    change = Change(
        checks={CheckId(name): suspected(1) for name in ("cart", "pay", "search")},
        objectives={name: ObjectiveState(explained=NOW) for name in ("buy", "find")},
        tallies=tuple(Tally(objective=name, at=NOW, good=1) for name in ("buy", "find")),
        incidents={
            i.cause: i for i in (incident("a", "shop"), incident("b", "other"), incident("c", "old", resolved=at(5)))
        },
    )
    await store.commit(Record(changes=(change,)))
    part = Part(shard="cart", checks=("cart", "pay"), objectives={"buy": 1}, causes=("shop", "old", "never"))
    async with store.hub.transaction() as connection:
        state = await connection.run_sync(read_state, at(6), part)
        late = await connection.run_sync(read_state, at(6) + timedelta(hours=1), part)
        none = await connection.run_sync(read_state, at(6), Part(shard="", checks=(), objectives=(), causes=()))
    assert set(state.checks) == {"cart", "pay"}
    assert state.suspects == {"cart", "pay"}
    assert set(state.objectives) == set(state.ledgers) == {"buy"}
    assert set(state.incidents) == {"shop"}
    assert set(state.closed) == {"old"}
    assert late.closed == {}
    assert (none.checks, none.objectives, none.ledgers, none.incidents, none.closed) == ({}, {}, {}, {}, {})
