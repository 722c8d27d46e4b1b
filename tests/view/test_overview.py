"""What is seen at a glance: trouble first, the grid, and how the probes themselves are."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.notification import Fate
from probe.core.run import Outcome, RunId
from probe.core.state import Change, RegionState
from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.store.people import open_people
from probe.store.reader import Reader, open_reader
from probe.view.documents import Cell, Overview
from probe.view.overview import overview
from probe.view.recent import Recent
from probe.view.sources import Sources
from tests.store.builders import attempt, notification, store_in
from tests.view.watching import BROKEN, CHECKOUT, MINUTES, TOKEN, Watching, one, together, watching

LIVE = {
    "reason": "the scheduler has not ticked for 20 s",
    "reload": {"ok": False, "error": "line 3"},
    "recorder": {"trouble": "the disk is full", "queued": 7},
    "channels": {"oncall": {"pending": 1, "disabled": "wrong token"}},
    "fleet": {"trouble": "cut off"},
}


def cell(found: Overview, check: str, region: str) -> Cell:
    row = next(row for target in found["targets"] for row in target["checks"] if row["check"] == check)
    got = row["cells"][found["regions"].index(region)]
    assert got is not None
    return got


def test_all_is_well(sources: Sources, world: Watching) -> None:
    """The grid with its bars, promises, regions and coverage; what ended today is told; nothing is to be mended."""
    found = overview(sources, Recent())
    assert (found["regions"], found["incidents"]) == (["eu", "us"], [])
    assert [target["target"] for target in found["targets"]] == ["shop", "carts"]
    assert [row["verdict"] for target in found["targets"] for row in target["checks"]] == ["ok", "ok"]
    last = cell(found, "checkout", "us")
    assert last["state"] == "passed"
    assert last["bars"] == "p" * 12
    assert last["heights"] == "553333444455"  # 0.9 s, 0.95 s, then from 0.5 s up to 0.95 s; the median is 0.775 s
    assert (last["run"], last["age"], last["failing"]) == ("checkout-us-179", 52.0, None)
    assert cell(found, "cart", "us")["bars"] == "p" * 12
    (objective,) = found["objectives"]
    assert (objective["objective"], objective["good"], objective["bad"], objective["state"]) == (
        "buying",
        320,
        40,
        "spent",
    )
    assert [(place["region"], place["outcomes"], place["trouble"]) for place in found["places"]] == [
        ("eu", {"passed": 118}, None),
        ("us", {"passed": 108, "missed": 10}, None),
    ]
    assert found["places"][1]["coverage"] == 108 / 118
    health = found["health"]
    assert (health["trouble"], health["lag"], health["worst_lag"]) == ([], 0.0097, 0.01)
    (over,) = found["recent"]
    assert (over["checks"], over["lasted"] > 0, over["resolved"] is not None) == (["checkout"], True, True)
    assert over["customers"] == "cannot: A guest buys one item"
    assert over["title"].startswith('DOWN: shop.example, checkout fails at step "pay"')
    assert TOKEN not in json.dumps(found)
    assert "***" in over["title"]
    json.dumps(found, allow_nan=False)


def test_in_the_midst_of_an_outage(tmp_path: Path) -> None:
    """What fails is first, with why; the check points to its incident; its burning promise too. What is stale is unknown."""
    world = watching()
    records = [r for r in world.records if r.alive is not None and r.alive < world.begin + timedelta(minutes=110)]
    now = world.begin + timedelta(minutes=110)

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(together(tuple(records)))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        found = overview(world.sources(reader, people, now=now), Recent())
        later = overview(world.sources(reader, people, now=now + timedelta(hours=1)), Recent())
    (incident,) = found["incidents"]
    row = found["targets"][0]["checks"][0]
    assert (row["check"], row["verdict"], row["incident"]) == ("checkout", "down", incident["id"])
    got = cell(found, "checkout", "eu")
    assert (got["state"], got["bars"]) == ("failed", "pp" + "f" * 10)
    assert got["failing"] == {
        "layer": "http",
        "kind": "status",
        "message": "POST /pay answered 500 <b>***</b>",
        "step": "pay",
    }
    assert found["objectives"][0]["state"] == "burning"
    assert (cell(later, "checkout", "eu")["state"], cell(later, "cart", "us")["state"]) == ("unknown", "unknown")
    assert later["targets"][0]["verdict"] == "unknown"
    assert later["health"]["trouble"] == ["no data for 1h52s: the last sign of life of the daemon is that old"]
    assert later["health"]["coverage"] is None


def test_what_is_to_be_mended(tmp_path: Path, world: Watching) -> None:
    """What the daemon says of itself, regions that are blind or silent, channels that are stuck or disabled."""
    last = replace(together(world.records[-40:]), changes=())
    regions = {"eu": RegionState(blind=world.now - timedelta(minutes=3)), "us": RegionState(silent=world.now)}
    waiting = tuple(
        notification(key, channel=channel, created=world.now - timedelta(minutes=6))
        for key, channel in (("a", "oncall"), ("b", "team"), ("c", "team"), ("d", "sent"))
    )

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(
                replace(
                    last, changes=(Change(regions=regions, notifications=waiting),), attempts=(attempt("d", Fate.SENT),)
                )
            )

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        found = overview(world.sources(reader, people, live=LIVE), Recent())
    assert found["health"]["trouble"] == [
        "the daemon does not do its work: the scheduler has not ticked for 20 s",
        "the last reload failed, the old configuration is in use: line 3",
        "the store: the disk is full; 7 records wait",
        "the fleet: cut off",
        "region eu: its own network has failed for 3m: it says nothing of targets",
        "region us: nothing was heard from it for 1 s",
        "channel oncall is disabled: wrong token",
        "channel team: 2 messages wait, the oldest for 6m",
    ]
    assert found["health"]["daemon"] == LIVE
    assert [(c["channel"], c["pending"]) for c in found["channels"]] == [("oncall", 1), ("team", 2)]
    assert (cell(found, "checkout", "eu")["state"], cell(found, "checkout", "us")["state"]) == ("blind", "passed")


def test_each_look_takes_up_what_is_new(tmp_path: Path) -> None:
    """Look by look it is what it would be at first sight, whatever came in between: late runs, new places, taken-back counts."""
    world, kept = watching(), Recent()
    records, cuts = world.records, (0, 1, 250, 251, 470, len(world.records))

    async def fill(first: int, last: int) -> None:
        async with store_in(tmp_path) as store:
            for record in records[first:last]:
                await store.commit(record)

    for first, last in pairwise(cuts):
        asyncio.run(fill(first, last))
        now = records[last - 1].alive
        assert now is not None
        with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
            sources = world.sources(reader, people, now=now + timedelta(seconds=1))
            found, fresh = overview(sources, kept), overview(sources, Recent())
        assert found == fresh
    late = one("checkout", "eu", MINUTES - 30, world.begin, BROKEN, id=RunId("late"), slot=None)
    newest = one("checkout", "eu", MINUTES, world.begin, id=RunId("newest"), lag=9.0)

    async def more() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(Record(runs=(newest, late)))

    asyncio.run(more())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        sources = world.sources(reader, people, now=world.now + timedelta(minutes=1))
        found, fresh = overview(sources, kept), overview(sources, Recent())
    assert found == fresh
    assert cell(found, "checkout", "eu")["run"] == "newest"
    assert found["health"]["worst_lag"] == 9.0
    assert found["places"][0]["outcomes"]["failed"] == 1


def test_a_check_that_never_ran(sources: Sources) -> None:
    """Is unknown, not well; and so is one that a fleet's other part judges."""
    rules = sources.rules
    added = replace(rules.checks[CHECKOUT], id=CheckId("new"), regions=("eu",))
    found = overview(replace(sources, rules=replace(rules, checks={**rules.checks, added.id: added})), Recent())
    assert cell(found, "new", "eu")["state"] == "unknown"
    row = next(row for target in found["targets"] for row in target["checks"] if row["check"] == "new")
    assert (row["verdict"], row["cells"][1]) == ("unknown", None)


