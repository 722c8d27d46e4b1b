"""Whole values, with every field filled, for the tests of the store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from probe.core.check import CheckId
from probe.core.confirm import Purse, Suspicion
from probe.core.detector import Evidence, Pool, limits, points_of
from probe.core.fact import Fact
from probe.core.failure import Failure
from probe.core.habits import UNKNOWN, Blip
from probe.core.holds import Held
from probe.core.incident import Entry, Incident, IncidentId, Member, Verdict, What
from probe.core.ledger import Ledger
from probe.core.notification import Attempt, Fate, Message, Notification, Reason
from probe.core.rules import Severity
from probe.core.run import (
    Artifact,
    ConsoleLine,
    HostLoad,
    Observation,
    Outcome,
    PageRequest,
    Run,
    RunId,
    Slot,
    Step,
    StepOutcome,
    ThirdParty,
    Vitals,
    Why,
)
from probe.core.state import Change, CheckState, ObjectiveState, Opened, Place, RegionState, Tally, Weighed
from probe.core.trail import learn
from probe.ports import Restored
from probe.store.reader import Reader, open_reader
from probe.store.settings import StoreSettings
from probe.store.sqlite import SqliteStore, open_store
from tests.core.builders import NOW, exchange, tls

T = TypeVar("T")
ODD = timedelta(microseconds=123457)
BOUNDS = limits(60.0, 3)
SLOW = Failure.of(
    "step_slow", "“pay” tøøk 9 s", step="pay", expected="4 s", actual="9 s", url="https://s/pay", soft=True
)
DOWN = Failure.of("status", "GET /cart answered 500", step="cart", expected="200", actual="500")


def run(number: int, **given: Any) -> Run:
    """A run that passed in slot `number`, `number` minutes after `NOW`."""
    due = NOW + timedelta(minutes=number)
    return Run(
        **{
            "id": RunId(f"run-{number}"),
            "check": CheckId("cart"),
            "kind": "http",
            "target": "shop",
            "region": "eu",
            "why": Why.SCHEDULED,
            "outcome": Outcome.PASSED,
            "started": due + ODD,
            "duration": timedelta(milliseconds=250),
            "observation": Observation(trace_id=f"{number:032x}"),
            "slot": Slot(number=number, due=due),
            **given,
        }
    )


def failed(number: int, failure: Failure = DOWN, **given: Any) -> Run:
    return run(number, **{"outcome": Outcome.FAILED, "observation": Observation(failures=(failure,)), **given})


def full_run() -> Run:
    """A run with every field filled, and every field of all that is in it."""
    seen = exchange(tls=tls(30, 90), body=b"")
    return run(
        7,
        id=RunId("full"),
        outcome=Outcome.FAILED,
        why=Why.CONFIRM,
        lag=0.0123456789,
        maintenance="release night",
        duration=timedelta(seconds=9, microseconds=1),
        slot=Slot(number=7, due=NOW, count=3),
        observation=Observation(
            failures=(SLOW, DOWN),
            steps=(
                Step(name="cart", outcome=StepOutcome.FAILED, start=0.5, duration=1.25, within=4.0, failure=DOWN),
                Step(name="pay", outcome=StepOutcome.SKIPPED, soft=True),
            ),
            exchanges=(replace(seen, hops=(replace(seen.hops[0], location="https://shop.example/"), *seen.hops)),),
            vitals=(Vitals(url="https://s/", ttfb=0.1, fcp=0.2, lcp=0.3, cls=0.04, inp=0.05),),
            failed_requests=(
                PageRequest(method="GET", url="u", status=None, error="net::ERR", third_party=True, step="cart"),
            ),
            third_parties=(ThirdParty(host="cdn", requests=3, failed=1, time=0.5, share=0.25),),
            console=(ConsoleLine(level="error", text="ünïcode \U0001f6d2 \x00", url="u", step="cart"),),
            artifacts=(Artifact(kind="screenshot", path="evidence/a.png", size=12345),),
            orders=("order-1",),
            undone=("cancel_order",),
            host=HostLoad(cpu=0.5, loop_lag=0.002),
            log=("line 1", "line 2"),
            duration=9.000001,
            trace_id="ab" * 16,
        ),
    )


def full_incident() -> Incident:
    member = Member(
        check=CheckId("cart"),
        regions=("eu", "us"),
        since=NOW + ODD,
        run=RunId("run-1"),
        failure=SLOW,
        picture="evidence/a.png",
        changed="build x-build: 41 → 42",
        recovered=NOW + timedelta(hours=1),
        evidence="2 of 3 regions: 5 of 7 runs failed",
    )
    return Incident(
        id=IncidentId("inc-1"),
        cause="shop.example",
        verdict=Verdict.REGIONAL,
        severity=Severity.PAGE,
        since=NOW + ODD,
        opened=NOW + timedelta(minutes=1),
        members=MappingProxyType({CheckId("cart"): member}),
        burns=MappingProxyType({"checkout": "14.4 times too fast"}),
        told=("oncall", "team"),
        announced=3,
        relapses=2,
        reminded=NOW + timedelta(minutes=30),
        acknowledged=NOW + timedelta(minutes=31),
        acknowledged_by="ada",
        muted_until=NOW + timedelta(hours=2),
    )


def full_message() -> Message:
    return Message(
        title="customers cannot pay",
        body="since 03:00 UTC\n“pay”",
        verdict=Verdict.DOWN,
        severity=Severity.PAGE,
        since=NOW + ODD,
        resolved=NOW + timedelta(hours=1),
        checks=("cart", "pay"),
        targets=("shop",),
        regions=("eu",),
        step="pay",
        cause="shop.example",
        expected="200",
        seen="500",
        evidence="2 of 3 regions: 5 of 7 runs failed",
        reproduce="probe check cart --once",
        picture="evidence/a.png",
    )


def notification(key: str, **given: Any) -> Notification:
    return Notification(
        **{
            "key": key,
            "channel": "oncall",
            "incident": IncidentId("inc-1"),
            "reason": Reason.OPENED,
            "number": 1,
            "created": NOW + ODD,
            "message": full_message(),
            **given,
        }
    )


def attempt(key: str, fate: Fate, minutes: int = 0, **given: Any) -> Attempt:
    return Attempt(key=key, at=NOW + timedelta(minutes=minutes), fate=fate, **given)


def full_check(places: Mapping[str, Place]) -> CheckState:
    """A check of which something is suspected, held back, told and learned."""
    began = NOW.timestamp()
    facts = (
        Fact(began + 0.25, "eu", began, "run-1", took=(("", -1.386294), ("pay", -2.5)), bins=(("pay", 4),)),
        Fact(began + 9.1, "us", began + 0.123457, "run-2", False, "status", "pay", False, False, True),
    )
    habits = learn(UNKNOWN, facts[:1] * 9 + (facts[1]._replace(scheduled=True, counts=True),), fade=0.99)
    habits = habits._replace(
        blips={"fail": (Blip(began, 12.5), Blip(began + 1, 1.0))}, last={"region eu": (began, began - 5, 2.5)}
    )
    suspicion = Suspicion(
        rounds=2,
        asked=began + 1,
        answered=began + 2,
        awaited=("us",),
        solo=(began, began + 1),
        probed=(("eu", began),),
        points=(("eu", points_of(habits, "eu")),),
        is_hot=True,
    )
    return CheckState(
        places=places,
        trail=facts,
        habits=habits,
        suspicion=suspicion,
        held={"region us": Held(since=began, last=began + 9, share=1.0)},
        opened={"fail": Opened(since=began, last=began + 9, share=0.95)},
        purse=Purse(31.5, began),
        verdict=Verdict.DOWN,
    )


def full_change() -> Change:
    tallies = (Tally(objective="checkout", at=NOW, bad=1), Tally(objective="checkout", at=NOW + ODD, good=2, lost=1))
    place = Place(
        slot=Slot(number=7, due=NOW, count=3),
        outcome=Outcome.FAILED,
        at=NOW + ODD,
        since=NOW,
        fails=2,
        errors=3,
        run=RunId("run-1"),
        failure=SLOW,
        picture="evidence/a.png",
        changed="build x-build: 41 → 42",
        bad=tallies,
    )
    return Change(
        checks={CheckId("cart"): full_check(MappingProxyType({"eu": place, "us": Place()}))},
        regions={
            "eu": RegionState(blind=NOW, ill=at(1), asked=NOW, answered=NOW + ODD, failure=DOWN, run=RunId("run-2"))
        },
        objectives={"checkout": ObjectiveState(explained=NOW + ODD)},
        incidents={"shop.example": full_incident()},
        tallies=tallies,
        entries=(
            Entry(incident=IncidentId("inc-1"), at=NOW, what=What.OPENED, text="“cart” failed", run=RunId("run-1")),
            Entry(incident=IncidentId("inc-1"), at=NOW + ODD, what=What.MUTED, text="by ada"),
        ),
        notifications=(notification("k1"), notification("k2", channel="team")),
        weighed={CheckId("cart"): Weighed((), Evidence(BOUNDS, {}, Pool(BOUNDS), {}, {}))},
    )


def seen(restored: Restored) -> dict[str, Any]:
    """What was restored, as plain values that can be compared."""
    state = restored.state
    return {
        "checks": state.checks,
        "regions": state.regions,
        "objectives": state.objectives,
        "incidents": state.incidents,
        "closed": state.closed,
        "weighed": state.weighed,
        "suspects": state.suspects,
        "ledgers": {name: (ledger.hours, ledger.minutes) for name, ledger in state.ledgers.items()},
        "pending": restored.pending,
        "tries": dict(restored.tries),
        "again": dict(restored.again),
        "alive": restored.alive,
    }


def counted(tallies: Iterable[Tally]) -> Ledger:
    """The ledger that counts these."""
    ledger = Ledger()
    for tally in tallies:
        ledger.add(tally.at, good=tally.good, bad=tally.bad, lost=tally.lost)
    return ledger


@asynccontextmanager
async def store_in(folder: Path, **given: Any) -> AsyncIterator[SqliteStore]:
    """A store without ballast, unless it is given one."""
    async with open_store(StoreSettings(**{"path": folder, "ballast": 0, **given})) as store:
        yield store


async def read(folder: Path, look: Callable[[Reader], T]) -> T:
    """What a reader sees, in a thread: readers block."""

    def reading() -> T:
        with open_reader(folder) as reader:
            return look(reader)

    return await asyncio.to_thread(reading)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def suspected(minutes: float) -> CheckState:
    """A check that is looked into since then."""
    return CheckState(suspicion=Suspicion(asked=at(minutes).timestamp(), is_hot=True))
