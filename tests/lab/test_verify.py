"""The lab's own judge: what it must not let pass."""

import sqlite3
from typing import Any

import pytest

from tests.lab.verify import Accepted, Expected, Outage, causes, runs, silences, slots

HOST = "10.77.0.6"


def row(run: str, slot: int | None = None, *, count: int = 1, **more: Any) -> dict[str, Any]:
    due = None if slot is None else slot * 2_000_000
    return {
        "id": run,
        "check_id": "home",
        "region": "eu",
        "outcome": "passed",
        "slot": slot,
        "due": due,
        "slots": count,
    } | more


ACCEPTED = Accepted({"eu": {"a": ("home", "passed"), "b": ("home", "passed")}})


def test_runs_that_are_there_once_and_as_they_were() -> None:
    assert list(runs([row("a"), row("b"), row("of somebody else")], ACCEPTED)) == []


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ([row("a")], "1 of 2 runs that eu had accepted are lost: ['b']"),
        ([row("a"), row("b"), row("b")], "run b is stored 2 times"),
        ([row("a"), row("b", outcome="failed")], "run b of home from eu was passed, and is stored as"),
        ([row("a"), row("b", region="us")], "run b of home from eu was passed, and is stored as"),
    ],
)
def test_runs_that_are_lost_doubled_or_changed(stored: list[dict[str, Any]], said: str) -> None:
    (found,) = runs(stored, ACCEPTED)
    assert said in found


def test_slots_follow_each_other() -> None:
    assert list(slots([row("b", 3, count=4), row("c", 7), row("a", 2), row("asked for")])) == []
    assert len(list(slots([row("a", 2), row("b", 4)]))) == 1
    assert len(list(slots([row("a", 2, count=2), row("b", 3)]))) == 1
    assert len(list(slots([row("a", 2), row("b", 3, due=1)]))) == 1


def told(*turns: tuple[str, int, str]) -> sqlite3.Connection:
    """A copy with one incident for each cause: what happened to it, and when."""
    copy = sqlite3.connect(":memory:")
    copy.row_factory = sqlite3.Row
    copy.execute("CREATE TABLE incidents (id, cause, resolved)")
    copy.execute("CREATE TABLE timeline (seq INTEGER PRIMARY KEY, incident, at, what)")
    for cause in dict.fromkeys(cause for cause, _, _ in turns):
        resolved = next((at for of, at, what in turns if of == cause and what == "resolved"), None)
        copy.execute("INSERT INTO incidents VALUES (?, ?, ?)", (f"incident of {cause}", cause, resolved))
    for cause, at, what in turns:
        copy.execute("INSERT INTO timeline (incident, at, what) VALUES (?, ?, ?)", (f"incident of {cause}", at, what))
    return copy


EXPECTED = Expected(outages={HOST: [Outage(10, 20)]}, silenced={"eu"})


def test_an_outage_is_told_once_and_nothing_else() -> None:
    assert list(causes(told((HOST, 12, "opened"), ("stale:eu", 50, "opened")), EXPECTED)) == []
    assert list(causes(told(), EXPECTED)) == [f"the outage of {HOST} since 10 was told as []"]
    (twice,) = causes(told((HOST, 12, "opened"), (HOST, 14, "resolved"), (HOST, 18, "reopened")), EXPECTED)
    assert "was told as [(12, 'opened'" in twice
    (late,) = causes(told((HOST, 12, "opened"), (HOST, 25, "reopened")), EXPECTED)
    assert "was reopened for 10.77.0.6 at 25, when nothing was broken" in late
    (other,) = causes(told((HOST, 12, "opened"), ("10.77.0.7", 13, "opened")), EXPECTED)
    assert "was opened for 10.77.0.7" in other


def test_silence_is_told_with_its_end() -> None:
    assert list(silences(told(("stale:eu", 1, "opened"), ("stale:eu", 2, "resolved")), EXPECTED)) == []
    assert list(silences(told(("stale:eu", 1, "opened")), EXPECTED)) == ["nobody was told that eu is heard again"]
    assert list(silences(told(), EXPECTED)) == ["nobody was told that eu is silent"]
