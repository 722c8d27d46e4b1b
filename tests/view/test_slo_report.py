"""October 2026 added up by hand: an outage, slowness, maintenance in the night when clocks change, and time without an answer."""

import asyncio
import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.maintenance import Window, covering
from probe.core.rules import Objective, Rules, Severity, Watched
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Step, StepOutcome
from probe.core.slo import classify
from probe.core.state import Change, Tally
from probe.ports import Record
from probe.view.documents import ObjectiveMonth, SloReport
from probe.view.month import month_of
from probe.view.slo_excluded import SILENT, UNANSWERED, UNCONFIGURED, UNCOUNTED
from probe.view.slo_render import csv_of, html_of
from probe.view.slo_report import outside, slo_report
from tests.store.builders import run, store_in
from tests.view.public import looking

CART = CheckId("cart")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
WINDOW = Window(name="release", duration=HOUR, cron="30 3 * * sun", timezone="Europe/Amsterdam")
WATCHED = Watched(
    id=CART, target="shop", cause="shop.example", regions=("eu",), every=HOUR, timeout=timedelta(seconds=30)
)
RULES = Rules(
    checks=MappingProxyType({CART: WATCHED}),
    objectives=MappingProxyType(
        {
            "cart": Objective(name="cart", checks=frozenset({CART}), target=0.99),
            "cart/latency": Objective(
                name="cart/latency", checks=frozenset({CART}), target=0.98, step="pay", under=0.3
            ),
        }
    ),
    windows=(WINDOW, Window(name="other", duration=DAY, start=FIRST, checks=("pay",))),
)
FAILED = Failure.of("status", "answered 500", step="cart")


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


