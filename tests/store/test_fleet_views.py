"""What is shown of a fleet is what is shown of one node: the same documents of the same runs."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from probe.core.run import RunId
from probe.ports import Record
from probe.store.people import open_people
from probe.view.journey import journey
from probe.view.overview import overview
from probe.view.recent import Recent
from probe.view.runs import runs
from probe.view.sources import Sources
from tests.postgres import Database
from tests.store.builders import read, store_in
from tests.store.fleet import fleet_store, read_fleet
from tests.view.watching import BROKEN, Watching, one, together, watching

pytestmark = pytest.mark.asyncio


def documents(sources: Sources) -> dict[str, Any]:
    """Everything that is made of many runs."""
    now = sources.now
    begin = now - timedelta(hours=3)
    first = runs(sources, limit=300)
    rest = runs(sources, cursor=first["next"], limit=500)
    hours, month = (journey(sources, "checkout", start, now, None) for start in (begin, now - timedelta(days=30)))
    for found in (hours, month):
        assert found is not None
        for column in found["step_columns"]:
            assert column["run"]
            column["run"] = None  # any of those that it is made of
    return {
        "overview": {**overview(sources, Recent()), "health": None},  # a fleet has another last sign of life
        "hours": hours,
        "month": month,
        "cart": journey(sources, "cart", begin, now, "us"),
        "runs": sorted(row["run"] for row in (*first["runs"], *rest["runs"])),  # of one moment, in whatever order
        "failed": runs(sources, check="checkout", step="pay", start=begin, end=now)["runs"],
        "all failed": [row["run"] for row in runs(sources, layer="http", start=begin)["runs"]],
        "of us": [row["run"] for row in runs(sources, region="us", outcome="missed")["runs"]],
    }


def making(world: Watching, folder: Path, make: Callable[[Sources], Any]) -> Callable[[Any], Any]:
    def look(reader: Any) -> Any:
        with open_people(folder) as people:
            return make(world.sources(reader, people))

    return look


async def test_the_same_documents(fleet: Database, tmp_path: Path) -> None:
    """Overview, journey and lists, from SQLite and from PostgreSQL."""
    world = watching()
    record = together(world.records)
    async with store_in(tmp_path) as store:
        await store.commit(record)
        await store.tidy(world.now)
    async with fleet_store(fleet) as hub:
        await hub.commit(record)
        await hub.tidy(world.now)
    look = making(world, tmp_path, documents)
    alone, together_ = await read(tmp_path, look), await read_fleet(fleet, look)
    assert alone.keys() == together_.keys()
    for name, document in alone.items():
        assert together_[name] == document, name


async def test_each_look_at_a_fleet_takes_up_what_is_new(fleet: Database, tmp_path: Path) -> None:
    """Runs whose numbers overlap with those of the last look are counted once, and a later look is as a first one."""
    world, kept = watching(), Recent()
    cuts = (0, 300, 301, len(world.records))
    async with fleet_store(fleet) as hub:
        for first, last in pairwise(cuts):
            await hub.commit(together(world.records[first:last]))
            found = await read_fleet(fleet, making(world, tmp_path, lambda sources: overview(sources, kept)))
            fresh = await read_fleet(fleet, making(world, tmp_path, lambda sources: overview(sources, Recent())))
            assert found == fresh
        late = one("checkout", "eu", 175, world.begin, BROKEN, id=RunId("late"), slot=None)
        await hub.commit(Record(runs=(late,)))
        found = await read_fleet(fleet, making(world, tmp_path, lambda sources: overview(sources, kept)))
    assert found["places"][0]["outcomes"] == {"passed": 118, "failed": 1}
