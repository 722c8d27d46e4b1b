"""Checks are judged in parts: what must be decided together is in one, and the parts say what the whole would say."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.evaluate import Acknowledge, Event, Late, Mute, Overdue, OwnTrouble, Silence, Tick, evaluate
from probe.core.failure import Failure
from probe.core.incident import Entry, Incident, Verdict
from probe.core.notification import Notification
from probe.core.ours import concerns_us
from probe.core.rules import Objective, Route, Rules
from probe.core.run import Control, Outcome, Run, Why
from probe.core.shards import OWN, causes_of, split
from probe.core.state import Change, CheckState, State
from tests.core.facts import known
from tests.core.world import BROKEN, OURS, World, rules_of, watched

REFUSED = Failure.of("refused")
NAMES = ("a", "b", "c", "d", "e", "f")


def objective(name: str, *checks: str, target: float = 0.9) -> Objective:
    return Objective(name=name, checks=frozenset(map(CheckId, checks)), target=target)


def names(rules: Rules) -> dict[str, list[str]]:
    """The checks of each part."""
    return {name: sorted(part.checks) for name, part in split(rules).items()}


# --- what is in which part --------------------------------------------------------------------------------------------


def test_checks_of_one_host_are_judged_together() -> None:
    rules = rules_of(watched("c"), watched("a"), watched("b", "pay.example"))
    assert names(rules) == {OWN: [], "a": ["a", "c"], "b": ["b"]}


def test_checks_of_one_objective_are_judged_together() -> None:
    rules = rules_of(
        watched("a", "1"), watched("b", "2"), watched("c", "3"), objectives=[objective("slo", "c", "b", "gone")]
    )
    assert names(rules) == {OWN: [], "a": ["a"], "b": ["b", "c"]}
    assert set(split(rules)["b"].objectives) == {"slo"}


def test_who_confirms_for_another_is_judged_with_it() -> None:
    rules = rules_of(watched("a", "1", confirm_with=CheckId("b")), watched("b", "2"), watched("c", "3"))
    assert names(rules) == {OWN: [], "a": ["a", "b"], "c": ["c"]}
    lost = rules_of(watched("a", "1", confirm_with=CheckId("gone")))
    assert names(lost) == {OWN: [], "a": ["a"]}


def test_every_part_knows_whom_to_tell_and_only_one_tells_of_ourselves() -> None:
    rules = rules_of(
        watched("a", "1", regions=("eu", "us")),
        watched("b", "2"),
        controls={"eu": CheckId("control.eu")},
        objectives=[objective("none"), objective("slo", "b")],
    )
    parts = split(rules)
    assert {part.routes for part in parts.values()} == {rules.routes}
    assert all(part.controls == rules.controls for part in parts.values())
    assert {name: part.own for name, part in parts.items()} == {OWN: True, "a": False, "b": False}
    own = parts[OWN]
    assert (own.checks, set(own.known), set(own.objectives)) == ({}, {"a", "b"}, {"none"})
    assert own.regions() == ("eu", "us")
    assert own.watched(CheckId("a")) == rules.checks[CheckId("a")]
    assert parts["a"].watched(CheckId("b")) is None


def test_the_causes_of_a_part() -> None:
    rules = rules_of(
        watched("a", "1", regions=("eu",)),
        watched("b", "2"),
        objectives=[objective("slo", "a", "b")],
        controls={"us": CheckId("control.us")},
    )
    parts = split(rules)
    assert causes_of(parts["a"]) == {"1", "2", "slo:slo"}
    assert causes_of(parts[OWN]) == {"probe:eu", "probe:us", "stale:eu", "stale:us"}
    assert causes_of(rules) == causes_of(parts["a"]) | causes_of(parts[OWN])


@st.composite
def any_rules(draw: st.DrawFn) -> Rules:
    some = st.sampled_from(NAMES)
    checks = [
        watched(
            name,
            draw(st.sampled_from(("shop.example", "pay.example", "mail.example", "one.example", "two.example"))),
            confirm_with=draw(st.none() | st.sampled_from([twin for twin in NAMES if twin != name]).map(CheckId)),
        )
        for name in draw(st.lists(some, unique=True))
    ]
    sets = draw(st.lists(st.frozensets(some, max_size=3), max_size=3))
    return rules_of(*checks, objectives=[objective(f"slo{i}", *chosen) for i, chosen in enumerate(sets)])


@given(any_rules())
def test_each_check_is_in_one_part_with_all_that_must_be_decided_with_it(rules: Rules) -> None:
    parts = split(rules)
    home = {check: name for name, part in parts.items() for check in part.checks}
    assert sorted(home) == sorted(rules.checks)
    assert sum(len(part.checks) for part in parts.values()) == len(rules.checks)
    assert sorted(o for part in parts.values() for o in part.objectives) == sorted(rules.objectives)
    assert all(name == min(part.checks, default=OWN) for name, part in parts.items())
    for one in rules.checks.values():
        for other in rules.checks.values():
            if one.cause == other.cause or one.confirm_with == other.id:
                assert home[one.id] == home[other.id]
    for name, part in parts.items():
        for found in part.objectives.values():
            assert {home.get(check, name) for check in found.checks} <= {name}
        assert all(part.counted.get(check, ()) == rules.counted.get(check, ()) for check in part.checks)
    causes = [cause for part in parts.values() for cause in causes_of(part)]
    assert len(causes) == len(set(causes)), "an incident belongs to one part"


# --- the parts say what the whole says ------------------------------------------------------------------------------------


class Parts:
    """A fleet's judges: each part with a state of its own, fed as the evaluators feed them."""

    def __init__(self, rules: Rules, state: State) -> None:
        self.rules = split(rules)
        self.home = {check: name for name, part in self.rules.items() for check in part.checks}
        self.states = {
            name: State(checks={check: state.checks[check] for check in part.checks if check in state.checks})
            for name, part in self.rules.items()
        }
        self.entries: list[Entry] = []
        self.notes: list[Notification] = []

    def event(self, event: Event, now: datetime) -> None:
        for name, part in self._addressed(event):
            change: Change = evaluate(self.states[name], part, self.rules[name], now)
            self.states[name].apply(change)
            self.entries += change.entries
            self.notes += change.notifications

    def _addressed(self, event: Event) -> Iterable[tuple[str, Event]]:
        if isinstance(event, Acknowledge | Mute):
            known = ((name, incident) for name, state in self.states.items() for incident in state.incidents.values())
            return [(name, event) for name, incident in known if incident.id == event.incident]
        if isinstance(event, Run) and event.why is not Why.CONTROL:
            home = self.home[event.check]
            check = self.states[home].checks.get(event.check) or CheckState()
            ours = [(OWN, OwnTrouble(run=event))] if concerns_us(event, check.places.get(event.region)) else []
            return [(home, event), *ours]
        if isinstance(event, Late):
            return [(self.home[event.run.check], event)]
        if isinstance(event, Overdue):
            return [(self.home[event.check], event)]
        return [(name, event) for name in self.rules]

    @property
    def incidents(self) -> dict[str, Incident]:
        return {cause: i for state in self.states.values() for cause, i in state.incidents.items()}


