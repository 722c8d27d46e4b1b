"""A fleet's PostgreSQL gives the same page, and the same month, as one node's SQLite."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from probe.core.check import CheckId
from probe.core.incident import Incident, Verdict
from probe.core.run import Run
from probe.core.state import Change
from probe.ports import Record
from probe.store.reader import Reader
from probe.view.documents import SloReport, StatusDocument
from probe.view.slo_report import slo_report
from probe.view.status import status_document
from tests.postgres import Database
from tests.store.builders import read, store_in
from tests.store.fleet import fleet_store, read_fleet
from tests.view import test_slo_report as month
from tests.view.public import OURS, TODAY, five_days, looking, past_incidents, standing

pytestmark = pytest.mark.asyncio
BACK = timedelta(days=20)
"""A run is judged after it began, and PostgreSQL's clock is the real one."""


def moved_run(run: Run) -> Run:
    assert run.slot is not None
    return replace(run, started=run.started - BACK, slot=replace(run.slot, due=run.slot.due - BACK))


def moved_incident(incident: Incident) -> Incident:
    members = {
        check: replace(member, since=member.since - BACK, recovered=member.recovered and member.recovered - BACK)
        for check, member in incident.members.items()
    }
    resolved = incident.resolved and incident.resolved - BACK
    return replace(
        incident, since=incident.since - BACK, opened=incident.opened - BACK, resolved=resolved, members=members
    )


@pytest.fixture
def records() -> list[Record]:
    """Days with maintenance and with trouble of our own; and October."""
    hours = (month.FIRST + n * month.HOUR for n in range(744))
    october = [found for hour in hours if (found := month.hourly(hour)) is not None]
    incidents: dict[str, Incident] = {i.id: i for i in (*map(moved_incident, past_incidents()), *month.incidents())}
    states = {CheckId(f"{OURS}-checkout"): standing(Verdict.DOWN, TODAY - BACK)}
    now = Change(incidents=incidents, checks=states)
    return [
        Record(runs=tuple(map(moved_run, five_days())), changes=(now,), alive=TODAY),
        Record(runs=tuple(october), changes=(Change(tallies=tuple(month.tallies(october))),), alive=TODAY),
    ]


async def test_the_same_documents(fleet: Database, records: list[Record], tmp_path: Path) -> None:
    """From the same runs, tidied up alike."""
    async with fleet_store(fleet) as hub, store_in(tmp_path, keep_runs=timedelta(days=400)) as single:
        for store in (hub, single):
            for record in records:
                await store.commit(record)
            await store.tidy(TODAY - BACK)

    def documents(reader: Reader) -> tuple[StatusDocument, SloReport]:
        with looking(tmp_path, reader=reader, now=TODAY - BACK) as sources:
            return status_document(sources), slo_report(replace(sources, rules=month.RULES), "2026-10")

    here, there = await read(tmp_path, documents), await read_fleet(fleet, documents)
    assert here == there
    days = there[0]["components"][0]["days"]
    assert [(day["state"], day["uptime"]) for day in days[-5:]] == [
        ("ok", 1.0),
        ("down", 0.8),
        ("ok", 1.0),
        ("ok", 1.0),
        ("unknown", None),
    ]
    assert there[0]["components"][0]["state"] == "down"
    assert (there[1]["objectives"][0]["bad"], there[1]["objectives"][0]["costs"][1]["bad"]) == (4, 3)
    assert len(there[1]["objectives"][0]["excluded"]) == 6
