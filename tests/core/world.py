"""A world for the tests of judgement: rules, runs made by hand, and everything that the fold said."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from heapq import heappop, heappush
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
Truth = Callable[[str, str, datetime], Failure | float]
"""What a run of a check from a region says that ends at that moment: why it failed, or how many seconds it took."""


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
        self.events: list[tuple[datetime, Event]] = []
        self.changes: list[Change] = []
        self.entries: list[Entry] = []
        self.notes: list[Notification] = []
        self.asks: list[Ask] = []
        self.number = 0

    def event(self, event: Event) -> Change:
        change = evaluate(self.state, event, self.rules, self.now)
        self.state.apply(change)
        self.events.append((self.now, event))
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

    def play(
        self, seconds: float, truth: Truth, *checks: str, until: Callable[[], bool] = lambda: False, **given: Any
    ) -> None:
        """Do what the schedule, the ticks and confirmation do for so long: whatever is asked for is answered in a second.

        Each check (all of them, if none is named) runs from each of its regions as often as the rules say, the first of
        them at once. A control run passes, unless `truth` says otherwise. Stops as soon as `until` holds.
        """
        start, end = self.now, self.now + timedelta(seconds=seconds)
        due: list[tuple[datetime, int, str, str, Why]] = []
        names = checks or tuple(self.rules.checks)
        for rank, name in enumerate(names):
            check = self.rules.checks[CheckId(name)]
            for number, region in enumerate(check.regions):
                first = start + check.every * number / len(check.regions) + timedelta(microseconds=rank)
                heappush(due, (first, number, name, region, Why.SCHEDULED))
        tick, heard = start + TICK, len(self.asks)
        while due and not until():
            at, number, name, region, why = due[0]
            self.now = min(at, tick)
            if self.now > end:
                break
            if tick <= at:
                tick += TICK
                self.event(Tick())
            else:
                heappop(due)
                if why is Why.SCHEDULED:
                    again = at + self.rules.checks[CheckId(name)].every
                    heappush(due, (again, number, name, region, why))
                self._answer(truth(name, region, at), name, region, why, **given)
            for ask in self.asks[heard:]:
                heappush(due, (self.now + timedelta(seconds=1), -1, ask.check, ask.region, ask.why))
            heard = len(self.asks)
        self.now = min(self.now, end)

    def _answer(self, said: Failure | float, name: str, region: str, why: Why, **given: Any) -> None:
        if isinstance(said, Failure):
            self.see(Outcome.FAILED, name, region, why=why, failure=said, **given)
        else:
            self.see(Outcome.PASSED, name, region, why=why, took=said, **given)

    def fail(self, check: str = "checkout", *regions: str, failure: Failure = BROKEN, **given: Any) -> None:
        """Fail from these regions (all, if none is named) until it is told, or for half an hour."""
        bad = regions or self.rules.checks[CheckId(check)].regions

        def truth(name: str, region: str, _at: datetime) -> Failure | float:
            return failure if name == check and region in bad else 0.5

        self.play(1800, truth, check, until=lambda: self.suffers(check), **given)

    def recover(self, *checks: str, seconds: float = 3600) -> None:
        """Pass from everywhere until it is over, or for an hour."""
        names = checks or ("checkout",)
        self.play(seconds, lambda *_: 0.5, *names, until=lambda: not any(map(self.suffers, names)))

    def suffers(self, check: str = "checkout") -> bool:
        """Whether trouble of the check was told and is not over."""
        known = self.state.checks.get(CheckId(check))
        return known is not None and bool(known.opened)

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
