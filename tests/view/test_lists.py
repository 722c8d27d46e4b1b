"""Lists of runs, incidents and objectives: filters, pages that nothing moves, and rows."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from probe.core.incident import IncidentId, Verdict
from probe.core.rules import Calendar
from probe.core.run import RunId
from probe.core.state import Change
from probe.ports import Record
from probe.store.people import open_people
from probe.store.reader import open_reader
from probe.view.incidents import incident_row, incidents
from probe.view.objectives import objectives, window_words
from probe.view.overview import suffering_of
from probe.view.runs import runs
from probe.view.sources import Sources
from tests.store.builders import at, full_incident, full_run, store_in
from tests.view.watching import BAD, BROKEN, CHECKOUT, TOKEN, Watching, one, watching


def ids(sources: Sources, **given: Any) -> list[str]:
    return [row["run"] for row in runs(sources, **{"limit": 1000, **given})["runs"]]


def test_filters(sources: Sources, world: Watching) -> None:
    """Each alone and together, of one check and of all; newest first."""
    every = ids(sources)
    assert len(every) == 713
    assert every[:2] == ["cart-us-179", "checkout-us-179"]
    assert len(ids(sources, check="checkout")) == 360
    assert ids(sources, check="checkout", region="us", limit=2) == ["checkout-us-179", "checkout-us-178"]
    assert len(ids(sources, region="us")) == 351
    assert set(ids(sources, outcome="errored")) == {"cart-eu-60", "cart-us-60"}
    assert ids(sources, outcome="missed", check="cart") == ["cart-us-150"]
    assert len(ids(sources, step="pay")) == 41  # with the drill
    assert len(ids(sources, step="pay", check="checkout")) == 40
    assert ids(sources, kind="host_starved", region="eu") == ["cart-eu-60"]
    assert ids(sources, layer="probe", check="cart", region="us") == ["cart-us-60"]
    start, end = world.begin + timedelta(minutes=BAD[0] + 5), world.begin + timedelta(minutes=BAD[0] + 7)
    assert ids(sources, layer="http", start=start, end=end) == [
        f"checkout-{region}-{BAD[0] + n}" for n in (6, 5) for region in ("us", "eu")
    ]
    assert ids(sources, outcome="passed", step="pay") == []
    assert ids(sources, check="none") == []
    with pytest.raises(ValueError, match="sideways"):
        runs(sources, outcome="sideways")


@pytest.mark.parametrize(
    "given", [{}, {"check": "checkout"}, {"check": "checkout", "outcome": "failed"}, {"region": "us"}]
)
def test_pages(tmp_path: Path, given: dict[str, str]) -> None:
    """All pages together are all runs, each once, whatever is stored in between."""
    world = watching()
    runs_then = tuple(run for record in world.records for run in record.runs)

    async def fill(*new: Any) -> None:
        async with store_in(tmp_path) as store:
            await store.commit(Record(runs=new))

    asyncio.run(fill(*runs_then))
    seen: list[str] = []
    cursor, pages = None, 0
    while cursor is not None or not pages:
        with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
            sources = world.sources(reader, people)
            if not pages:
                wanted = ids(sources, **given)
            page = runs(sources, **given, cursor=cursor, limit=60)  # type: ignore[arg-type]  # names
        pages += 1
        seen += [row["run"] for row in page["runs"]]
        cursor = page["next"]
        if pages < 3:
            asyncio.run(fill(one("checkout", "us", 500 + pages, world.begin, BROKEN, slot=None)))
    assert seen == wanted
    assert pages == -(-len(wanted) // 60)


@pytest.mark.parametrize("cursor", ["", "1", "zz-1", "1-1-1", "1-1; DROP TABLE runs", "f" * 16 + "-1", "-", "1-é"])
def test_what_is_no_cursor(sources: Sources, cursor: str) -> None:
    """Is refused in words, and reaches no database."""
    with pytest.raises(ValueError, match="no cursor"):
        runs(sources, cursor=cursor)
    with pytest.raises(ValueError, match="no cursor"):
        incidents(sources, cursor="é " + cursor)


def test_the_largest_cursor_is_none_that_hurts(sources: Sources) -> None:
    """Whatever looks like one is a place in time."""
    assert len(runs(sources, cursor="f" * 15 + "-" + "f" * 15)["runs"]) == 100
    assert runs(sources, cursor="0-0") == {"runs": [], "next": None}


def test_a_row(tmp_path: Path) -> None:
    """Everything a list needs, without the secret; a run that was stopped says before what."""
    world = watching()

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(Record(runs=(full_run(), one("checkout", "eu", 3, world.begin, BROKEN))))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        full, broken = (runs(world.sources(reader, people), check=check)["runs"][0] for check in ("cart", "checkout"))
    assert (full["why"], full["slots"], full["lag"], full["maintenance"]) == ("confirm", 3, 0.0123, "release night")
    assert (full["duration"], full["stopped_before"]) == (9.0, None)
    assert broken["failing"] is not None
    assert TOKEN not in broken["failing"]["message"]


def test_incidents(tmp_path: Path) -> None:
    """Newest first, by pages; open ones alone; a row says it in a line, and what customers cannot do."""
    world = watching()
    many = [
        replace(
            full_incident(),
            id=IncidentId(f"inc-{n:02}"),
            cause=f"{n}.example",
            opened=at(n // 3),
            resolved=None if n == 4 else at(90),
        )
        for n in range(10)
    ]

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            changes = tuple(Change(incidents={incident.cause: incident}) for incident in many)
            await store.commit(Record(changes=changes))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        sources = world.sources(reader, people)
        first = incidents(sources, limit=4)
        second = incidents(sources, cursor=first["next"], limit=4)
        third = incidents(sources, cursor=second["next"], limit=4)
        alone = incidents(sources, open_only=True)
    shown = [row["id"] for page in (first, second, third) for row in page["incidents"]]
    assert shown == [f"inc-{n:02}" for n in reversed(range(10))]
    assert third["next"] is None
    assert [row["id"] for row in alone["incidents"]] == ["inc-04"]
    row = first["incidents"][0]
    assert row["title"].startswith('DOWN FROM eu, us ONLY: 9.example, cart fails at step "pay": timing: ')
    assert (row["customers"], row["regions"]) == ("cannot: A guest buys one item", ["eu", "us"])
    assert (row["acknowledged_by"], row["relapses"], row["told"]) == ("ada", 2, ["oncall", "team"])
    assert row["lasted"] == pytest.approx(5400, abs=1)


def test_an_incident_of_our_own(world: Watching) -> None:
    """Customers suffer nothing that is known; one that is about a promise alone has no failure."""
    ours = replace(full_incident(), verdict=Verdict.PROBE_FAULT)
    assert incident_row(ours, world.rules, world.now)["customers"] == ""
    counted = replace(full_incident(), members={}, cause="slo:buying", burns={"buying": "14 times too fast; 7 of 9"})
    row = incident_row(counted, world.rules, world.now)
    assert (row["failing"], row["checks"]) == (None, [])
    assert row["title"].endswith("buying, 14 times too fast")


def test_who_suffers(world: Watching) -> None:
    """The gravest incident of a check that has not recovered; drills are none."""
    incident = full_incident()
    (member,) = incident.members.values()
    open_ = replace(
        incident, id=IncidentId("open"), members={CHECKOUT: replace(member, check=CHECKOUT, recovered=None)}
    )
    second = replace(open_, id=IncidentId("second"))
    drill = replace(open_, id=IncidentId("drill"), cause="drill:shop.example")
    assert suffering_of((incident, drill, open_, second)) == {CHECKOUT: "open"}


def test_objectives(sources: Sources) -> None:
    """What is promised, what is attained, and in words."""
    (row,) = objectives(sources)
    assert (row["objective"], row["promised"], row["window"], row["checks"]) == ("buying", 0.99, "3h", ["checkout"])
    assert (row["good"], row["bad"], row["lost"], row["state"]) == (320, 40, 0, "spent")
    assert row["attained"] == pytest.approx(320 / 360)
    assert row["words"].startswith("error budget spent, overspent by ")
    assert window_words(Calendar.MONTH) == "this month"


def test_a_run_that_was_forwarded_twice_is_one(tmp_path: Path) -> None:
    """Lists have each run once."""
    world = watching()
    run = one("checkout", "eu", 1, world.begin, id=RunId("once"))

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            for _ in range(2):
                await store.commit(Record(runs=(run,)))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        assert ids(world.sources(reader, people)) == ["once"]
