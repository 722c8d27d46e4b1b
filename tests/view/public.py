"""A shop whose status is public: three parts, four checks, five days of runs, and canary words in all that is ours."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.people import NoticeUpdate, Standing
from probe.core.rules import Rules, Severity, Watched
from probe.core.run import Observation, Outcome, Run, RunId
from probe.core.secret import Redactor, Secret
from probe.core.state import Change, CheckState, Place
from probe.core.status_page import Component, StatusPage
from probe.ports import Record
from probe.store.people import People, open_people
from probe.store.reader import open_reader
from probe.view.evidence import LocalEvidence
from probe.view.sources import Sources
from tests.core.builders import NOW
from tests.store.builders import run, store_in

DAY = timedelta(days=1)
TODAY = NOW + 4 * DAY
"""2026-11-27 03:00."""
OURS = "canary"
"""In every name, message, address and region of ours."""
BROKEN = Failure.of("status", f"{OURS}-message", step=f"{OURS}-step", url=f"https://{OURS}.internal/")
PAGE = StatusPage(
    title="Status of <the> shop",
    components=(
        Component(slug="pay", name="Pay & go", checks=(f"{OURS}-checkout", f"{OURS}-paypal"), description="Cards"),
        Component(slug="find", name="Find", checks=(f"{OURS}-search",)),
        Component(slug="news", name="News", checks=(f"{OURS}-news",)),
    ),
)


def watched(name: str, **given: Any) -> Watched:
    regions = (f"{OURS}-eu", f"{OURS}-us")
    minute = timedelta(minutes=1)
    values = {"target": OURS, "cause": f"{OURS}.internal", "regions": regions, "every": minute, "timeout": minute}
    return Watched(id=CheckId(f"{OURS}-{name}"), **{**values, **given})


RULES = Rules(checks=MappingProxyType({w.id: w for w in map(watched, ("checkout", "paypal", "search", "news"))}))


def seen(day: int, number: int, check: str = "checkout", outcome: Outcome = Outcome.PASSED, **given: Any) -> Run:
    """A run on a day (0: 2026-11-23), `number` minutes after three."""
    minutes = day * 1440 + number
    region = given.get("region", f"{OURS}-eu")
    values = {
        "id": RunId(f"{check}-{minutes}-{region}"),
        "check": CheckId(f"{OURS}-{check}"),
        "region": region,
        "outcome": outcome,
        "observation": Observation(failures=(BROKEN,) if outcome is Outcome.FAILED else ()),
    }
    return run(minutes, **{**values, **given})


def incident(
    name: str, verdict: Verdict, since: datetime, *checks: str, resolved: datetime | None = None, **given: Any
) -> Incident:
    members = {
        CheckId(f"{OURS}-{check}"): Member(
            check=CheckId(f"{OURS}-{check}"),
            regions=(f"{OURS}-us",),
            since=since,
            run=RunId("r"),
            failure=BROKEN,
            recovered=resolved,
        )
        for check in checks
    }
    return Incident(
        **{
            "id": IncidentId(f"{OURS}-{name}"),
            "cause": f"{OURS}.internal",
            "verdict": verdict,
            "severity": Severity.PAGE,
            "since": since,
            "opened": since,
            "resolved": resolved,
            "members": MappingProxyType(members),
            **given,
        }
    )


def standing(verdict: Verdict = Verdict.OK, at: datetime = TODAY, **given: Any) -> CheckState:
    return CheckState(places={f"{OURS}-eu": Place(outcome=Outcome.PASSED, at=at)}, verdict=verdict, **given)


def five_days() -> list[Run]:
    """0: all good. 1: two of ten fail in an outage. 2: three fail in maintenance, and one slot is missed in it. 3: four fail from a region whose own network is down. 4: one of 200 fails."""
    failed = Outcome.FAILED
    runs = [seen(day, n) for day in (0, 2, 3) for n in range(10)]
    runs += [seen(1, n, outcome=failed if n < 2 else Outcome.PASSED) for n in range(10)]
    runs += [seen(2, 20 + n, outcome=failed, maintenance=OURS) for n in range(3)]
    runs += [seen(2, 30, outcome=Outcome.MISSED, maintenance=OURS), seen(2, 31, maintenance=OURS)]
    runs += [seen(3, 20 + n, outcome=failed, region=f"{OURS}-us") for n in range(4)]
    runs += [seen(4, -n, "search", outcome=failed if n == 1 else Outcome.PASSED) for n in range(1, 201)]
    return runs


def past_incidents() -> tuple[Incident, ...]:
    after = NOW + DAY
    ours = NOW + 3 * DAY
    return (
        incident("outage", Verdict.DOWN, after, "checkout", resolved=after + timedelta(minutes=5)),
        incident("held", Verdict.DOWN, NOW + 2 * DAY, "checkout", resolved=NOW + 2 * DAY + timedelta(hours=1)),
        incident("ours", Verdict.PROBE_FAULT, ours, cause=f"probe:{OURS}-us", resolved=ours + timedelta(hours=2)),
        incident("drill", Verdict.DOWN, NOW, "checkout", cause=f"drill:{OURS}.internal", resolved=NOW + DAY / 2),
    )


def fill(
    folder: Path, *changes: Change, runs: list[Run] | None = None, past: tuple[Incident, ...] | None = None
) -> None:
    """Write it all down, as a daemon does."""
    asyncio.run(
        _fill(folder, changes, five_days() if runs is None else runs, past_incidents() if past is None else past)
    )


async def _fill(folder: Path, changes: tuple[Change, ...], runs: list[Run], past: tuple[Incident, ...]) -> None:
    async with store_in(folder, keep_runs=30 * DAY) as store:
        over = Change(incidents={i.id: i for i in past})
        await store.commit(Record(runs=tuple(runs), changes=(over, *changes), alive=TODAY))
        await store.tidy(TODAY)


@contextmanager
def looking(folder: Path, **given: Any) -> Iterator[Sources]:
    """One look; `given` is otherwise than usual."""
    with open_reader(folder) as reader, open_people(folder) as people:
        yield Sources(
            **{
                "now": TODAY,
                "reader": reader,
                "people": people,
                "evidence": LocalEvidence(folder / "evidence"),
                "rules": RULES,
                "redactor": Redactor([Secret("hunter2-secret")]),
                "live": {"healthy": True},
                "status_page": PAGE,
                **given,
            }
        )


def tell(people: People, title: str, *said: Standing, begins: datetime, ends: datetime | None = None) -> int:
    """A notice about paying, and all that was said about it, a minute after the other; its number."""
    first, *more = (
        NoticeUpdate(at=begins + n * timedelta(minutes=1), standing=s, text=f"{s.value} <b>")
        for n, s in enumerate(said)
    )
    notice = people.add_notice(title, ["pay", "gone"], begins, first, ends=ends, incident=f"{OURS}-outage")
    for update in more:
        people.update_notice(notice.id, update)
    return notice.id
