"""A world for the tests of judgement: rules, runs made by hand, and everything that the fold said."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from probe.core.check import CheckId
from probe.core.evaluate import Acknowledge, Event, Mute, Tick, evaluate
from probe.core.failure import Failure
from probe.core.incident import Entry, Incident, What
from probe.core.notification import Notification
from probe.core.rules import Objective, Route, Rules, Watched
from probe.core.run import Artifact, Observation, Outcome, Run, RunId, Slot, Step, StepOutcome, Why
from probe.core.state import Ask, Change, State
from tests.core.builders import NOW

BROKEN = Failure.of("status", "POST /api/cart answered 500", step="add to cart", expected="201", actual="500")
OURS = Failure.of("browser_start", "the browser did not start")
THIRD = Failure.of("third_party_failed", "cdn.example answered 404")
TICK = timedelta(seconds=5)


def watched(name: str = "checkout", cause: str = "shop.example", **given: Any) -> Watched:
    return Watched(
        **{
            "id": CheckId(name),
            "target": "shop",
            "cause": cause,
            "regions": ("eu",),
            "every": timedelta(minutes=1),
            "timeout": timedelta(seconds=30),
            "promise": "A guest buys one item.",
            **given,
        }
    )


def rules_of(*checks: Watched, **given: Any) -> Rules:
    objectives: Iterable[Objective] = given.pop("objectives", ())
    return Rules(
        checks={check.id: check for check in checks},
        objectives={objective.name: objective for objective in objectives},
        **{"routes": (Route(channels=("oncall",)),), **given},
    )


class World:
    """Feeds events to the fold, keeps what it said, and holds what must always be so."""

    def __init__(self, rules: Rules, now: datetime = NOW) -> None:
        self.rules, self.now = rules, now
        self.state = State()
        self.changes: list[Change] = []
        self.entries: list[Entry] = []
        self.notes: list[Notification] = []
        self.asks: list[Ask] = []
        self.number = 0

    def event(self, event: Event) -> Change:
        change = evaluate(self.state, event, self.rules, self.now)
        self.state.apply(change)
        self.changes.append(change)
        self.entries += change.entries
        self.notes += change.notifications
        self.asks += change.asks
        self._hold()
        return change

    def _hold(self) -> None:
        opened: dict[str, int] = {}
        for entry in self.entries:
            if entry.what is What.OPENED:
                opened[entry.incident] = opened.get(entry.incident, 0) + 1
            else:
                assert opened.get(entry.incident), f"{entry.what} before it was opened"
            if entry.what is What.RESOLVED:
                assert opened[entry.incident] == 1
        assert all(count == 1 for count in opened.values()), "opened twice"
        assert all(cause == incident.cause for cause, incident in self.state.incidents.items())
        assert all(incident.resolved is None for incident in self.state.incidents.values())
        keys = [note.key for note in self.notes]
        assert len(keys) == len(set(keys)), "a key was given twice"

    def run(
        self,
        outcome: Outcome = Outcome.PASSED,
        check: str = "checkout",
        region: str = "eu",
        *,
        why: Why = Why.SCHEDULED,
        failure: Failure | None = None,
        took: float = 1.0,
        count: int = 1,
        maintenance: str | None = None,
        steps: tuple[Step, ...] = (),
        picture: bool = False,
    ) -> Run:
        self.number += 1
        kinds = {Outcome.FAILED: BROKEN, Outcome.ERRORED: OURS}
        found = failure or kinds.get(outcome)
        started = self.now - timedelta(seconds=took)
        return Run(
            id=RunId(f"run-{self.number:05}"),
            check=CheckId(check),
            kind="http",
            target="shop",
            region=region,
            why=why,
            outcome=outcome,
            started=started,
            duration=timedelta(seconds=took),
            observation=Observation(
                failures=(found,) if found else (),
                steps=steps,
                artifacts=(Artifact(kind="screenshot", path="/e/shot.png", size=1),) if picture else (),
            ),
            slot=Slot(number=self.number, due=started, count=count) if why is Why.SCHEDULED else None,
            maintenance=maintenance,
        )

    def see(
        self, outcome: Outcome = Outcome.PASSED, check: str = "checkout", region: str = "eu", **given: Any
    ) -> Change:
        """A run that ends now."""
        return self.event(self.run(outcome, check, region, **given))

    def wait(self, seconds: float, *, answer: bool = False) -> None:
        """Let time pass, with a tick every five seconds; every minute when it is long."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now = min(end, self.now + (TICK if seconds <= 60 else 12 * TICK))
            self.event(Tick())

    def fail(self, check: str = "checkout", region: str = "eu", **given: Any) -> None:
        """Fail three times, as the schedule and confirmation do."""
        self.see(Outcome.FAILED, check, region, **given)
        for _ in range(2):
            self.wait(15)
            self.see(Outcome.FAILED, check, region, why=Why.CONFIRM, **given)

    def recover(self, check: str = "checkout", region: str = "eu") -> None:
        """Pass three times in a row, a minute apart."""
        for _ in range(3):
            self.wait(60)
            self.see(Outcome.PASSED, check, region)

    def acknowledge(self, by: str = "ada") -> Change:
        return self.event(Acknowledge(incident=self.only.id, by=by))

    def mute(self, seconds: float | None) -> Change:
        until = None if seconds is None else self.now + timedelta(seconds=seconds)
        return self.event(Mute(incident=self.only.id, until=until, by="ada"))

    @property
    def only(self) -> Incident:
        (incident,) = self.state.incidents.values()
        return incident

    @property
    def said(self) -> list[str]:
        """Reason and channel of everything that was said."""
        return [f"{note.reason} {note.channel}" for note in self.notes]

    @property
    def told(self) -> list[str]:
        """What the timelines tell."""
        return [entry.what.value for entry in self.entries]


def step(name: str, outcome: StepOutcome = StepOutcome.PASSED, seconds: float | None = 0.5) -> Step:
    return Step(name=name, outcome=outcome, duration=seconds)