def hourly(due: datetime) -> Run | None:
    """The run of an hour: failed before its step on the 10th, and in it on the 20th; slow on the 12th; none on the 15th's morning."""
    hour = (due.day, due.hour) if due >= FIRST else (0, 0)
    if hour[0] == 15 and 6 <= hour[1] < 12:
        return None
    steps = {"cart": StepOutcome.PASSED, "pay": StepOutcome.PASSED}
    outcome = Outcome.MISSED if hour[0] == 15 and hour[1] < 6 else Outcome.PASSED
    if hour[0] == 10 and hour[1] in (5, 6, 7):
        outcome, steps = Outcome.FAILED, {"cart": StepOutcome.FAILED, "pay": StepOutcome.SKIPPED}
    if hour in ((20, 12), (18, 2)):  # the latter in maintenance
        outcome, steps = Outcome.FAILED, {**steps, "pay": StepOutcome.FAILED}
    took = 0.5 if hour[0] == 12 else 0.25
    done = [
        Step(name=n, outcome=o, start=0, duration=None if o is StepOutcome.SKIPPED else took) for n, o in steps.items()
    ]
    return run(
        0,
        id=RunId(f"run-{due:%m%d%H}"),
        outcome=outcome,
        started=due + timedelta(seconds=1),
        slot=Slot(number=int(due.timestamp()) // 3600, due=due),
        maintenance=covering(RULES.windows, WATCHED, due),
        observation=Observation(steps=() if outcome is Outcome.MISSED else tuple(done)),
    )


def tallies(runs: Iterable[Run]) -> Iterable[Tally]:
    for one in runs:
        for objective in RULES.objectives.values():
            good, bad, lost = classify(one, objective)
            assert one.slot is not None
            yield Tally(objective=objective.name, at=one.slot.due, good=good, bad=bad, lost=lost)


def incident(name: str, since: datetime, resolved: datetime, **given: Any) -> Incident:
    return Incident(
        **{
            "id": IncidentId(name),
            "cause": "shop.example",
            "verdict": Verdict.DOWN,
            "severity": Severity.PAGE,
            "since": since,
            "opened": since,
            "resolved": resolved,
            **given,
        }
    )


def suffering(since: datetime, recovered: datetime) -> MappingProxyType[CheckId, Member]:
    member = Member(check=CART, regions=("eu",), since=since, run=RunId("r"), failure=FAILED, recovered=recovered)
    return MappingProxyType({CART: member})


def incidents() -> list[Incident]:
    second = timedelta(seconds=1)
    outage = at(10, 5) + second, at(10, 8) + second
    slow = at(12, 6), at(13, 0)
    return [
        incident("outage", *outage, members=suffering(*outage)),
        incident("budget", at(10, 5), at(10, 20), cause="slo:cart", burns={"cart": "6 times too fast; since then"}),
        incident(
            "slow",
            *slow,
            cause="slo:cart/latency",
            verdict=Verdict.DEGRADED,
            burns={"cart/latency": "9 times too fast"},
        ),
        incident(
            "ours",
            at(15, 0),
            at(15, 12),
            cause="probe:eu",
            verdict=Verdict.PROBE_FAULT,
            members=suffering(at(15, 0), at(15, 12)),
        ),
        incident("drill", at(10, 5), at(10, 8), cause="drill:shop.example", members=suffering(at(10, 5), at(10, 8))),
        incident("september", FIRST - DAY, FIRST - HOUR, members=suffering(FIRST - DAY, FIRST - HOUR)),
    ]


async def write(folder: Path, changes: list[Change], runs: list[Run], tidied: datetime | None) -> None:
    async with store_in(folder, keep_runs=400 * DAY) as store:
        await store.commit(Record(runs=tuple(runs), changes=tuple(changes), alive=NOW))
        if tidied is not None:
            await store.tidy(tidied)


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the last hour of September on; minutes are forgotten."""
    folder = tmp_path_factory.mktemp("october")
    hours = [FIRST + n * HOUR for n in range(-1, 744)]
    runs = [one for hour in hours if (one := hourly(hour)) is not None]
    changes = [Change(tallies=tuple(tallies(runs)))] + [Change(incidents={i.cause: i}) for i in incidents()]
    asyncio.run(write(folder, changes, runs, NOW))
    return folder


def report(folder: Path, month: str = "2026-10", **given: Any) -> SloReport:
    with looking(folder, **{"now": NOW, "rules": RULES, **given}) as sources:
        return slo_report(sources, month)


def only(folder: Path, name: str = "cart", **given: Any) -> ObjectiveMonth:
    return next(one for one in report(folder, **given)["objectives"] if one["objective"] == name)


def test_the_month_by_hand(october: Path) -> None:
    """744 hours: 4 in maintenance, 6 missed, 6 without anything; of the 728 others 4 are bad."""
    found = report(october)
    assert (found["month"], found["start"], found["until"], found["complete"]) == (
        "2026-10",
        "2026-10-01T00:00:00Z",
        "2026-11-01T00:00:00Z",
        True,
    )
    cart = found["objectives"][0]
    assert (cart["good"], cart["bad"], cart["lost"]) == (724, 4, 10)
    assert cart["attained"] == pytest.approx(724 / 728)
    assert cart["met"] is True
    assert cart["budget"] == pytest.approx(7.28)
    assert cart["used"] == pytest.approx(4 / 7.28)
    assert cart["coverage"] == pytest.approx(728 / 738)
    assert len(cart["days"]) == 31
    assert cart["days"][9] == ("2026-10-10", 21, 3, 0)
    assert cart["days"][14] == ("2026-10-15", 12, 0, 6)
    assert cart["days"][24] == ("2026-10-25", 23, 0, 1)  # a day of 24 hours, whatever clocks say
    columns = list(zip(*((good, bad, lost) for _, good, bad, lost in cart["days"]), strict=True))
    assert [sum(column) for column in columns] == [724, 4, 10]


def test_the_step_by_hand(october: Path) -> None:
    """What never came to the step is lost; slow is bad: 24 of the 12th, and the failure of the 20th."""
    latency = only(october, "cart/latency")
    assert (latency["good"], latency["bad"], latency["lost"]) == (700, 25, 13)
    assert (latency["step"], latency["under"]) == ("pay", 0.3)
    assert latency["met"] is False
    assert latency["used"] == pytest.approx(25 / (0.02 * 725))


def test_what_incidents_cost(october: Path) -> None:
    """Each bad run is put down once; what is left is outside of incidents. No drill, no trouble of our own, no other month."""
    cart, latency = report(october)["objectives"]
    assert [(c["incident"], c["bad"], c["since"], c["until"]) for c in cart["costs"]] == [
        ("budget", 0, "2026-10-10T05:00:00Z", "2026-10-10T20:00:00Z"),
        ("outage", 3, "2026-10-10T05:00:01Z", "2026-10-10T08:00:01Z"),
    ]
    assert cart["costs"][1]["budget"] == pytest.approx(3 / 7.28)
    assert cart["costs"][1]["title"] == 'DOWN: shop.example, cart at step "cart"'
    assert cart["costs"][0]["title"] == "DOWN: cart, 6 times too fast"
    assert outside(cart) == 1
    assert [(c["incident"], c["bad"]) for c in latency["costs"]] == [("outage", 0), ("slow", 18)]
    assert outside(latency) == 7


def test_what_did_not_count(october: Path) -> None:
    """Windows at their own times, an hour later once clocks have changed; then what was lost, and when nobody watched."""
    rows = [(row["start"][5:16], row["end"][5:16], row["why"], row["runs"]) for row in only(october)["excluded"]]
    assert rows == [
        ("10-04T01:30", "10-04T02:30", "maintenance: release", 1),
        ("10-11T01:30", "10-11T02:30", "maintenance: release", 1),
        ("10-15T00:00", "10-15T06:00", UNANSWERED, 6),
        ("10-15T06:00", "10-15T12:00", SILENT, 0),
        ("10-18T01:30", "10-18T02:30", "maintenance: release", 1),
        ("10-25T02:30", "10-25T03:30", "maintenance: release", 1),
    ]
    gone = only(october, rules=replace(RULES, windows=()))["excluded"]
    assert [(r["start"][5:16], r["end"][5:16], r["runs"]) for r in gone if r["why"] == UNCONFIGURED] == [
        (f"10-{day}", f"10-{end}", 1)
        for day, end in (
            ("04T02:00", "04T03:00"),
            ("11T02:00", "11T03:00"),
            ("18T02:00", "18T03:00"),
            ("25T03:00", "25T04:00"),
        )
    ]


def test_a_rare_check_is_not_silent(october: Path) -> None:
    """Where a run is due every six hours, six hours without one are nothing."""
    rare = replace(RULES, checks=MappingProxyType({CART: replace(WATCHED, every=6 * HOUR)}))
    assert SILENT not in {row["why"] for row in only(october, rules=rare)["excluded"]}


def test_the_running_month(october: Path) -> None:
    """So far; the budget is what the whole month allows when runs go on coming as they do."""
    found = report(october, now=at(11, 0))
    assert (found["until"], found["complete"]) == ("2026-10-11T00:00:00Z", False)
    cart = found["objectives"][0]
    assert (cart["good"] + cart["bad"], cart["bad"], len(cart["days"])) == (239, 3, 10)
    assert cart["budget"] == pytest.approx(0.01 * 239 * 31 / 10)
    early = only(october, now=at(10, 6))
    assert [(c["incident"], c["bad"]) for c in early["costs"]] == [("budget", 0), ("outage", 1)]


def test_before_counting_began(october: Path) -> None:
    """It says that nothing is known before, and what is allowed is of the time that was counted."""
    september = only(october, month="2026-09")
    assert [(r["start"], r["end"], r["why"]) for r in september["excluded"]] == [
        ("2026-09-01T00:00:00Z", "2026-09-30T23:00:00Z", UNCOUNTED)
    ]
    assert september["budget"] == pytest.approx(0.01)
    none = only(october, month="2026-11")
    assert (none["attained"], none["met"], none["used"], none["budget"]) == (None, None, 0.0, 0.0)
    unknown = replace(
        RULES, objectives=MappingProxyType({"new": Objective(name="new", checks=frozenset({CART}), target=0.9)})
    )
    assert all(row["why"].startswith("maintenance") for row in only(october, "new", rules=unknown)["excluded"])


def test_too_little_was_measured(october: Path) -> None:
    """A promise is neither kept nor broken where too much has no answer."""
    strict = replace(RULES.objectives["cart"], coverage=0.99)
    assert only(october, rules=replace(RULES, objectives=MappingProxyType({"cart": strict})))["met"] is None


def test_to_the_minute_while_minutes_are_known(tmp_path: Path) -> None:
    """Bad runs of the same hour, in an incident and outside of it; what was taken back is nobody's."""
    start = datetime(2026, 11, 24, 3, tzinfo=UTC)
    minute = timedelta(minutes=1)
    bad = [Tally(objective="cart", at=start + n * minute, bad=1) for n in (4, 9, 10, 11, 20, 40)]
    good = Tally(objective="cart", at=start, good=1000)
    began, ended = start + 10 * minute + timedelta(seconds=30), start + 21 * minute
    one = incident("short", began, ended, members=suffering(began, ended))
    asyncio.run(write(tmp_path / "fine", [Change(tallies=(good, *bad), incidents={one.cause: one})], [], None))
    fine = only(tmp_path / "fine", month="2026-11")
    # 09: it was due in the minute before, and began late.
    assert ([c["bad"] for c in fine["costs"]], outside(fine)) == ([4], 2)
    back = Tally(objective="cart", at=start + 2 * HOUR, bad=-4)
    changes = [Change(tallies=(good, *bad, back), incidents={one.cause: one})]
    asyncio.run(write(tmp_path / "back", changes, [], None))
    taken = only(tmp_path / "back", month="2026-11")
    assert (taken["bad"], [c["bad"] for c in taken["costs"]], outside(taken)) == (2, [2], 0)


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "26-10", "october", "2026-10-01", "0000-10", "２０２６-10", ""])
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month: write its year and number, such as 2026-11"):
        month_of(text)


