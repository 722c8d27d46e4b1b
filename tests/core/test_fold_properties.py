"""The judgement of any days: the same after a restart, the same without memos, and it never touches what it is given."""

import random
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.confirm import PURSE, SHARE
from probe.core.evaluate import Event, Tick, evaluate
from probe.core.failure import Failure
from probe.core.incident import Incident, Verdict
from probe.core.rules import Objective, Rules, Severity
from probe.core.state import Change, CheckState, ObjectiveState, RegionState, State
from probe.store.rows import from_json, to_json
from tests.core.facts import known
from tests.core.world import BROKEN, World, rules_of, watched

REFUSED = Failure.of("refused")
NAMES = ("checkout", "api", "pay")


@dataclass(frozen=True)
class Plan:
    """Some minutes: what is broken in each, from how many regions, and how badly."""

    regions: int
    phases: tuple[tuple[int, str, int], ...]
    seed: int

    @property
    def rules(self) -> Rules:
        regions = tuple(f"r{number}" for number in range(self.regions))
        return rules_of(
            watched("checkout", regions=regions),
            watched("api", regions=regions, every=timedelta(seconds=30)),
            watched("pay", "pay.example", regions=regions, confirm_with=CheckId("api")),
            controls={"r0": CheckId("control.r0")},
            objectives=[Objective(name="slo", checks=frozenset(map(CheckId, NAMES)), target=0.99)],
        )

    def play(self) -> World:
        world, dice = World(self.rules), random.Random(self.seed)
        regions = tuple(f"r{number}" for number in range(self.regions))
        for name in NAMES:
            world.state.checks[CheckId(name)] = CheckState(habits=known(0.5, *regions))
        for seconds, what, few in self.phases:
            where = regions[:few]

            def truth(
                name: str, region: str, _at: datetime, what: str = what, where: tuple[str, ...] = where
            ) -> Failure | float:
                usual = 0.5 * dice.lognormvariate(0, 0.2)
                if name == "pay" and what != "one check":
                    return usual
                if name.startswith("control"):
                    return REFUSED if what == "our network" else usual
                if region not in where or what == "fine":
                    return usual
                if what == "slow":
                    return 3 * usual
                if what == "now and then" and dice.random() > 0.4:
                    return usual
                return REFUSED if what in ("network", "our network") else BROKEN

            world.play(seconds, truth)
        return world


plans = st.builds(
    Plan,
    regions=st.sampled_from([1, 2, 3, 5]),
    phases=st.lists(
        st.tuples(
            st.sampled_from([20, 60, 180, 500]),
            st.sampled_from(["fine", "down", "now and then", "network", "our network", "slow", "one check"]),
            st.integers(1, 5),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    seed=st.integers(0, 10**6),
)
few = settings(max_examples=15, deadline=None)


def fresh(rules: Rules) -> State:
    """The state that a plan begins with."""
    regions = rules.checks[CheckId("checkout")].regions
    return State(checks={CheckId(name): CheckState(habits=known(0.5, *regions)) for name in NAMES})


def read_back(state: State) -> State:
    """The state as the store gives it back."""
    return State(
        checks={name: from_json(CheckState, to_json(check)) for name, check in state.checks.items()},
        regions={name: from_json(RegionState, to_json(region)) for name, region in state.regions.items()},
        objectives={name: from_json(ObjectiveState, to_json(o)) for name, o in state.objectives.items()},
        incidents={cause: from_json(Incident, to_json(i)) for cause, i in state.incidents.items()},
        closed={cause: from_json(Incident, to_json(i)) for cause, i in state.closed.items()},
        ledgers=deepcopy(state.ledgers),
    )


def stored(change: Change) -> Change:
    """What of a change is written down."""
    return change._replace(weighed={})


def same(one: Change, other: Change, at: tuple[datetime, Event]) -> None:
    assert stored(one) == stored(other), at


@few
@given(plans, st.floats(0, 1))
def test_a_restart_anywhere_changes_nothing(plan: Plan, share: float) -> None:
    """Whoever goes on from what was stored comes to the very same changes."""
    world = plan.play()
    state, cut = fresh(world.rules), int(share * len(world.events))
    for number, (now, event) in enumerate(world.events):
        if number == cut:
            state = read_back(state)
        change = evaluate(state, event, world.rules, now)
        same(change, world.changes[number], (now, event))
        state.apply(change)
    assert replace(state, ledgers={}) == replace(world.state, ledgers={})


@few
@given(plans, st.integers(1, 7))
def test_without_memos_it_is_the_same(plan: Plan, each: int) -> None:
    """What was weighed is kept to save time, and for nothing else."""
    world = plan.play()
    state = fresh(world.rules)
    for number, (now, event) in enumerate(world.events):
        if number % each == 0:
            state.weighed.clear()
        change = evaluate(state, event, world.rules, now)
        same(change, world.changes[number], (now, event))
        state.apply(change)


def looks(state: State) -> str:
    """All of a state, deep down, and what was weighed."""
    ledgers = {name: (ledger.hours, ledger.minutes) for name, ledger in state.ledgers.items()}
    return repr((replace(state, ledgers={}), ledgers))


@settings(max_examples=5, deadline=None)
@given(plans)
def test_the_state_is_only_read(plan: Plan) -> None:
    """And a tick, while nothing is suspected, open or blind, changes nothing at all."""
    world = plan.play()
    state = fresh(world.rules)
    for number, (now, event) in enumerate(world.events):
        before = looks(state) if number % 5 == plan.seed % 5 else ""
        change = evaluate(state, event, world.rules, now)
        assert not before or looks(state) == before
        state.apply(change)
        if not state.awake:
            assert evaluate(state, Tick(), world.rules, now) == Change()


@few
@given(plans)
def test_extra_runs_stay_within_their_budget(plan: Plan) -> None:
    """In any window no more is asked for than purses hold and a share of the schedule; none is ever overdrawn."""
    world = plan.play()
    for asked, payers in (("checkout", ("checkout",)), ("api", ("api", "pay"))):  # api runs in place of pay
        watched_by = [world.rules.checks[CheckId(name)] for name in payers]
        purses = [change.checks[w.id].purse for w in watched_by for change in world.changes if w.id in change.checks]
        assert all(0 <= purse.runs <= PURSE for purse in purses)
        per_second = sum(SHARE * len(w.regions) / w.every.total_seconds() for w in watched_by)
        times = [
            now
            for (now, _), change in zip(world.events, world.changes, strict=True)
            for ask in change.asks
            if ask.check == asked
        ]
        for first, begin in enumerate(times):
            for number, end in enumerate(times[first:], 1):
                assert number <= len(payers) * PURSE + (end - begin).total_seconds() * per_second + 1e-6


@settings(max_examples=5, deadline=None)
@given(plans, st.sampled_from([BROKEN, REFUSED]))
def test_an_outage_is_told_and_ends_whatever_was_before(plan: Plan, failure: Failure) -> None:
    """Five minutes from everywhere are a page for each host that fails; after an hour of good runs nothing is left."""
    world = plan.play()
    world.play(300, lambda name, *_: 0.5 if name.startswith("control") else failure)
    for cause in ("shop.example", "pay.example"):
        incident = world.state.incidents[cause]
        assert (incident.verdict, incident.severity) == (Verdict.DOWN, Severity.PAGE)
    world.play(3600, lambda *_: 0.5)
    assert not world.state.incidents
    for name in NAMES:
        check = world.state.checks[CheckId(name)]
        assert (check.suspicion, check.held, check.opened, check.verdict) == (None, {}, {}, Verdict.OK)