class Both(World):
    """A world that is judged as a whole and in parts. Time passes before each event: who comes next is no matter."""

    def __init__(self, rules: Rules, seed: int) -> None:
        super().__init__(rules)
        self.dice = random.Random(seed)
        regions = rules.regions()
        for name in rules.checks:
            self.state.checks[name] = CheckState(habits=known(0.5, *regions))
        self.parts = Parts(rules, self.state)
        self.gone: frozenset[str] = frozenset()
        """Regions whose own network does not work."""
        self.late = 0.0
        """The share of runs that come too late."""

    def event(self, event: Event) -> Change:
        if not isinstance(event, Tick):
            self._both(Tick())
        return self._both(event)

    def _both(self, event: Event) -> Change:
        self.parts.event(event, self.now)
        change = super().event(event)
        if change.asks:
            del self.asks[-len(change.asks) :]
            self.asks += [ask for ask in change.asks if ask.why is not Why.CONTROL]
            for ask in change.asks:
                if ask.why is Why.CONTROL:
                    self._control(ask.region)
        return change

    def _control(self, region: str) -> None:
        """A control run, which answers at once: a part does not wait for one that another part has asked for."""
        well = region not in self.gone
        outcome, failure = (Outcome.PASSED, None) if well else (Outcome.FAILED, REFUSED)
        self.see(outcome, f"control.{region}", region, why=Why.CONTROL, failure=failure)

    def _answer(self, said: Failure | float, name: str, region: str, why: Why, **given: object) -> None:
        if isinstance(said, float):
            self._send(self.run(Outcome.PASSED, name, region, why=why, took=said))
        elif said.ours:
            self._send(self.run(Outcome.ERRORED, name, region, why=why, failure=said))
        else:
            run = self.run(Outcome.FAILED, name, region, why=why, failure=said)
            self._control(region)
            control = Control(well=region not in self.gone, at=run.started, seconds=1.0, text="an anchor")
            self._send(replace(run, observation=replace(run.observation, control=control)))

    def _send(self, run: Run) -> None:
        self.event(Late(run=run) if self.dice.random() < self.late else run)


