"""What the public is told, from a real database: states, days, notices, and nothing of ours."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.incident import Verdict
from probe.core.maintenance import Window
from probe.core.people import Standing
from probe.core.rules import Rules
from probe.core.state import Change, RegionState
from probe.view.documents import StatusDocument
from probe.view.status import DAYS, public_notice, status_document, unknown
from probe.view.status_render import status_files
from tests.view.public import (
    DAY,
    OURS,
    PAGE,
    RULES,
    TODAY,
    fill,
    incident,
    looking,
    past_incidents,
    seen,
    standing,
    tell,
    watched,
)

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five days, and now: paying is down, searching and the news are well."""
    folder = tmp_path_factory.mktemp("shop")
    now = incident("now", Verdict.DOWN, TODAY - HOUR, "checkout", cause=f"{OURS}.now")
    checks = {
        CheckId(f"{OURS}-{name}"): standing(verdict)
        for name, verdict in (
            ("checkout", Verdict.DOWN),
            ("paypal", Verdict.THIRD_PARTY),
            ("search", Verdict.OK),
            ("news", Verdict.PROBE_FAULT),
        )
    }
    before = incident("paypal", Verdict.THIRD_PARTY, TODAY - 2 * HOUR, "paypal", cause=f"{OURS}.paypal")
    fill(folder, Change(incidents={i.cause: i for i in (now, before)}, checks=checks))
    return folder


def document(folder: Path, **given: Any) -> StatusDocument:
    with looking(folder, **given) as sources:
        return status_document(sources)


def test_the_present(shop: Path) -> None:
    """Each part is as the worst of its checks, the whole as the worst part; our own trouble is unknown, never down."""
    found = document(shop)
    assert [(part["slug"], part["state"], part["since"]) for part in found["components"]] == [
        ("pay", "down", "2026-11-27T02:00:00Z"),
        ("find", "ok", None),
        ("news", "unknown", None),
    ]
    assert (found["state"], found["title"], found["now"]) == ("down", PAGE.title, "2026-11-27T03:00:00Z")


def test_the_days(shop: Path) -> None:
    """Shares of good runs, without maintenance and without our own trouble; what nobody watched is unknown."""
    pay, find, news = (part["days"] for part in document(shop)["components"])
    assert [(d["day"], d["state"], d["uptime"]) for d in pay[-5:]] == [
        ("2026-11-23", "ok", 1.0),
        ("2026-11-24", "down", 0.8),
        ("2026-11-25", "ok", 1.0),  # the incident of that day was in maintenance alone
        ("2026-11-26", "ok", 1.0),  # what failed there failed by us
        ("2026-11-27", "unknown", None),
    ]
    assert len(pay) == DAYS
    assert {(d["state"], d["uptime"]) for d in (*pay[:-5], *news)} == {("unknown", None)}
    # 180 of the 200 runs are of today; the rest was before midnight.
    assert [(d["day"], d["state"], d["uptime"]) for d in find[-2:]] == [
        ("2026-11-26", "ok", 1.0),
        ("2026-11-27", "ok", pytest.approx(179 / 180)),
    ]
    uptimes = [part["uptime"] for part in document(shop)["components"]]
    assert uptimes == [pytest.approx(38 / 40), pytest.approx(199 / 200), None]


def test_without_incidents_a_failure_in_a_blind_region_counts(shop: Path) -> None:
    """The counter-check: only the incident of the region excuses it, and only there and then."""
    other = tuple(i for i in past_incidents() if i.verdict is not Verdict.PROBE_FAULT)
    folder = shop.parent / "counter"
    day = TODAY - DAY
    others = (
        incident("ours", Verdict.PROBE_FAULT, day, cause=f"probe:{OURS}-eu", resolved=TODAY),
        incident("later", Verdict.PROBE_FAULT, day + HOUR, cause=f"probe:{OURS}-us", resolved=day + 3 * HOUR),
        incident("drilled", Verdict.DOWN, day, "checkout", cause=f"drill:{OURS}", resolved=day + HOUR),
    )
    fill(folder, *(Change(incidents={one.cause: one}) for one in others), past=other)
    found = document(folder)["components"][0]["days"][-2]
    assert found["state"] == "degraded"
    assert found["uptime"] == pytest.approx(10 / 14)


@pytest.mark.parametrize("live", [None, {"healthy": False}])
def test_nothing_is_known_when_the_daemon_is_gone(shop: Path, live: dict[str, Any] | None) -> None:
    """Whatever it wrote last: unknown since its last sign of life. The days stay."""
    late = document(shop, live=live, now=TODAY + timedelta(minutes=4))
    assert {(part["state"], part["since"]) for part in late["components"]} == {("unknown", "2026-11-27T03:00:00Z")}
    assert late["state"] == "unknown"
    assert late["components"][0]["uptime"] == document(shop)["components"][0]["uptime"]
    soon = document(shop, live=live, now=TODAY + timedelta(minutes=2))
    assert soon["components"][0]["state"] == "down"


def test_what_is_stale_is_unknown(shop: Path) -> None:
    """A daemon that answers, but has heard nothing of the checks for long."""
    states = [part["state"] for part in document(shop, now=TODAY + HOUR)["components"]]
    assert states == ["unknown"] * 3


