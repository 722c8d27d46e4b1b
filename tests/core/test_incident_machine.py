"""The incident machine under random runs, commands and time: what must always hold, holds."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from probe.core.check import CheckId
from probe.core.evaluate import Overdue
from probe.core.incident import Verdict, What
from probe.core.ledger import Counts
from probe.core.notification import Reason
from probe.core.rules import Escalation, Objective, Route
from probe.core.run import Outcome, Run, Why
from tests.core.world import THIRD, World, rules_of, watched

CHECKS = ("checkout", "api", "pay")
REGIONS = ("eu", "us")
SECOND = timedelta(seconds=1)


def make(routes: bool = True) -> World:
    checks = [watched(name, "pay.example" if name == "pay" else "shop.example", regions=REGIONS) for name in CHECKS]
    objective = Objective(name="slo", checks=frozenset(map(CheckId, CHECKS)), target=0.95)
    escalate = Escalation(after=timedelta(minutes=10), channels=("lead",))
    route = Route(channels=("oncall", "team"), remind=timedelta(minutes=30), escalate=escalate)
    return World(
        rules_of(
            *checks,
            objectives=[objective],
            routes=(route,) if routes else (),
            controls={"eu": CheckId("control.eu")},
        )
    )


class Machine(RuleBasedStateMachine):
    """Two worlds see the same; one is muted whenever the other is not. A third is told of nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.world, self.muted = make(), make()
        self.runs: list[Run] = []

    def _both(self, act: Any) -> None:
        for world in (self.world, self.muted):
            act(world)

    @rule(
        outcome=st.sampled_from([Outcome.PASSED, Outcome.PASSED, Outcome.FAILED, Outcome.FAILED, Outcome.ERRORED]),
        check=st.sampled_from(CHECKS),
        region=st.sampled_from(REGIONS),
        why=st.sampled_from([Why.SCHEDULED, Why.CONFIRM]),
        third=st.booleans(),
    )
    def see(self, outcome: Outcome, check: str, region: str, why: Why, third: bool) -> None:
        failure = THIRD if third and outcome is Outcome.FAILED else None
        self._both(lambda w: w.see(outcome, check, region, why=why, failure=failure))

    @rule(outcome=st.sampled_from([Outcome.PASSED, Outcome.FAILED]))
    def control(self, outcome: Outcome) -> None:
        self._both(lambda w: w.see(outcome, "control.eu", "eu", why=Why.CONTROL))

    @rule(seconds=st.sampled_from([5, 20, 65, 700]))
    def wait(self, seconds: float) -> None:
        self._both(lambda w: w.wait(seconds))

    @rule(check=st.sampled_from(CHECKS))
    def outage(self, check: str) -> None:
        self._both(lambda w: w.fail(check))

    @rule(check=st.sampled_from(CHECKS), region=st.sampled_from(REGIONS))
    def trouble_of_a_region(self, check: str, region: str) -> None:
        self._both(lambda w: w.fail(check, region))

    @rule(check=st.sampled_from(CHECKS), region=st.sampled_from(REGIONS))
    def late(self, check: str, region: str) -> None:
        self._both(lambda w: w.event(Overdue(check=CheckId(check), region=region, began=w.now - 5 * SECOND)))

    @rule(check=st.sampled_from(CHECKS))
    def recovery(self, check: str) -> None:
        self._both(lambda w: w.recover(check))

    @precondition(lambda self: len(self.world.state.incidents) == 1)
    @rule()
    def acknowledge(self) -> None:
        self._both(lambda w: w.acknowledge())

    @precondition(lambda self: len(self.world.state.incidents) == 1)
    @rule(seconds=st.sampled_from([None, 60, 10**6]))
    def mute(self, seconds: float | None) -> None:
        self.muted.mute(seconds)

    @invariant()
    def muted_or_not_the_machine_is_the_same(self) -> None:
        def told(world: World) -> list[tuple[str, str]]:
            aside = {What.MUTED, What.UNMUTED, What.REMINDED}
            return [(e.incident, e.what) for e in world.entries if e.what not in aside]

        assert told(self.world) == told(self.muted)
        assert {c: i.verdict for c, i in self.world.state.incidents.items()} == {
            c: i.verdict for c, i in self.muted.state.incidents.items()
        }

    @invariant()
    def what_is_said_is_said_once_and_in_order(self) -> None:
        heard: dict[tuple[str, str], list[Reason]] = {}
        for note in self.world.notes:
            heard.setdefault((note.incident, note.channel), []).append(note.reason)
        open_ids = {incident.id for incident in self.world.state.incidents.values()}
        for (incident, channel), reasons in heard.items():
            assert reasons[0] is (Reason.ESCALATED if channel == "lead" else Reason.OPENED)
            assert (reasons[-1] is Reason.RESOLVED) == (incident not in open_ids), "whoever heard, hears of the end"
            ends = [reason for reason in reasons if reason in (Reason.OPENED, Reason.RESOLVED)]
            assert all(one is not other for one, other in pairwise(ends)), (
                "reopened after it was resolved, and only then"
            )

    @invariant()
    def one_incident_for_a_cause(self) -> None:
        told: dict[str, list[What]] = {}
        for entry in self.world.entries:
            if entry.what in (What.OPENED, What.REOPENED, What.RESOLVED):
                told.setdefault(entry.incident, []).append(entry.what)
        for story in told.values():
            assert story[0] is What.OPENED
            assert story[1::2] == [What.RESOLVED] * (len(story) // 2)
            assert story[2::2] == [What.REOPENED] * ((len(story) - 1) // 2)

    @invariant()
    def who_suffers_is_named(self) -> None:
        for incident in self.world.state.incidents.values():
            for name, member in incident.members.items():
                if not incident.cause.startswith("probe:"):
                    assert (member.recovered is None) == self.world.suffers(name)
        for name, check in self.world.state.checks.items():
            if check.opened:
                assert name in self.world.state.incidents[self.world.rules.checks[name].cause].members
            assert check.opened or check.verdict is Verdict.OK

    @invariant()
    def nothing_of_ours_is_the_shops(self) -> None:
        for incident in self.world.state.incidents.values():
            ours = incident.cause.startswith("probe:")
            assert ours == (incident.verdict is Verdict.PROBE_FAULT)
            assert (
                all(member.failure.ours for member in incident.members.values()) or not ours or "eu" in incident.cause
            )

    @invariant()
    def counts_are_never_negative(self) -> None:
        for ledger in self.world.state.ledgers.values():
            assert all(min(counts) >= 0 for counts in ledger.hours.values())
            whole = [Counts(*map(sum, zip(*minutes.values(), strict=True))) for minutes in ledger.minutes.values()]
            assert whole == [ledger.hours[hour] for hour in ledger.minutes]


Machine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestMachine = Machine.TestCase
