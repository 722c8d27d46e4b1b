"""An incident as a document: what is broken, for whom, since when, why, and all that happened, from what was stored."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.encode import timestamp
from probe.core.failure import Failure
from probe.core.incident import Incident, Verdict
from probe.core.rules import Rules, Severity
from probe.core.run import Observation, Outcome, Run, RunId, Why
from probe.core.state import Change
from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.view.around import around, speaks_for_all
from probe.view.documents import IncidentDocument
from probe.view.evidence import LocalEvidence
from probe.view.incident import incident, incident_withheld
from probe.view.run import run as run_document
from probe.view.sources import Sources
from tests.store.builders import at, store_in
from tests.view import outage


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("outage")
    outage.fill(made)
    return made


@pytest.fixture
def sources(folder: Path) -> Iterator[Sources]:
    with outage.looking(folder) as found:
        yield found


@pytest.fixture
def document(sources: Sources) -> IncidentDocument:
    found = incident(sources, outage.ID)
    assert found is not None
    return found


def test_an_unknown_one_is_none(sources: Sources) -> None:
    assert incident(sources, "20261123-000000-ffff") is None


def test_it_says_what_is_broken_for_whom_since_when_and_why(document: IncidentDocument) -> None:
    """Step, regions, beginning and end, likely cause: each in its own place."""
    (check,) = document["checks"]
    assert (check["check"], check["regions"], check["since"]) == ("checkout", ["eu", "us"], timestamp(at(0)))
    assert (check["failing"]["step"], check["failing"]["kind"], check["expected"]) == ("pay", "status", "200")
    assert check["recovered"] == timestamp(at(5))
    assert check["description"].startswith("buy a thing")
    row = document["incident"]
    assert (row["since"], row["resolved"], row["lasted"]) == (timestamp(at(0)), timestamp(at(5)), 300.0)
    assert document["cause_words"]["words"]
    assert document["cause_words"]["confidence"] in ("likely", "possible", "unclear")
    assert any("41" in text and "42" in text for text in _all(document["cause_words"])), (
        "the build that changed is named"
    )
    assert document["reproduce"] == "probe check checkout --once"


def _all(cause: Any) -> list[str]:
    return [cause["words"], *cause["evidence_for"], *cause["evidence_against"], *cause["look_at"]]


def test_every_region_says_how_it_sees_it(document: IncidentDocument) -> None:
    """Affected or fine, with the runs that say so."""
    places = {place["region"]: place for place in document["places"]}
    assert {name: place["affected"] for name, place in places.items()} == {"ap": False, "eu": True, "us": True}
    eu, us, ap = (places[name] for name in ("eu", "us", "ap"))
    assert (eu["first_bad"], eu["last_good"]) == ("checkout-eu-0", "checkout-eu--1")
    assert (us["first_bad"], us["last_good"]) == ("c-us", "checkout-us-0")
    assert (ap["first_bad"], ap["last_good"]) == (None, "checkout-ap-5")
    assert eu["words"] == "5 of 6 runs failed, the first at 03:00:00 UTC"
    assert ap["words"] == "none of 6 runs failed", "a run that was ended before the step is no proof"


def test_the_timeline_is_all_that_happened_in_the_order_of_time(document: IncidentDocument) -> None:
    """First bad runs, confirmations, what was decided, each attempt to tell with its receipt, people, marks, recovery."""
    lines = document["timeline"]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert [(line["what"], line["run"], line["fate"]) for line in lines] == [
        ("mark", None, None),
        ("first_bad", "checkout-eu-0", None),
        ("first_bad", "c-us", None),
        ("confirmed", "c-us", None),
        ("confirmed", "c-ap", None),
        ("opened", "c-us", None),
        ("evidence", "c-us", None),
        ("told", None, "failed"),
        ("told", None, "sent"),
        ("acknowledged", None, None),
        ("muted", None, None),
        ("note", None, None),
        ("recovered", None, None),
        ("resolved", None, None),
    ]
    said = {line["what"]: line for line in lines}
    assert said["told"]["channel"] == "oncall"
    assert (said["told"]["reason"], said["told"]["text"]) == ("opened", "250 queued")
    assert said["acknowledged"]["by"] is not None
    assert said["acknowledged"]["by"].startswith("ada")
    assert (said["muted"]["by"], said["muted"]["text"]) == ("bo", "for 1h")
    assert said["resolved"]["text"] == "after 0:05:00; it worked again from 2026-11-23 03:05:00 UTC on"
    assert said["confirmed"]["text"].endswith('it passed as far as it went, before step "pay"')
    assert said["note"]["by"] is not None
    assert said["mark"]["text"].startswith("deploy: shop 42")


def test_the_run_that_speaks_for_all_has_its_evidence_and_what_changed(document: IncidentDocument) -> None:
    first = document["first_run"]
    assert first is not None
    assert (first["run"]["id"], first["details"], first["incident"]) == ("checkout-eu-0", True, outage.ID)
    assert {row["kind"]: row["available"] for row in first["evidence"]} == dict.fromkeys(
        ("screenshot", "reference", "har", "console", "trace"), True
    )
    assert first["compared"] is not None
    assert first["compared"]["differences"][0]["words"].startswith("build x-build: 41 → 42")
    assert first["last_good"] == "checkout-eu--1"


def test_budgets_runs_notes_and_marks(document: IncidentDocument) -> None:
    (budget,) = document["budgets"]
    assert (budget["objective"], budget["good"], budget["bad"]) == ("buying", 45, 9)
    shown = [run["started"] for run in document["runs"]]
    assert shown == sorted(shown, reverse=True)
    assert {run["check"] for run in document["runs"]} == {"checkout"}
    assert {"checkout-eu-0", "checkout-us-1", "checkout-ap-3", "checkout-eu--1"} <= {
        run["run"] for run in document["runs"]
    }
    assert len(document["notes"]) == 1
    assert [mark["text"].split(" <")[0] for mark in document["marks"]] == ["shop 42"], (
        "marks of other checks are not ours"
    )


def test_no_secret_is_in_it_however_late_it_became_one(document: IncidentDocument) -> None:
    """What was stored before somebody knew is masked all the same."""
    assert outage.leaks(json.dumps(document).encode()) == []


def test_another_run_speaks_when_the_first_has_no_picture_any_more(tmp_path: Path) -> None:
    """Its files are forgotten: one that was made to confirm, and has its own, speaks; without any it is the first again."""
    outage.fill(tmp_path)
    with outage.looking(tmp_path) as sources:
        seen = around(sources, outage.incident())
        confirming = outage.everything(next(run for run in seen.suffering if run.id == "c-us"), tmp_path / "more")
        seen = replace(seen, suffering=tuple(confirming if run.id == "c-us" else run for run in seen.suffering))
        both = replace(sources, evidence=_Both(sources.evidence, LocalEvidence(tmp_path / "more/evidence")))
        assert (found := speaks_for_all(both, seen)) is not None
        assert found.id == "checkout-eu-0"
        for file in (tmp_path / "evidence/checkout/checkout-eu-0").iterdir():
            file.unlink()
        assert (found := speaks_for_all(both, seen)) is not None
        assert (found.id, found.why) == ("c-us", Why.CONFIRM)
        buying = outage.everything(replace(confirming, id=RunId("buying"), check=CheckId("buying")), tmp_path / "more")
        by_browser = replace(seen, suffering=(buying, *seen.begun), begun=seen.begun[:1])
        assert (found := speaks_for_all(both, by_browser)) is not None
        assert found.check == "buying", "another check that failed alike, and has a picture"
        assert (found := speaks_for_all(sources, seen)) is not None
        assert found.id == "checkout-eu-0"


class _Both:
    def __init__(self, *shelves: Any) -> None:
        self.shelves = shelves

    def names(self, run: Any) -> frozenset[str]:
        return frozenset().union(*(shelf.names(run) for shelf in self.shelves))

    def read(self, run: Any, name: str) -> bytes | None:
        raise AssertionError("names are enough")


def test_what_people_wrote_may_be_out_of_reach(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is shown all the same: whoever was paged cannot wait."""

    def away(*_: object) -> None:
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(sources.people, "notes", away)
    found = incident(sources, outage.ID)
    assert found is not None
    assert (found["notes"], found["marks"], len(found["places"])) == ([], [], 3)