@dataclass(frozen=True)
class Story:
    """Some minutes: in each something is wrong, somewhere; and who does what about it."""

    regions: int
    causes: tuple[str, ...]
    grouped: tuple[frozenset[str], ...]
    twin: bool
    phases: tuple[tuple[int, str, int, int], ...]
    seed: int

    @property
    def rules(self) -> Rules:
        regions = tuple(f"r{number}" for number in range(self.regions))
        checks = [
            watched(name, cause, regions=regions, tags=(name,), every=timedelta(seconds=30))
            for name, cause in zip(NAMES, self.causes, strict=False)
        ]
        if self.twin:
            checks[0] = replace(checks[0], confirm_with=checks[-1].id)
        return rules_of(
            *checks,
            controls={region: CheckId(f"control.{region}") for region in regions},
            objectives=[objective(f"slo{i}", *group, target=0.97) for i, group in enumerate(self.grouped)],
            routes=(
                Route(channels=("oncall",), remind=timedelta(minutes=5)),
                Route(channels=("a-team",), tags=("a",)),
            ),
        )

    def play(self) -> Both:
        rules = self.rules
        both, dice = Both(rules, self.seed), random.Random(self.seed)
        regions = rules.regions()
        for seconds, what, few, which in self.phases:
            where, whose = regions[: 1 + few % len(regions)], set(NAMES[which % len(self.causes) :])
            both.gone = frozenset(where) if what == "our network" else frozenset()
            both.late = 0.3 if what == "late" else 0.0
            if what == "silent":
                both.event(Silence(region=where[-1], since=both.now))
            if what == "heard":
                for region in regions:
                    both.event(Silence(region=region, since=None))
            if what == "overdue":
                both.event(Overdue(check=CheckId(NAMES[0]), region=where[0], began=both.now - timedelta(seconds=20)))
            if what == "people" and both.state.incidents:
                incident = dice.choice(list(both.state.incidents.values()))
                both.event(Acknowledge(incident=incident.id, by="ada"))
                both.event(Mute(incident=incident.id, until=both.now + timedelta(minutes=2), by="ada"))

            def truth(
                name: str,
                region: str,
                _at: datetime,
                what: str = what,
                where: tuple[str, ...] = where,
                whose: set[str] = whose,
            ) -> Failure | float:
                usual = 0.5 * dice.lognormvariate(0, 0.2)
                if region not in where or name not in whose:
                    return usual
                if what == "slow":
                    return 3 * usual
                if what in ("our network", "network"):
                    return REFUSED
                if what == "ours":
                    return OURS
                if what == "now and then" or what == "late":
                    return BROKEN if dice.random() < 0.5 else usual
                return BROKEN if what == "down" else usual

            both.play(seconds, truth)
        return both


stories = st.builds(
    Story,
    regions=st.sampled_from([1, 2, 3]),
    causes=st.lists(st.sampled_from(["shop.example", "pay.example", "mail.example"]), min_size=2, max_size=4).map(tuple),
    grouped=st.lists(st.frozensets(st.sampled_from(NAMES[:4]), min_size=1, max_size=2), max_size=2).map(tuple),
    twin=st.booleans(),
    phases=st.lists(
        st.tuples(
            st.sampled_from([20, 60, 180, 400]),
            st.sampled_from(
                ["fine", "down", "now and then", "network", "our network", "slow", "ours", "late", "silent", "heard", "overdue", "people"]
            ),
            st.integers(0, 2),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
    seed=st.integers(0, 10**6),
)  # fmt: skip


def comparable(note: Notification) -> Notification:
    """A notification, whose message about our own trouble says nothing of budgets: these are counted elsewhere."""
    if note.message.verdict is not Verdict.PROBE_FAULT:
        return note
    body = "\n".join(line for line in note.message.body.splitlines() if not line.startswith("Budget:"))
    return replace(note, message=replace(note.message, body=body))


def by_key(notes: Iterable[Notification]) -> dict[str, Notification]:
    return {note.key: comparable(note) for note in notes}


def lines(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    return sorted((entry.incident, repr(entry)) for entry in entries)


@settings(max_examples=25, deadline=None)
@given(stories)
def test_the_parts_say_what_the_whole_says(story: Story) -> None:
    """The same incidents, timelines and notifications, and the same counts."""
    both = story.play()
    parts = both.parts
    assert parts.incidents == both.state.incidents
    assert lines(parts.entries) == lines(both.entries)
    assert by_key(parts.notes) == by_key(both.notes)
    counted = {name: ledger for state in parts.states.values() for name, ledger in state.ledgers.items()}
    assert {name: ledger.hours for name, ledger in counted.items()} == {
        name: ledger.hours for name, ledger in both.state.ledgers.items()
    }
    verdicts = {name: check.verdict for state in parts.states.values() for name, check in state.checks.items()}
    assert verdicts == {name: check.verdict for name, check in both.state.checks.items()}