def test_missed_slots_end_with_the_last_of_them(tmp_path: Path, world: Watching) -> None:
    """A stop of an hour is as old as its end, and not as its beginning."""
    records = tuple(r for r in world.records if r.runs[0].check == "cart" and r.runs[0].region == "us")
    cut = next(i for i, r in enumerate(records) if r.runs[0].outcome is Outcome.MISSED) + 1

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(together(records[:cut]))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        now = world.begin + timedelta(minutes=160)
        found = overview(world.sources(reader, people, now=now), Recent())
    got = cell(found, "cart", "us")
    assert (got["state"], got["bars"][-1], got["age"]) == ("missed", "m", 53.0)


def test_after_a_look_that_came_to_nothing(sources: Sources) -> None:
    """The next one begins anew, and is as a first one."""
    kept = Recent()

    def broken(work: Any) -> Any:
        sources.reader.read(work)
        raise StoreUnavailable("the disk is away")

    with pytest.raises(StoreUnavailable, match="away"):
        overview(replace(sources, reader=Reader(broken)), kept)
    overview(sources, kept)
    with pytest.raises(StoreUnavailable, match="away"):
        overview(replace(sources, reader=Reader(broken)), kept)
    assert overview(sources, kept) == overview(sources, Recent())


def test_what_another_version_remembered(tmp_path: Path, world: Watching) -> None:
    """Is told in words."""

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(world.records[0])

    asyncio.run(fill())
    with closing(sqlite3.connect(tmp_path / "probe.db")) as connection, connection:
        connection.execute("UPDATE state SET body = '{\"places\": 7}'")
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        sources = world.sources(reader, people)
        with pytest.raises(StoreUnavailable, match="written by another version"):
            overview(sources, Recent())
