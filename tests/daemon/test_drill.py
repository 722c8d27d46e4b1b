"""Live drills under the real daemon: through the real judgement and the real channel, marked in every word."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from probe.cli.control import Refused
from tests.daemon.scene import HOSTS, Scene, check, scene

CAUSE = f"drill:{HOSTS['shop']}"
SLO = '[slo.buying]\nobjective = "99%"\nchecks = ["home"]\n'


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as found:
        yield found


def regions(place: Scene) -> str:
    """Three, each with a control that is well: what the shop itself answers is then soon believed."""
    control = f'control = "http://{HOSTS["stock"]}:{place.shop.port}/control"\n'
    return "".join(f"[regions.{name}]\n{control}" for name in ("local", "second", "third"))


async def drilled(place: Scene, fault: str, *, twice: bool = False) -> dict[str, Any]:
    """Make a drill, and wait until it is over; `twice`: and ask for another meanwhile, in vain."""
    await place.ask("POST", "/drill", {"check": "home", "fault": fault})
    if twice:  # one that cannot be made is over at once
        with pytest.raises(Refused, match="one at a time"):
            await place.ask("POST", "/drill", {"check": "home"})

    async def over() -> Any:
        report = (await place.ask("GET", "/drill"))["drill"]
        return report if report["state"] == "over" else None

    report: dict[str, Any] = await place.wait(over, "the drill is over")
    return report


@pytest.mark.timeout(120)
async def test_a_drill_arrives_or_its_absence_is_told(place: Scene) -> None:
    """Told and resolved, by the route of the check, as a drill in each line; it counts for nothing, the shop is fine.

    One that cannot be made is an alert on every channel.
    """
    route = '[[route]]\nchannels = ["team"]\nchecks = ["home"]\n[[route]]\nchannels = ["other"]\ntargets = ["mail"]\n'
    expect = 'expect = { status = 200, body = "{}" }'
    place.configure(
        regions(place), check("home", more=expect), place.channel("team"), place.channel("other"), route, SLO
    )
    await place.up()
    with pytest.raises(Refused, match="no check 'hme'"):
        await place.ask("POST", "/drill", {"check": "hme"})
    report = await drilled(place, "empty", twice=True)
    assert report["trouble"] is None, report
    assert (report["request"], list(report["channels"])) == ("GET /home", ["team"])
    assert 0 < report["detected"] <= report["told"] <= report["resolved"]
    await place.wait(lambda: len(place.notices()) >= 2, "the end is told")
    assert place.told() == [("opened", CAUSE), ("resolved", CAUSE)]
    for notice in place.notices("team"):
        assert notice["drill"] is True
        assert notice["title"].startswith("DRILL, nothing is wrong: ")
        assert all(line.startswith("DRILL ") for line in notice["body"].splitlines())
        assert notice["checks"] == ["drill:home"]
        assert notice["reproduce"] == "probe drill --live home"
    outcomes = dict(
        await place.rows(
            "SELECT why || ' ' || outcome, count(*) FROM runs JOIN places ON places.id = runs.place"
            " WHERE check_id = 'drill:home' GROUP BY 1"
        )
    )
    assert outcomes["drill failed"] >= 2
    assert {
        row[0]
        for row in await place.rows(
            "SELECT outcome FROM runs JOIN places ON places.id = runs.place WHERE check_id = 'home'"
        )
    } == {"passed"}
    ((good, bad),) = await place.rows("SELECT sum(good), sum(bad) FROM ledger")
    assert good > 0
    assert bad == 0
    place.shop.broken.add("home")
    report = await drilled(place, "server-error")
    assert "its clean run failed: http: GET /home" in report["trouble"]
    alarms = await place.wait(lambda: place.notices()[2:] if len(place.notices()) == 4 else None, "all are told")
    assert {(n["title"], n["verdict"], n["severity"], n["cause"], n["drill"]) for n in alarms} == {
        ("DRILL did not arrive: home", "probe_fault", "ticket", CAUSE, True)
    }
