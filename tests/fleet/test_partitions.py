"""Partitions: made ahead, dropped by age, and never in the way."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.fleet.hub import Hub
from probe.fleet.partitions import TABLES, arrange_partitions
from probe.store.settings import StoreSettings
from tests.fleet.hubs import ask, installed, open_hub, run, together
from tests.postgres import Database

DAY = 10**11
SETTINGS = StoreSettings(path=Path("/nowhere"))
EPOCH = date(1970, 1, 1)
COLUMNS = "(seq, id, place, kind, target, why, outcome, started, duration, lag)"


@pytest.fixture
async def hub(database: Database) -> AsyncIterator[Hub]:
    async with installed(database) as made:
        yield made


def today() -> date:
    return datetime.now(UTC).date()


def number(day: date, within: int = 1, *, passed: bool = True) -> int:
    return (day - EPOCH).days * DAY + (0 if passed else DAY // 2) + within


async def put(hub: Hub, *numbers: int) -> None:
    """Runs of these numbers, each with a step and details."""
    for one in numbers:
        await run(
            hub,
            f"INSERT INTO probe.runs {COLUMNS} VALUES ({one}, 'r{one}', 1, 'http', 't', 'schedule', 'passed', 0, 0, 0)",
            f"INSERT INTO probe.steps (run, position, name, outcome) VALUES ({one}, 0, 's', 'passed')",
            f"INSERT INTO probe.details VALUES ({one}, true, 0, '')",
        )


async def where(hub: Hub, table: str = "runs") -> dict[int, str]:
    """In which partition each row lies."""
    key = "seq" if table == "runs" else "run"
    async with hub.transaction() as connection:
        found = await connection.exec_driver_sql(f"SELECT {key}, tableoid::regclass::text FROM probe.{table}")
        rows: list[Any] = list(found)
        return {row[0]: row[1].removeprefix("probe.") for row in rows}


async def test_days_are_made_ahead_and_only_once(hub: Hub) -> None:
    done = await arrange_partitions(hub, SETTINGS)
    days = [f"{today() + timedelta(days=ahead):%Y%m%d}" for ahead in range(3)]
    assert set(done.made) == {
        f"{table}_{day}_{sort}" for table in TABLES for day in days for sort in ("passed", "other")
    }
    assert (done.dropped, done.busy) == ((), ())
    assert (await arrange_partitions(hub, SETTINGS)).made == ()
    await put(hub, number(today()), number(today(), passed=False), number(today() + timedelta(days=2)))
    day = f"{today():%Y%m%d}"
    assert list((await where(hub)).values()) == [f"runs_{day}_passed", f"runs_{day}_other", f"runs_{days[2]}_passed"]
    assert (
        await ask(
            hub, "SELECT count(*) FROM pg_indexes WHERE schemaname = 'probe' AND tablename = 'runs_" + day + "_passed'"
        )
        == 4
    )


async def test_a_row_without_a_partition_is_taken_and_moved_later(hub: Hub) -> None:
    rows = (
        number(today()),
        number(today(), DAY // 2 - 1),
        number(today(), passed=False),
        number(today() - timedelta(days=5)),
    )
    await put(hub, *rows)
    assert set((await where(hub)).values()) == {"runs_default"}
    await arrange_partitions(hub, SETTINGS, ahead=0)
    for table in ("runs", "steps", "details"):
        found = await where(hub, table)
        if table == "details":  # kept for a day, of runs that passed
            assert rows[3] not in found
        else:
            assert found.pop(rows[3]) == f"{table}_{today() - timedelta(days=5):%Y%m%d}_passed"
        assert list(found.values()) == [f"{table}_{today():%Y%m%d}_{sort}" for sort in ("passed", "passed", "other")]


async def test_what_is_older_than_it_is_kept_goes(hub: Hub) -> None:
    """Details of runs that passed after a day, those runs after 14 days, all others after 90."""
    ages = (0, 1, 2, 14, 15, 90, 91)
    for age in ages:
        await put(hub, *(number(today() - timedelta(days=age), passed=sort) for sort in (True, False)))
    await arrange_partitions(hub, SETTINGS, ahead=0)

    async def left(table: str, *, passed: bool) -> list[int]:
        found = await where(hub, table)
        return [age for age in ages if number(today() - timedelta(days=age), passed=passed) in found]

    assert await left("details", passed=True) == [0, 1]
    assert await left("runs", passed=True) == [0, 1, 2, 14]
    assert await left("steps", passed=True) == [0, 1, 2, 14]
    for table in ("runs", "steps", "details"):
        assert await left(table, passed=False) == [0, 1, 2, 14, 15, 90]
    assert await ask(hub, "SELECT count(*) FROM probe.runs_default") == 0


async def test_several_at_the_same_time(hub: Hub) -> None:
    await put(hub, number(today()), number(today() - timedelta(days=100)))
    done = await together(*(arrange_partitions(hub, SETTINGS, ahead=0) for _ in range(4)))
    done.append(await arrange_partitions(hub, SETTINGS, ahead=0))
    made = [name for each in done for name in each.made]
    assert len(made) == len(set(made))
    assert list(await where(hub)) == [number(today())]


async def test_whoever_reads_is_not_disturbed(hub: Hub) -> None:
    await put(hub, number(today() - timedelta(days=100)), number(today()))
    async with hub.transaction() as connection:
        await connection.exec_driver_sql("SELECT count(*) FROM probe.runs")
        busy = await arrange_partitions(hub, SETTINGS, ahead=0)
        assert await ask(hub, "SELECT count(*) FROM probe.runs") == 2  # nobody waits behind it
    assert busy.busy
    assert all(name.startswith("runs_") for name in busy.busy)
    await arrange_partitions(hub, SETTINGS, ahead=0)
    assert list((await where(hub)).values()) == [f"runs_{today():%Y%m%d}_passed"]


async def test_a_node_that_judges_may_do_it(database: Database, hub: Hub) -> None:
    database.psql("CREATE ROLE judge LOGIN PASSWORD 'judge'; GRANT probe_evaluate TO judge")
    try:
        async with open_hub(database.url(user="judge", password="judge")) as judge:
            assert len((await arrange_partitions(judge, SETTINGS, ahead=0)).made) == 10
            await put(judge, number(today()))
            assert len(await where(judge)) == 1
    finally:
        database.psql("DROP OWNED BY judge; DROP ROLE judge")


@given(st.integers(0, 40_000), st.integers(0, DAY // 2 - 1), st.booleans())
def test_numbers_of_days_and_sorts_do_not_overlap(day: int, within: int, passed: bool) -> None:
    """What the SQL takes for granted about the arithmetic of numbers."""
    made = number(EPOCH + timedelta(days=day), within, passed=passed)
    assert divmod(made, DAY)[0] == day
    assert (made % DAY < DAY // 2) is passed
    assert made < 2**63
