"""Live drills in judgement: an incident of their own, by the routes of the check, DRILL in every line, counted for nothing."""

from datetime import UTC, datetime

from probe.core.check import CheckId
from probe.core.drilled import as_drill, drilled, is_drill, origin_of, watched_as_drill
from probe.core.incident import Verdict
from probe.core.notification import Message, Reason
from probe.core.rules import Objective, Route, Rules, Severity
from probe.core.run import Outcome, Why
from tests.core.world import World, rules_of, watched


def test_names() -> None:
    """A check and its drill know each other."""
    assert origin_of(drilled(CheckId("buy"))) == origin_of(CheckId("buy")) == "buy"
    assert is_drill(drilled(CheckId("buy")))
    assert not is_drill("buy")


def test_a_drill_in_judgement() -> None:
    """It opens an incident of its own, told by the route that names the check; the objective does not hear of it."""
    check = watched("buy", regions=("eu", "us", "asia"))
    objective = Objective(name="buying", checks=frozenset({check.id}), target=0.99)
    plain = rules_of(check, watch_as_drill := watched_as_drill(check), objectives=[objective])
    routes = (Route(channels=("team",), checks=("buy",)), Route(channels=("other",), checks=("sell",)))
    rules = Rules(checks=plain.checks, objectives=plain.objectives, routes=routes)
    assert (watch_as_drill.spared, watch_as_drill.confirm_with) == ((), None)
    w = World(rules)
    for _ in range(12):
        for region in check.regions:
            w.see(region=region, check="buy")
            w.see(Outcome.FAILED, check="drill:buy", region=region, why=Why.DRILL)
        w.wait(60)
    assert set(w.state.incidents) == {f"drill:{check.cause}"}
    opening = w.notes[0]
    assert (opening.channel, opening.reason) == ("team", Reason.OPENED)
    message = opening.message
    assert message.drill
    assert message.title.startswith("DRILL, nothing is wrong: ")
    assert all(line.startswith("DRILL ") for line in message.body.splitlines())
    assert message.reproduce == "probe drill --live buy"
    assert "DRILL Try it:    probe drill --live buy" in message.body.splitlines()
    assert {note.channel for note in w.notes} == {"team"}
    ledger = w.state.ledgers["buying"]
    assert sum(counts.bad for counts in ledger.hours.values()) == 0


def test_what_is_said_is_marked() -> None:
    """Also what was expected and seen; what is not there stays away."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    message = Message(title="T", body="a\nb", verdict=Verdict.DOWN, severity=Severity.PAGE, since=since)
    bare = as_drill(message)
    assert (bare.body, bare.expected, bare.evidence, bare.reproduce) == ("DRILL a\nDRILL b", None, "", "")
