"""Three hours of two checks in two regions, as a daemon stores them: an outage, slots that were missed, a drill, a deploy."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from probe.core.check import CheckId
from probe.core.evaluate import evaluate
from probe.core.failure import Failure
from probe.core.maintenance import Window
from probe.core.rules import Objective, Rules
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Step, StepOutcome, Vitals, Why
from probe.core.secret import Redactor, Secret
from probe.core.state import State
from probe.ports import Record
from probe.store.people import People
from probe.store.reader import Reader
from probe.view.evidence import LocalEvidence
from probe.view.sources import Sources
from tests.core.builders import spec
from tests.core.world import rules_of, watched

TOKEN = "pl4nted-secret"
MINUTES = 180
BAD = range(100, 120)
"""Minutes in which nobody could pay."""
LOST = range(150, 160)
"""Minutes in which the cart was not looked at from us."""
REGIONS = ("eu", "us")
CHECKOUT, CART = CheckId("checkout"), CheckId("cart")
BROKEN = Failure.of("status", f"POST /pay answered 500 <b>{TOKEN}</b>", step="pay", expected="200", actual="500")
STARVED = Failure.of("host_starved", "this host was too busy")


@dataclass(frozen=True)
class Watching:
    """What is to be stored, and how it is looked at. `now` is when all of it was the present."""

    begin: datetime
    rules: Rules
    records: tuple[Record, ...]

    @property
    def now(self) -> datetime:
        return self.begin + timedelta(minutes=MINUTES)

    def sources(self, reader: Reader, people: People, **given: Any) -> Sources:
        checks = {
            CHECKOUT: spec(id=CHECKOUT, kind="browser", steps=("open", "pay")),
            CART: spec(id=CART, kind="http", description="cart"),
        }
        return Sources(
            **{
                "now": self.now,
                "reader": reader,
                "people": people,
                "evidence": LocalEvidence(Path("nowhere")),
                "rules": self.rules,
                "redactor": Redactor([Secret(TOKEN)]),
                "checks": checks,
                **given,
            }
        )


def watching(begin: datetime | None = None) -> Watching:
    """By the real clock, unless told otherwise: in a fleet the day on which a run was judged is the server's."""
    now = datetime.now(UTC)
    begin = begin or now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0) - timedelta(minutes=MINUTES)
    rules = rules_of(
        watched("checkout", regions=REGIONS, promise="A guest buys one item."),
        watched("cart", cause="cart.example", target="carts", regions=REGIONS),
        objectives=(Objective(name="buying", checks=frozenset({CHECKOUT}), target=0.99, window=timedelta(hours=3)),),
        windows=(
            Window(
                name="backup", start=begin + timedelta(minutes=30), duration=timedelta(minutes=10), checks=("cart",)
            ),
        ),
    )
    state, records = State(), []
    for run in sorted(_runs(begin), key=lambda run: run.ended):
        change = evaluate(state, run, rules, run.ended)
        state.apply(change)
        said = change._replace(notifications=())  # as if all of it had been delivered
        records.append(Record(runs=(run,), changes=(said,), alive=run.ended))
    return Watching(begin, rules, tuple(records))


def together(records: tuple[Record, ...]) -> Record:
    """All of them in one: one transaction in place of hundreds."""
    return Record(
        runs=tuple(run for record in records for run in record.runs),
        changes=tuple(change for record in records for change in record.changes),
        alive=records[-1].alive,
    )


def one(check: str, region: str, number: int, begin: datetime, failure: Failure | None = None, **given: Any) -> Run:
    """The run of a slot."""
    due = begin + timedelta(minutes=number, seconds=7 * REGIONS.index(region))
    took = 0.5 + number % 10 / 20
    broken = failure is BROKEN
    steps = (
        Step(name="open", outcome=StepOutcome.PASSED, start=0.0, duration=took / 2, within=2.0),
        Step(
            name="pay", outcome=StepOutcome.FAILED if broken else StepOutcome.PASSED, start=took / 2, duration=took / 2
        ),
    )
    pages = (Vitals(url="https://shop.example/", ttfb=0.1, lcp=took, cls=0.01),)
    walked = check == CHECKOUT and failure is not STARVED
    return Run(
        **{
            "id": RunId(f"{check}-{region}-{number}"),
            "check": CheckId(check),
            "kind": "browser" if check == CHECKOUT else "http",
            "target": "shop",
            "region": region,
            "why": Why.SCHEDULED,
            "outcome": Outcome.PASSED if failure is None else Outcome.ERRORED if failure is STARVED else Outcome.FAILED,
            "started": due,
            "duration": timedelta(seconds=took),
            "observation": Observation(
                failures=() if failure is None else (failure,),
                steps=steps if walked else (),
                vitals=pages if walked and failure is None else (),
            ),
            "slot": Slot(number=number, due=due),
            "lag": 0.01,
            **given,
        }
    )


def _runs(begin: datetime) -> Iterator[Run]:
    for number in range(MINUTES):
        for region in REGIONS:
            yield one(CHECKOUT, region, number, begin, BROKEN if number in BAD else None)
            if region == "us" and number in LOST:
                if number == LOST[0]:
                    due = begin + timedelta(minutes=number, seconds=7)
                    slot = Slot(number=number, due=due, count=len(LOST))
                    yield one(CART, "us", number, begin, outcome=Outcome.MISSED, duration=timedelta(), slot=slot)
                continue
            yield one(CART, region, number, begin, STARVED if number == 60 else None)
    drilled, controlled = (begin + timedelta(minutes=minutes) for minutes in (170, 171))
    yield one(
        "drill:checkout", "eu", 170, begin, BROKEN, id=RunId("drilled"), why=Why.DRILL, slot=None, started=drilled
    )
    yield one("control:eu", "eu", 171, begin, id=RunId("ping"), why=Why.CONTROL, slot=None, started=controlled)
