"""A run as a document: what was seen, what was before and after it, and what it belongs to."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from probe.core.rules import Rules
from probe.core.run import Difference, Observation, Outcome, RunId
from probe.core.state import Change
from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.view.incident import incident
from probe.view.requests import ADDRESS
from probe.view.run import SHOWN, difference_words, has_details, run
from probe.view.sources import Sources
from tests.store.builders import store_in
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


def test_a_failed_run_with_everything(sources: Sources) -> None:
    found = run(sources, "checkout-eu-0")
    assert found is not None
    assert (found["run"]["outcome"], found["run"]["failure"]["step"], found["details"]) == ("failed", "pay", True)
    assert found["description"].startswith("buy a thing")
    assert [r["party"] for r in found["requests"]] == ["own", "listed"], "of its HAR"
    rows = {row["name"]: row for row in found["evidence"]}
    assert rows["screenshot.png"] == {
        "kind": "screenshot",
        "name": "screenshot.png",
        "size": len(outage.PNG),
        "type": "image/png",
        "restricted": False,
        "available": True,
    }
    assert (rows["trace.zip"]["type"], rows["network.har"]["kind"]) == ("application/zip", "har")
    assert found["compared"] is not None
    assert (found["compared"]["good"], len(found["compared"]["differences"])) == ("checkout-eu--1", 2)
    assert (found["before"], found["after"], found["last_good"]) == (
        "checkout-eu--1",
        "checkout-eu-1",
        "checkout-eu--1",
    )
    assert found["incident"] == outage.ID
    assert (found["regions"], found["reproduce"]) == (["ap", "eu", "us"], "probe check checkout --once --region eu")
    assert outage.leaks(json.dumps(found).encode()) == []


def test_the_neighbours_of_others(sources: Sources) -> None:
    """The first has none before it, the last none after it; the last good one is found past the bad ones; of another check nothing is."""
    first, last, later, other = (
        run(sources, name) for name in ("search-us--10", "search-us-7", "checkout-eu-4", "search-eu-2")
    )
    assert first is not None
    assert (first["before"], first["after"], first["last_good"]) == (None, "search-us--9", None)
    assert last is not None
    assert (last["before"], last["after"]) == ("search-us-6", None)
    assert later is not None
    assert (later["before"], later["last_good"], later["incident"]) == ("checkout-eu-3", "checkout-eu--1", outage.ID)
    assert other is not None
    assert other["incident"] is None


def test_runs_before_and_after_the_incident_are_not_of_it(sources: Sources) -> None:
    for name, expected in (("checkout-eu--1", None), ("checkout-ap-3", outage.ID), ("checkout-eu-7", None)):
        found = run(sources, name)
        assert found is not None
        assert found["incident"] == expected, name


def test_there_is_none_of_that_id(sources: Sources) -> None:
    assert run(sources, "none") is None


def test_evidence_out_of_reach_is_not_available_and_the_rest_is_shown(sources: Sources) -> None:
    class Away:
        def names(self, run: object) -> frozenset[str]:
            raise StoreUnavailable("the bucket is away")

        def read(self, run: object, name: str) -> bytes | None:
            raise AssertionError("not asked for what is not there")

    found = run(replace(sources, evidence=Away()), "checkout-eu-0")
    assert found is not None
    assert {row["available"] for row in found["evidence"]} == {False}
    assert [r["error"] is not None for r in found["requests"]] == [True], "of the requests that failed"


def test_what_has_no_rules_is_shown_as_it_was(folder: Path) -> None:
    with outage.looking(folder, rules=Rules(), targets={}, restricted=frozenset({"checkout"})) as sources:
        found = run(sources, "checkout-eu-0")
    assert found is not None
    assert (found["description"], found["regions"]) == ("", [])
    assert {row["restricted"] for row in found["evidence"]} == {True}


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (("header", "server", "nginx", "apache"), "header server: nginx → apache"),
        (("third_party", "cdn.example", None, "cdn.example"), "third party cdn.example: new"),
        (("third_party", "cdn.example", "cdn.example", None), "third party cdn.example: gone"),
        (("redirect", "/", None, "/login"), "redirects of /: new: /login"),
        (("header", "x-cache", "HIT", None), "header x-cache: gone; it was HIT"),
        (("text", "pay", "a\n b", "c" * 500), f"text of step pay: a b → {'c' * 159}…"),
        (("newer", "", "1", "2"), "newer: 1 → 2"),
    ],
)
def test_a_difference_in_a_line(difference: tuple[str, str, str | None, str | None], words: str) -> None:
    what, name, before, after = difference
    assert difference_words(Difference(what=what, name=name, before=before, after=after)) == words


def test_a_slim_run_says_that_its_details_are_gone(sources: Sources) -> None:

    slim = outage.a_run("checkout", "eu", 0, bad=True)
    slim = replace(slim, id=RunId("slim"), observation=Observation(failures=slim.observation.failures))
    assert not has_details(slim)
    assert has_details(outage.a_run("checkout", "eu", 0))
    assert has_details(replace(slim, outcome=Outcome.MISSED)), "there never were any"


def test_half_a_secret_is_none_either(tmp_path: Path) -> None:
    """Addresses and texts are shortened after secrets are taken out: a cut through one must not leave the beginning of it."""
    half = outage.CANARY[: len(outage.CANARY) // 2]
    made = outage.everything(outage.a_run("checkout", "eu", 0, bad=True), tmp_path)
    long = "https://shop.example/" + "x" * (ADDRESS - len("https://shop.example/") - len(half))
    text = "y" * (SHOWN - 1 - len(half)) + outage.CANARY + "z" * SHOWN
    compared = made.observation.compared
    assert compared is not None
    difference = Difference(what="text", name="pay", before="", after=text)
    seen = replace(made.observation, compared=replace(compared, differences=(difference,)))
    (tmp_path / "evidence/checkout/checkout-eu-0/network.har").write_bytes(outage.har(long + outage.CANARY))

    async def write() -> None:
        async with store_in(tmp_path) as store:
            change = Change(incidents={"shop.example": outage.incident()})
            await store.commit(Record(runs=(replace(made, observation=seen),), changes=(change,)))

    asyncio.run(write())
    with outage.looking(tmp_path) as sources:
        whole = incident(sources, outage.ID)
        assert whole is not None
        documents = (run(sources, "checkout-eu-0"), whole["first_run"])
    for found in documents:
        assert found is not None
        assert found["compared"] is not None
        (request,) = found["requests"]
        for shown in (request["url"], found["compared"]["differences"][0]["words"]):
            assert half not in shown
            assert shown.endswith(("***", "*", "…"))