def test_a_month_that_is_still_to_come(october: Path) -> None:
    with pytest.raises(ValueError, match="2026-12 has not begun"):
        report(october, month="2026-12")


def test_as_csv(october: Path) -> None:
    """A row for each objective, which adds up; and the days. What a spreadsheet would take for a formula is text."""
    found = report(october)
    rows = list(csv.DictReader(io.StringIO(csv_of(found), newline="")))
    assert [(r["objective"], r["bad"], r["bad_in_incidents"], r["bad_outside_incidents"], r["met"]) for r in rows] == [
        ("cart", "4", "3", "1", "yes"),
        ("cart/latency", "25", "18", "7", "no"),
    ]
    assert "outage: 3 bad" in rows[0]["incidents"]
    assert "2026-10-04T01:30:00Z to 2026-10-04T02:30:00Z: maintenance: release (1 runs)" in rows[0]["excluded"]
    days = list(csv.reader(io.StringIO(csv_of(found, days=True), newline="")))
    assert len(days) == 1 + 2 * 31
    assert days[10] == ["cart", "2026-10-10", "21", "3", "0"]
    for sign in "=+-@\t\r":
        evil = SloReport(
            **{
                **found,
                "objectives": [
                    ObjectiveMonth(
                        **{
                            **found["objectives"][0],
                            "objective": f"{sign}1+1",
                            "step": f"{sign}x",
                            "checks": [f"{sign}y"],
                        }
                    )
                ],
            }
        )
        for days_too in (False, True):
            for row in list(csv.reader(io.StringIO(csv_of(evil, days=days_too), newline="")))[1:]:
                assert [cell for cell in row if cell.startswith(sign)] == []


def test_as_html(october: Path) -> None:
    """One file: no script, no address elsewhere, whatever the names are; a bar for each day."""
    found = report(october)
    nasty = "<script>alert(1)</script>"
    found["objectives"][0] = ObjectiveMonth(**{**found["objectives"][0], "objective": nasty, "checks": [nasty]})
    text = html_of(found)
    assert "<script" not in text
    assert "http://" not in text.replace("http-equiv", "")
    assert "https://" not in text
    assert text.count("</title></rect>") == 62
    assert "2026-10-10: 21 good, 3 bad, 0 without an answer" in text
    assert "Outside of incidents" in text
    assert "kept" in text
    assert "broken" in text
    assert "the month is not over" in html_of(report(october, now=at(11, 0)))
    assert "No objective is configured" in html_of(report(october, rules=Rules()))