def test_a_check_that_is_no_more_is_unknown(shop: Path) -> None:
    """It may be configured anew at the next reload; nothing is made up meanwhile."""
    states = [part["state"] for part in document(shop, rules=Rules())["components"]]
    assert states == ["unknown"] * 3


@pytest.mark.parametrize(
    ("checks", "state"),
    [
        ((), "down"),  # of all
        (("checkout",), "degraded"),  # trouble beside it is trouble
        (("paypal",), "down"),
        (("checkout", "paypal"), "maintenance"),
    ],
)
def test_windows(shop: Path, checks: tuple[str, ...], state: str) -> None:
    """What is in maintenance is neither well nor down."""
    names = tuple(f"{OURS}-{check}" for check in checks)
    window = Window(name=OURS, duration=2 * HOUR, start=TODAY - HOUR, checks=names)
    found = document(shop, rules=replace(RULES, windows=(window,) if checks else ()))
    assert found["components"][0]["state"] == state


def test_notices(shop: Path) -> None:
    """What an operator wrote, as it stands; a maintenance under way covers what it is about, for as long as was told."""
    folder = shop.parent / "told"
    fill(folder, Change(checks={CheckId(f"{OURS}-{c}"): standing() for c in ("checkout", "paypal")}))
    with looking(folder) as sources:
        people = sources.people
        over = tell(people, "Cards", Standing.INVESTIGATING, Standing.RESOLVED, begins=TODAY - DAY)
        tell(people, "Ancient", Standing.RESOLVED, begins=TODAY - 91 * DAY)
        mine = tell(people, "Move", Standing.SCHEDULED, begins=TODAY + HOUR, ends=TODAY + 2 * HOUR)
        now = {offset: status_document(replace(sources, now=TODAY + offset * HOUR)) for offset in (0, 1, 2)}
    assert [(n["id"], n["kind"], n["standing"], n["components"]) for n in now[0]["notices"]] == [
        (mine, "maintenance", "scheduled", ["pay"])
    ]
    assert [(n["id"], n["kind"], n["standing"]) for n in now[0]["past"]] == [(over, "incident", "resolved")]
    assert [u["text"] for u in now[0]["past"][0]["updates"]] == ["investigating <b>", "resolved <b>"]
    assert now[0]["components"][0]["state"] == "ok"
    assert (now[1]["notices"][0]["standing"], now[1]["components"][0]["state"]) == ("in_progress", "maintenance")
    assert now[1]["components"][0]["since"] == "2026-11-27T04:00:00Z"
    assert [n["standing"] for n in now[2]["past"]] == ["completed", "resolved"]
    assert now[2]["notices"] == []
    with looking(folder) as sources:
        under_way = tell(sources.people, "Now", Standing.MONITORING, begins=TODAY - 2 * HOUR)
        assert [n["id"] for n in status_document(sources)["notices"]] == [under_way, mine]
    with looking(folder) as sources:
        (raw, *_) = sources.people.notices(TODAY - DAY / 2)
    assert public_notice(raw)["components"] == ["pay", "gone"]


def test_nothing_of_ours_is_told(shop: Path) -> None:
    """No name of a check, host, region or incident, no message: in no file of the page. No secret in what was written."""
    folder = shop.parent / "secret"
    down = incident("now", Verdict.DOWN, TODAY - HOUR, "checkout", "search")
    region = {f"{OURS}-us": RegionState(blind=TODAY)}
    fill(
        folder,
        Change(
            incidents={down.cause: down},
            regions=region,
            checks={
                CheckId(f"{OURS}-checkout"): standing(Verdict.DOWN),
                CheckId(f"{OURS}-search"): standing(Verdict.DOWN),
            },
        ),
    )
    with looking(folder) as sources:
        tell(sources.people, "It was hunter2-secret", Standing.INVESTIGATING, begins=TODAY)
        found = status_document(sources)
    assert found["components"][0]["state"] == "down"
    files = status_files(found, base="", report="report", url="https://status.example")
    assert set(files) == {
        "index.html",
        "feed.atom",
        "status.json",
        "badge.svg",
        *(f"badge/{s}.svg" for s in ("pay", "find", "news")),
    }
    for name, body in files.items():
        assert OURS.encode() not in body, name
        assert b"hunter2" not in body, name
    assert "It was ***" in json.dumps(found)


def test_unknown_keeps_what_was(shop: Path) -> None:
    """When nothing can be read any more: the days and the notices stay, the present does not."""
    before = document(shop)
    later = unknown(before, TODAY + HOUR)
    assert {(c["state"], c["since"]) for c in later["components"]} == {("unknown", before["now"])}
    assert [c["days"] for c in later["components"]] == [c["days"] for c in before["components"]]
    assert (later["now"], later["state"]) == ("2026-11-27T04:00:00Z", "unknown")


def test_many_places_and_checks(tmp_path: Path) -> None:
    """A rare check does not hide how often the others run: who is gone is told by the most frequent one."""
    slow = watched("news", every=timedelta(days=1))
    fill(tmp_path, Change(checks={slow.id: standing()}), runs=[seen(4, 0, "news")])
    rules = replace(RULES, checks=MappingProxyType({slow.id: slow}))
    found = document(tmp_path, rules=rules, live=None, now=TODAY + DAY)
    assert found["components"][2]["state"] == "ok"