def test_without_any_rules_it_still_says_what_is_known(folder: Path) -> None:
    """At night, from a machine where the checks cannot be loaded."""
    with outage.looking(folder, rules=Rules(), targets={}) as sources:
        found = incident(sources, outage.ID)
    assert found is not None
    assert [place["region"] for place in found["places"]] == ["ap", "eu", "us"]
    assert found["first_run"] is not None
    assert found["budgets"] == []


def test_logs_of_a_restricted_check_are_withheld(folder: Path) -> None:
    """Console, log and texts of pages go; what else is known of the run stays."""
    with outage.looking(folder, restricted=frozenset({"checkout"})) as sources:
        whole = incident(sources, outage.ID)
        assert whole is not None
        less = incident(sources, outage.ID, restricted=False)
        alone = run_document(sources, "checkout-eu-0", restricted=False)
        same = incident_withheld(whole, frozenset({"search"}))
    assert same == whole
    assert less is not None
    found = less["first_run"]
    assert found is not None
    assert alone is not None
    assert alone["run"] == found["run"]
    assert all(row["restricted"] for row in found["evidence"])
    assert (found["run"]["console"], found["run"]["log"], found["run"]["texts"]) == ([], [], [])
    assert found["compared"] is not None
    assert [row["what"] for row in found["compared"]["differences"]] == ["build"]
    assert [row["what"] for row in found["run"]["compared"]["differences"]] == ["build"]
    assert found["run"]["steps"]


