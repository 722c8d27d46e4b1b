"""A day that a daemon has stored: an outage of everything, one of a region's own network, and slots that were missed."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.rules import Severity
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Step, StepOutcome, Why
from probe.core.state import Change
from probe.ports import Record
from probe.store.settings import StoreSettings
from probe.store.sqlite import open_store

TOKEN = "pl4nted-secret"
HOURS = 8
REGIONS = ("eu", "us", "ap")
BAD = range(180, 200)
"""Minutes of the outage."""
LOST = range(300, 310)
"""Minutes in which nothing was run from ap."""
CONFIG = """
[probe]
region = "eu"
data = "data"
[targets.shop]
url = "https://shop.example"
headers = { x-access = "${env:TOKEN}" }
[regions.us]
source_address = "127.0.0.1"
[regions.ap]
source_address = "127.0.0.1"
[[check]]
name = "checkout"
target = "shop"
[[check]]
name = "cart"
target = "shop"
[slo.checkout]
objective = "99%"
checks = ["checkout"]
"""


def fill(folder: Path) -> datetime:
    """Write it beside its configuration; gives when it begins."""
    (folder / "config.toml").write_text(CONFIG)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=HOURS)
    asyncio.run(_write(folder / "data", begin))
    return begin


async def _write(data: Path, begin: datetime) -> None:
    async with open_store(StoreSettings(path=data, ballast=0)) as store:
        await store.commit(
            Record(runs=tuple(_runs(begin)), changes=(Change(incidents={"shop": _incident(begin)}),), alive=begin)
        )


def _runs(begin: datetime) -> Iterator[Run]:
    for minute in range(60 * HOURS):
        for place, region in enumerate(REGIONS):
            due = begin + timedelta(minutes=minute, seconds=20 * place)
            for check in ("checkout", "cart"):
                run = _run(check, region, due, bad=minute in BAD and check == "checkout", number=minute)
                if region == "ap" and minute in LOST:
                    if minute == LOST[0]:
                        slot = Slot(number=minute, due=due, count=len(LOST))
                        yield replace(run, outcome=Outcome.MISSED, duration=timedelta(), slot=slot)
                    continue
                yield run
                if minute == BAD[0] and check == "checkout":
                    later = due + timedelta(seconds=2)
                    yield replace(run, id=RunId(f"confirm-{region}"), why=Why.CONFIRM, slot=None, started=later)
    ping = _run("control:eu", "eu", begin + timedelta(minutes=BAD[0], seconds=2), bad=False, number=0)
    yield replace(ping, id=RunId("ping"), why=Why.CONTROL, slot=None)
    yield replace(ping, id=RunId("drill"), why=Why.DRILL, slot=None)


def _run(check: str, region: str, due: datetime, *, bad: bool, number: int) -> Run:
    failure = Failure.of("status", f"POST /cart answered 500 for {TOKEN}", step="buy")
    steps = (Step(name="product", outcome=StepOutcome.PASSED, start=0.0, duration=0.4 + number % 7 / 50),)
    return Run(
        id=RunId(f"{check}-{region}-{number}"),
        check=CheckId(check),
        kind="http",
        target="shop",
        region=region,
        why=Why.SCHEDULED,
        outcome=Outcome.FAILED if bad else Outcome.PASSED,
        started=due,
        duration=timedelta(seconds=1, milliseconds=number % 90),
        observation=Observation(failures=(failure,) if bad else (), steps=steps if check == "checkout" else ()),
        slot=Slot(number=number, due=due),
    )


def _incident(begin: datetime) -> Incident:
    since = begin + timedelta(minutes=BAD[0])
    checkout = CheckId("checkout")
    failure = Failure.of("status", "POST /cart answered 500", step="buy")
    return Incident(
        id=IncidentId("20261124-000000-abcd"),
        cause="shop.example",
        verdict=Verdict.DOWN,
        severity=Severity.PAGE,
        since=since,
        opened=since + timedelta(seconds=70),
        members={
            checkout: Member(
                check=checkout, regions=REGIONS, since=since, run=RunId("checkout-eu-180"), failure=failure
            )
        },
        resolved=since + timedelta(minutes=len(BAD)),
    )
