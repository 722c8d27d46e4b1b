"""A data folder as a daemon leaves it in the middle of a bad night, for the commands that look into it.

Every text in it holds `CANARY`, a secret of the configuration beside it, as if nobody had masked it before.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.holds import FAIL
from probe.core.incident import Entry, Incident, IncidentId, Member, Verdict, What
from probe.core.notification import Attempt, Fate, Message, Notification, Reason
from probe.core.rules import Severity
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why
from probe.core.state import Change, CheckState, Opened, Place, RegionState, Tally
from probe.ports import Record
from probe.store.settings import StoreSettings
from probe.store.sqlite import open_store

CANARY = 'pl@nted"secret"&more/+'
OPEN, BURNING, OLD = (
    IncidentId(one) for one in ("20261123-030120-2aaf", "20261123-024000-9c1d", "20261122-110000-2aaf")
)
BROKEN = Failure.of(
    "status",
    f"POST /api/cart answered 500: {CANARY}",
    step="add to cart",
    expected="201",
    actual="500",
    url=f"https://shop.example/api/cart?key={CANARY}",
)
CONFIG = """
[probe]
data = "data"
[targets.shop]
url = "https://shop.example"
headers = { x-access = "${env:CANARY}" }
[regions.us-east]
source_address = "127.0.0.1"
[[check]]
name = "checkout"
slo = "checkout"
[[check]]
name = "cart"
slo = "checkout"
[slo.checkout]
objective = "99.9%"
latency = { under = "3s", objective = "99%" }
[slo.rare]
objective = "99%"
window = "month"
checks = ["cart"]
"""


def configure(folder: Path, more: str = "") -> None:
    (folder / "config.toml").write_text(CONFIG + more)


def fill(folder: Path, *, trouble: bool = True, now: datetime | None = None) -> datetime:
    """Write it; gives the moment that it is in the middle of."""
    moment = now or datetime.now(UTC)
    asyncio.run(_write(folder / "data", moment, trouble))
    return moment


async def _write(data: Path, now: datetime, trouble: bool) -> None:
    async with open_store(StoreSettings(path=data, ballast=0)) as store:
        for record in records(now) if trouble else records(now)[:1]:
            await store.commit(record)


def records(now: datetime) -> list[Record]:
    """All that was written down: a quiet time, then the bad night."""
    return [_quiet(now), _bad_night(now)]


def a_run(number: int, now: datetime, outcome: Outcome = Outcome.PASSED, **given: object) -> Run:
    """The run `number` minutes ago."""
    due = now - timedelta(minutes=number)
    failures = (BROKEN,) if outcome is Outcome.FAILED else ()
    values = {
        "id": RunId(f"run-{number}-{given.get('region', 'local')}"),
        "check": CheckId("checkout"),
        "kind": "http",
        "target": "shop",
        "region": "local",
        "why": Why.SCHEDULED,
        "outcome": outcome,
        "started": due,
        "duration": timedelta(milliseconds=412),
        "observation": Observation(failures=failures),
        "slot": Slot(number=1000 - number, due=due),
        "lag": 0.0004,
        **given,
    }
    return Run(**values)  # type: ignore[arg-type]  # a test's shorthand


def _quiet(now: datetime) -> Record:
    """Two hours in which all was well, but for a few slots that were missed."""
    runs = [a_run(number, now) for number in range(15, 120) if number not in range(20, 30)]
    runs += [a_run(number, now, region="us-east", lag=0.25) for number in range(15, 30)]
    slot = Slot(number=971, due=now - timedelta(minutes=29), count=10)
    runs.append(
        a_run(29, now, Outcome.MISSED, slot=slot, duration=timedelta(), id=RunId("missed"), maintenance="release")
    )
    good = Place(outcome=Outcome.PASSED, at=now - timedelta(seconds=30))
    return Record(
        runs=tuple(runs),
        changes=(
            Change(
                checks={
                    CheckId(name): CheckState(places={"local": good, "us-east": good}) for name in ("checkout", "cart")
                },
                tallies=(
                    Tally(objective="checkout", at=now - timedelta(hours=20), good=19_990, bad=2, lost=8),
                    Tally(objective="checkout/latency", at=now - timedelta(hours=20), good=19_000, bad=150),
                    Tally(objective="rare", at=now, good=2, bad=0, lost=8),
                ),
            ),
        ),
        alive=now,
    )


def _bad_night(now: datetime) -> Record:
    """The cart fails everywhere; one channel knows, the other refuses; us-east is blind; an older one is resolved."""
    since = now - timedelta(minutes=12)
    runs = [a_run(n, now, Outcome.FAILED, why=Why.CONFIRM if n == 11 else Why.SCHEDULED) for n in range(1, 13)]
    members = {
        CheckId(name): Member(
            check=CheckId(name),
            regions=("local", "us-east") if name == "cart" else ("local",),
            since=since,
            run=RunId("run-12-local"),
            failure=BROKEN,
            picture="/var/lib/probe/evidence/checkout/run-12/screenshot.png",
            evidence=f"1 of 2 regions: 12 of 13 runs failed {CANARY}" if name == "checkout" else "",
        )
        for name in ("checkout", "cart")
    }
    incident = Incident(
        id=OPEN,
        cause="shop.example",
        verdict=Verdict.DOWN,
        severity=Severity.PAGE,
        since=since,
        opened=since + timedelta(seconds=40),
        members=members,
        burns={"checkout": f"checkout: 12 of 60 runs in the last 1h failed {CANARY}"},
        told=("oncall", "team"),
        relapses=1,
    )
    burning = Incident(
        id=BURNING,
        cause="slo:checkout/latency",
        verdict=Verdict.DEGRADED,
        severity=Severity.TICKET,
        since=now - timedelta(hours=3),
        opened=now - timedelta(hours=3),
        burns={"checkout/latency": "checkout/latency: 150 of 19150 runs in the last 3d took longer than 3 s"},
        acknowledged=now - timedelta(hours=2),
        acknowledged_by="ada",
        muted_until=now + timedelta(hours=4),
    )
    old = Incident(
        id=OLD,
        cause="shop.example",
        verdict=Verdict.REGIONAL,
        severity=Severity.PAGE,
        since=now - timedelta(days=2),
        opened=now - timedelta(days=2),
        resolved=now - timedelta(days=2) + timedelta(minutes=7),
    )
    told = [
        Notification(
            key=f"{OPEN}:1:opened:{channel}",
            channel=channel,
            incident=OPEN,
            reason=Reason.OPENED,
            number=1,
            created=incident.opened,
            message=Message(
                title=f"DOWN {CANARY}", body="", verdict=Verdict.DOWN, severity=Severity.PAGE, since=incident.since
            ),
        )
        for channel in ("oncall", "team")
    ]
    at = incident.opened
    bad = Place(outcome=Outcome.FAILED, at=now - timedelta(seconds=30), since=since, fails=12, failure=BROKEN)
    began = since.timestamp()
    opened = {FAIL: Opened(since=began, last=now.timestamp() - 30, share=0.9)}
    return Record(
        runs=tuple(runs),
        changes=(
            Change(
                checks={
                    CheckId(name): CheckState(
                        places={"local": bad, "us-east": Place()}, opened=opened, verdict=Verdict.DOWN
                    )
                    for name in ("checkout", "cart")
                },
                regions={"us-east": RegionState(blind=now - timedelta(minutes=5)), "local": RegionState()},
                incidents={"shop.example": old},
            ),
            Change(
                incidents={incident.cause: incident, burning.cause: burning},
                entries=(
                    Entry(
                        incident=OPEN,
                        at=at,
                        what=What.OPENED,
                        text=f"down: {BROKEN.message}",
                        run=RunId("run-12-local"),
                    ),
                    Entry(incident=OPEN, at=at + timedelta(seconds=61), what=What.JOINED, text="cart fails as well"),
                ),
                notifications=tuple(told),
                tallies=(Tally(objective="checkout", at=now, bad=12),),
            ),
        ),
        attempts=(
            Attempt(
                key=told[0].key,
                at=at + timedelta(seconds=1),
                fate=Fate.FAILED,
                answer=f"500 {CANARY}",
                seconds=0.2,
                again=at + timedelta(seconds=5),
            ),
            Attempt(key=told[0].key, at=at + timedelta(seconds=5), fate=Fate.SENT, answer="200 ok", seconds=0.31),
            Attempt(key=told[1].key, at=at + timedelta(seconds=2), fate=Fate.REFUSED, answer="410 gone", seconds=0.1),
        ),
        alive=now,
    )


def spread(text: str) -> str:
    """Columns told apart by two spaces, whatever their width."""
    return "\n".join("  ".join(part.strip() for part in line.split("  ") if part.strip()) for line in text.splitlines())
