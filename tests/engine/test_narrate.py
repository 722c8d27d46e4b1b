"""What the log tells of runs and incidents, how loud, and with which names; and what it does not tell."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from probe.core.evaluate import Acknowledge, Tick, evaluate
from probe.core.failure import Failure
from probe.core.incident import Entry, IncidentId, What
from probe.core.network import LASTING
from probe.core.run import Outcome, Run, Why
from probe.core.state import Change
from probe.engine.narrate import narrate
from tests.core.world import BROKEN, World, rules_of, watched

NAMES = ("check", "region", "run", "incident", "cause", "slots", "due", "reason")


class Teller:
    """A world whose every event is narrated."""

    def __init__(self, log: pytest.LogCaptureFixture, **given: Any) -> None:
        self.world = World(rules_of(watched(), **given))
        self._log = log

    def see(self, outcome: Outcome, **given: Any) -> Run:
        run = self.world.run(outcome, **given)
        narrate(run, self.world.event(run))
        return run

    def until_told(self, outcome: Outcome) -> tuple[list[tuple[str, str, dict[str, Any]]], Run]:
        """Runs, half a minute apart, until the timeline of an incident tells something; what was said, and the last run."""
        told, said = len(self.world.entries), []
        while len(self.world.entries) == told:
            self.world.wait(30)
            run = self.see(outcome)
            said += self.lines()
        return said, run

    def lines(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Level, text and names of what was said since the last time."""
        said = [
            (r.levelname, r.getMessage(), {name: getattr(r, name) for name in NAMES if hasattr(r, name)})
            for r in self._log.records
            if r.name == "probe"
        ]
        self._log.clear()
        return said


@pytest.fixture
def teller(caplog: pytest.LogCaptureFixture) -> Teller:
    caplog.set_level(logging.DEBUG, "probe")
    return Teller(caplog)


def test_what_passes_is_not_told(teller: Teller) -> None:
    """Neither the first success nor the hundredth."""
    for _ in range(100):
        teller.see(Outcome.PASSED)
    assert teller.lines() == []


def test_an_outage_is_told_by_its_turns(teller: Teller) -> None:
    """The first failure and the opening are warnings with all names; more of the same is not told; its end is."""
    first = teller.see(Outcome.FAILED)
    where = {"check": "checkout", "region": "eu", "run": first.id}
    assert teller.lines() == [("WARNING", "a check begins to fail", {**where, "reason": str(BROKEN)})]
    said, last = teller.until_told(Outcome.FAILED)
    incident = {"incident": teller.world.only.id, "cause": "shop.example"}
    assert [(level, names) for level, _, names in said] == [
        ("WARNING", {**where, **incident, "run": last.id}),
        ("INFO", {**where, **incident, "run": last.id}),
    ]
    assert said[0][1].startswith("incident opened: down: checkout: ")
    assert said[1][1].startswith("incident evidence: checkout: 1 of 1 regions: ")
    teller.see(Outcome.FAILED)
    assert teller.lines() == []
    said, last = teller.until_told(Outcome.PASSED)
    assert [(level, text.partition(":")[0], names["run"]) for level, text, names in said] == [
        ("INFO", "incident recovered", last.id),
        ("INFO", "incident resolved", last.id),
    ]
    said, last = teller.until_told(Outcome.FAILED)
    assert [(level, text.partition(":")[0], names["run"]) for level, text, names in said if "incident" in names] == [
        ("WARNING", "incident reopened", last.id),
        ("INFO", "incident evidence", last.id),
    ]


def test_our_own_trouble_is_told_once(teller: Teller) -> None:
    """A check that cannot be run says so at the first of a row, not at each."""
    run = teller.see(Outcome.ERRORED)
    ((level, text, names),) = teller.lines()
    assert (level, text, names["run"]) == ("WARNING", "a check cannot be run", run.id)
    assert names["reason"] == "probe: the browser did not start"
    teller.see(Outcome.ERRORED)
    assert teller.lines() == []


def test_missed_slots_are_counted(teller: Teller) -> None:
    """With how many there were, and when the first was due. A run that was aborted, and one that nobody watches any
    more, say nothing."""
    run = teller.see(Outcome.MISSED, count=3)
    assert run.slot is not None
    names = {"check": "checkout", "region": "eu", "run": run.id, "slots": 3, "due": run.slot.due.isoformat()}
    assert teller.lines() == [("WARNING", "slots were missed", names)]
    teller.see(Outcome.ABORTED)
    narrate(replace(run, outcome=Outcome.FAILED), Change())
    assert teller.lines() == []


def test_a_control_run_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Each time: it is rare, and means that we are blind there; and its success is not."""
    caplog.set_level(logging.DEBUG, "probe")
    teller = Teller(caplog, controls={"eu": "control:eu"})
    failure = Failure.of("no_network")
    run = teller.see(Outcome.FAILED, check="control:eu", why=Why.CONTROL, failure=failure)
    said = teller.lines()
    assert said[0] == (
        "WARNING",
        "the control run failed",
        {"check": "control:eu", "region": "eu", "run": run.id, "reason": str(failure)},
    )
    assert said[1:] == [], "a moment of it is not an incident, and not the trouble of a check"
    teller.world.wait(LASTING.total_seconds())
    teller.see(Outcome.FAILED, check="control:eu", why=Why.CONTROL, failure=failure)
    assert [text.partition(":")[0] for _, text, _ in teller.lines()] == ["the control run failed", "incident opened"]
    teller.see(Outcome.PASSED, check="control:eu", why=Why.CONTROL)
    assert [text.partition(":")[0] for _, text, _ in teller.lines()] == ["incident recovered", "incident resolved"]


def test_what_people_do_and_time_does(teller: Teller) -> None:
    """Lines without a run name the incident alone; nothing new says nothing."""
    teller.world.fail()
    world, incident = teller.world, teller.world.only
    teller.lines()
    narrate(None, evaluate(world.state, Tick(), world.rules, world.now))
    assert teller.lines() == []
    change = evaluate(world.state, Acknowledge(incident=incident.id, by="ada"), world.rules, world.now)
    narrate(None, change)
    assert teller.lines() == [
        ("INFO", "incident acknowledged: by ada", {"incident": incident.id, "cause": "shop.example"})
    ]


@pytest.mark.parametrize("what", What)
def test_how_loud_each_turn_is(what: What, teller: Teller) -> None:
    """What makes it graver is a warning, all else is for information; an error is what goes wrong with us."""
    graver = what in {What.OPENED, What.REOPENED, What.VERDICT, What.SEVERITY, What.ESCALATED}
    entry = Entry(incident=IncidentId("i1"), at=teller.world.now, what=what, text="so it is")
    narrate(None, Change(entries=(entry,)))
    assert teller.lines() == [
        ("WARNING" if graver else "INFO", f"incident {what}: so it is", {"incident": "i1", "cause": ""})
    ]
