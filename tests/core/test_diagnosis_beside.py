"""What is put beside a likely cause: deploys, other changes, how much of the incident is known."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from probe.core.case import Case, Confidence, Diagnosis
from probe.core.diagnosis import diagnose
from probe.core.failure import Failure
from probe.core.people import Mark
from tests.core.builders import NOW
from tests.core.cases import HOST, case, compared, incident_of, seen, status, steps

LIKELY, POSSIBLE, UNCLEAR = Confidence.LIKELY, Confidence.POSSIBLE, Confidence.UNCLEAR
BUG = status(500, "POST /cart", "add to cart")
SLOW = Failure.of("slow", "GET /: total time is 2.6 s", step=None, url=f"https://{HOST}/")
SILENT = Failure.of("no_response", f"{HOST} did not answer within 5s", url=f"https://{HOST}/")
EMPTY = Failure.of("json", "json $.items is missing", step="add to cart", url=f"https://{HOST}/cart")
RESET = Failure.of("connection_reset", f"{HOST} reset the connection")
BUSY = Failure.of("third_party_slow", "ads.example (third party) has not answered", url="https://ads.example/a.js")


BUILD = ("build", "x-build", "41", "42")
MARK = Mark(id=1, at=NOW - timedelta(minutes=5), kind="deploy", text="release 42", by="ci")


def found(*runs: Any, **given: Any) -> Diagnosis:
    return diagnose(case(*runs, **given))


# --- below an answer ----------------------------------------------------------------------------------------------------


def test_a_deploy_between_the_last_good_run_and_the_first_bad_one() -> None:
    """It is named, with both builds, and where to look first."""
    told = found(seen(1, failure=BUG, compared=compared(BUILD, ("script", "app.js", "app.1.js", "app.2.js"))))
    assert told.words.endswith(". It began with a deploy: build x-build: 41 → 42; script app.js: app.1.js → app.2.js")
    assert told.confidence is LIKELY
    assert told.look_at[0].startswith("the deploy (build x-build: 41 → 42")
    assert any(text.startswith("brought out since the last good run at 02:59:50 UTC") for text in told.evidence_for)


@pytest.mark.parametrize(
    ("failure", "before", "after"),
    [(BUG, POSSIBLE, LIKELY), (SLOW, UNCLEAR, POSSIBLE), (EMPTY, UNCLEAR, LIKELY)],
)
def test_a_deploy_makes_a_cause_surer(failure: Failure, before: Confidence, after: Confidence) -> None:
    """Not so sure where it is only slow."""
    assert found(seen(1, failure=failure)).confidence is before
    assert found(seen(1, failure=failure, compared=compared(BUILD))).confidence is after


def test_a_mark_of_a_deploy() -> None:
    """Of the ten minutes before, of these checks: possible; no other mark."""
    told = found(seen(1, failure=EMPTY), marks=(MARK,))
    assert told.words.endswith("It began with a deploy: release 42 at 02:55:00 UTC")
    assert told.confidence is POSSIBLE
    assert "brought out: release 42 at 02:55:00 UTC" in told.evidence_for
    others = (
        replace(MARK, kind="note"),
        replace(MARK, at=NOW - timedelta(minutes=11)),
        replace(MARK, at=NOW + timedelta(seconds=1)),
        replace(MARK, checks=("search",)),
    )
    assert "deploy" not in found(seen(1, failure=EMPTY), marks=others).words
    assert "deploy" in found(seen(1, failure=EMPTY), marks=(replace(MARK, checks=("checkout",)),)).words


def test_what_a_deploy_does_not_reach() -> None:
    """A name that is gone, a third party: the deploy is told as something that happened, and is not blamed."""
    told = found(seen(1, failure=BUSY, compared=compared(BUILD)))
    assert "deploy" not in told.words
    assert any("41 → 42" in text for text in told.evidence_for)


def test_other_changes_are_told_and_a_new_script_is_no_deploy() -> None:
    """Addresses, certificates, hosts; the words of the page."""
    changes = compared(
        ("script", "pixel.js", None, "pixel.js"),
        ("dns", HOST, "192.0.2.1", "203.0.113.1"),
        ("text", "cart", None, "Sorry\nmore"),
        ("text", "cart", "gone", None),
    )
    told = found(seen(1, failure=BUG), seen(2, failure=BUG, compared=changes))
    assert "deploy" not in told.words
    assert f"otherwise than in the last good run: addresses of {HOST}: 192.0.2.1 → 203.0.113.1" in told.evidence_for
    assert [text for text in told.evidence_for if text.startswith("the page says")] == ["the page says: Sorry"]


def test_an_incident_alone_knows_what_its_first_member_saw() -> None:
    """So does the alert, which has no runs at hand."""
    incident = incident_of([seen(1, failure=BUG)])
    ((check, member),) = incident.members.items()
    for changed, words in (
        ("build x-build: 41 → 42; dns x: a → b", ". It began with a deploy: build x-build: 41 → 42"),
        ("certificate of x: a → b", 'POST /cart fails on the server (HTTP 500) at "add to cart"'),
        ("script a.js: new: a.js", 'POST /cart fails on the server (HTTP 500) at "add to cart"'),
    ):
        told = diagnose(Case(incident=replace(incident, members={check: replace(member, changed=changed)})))
        assert told.words.endswith(words)


# --- all together -------------------------------------------------------------------------------------------------------


def test_an_incident_without_its_runs_claims_less() -> None:
    """Whether all suffer, or a part, is not known from its members alone."""
    down = [seen(1, "home", status(503)), seen(2, "api", status(503, "GET /api"))]
    assert "all that is asked" in found(*down).words
    alone = diagnose(Case(incident=incident_of(down)))
    assert alone.words == "GET / answers 503: a service that it needs is down or overloaded"
    silent = [seen(1, "home", SILENT), seen(2, "api", SILENT)]
    assert found(*silent).confidence is LIKELY
    assert diagnose(Case(incident=incident_of(silent))).confidence is POSSIBLE


def test_an_objective_alone_has_no_single_cause() -> None:
    """Bad runs that add up."""
    told = diagnose(case(cause="slo:checkout", burns={"checkout": "14.4 times too fast"}))
    assert told.confidence is UNCLEAR
    assert told.evidence_for == ("14.4 times too fast",)


def test_only_runs_of_the_incident_count() -> None:
    """Not those before, of other hosts, errored ones; nor one that was ended before it could meet the trouble."""
    spared = steps("view")
    told = case(
        seen(-60, "home", status(500)),
        seen(1, failure=BUG),
        seen(2, stopped_before="add to cart", steps=spared),
        seen(3, stopped_before="checkout", steps=(*spared, *steps("add to cart"))),
        seen(4, "nobody"),
        seen(5, "api"),
        seen(400),
    )
    assert [run.id for run in told.failed] == ["checkout-eu-001.0"]
    assert [run.id for run in told.passed] == ["checkout-eu-003.0"]
    assert [run.id for run in told.others] == ["api-eu-005.0"]
    assert told.fine == ("api",)
