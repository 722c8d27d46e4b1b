"""A check over time: drawn from single runs, and from what hours add up to."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from probe.core.encode import timestamp
from probe.core.rules import Rules
from probe.core.run import RunId
from probe.ports import Record
from probe.store.people import open_people
from probe.store.reader import open_reader
from probe.view.columns import MOST, grid_of
from probe.view.documents import Column, Journey
from probe.view.journey import journey
from probe.view.runs import runs
from probe.view.sources import Sources
from tests.store.builders import store_in
from tests.view.watching import BAD, LOST, TOKEN, Watching, one, watching

HOUR = timedelta(hours=1)


def look(
    sources: Sources, start: datetime, end: datetime, *, check: str = "checkout", region: str | None = None
) -> Journey:
    found = journey(sources, check, start, end, region)
    assert found is not None
    json.dumps(found, allow_nan=False)
    return found


def total(columns: list[Column], what: str, region: str = "") -> int:
    return sum(column[what] for column in columns if column["region"] == region)  # type: ignore[literal-required]  # a count


def test_single_runs(sources: Sources, world: Watching) -> None:
    """Three hours by two minutes: outcomes and percentiles of each region and of all, steps, vitals, failures, marks."""
    sources.people.add_mark(world.begin + HOUR, "deploy", f"v42 {TOKEN}", "ci")
    found = look(sources, world.begin, world.now)
    assert found["period"]["column"] == 120.0
    columns = found["columns"]
    assert [total(columns, "passed", region) for region in ("", "eu", "us")] == [320, 160, 160]
    assert [total(columns, "failed", region) for region in ("", "eu", "us")] == [40, 20, 20]
    start = timestamp(world.begin + timedelta(minutes=BAD[0]))
    bad = next(column for column in columns if (column["start"], column["region"]) == (start, ""))
    assert (bad["passed"], bad["failed"], bad["p50"]) == (0, 4, None)
    first = columns[0]
    assert (first["region"], first["passed"]) == ("", 4)
    assert first["p50"] == pytest.approx(0.5, rel=1 / 12)
    assert first["p99"] == pytest.approx(0.55, rel=1 / 12)

    assert (found["steps"], found["limits"]) == (["open", "pay"], [2.0, None])
    step = found["step_columns"][0]
    assert (step["region"], step["run"], step["sampled"]) == ("eu", "checkout-eu-1", 2)
    assert step["steps"] == [0.2625, 0.2625]
    broken = next(step for step in found["step_columns"] if step["start"] == start)
    assert broken["steps"][1] is None
    assert broken["steps"][0] is not None
    assert len(found["vitals"]) == pytest.approx(40, abs=8)
    assert {point["region"] for point in found["vitals"]} == {"eu", "us"}
    assert found["vitals"][0]["url"] == "https://shop.example/"

    (group,) = found["failures"]
    assert (group["step"], group["layer"], group["kind"], group["count"]) == ("pay", "http", "status", 40)
    assert group["regions"] == ["eu", "us"]
    assert group["message"] == "POST /pay answered 500 <b>***</b>"
    assert group["run"] == f"checkout-us-{BAD[-1]}"

    (incident,) = found["incidents"]
    assert [
        (mark["kind"], mark["text"], mark["incident"]) for mark in found["marks"] if mark["kind"] != "incident"
    ] == [("deploy", "v42 ***", None)]
    told = next(mark for mark in found["marks"] if mark["kind"] == "incident")
    assert (told["incident"], told["until"]) == (incident["id"], incident["resolved"])
    (budget,) = found["budgets"]
    lefts = [point["left"] for point in budget["points"]]
    assert lefts[:2] == [1.0, 1.0]  # an hour before anything was bad
    assert lefts == sorted(lefts, reverse=True)
    assert lefts[-2] == pytest.approx(lefts[-1], abs=1e-4) != 1.0  # and one after it
    assert budget["points"][-1]["left"] == pytest.approx(budget["objective"]["left"], abs=1e-4)
    assert [cell["run"] for cell in found["cells"]] == ["checkout-eu-179", "checkout-us-179"]
    assert [row["run"] for row in found["runs"]][:2] == ["checkout-us-179", "checkout-eu-179"]
    assert TOKEN not in json.dumps(found)


def test_of_one_region(sources: Sources, world: Watching) -> None:
    """Everything is of that region; missed slots count as many as they are; maintenance is marked, of the check it concerns."""
    found = look(sources, world.begin, world.now, check="cart", region="us")
    assert (found["regions"], [cell["region"] for cell in found["cells"]]) == (["us"], ["us"])
    assert {column["region"] for column in found["columns"]} == {"", "us"}
    assert (total(found["columns"], "missed"), total(found["columns"], "passed")) == (len(LOST), 169)
    assert (total(found["columns"], "errored"), found["failures"][0]["layer"]) == (1, "probe")
    assert ([mark["text"] for mark in found["marks"] if mark["kind"] == "maintenance"]) == ["backup"]
    assert {row["region"] for row in found["runs"]} == {"us"}
    assert found["vitals"] == []  # a single request has no page


def test_hours(sources: Sources, world: Watching) -> None:
    """A month adds up to the same, whether an hour is in the sums already or not; and it is within one part in twelve."""
    short, long = look(sources, world.begin, world.now), look(sources, world.now - timedelta(days=30), world.now)
    assert long["period"]["column"] == 8 * 3600
    for what in ("passed", "failed", "errored", "missed"):
        for region in ("", "eu", "us"):
            assert total(long["columns"], what, region) == total(short["columns"], what, region)
    assert long["columns"][-1]["p50"] == pytest.approx(0.7, rel=0.2)
    assert long["failures"] == short["failures"]


def test_what_is_in_no_sum_yet_is_added(tmp_path: Path) -> None:
    """Runs since the last tidying count, and each once."""
    world = watching()

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(Record(runs=tuple(one("checkout", "eu", n, world.begin) for n in range(60))))
            await store.tidy(world.now)
            more = tuple(one("checkout", "eu", n, world.begin) for n in range(60, 100))
            await store.commit(Record(runs=more))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        found = look(world.sources(reader, people), world.now - timedelta(days=7), world.now)
    assert total(found["columns"], "passed") == 100


def test_late_in_a_database_without_any_sum(tmp_path: Path) -> None:
    """Before the first tidying all of it comes from single runs."""
    world = watching()

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            await store.commit(Record(runs=tuple(one("checkout", "eu", n, world.begin) for n in range(30))))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        found = look(world.sources(reader, people), world.now - timedelta(days=7), world.now)
    assert total(found["columns"], "passed") == 30


def test_every_number_leads_to_its_runs(sources: Sources, world: Watching) -> None:
    """A group of failures, a column: as many runs as it says are found with the filters it names."""
    found = look(sources, world.begin, world.now)
    (group,) = found["failures"]
    theirs = runs(
        sources,
        check="checkout",
        step=group["step"],
        layer=group["layer"],
        kind=group["kind"],
        start=world.begin,
        end=world.now,
        limit=1000,
    )
    assert len(theirs["runs"]) == group["count"]
    for column in found["columns"][::17]:
        begin = datetime.fromisoformat(column["start"])
        page = runs(
            sources,
            check="checkout",
            region=column["region"] or None,
            start=begin,
            end=begin + timedelta(seconds=found["period"]["column"]),
        )
        assert len(page["runs"]) == column["passed"] + column["failed"]


def test_nothing_to_show(sources: Sources, world: Watching) -> None:
    """Before anything ran there are no columns; of a check that is none there is nothing at all."""
    found = look(sources, world.begin - 9 * HOUR, world.begin - 8 * HOUR)
    assert (found["columns"], found["step_columns"], found["vitals"], found["failures"], found["runs"]) == (
        [],
        [],
        [],
        [],
        [],
    )
    assert found["steps"] == ["open", "pay"]
    assert journey(sources, "none", world.begin, world.now, None) is None
    assert journey(sources, "checkout", world.begin, world.now, "nowhere") is None


def test_a_check_that_is_watched_no_more(sources: Sources, world: Watching) -> None:
    """What is stored of it can be seen; how it stands is not known."""
    found = look(replace(sources, rules=Rules(), checks={}), world.begin, world.now)
    assert (found["verdict"], found["kind"], found["regions"], found["cells"]) == (
        "unknown",
        "browser",
        ["eu", "us"],
        [],
    )
    assert total(found["columns"], "passed") == 320
    assert found["steps"] == ["open", "pay"]


def test_a_check_that_never_ran(sources: Sources, world: Watching) -> None:
    """Has its page, with the steps that its source names."""
    known = sources.rules.checks[world.records[0].runs[0].check]
    fresh = replace(known, id=type(known.id)("fresh"), regions=("eu",))
    rules = replace(sources.rules, checks={**sources.rules.checks, fresh.id: fresh})
    found = look(replace(sources, rules=rules), world.begin, world.now, check="fresh")
    assert (found["verdict"], [cell["state"] for cell in found["cells"]]) == ("unknown", ["unknown"])
    assert (found["columns"], found["budgets"]) == ([], [])


@pytest.mark.parametrize(
    ("span", "expected", "width", "single"),
    [
        (timedelta(seconds=1), 1, 60, True),
        (timedelta(hours=2), 240, 120, True),
        (timedelta(days=1), 14_400, 900, True),
        (timedelta(days=2), 20_000, 1800, True),
        (timedelta(days=2), 28_800, 3600, False),
        (timedelta(days=7), 1, 2 * 3600, False),
        (timedelta(days=30), 1, 8 * 3600, False),
        (timedelta(days=400), 1, 7 * 86400, False),
        (timedelta(days=36_500), 1, 381 * 86400, False),
    ],
)
def test_columns_are_round_and_few(span: timedelta, expected: float, width: int, single: bool) -> None:
    """At most ninety-six, that begin at round times, and cover all but a part of the first that was asked for."""
    end = datetime.fromisoformat("2026-11-24T12:07:31+00:00")
    grid, one_by_one = grid_of(end - span, end, expected)
    assert single == one_by_one
    assert grid.width / 1e6 == pytest.approx(width, rel=0.01)
    assert 1 <= grid.count <= MOST
    assert grid.start % grid.width == 0
    assert abs(grid.start - (end - span).timestamp() * 1e6) < grid.width + 60e6


def test_an_odd_run_at_the_edge(tmp_path: Path) -> None:
    """A period begins with its first moment, and ends before its last."""
    world = watching()

    async def fill() -> None:
        async with store_in(tmp_path) as store:
            edges = [one("checkout", "eu", n, world.begin, id=RunId(f"r{n}")) for n in (0, 1, 2)]
            await store.commit(Record(runs=tuple(edges)))

    asyncio.run(fill())
    with open_reader(tmp_path) as reader, open_people(tmp_path) as people:
        minute = timedelta(minutes=1)
        found = look(world.sources(reader, people), world.begin, world.begin + 2 * minute)
    assert [row["run"] for row in found["runs"]] == ["r1", "r0"]
    assert total(found["columns"], "passed") == 2


def test_the_newest_marks(sources: Sources, world: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that marks without an end does not make a page without one."""
    monkeypatch.setattr("probe.view.journey.MOST_MARKS", 3)
    for minute in range(5):
        sources.people.add_mark(world.now - timedelta(minutes=9 - minute), "deploy", f"late {minute}", "ci")
    found = look(sources, world.begin, world.now)
    assert [mark["text"] for mark in found["marks"]] == ["late 2", "late 3", "late 4"]