def test_one_that_is_open_lasts_until_now(tmp_path: Path) -> None:
    outage.fill(tmp_path, over=False)
    with outage.looking(tmp_path, now=at(4)) as sources:
        found = incident(sources, outage.ID)
    assert found is not None
    assert (found["incident"]["resolved"], found["incident"]["lasted"]) == (None, 240.0)
    assert "resolved" not in {line["what"] for line in found["timeline"]}
    assert max(run["started"] for run in found["runs"]) <= timestamp(at(4) + timedelta(seconds=1))


def stored(folder: Path, found: Incident, *runs: Run) -> IncidentDocument:
    """The document of an incident that was stored with these runs beside the outage's."""

    async def write() -> None:
        async with store_in(folder) as store:
            await store.commit(Record(runs=runs, changes=(Change(incidents={found.cause: found}),), alive=at(8)))

    asyncio.run(write())
    with outage.looking(folder) as sources:
        document = incident(sources, found.id)
    assert document is not None
    return document


def test_trouble_of_our_own_is_made_of_runs_that_could_not_be_made(tmp_path: Path) -> None:
    """It is told as ours."""
    ours = Failure.of("browser_start", "the browser did not start")
    errored = [
        replace(
            outage.a_run("search", "eu", minute), outcome=Outcome.ERRORED, observation=Observation(failures=(ours,))
        )
        for minute in (0, 1)
    ]
    found = outage.incident()
    member = replace(
        found.members[CheckId("checkout")], check=CheckId("search"), regions=("eu",), failure=ours, evidence=""
    )
    found = replace(
        found,
        cause="probe:eu",
        verdict=Verdict.PROBE_FAULT,
        members={member.check: replace(member, run=errored[0].id)},
    )
    document = stored(tmp_path, found, *errored)
    assert [line["text"] for line in document["timeline"] if line["what"] == "first_bad"] == [
        "search could not be run from eu: probe: the browser did not start"
    ]
    places = {place["region"]: (place["affected"], place["words"]) for place in document["places"]}
    assert places["eu"] == (True, "all 2 runs could not be made, the first at 03:00:00 UTC")
    assert places["us"] == (False, "not run from there around the beginning")
    assert document["first_run"] is not None
    assert document["first_run"]["run"]["outcome"] == "errored"
    assert document["cause_words"]["layer"] == "probe"


def test_a_burning_objective_is_about_the_checks_that_count_for_it(tmp_path: Path) -> None:
    """No check is named in it: the bad runs of before it was told are what it is made of."""
    bad = [outage.a_run("checkout", "us", minute, bad=True) for minute in (-30, -20, -5)]
    burning = Incident(
        id=outage.ID,
        cause="slo:buying",
        verdict=Verdict.DEGRADED,
        severity=Severity.TICKET,
        since=at(0),
        opened=at(0),
        burns={"buying": "3 of 60 runs failed"},
    )
    document = stored(tmp_path, burning, *bad, outage.a_run("checkout", "eu", -5))
    assert document["checks"] == []
    assert [(place["region"], place["first_bad"]) for place in document["places"]] == [
        ("ap", None),
        ("eu", None),
        ("us", "checkout-us--30"),
    ]
    assert document["first_run"] is not None
    assert document["first_run"]["run"]["id"] == "checkout-us--30"
    assert [row["objective"] for row in document["budgets"]] == ["buying"]
    assert document["reproduce"] == "probe check checkout --once"


def test_a_silent_region_has_no_run_of_its_own(tmp_path: Path) -> None:
    found = outage.incident()
    member = replace(found.members[CheckId("checkout")], check=CheckId(""), regions=("eu",), run=RunId(""))
    silent = replace(found, cause="stale:eu", verdict=Verdict.PROBE_FAULT, members={member.check: member})
    document = stored(tmp_path, silent)
    assert (document["first_run"], document["reproduce"]) == (None, "probe fleet status")
    assert [line["run"] for line in document["timeline"] if line["what"] == "first_bad"] == []
