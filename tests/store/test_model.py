"""Whatever is committed, tidied and reopened, in whatever order: the store on disk equals the one in memory."""

import asyncio
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from probe.core.check import CheckId
from probe.core.incident import Entry, IncidentId, What
from probe.core.notification import Fate
from probe.core.run import Outcome, Run, RunId, Slot
from probe.core.state import Change, RegionState, Tally
from probe.ports import Record
from probe.store.memory import MemoryStore
from probe.store.reader import open_reader
from probe.store.rollup import Sum
from probe.store.settings import StoreSettings
from probe.store.sqlite import SqliteStore, open_store
from tests.store.builders import at, attempt, failed, full_incident, notification, run, seen, suspected

CHECKS, REGIONS, CAUSES = ("cart", "pay"), ("eu", "us"), ("shop.example", "slo:x")
minutes = st.integers(0, 60 * 24 * 4)
short = st.lists

runs = st.builds(
    lambda n, check, region, outcome, slot, when, millis, maintenance: (failed if outcome == "failed" else run)(
        n,
        id=RunId(f"r{n}"),
        check=CheckId(check),
        region=region,
        outcome=Outcome(outcome),
        started=at(when),
        duration=timedelta(milliseconds=millis),
        slot=None if slot is None else Slot(number=slot, due=at(when), count=1 + slot % 3),
        maintenance="night" if maintenance else None,
    ),
    st.integers(0, 60),
    st.sampled_from(CHECKS),
    st.sampled_from(REGIONS),
    st.sampled_from(Outcome),
    st.none() | st.integers(0, 30),
    minutes,
    st.integers(0, 5000),
    st.booleans(),
)
tallies = st.builds(
    lambda name, when, good, bad, lost: Tally(objective=name, at=at(when / 3), good=good, bad=bad, lost=lost),
    st.sampled_from(("a", "b")),
    minutes,
    st.integers(-2, 2),
    st.integers(-2, 2),
    st.integers(-2, 2),
)
incidents = st.builds(
    lambda cause, n, over: replace(
        full_incident(), id=IncidentId(f"{cause}{n}"), cause=cause, opened=at(n), resolved=at(n + 1) if over else None
    ),
    st.sampled_from(CAUSES),
    st.just(0),
    st.booleans(),
)
keys = st.sampled_from([f"k{n}" for n in range(8)])
changes = st.builds(
    lambda check, asked, region, found, tallied, said, entry: Change(
        checks={CheckId(check): suspected(asked)},
        regions={region: RegionState(blind=at(asked))},
        incidents={incident.cause: incident for incident in found},
        tallies=tuple(tallied),
        notifications=tuple(map(notification, said)),
        entries=(Entry(incident=IncidentId("i"), at=at(asked), what=What.JOINED, text=entry),),
    ),
    st.sampled_from(CHECKS),
    minutes,
    st.sampled_from(REGIONS),
    short(incidents, max_size=2),
    short(tallies, max_size=4),
    short(keys, max_size=2),
    st.text(max_size=5),
)
attempts = st.builds(
    lambda key, fate, when: attempt(key, fate, when, again=at(when + 1) if fate is Fate.FAILED else None),
    keys,
    st.sampled_from(Fate),
    minutes,
)
records = st.builds(
    lambda made, changed, tried, alive: Record(
        runs=tuple(made), changes=tuple(changed), attempts=tuple(tried), alive=None if alive is None else at(alive)
    ),
    short(runs, max_size=5),
    short(changes, max_size=2),
    short(attempts, max_size=2),
    st.none() | minutes,
)

pytestmark = pytest.mark.timeout(300)  # it opens a database some hundred times, and a disk may be busy


class StoreMachine(RuleBasedStateMachine):
    """Two stores, told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="pstore-")
        self.settings = StoreSettings(
            path=Path(self.folder.name),
            keep_runs=timedelta(days=1),
            keep_failures=timedelta(days=2),
            keep_told=timedelta(days=1),
            keep_counts=timedelta(days=4),
            ballast=0,
        )
        self.runner = asyncio.Runner()
        self.memory = MemoryStore(self.settings)
        self.accepted: list[Run] = []
        self.stack = AsyncExitStack()
        self.disk = self.runner.run(self.open())

    async def open(self) -> SqliteStore:
        return await self.stack.enter_async_context(open_store(self.settings))

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    async def both(self, record: Record) -> None:
        before = {r.id for r in self.memory.runs}
        await self.memory.commit(record)
        self.accepted += [r for r in self.memory.runs if r.id not in before]
        await self.disk.commit(record)

    @rule(record=records)
    def commit(self, record: Record) -> None:
        self.runner.run(self.both(record))

    @rule(found=st.lists(records, min_size=2, max_size=4))
    def commit_at_once(self, found: list[Record]) -> None:
        async def all_of_them() -> None:
            async with asyncio.TaskGroup() as group:
                for number, record in enumerate(found):
                    group.create_task(self.disk.commit(record), name=f"commit {number}")

        before = {r.id for r in self.memory.runs}
        for record in found:
            self.runner.run(self.memory.commit(record))
        self.accepted += [r for r in self.memory.runs if r.id not in before]
        self.runner.run(all_of_them())

    @rule(when=minutes)
    def tidy(self, when: int) -> None:
        self.runner.run(self.memory.tidy(at(when)))
        self.runner.run(self.disk.tidy(at(when)))

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.stack.aclose())
        self.stack = AsyncExitStack()
        self.disk = self.runner.run(self.open())

    @precondition(lambda self: self.accepted)
    @rule()
    def every_run_is_counted_once(self) -> None:
        """After tidying, hours and days hold every run that was ever stored, also those that are forgotten."""
        self.runner.run(self.memory.tidy(at(0)))
        self.runner.run(self.disk.tidy(at(0)))
        with open_reader(self.settings.path) as reader:
            for span in (timedelta(hours=1), timedelta(days=1)):
                found = {
                    (check, s.region, s.start): s
                    for check in CHECKS
                    for s in reader.stretches(check, span=span, since=at(0))
                }
                assert {key: _plain(s.sum) for key, s in found.items()} == _summed(self.accepted, span)

    @invariant()
    def both_remember_the_same(self) -> None:
        assert seen(self.runner.run(self.disk.restore())) == seen(self.runner.run(self.memory.restore()))
        with open_reader(self.settings.path) as reader:
            stored = [r for check in CHECKS for r in reader.history(check, limit=1000)]
        assert sorted(map(_row, stored)) == sorted(map(_row, self.memory.runs))


def _row(run: Run) -> tuple[Any, ...]:
    return (
        run.id,
        run.check,
        run.region,
        run.outcome.value,
        run.started,
        run.duration,
        str(run.slot),
        run.maintenance or "",
    )


def _plain(whole: Sum) -> dict[str, Any]:
    return {
        **{outcome.value: getattr(whole, outcome.value) for outcome in Outcome},
        "maintenance": whole.maintenance,
        "total": round(whole.total, 5),
        "shortest": whole.shortest,
        "longest": whole.longest,
        "histogram": sum(whole.histogram.values()),
    }


def _summed(runs: list[Run], span: timedelta) -> dict[tuple[str, str, Any], dict[str, Any]]:
    """The same by brute force."""
    groups: dict[tuple[str, str, Any], list[Run]] = {}
    for r in runs:
        start = at(0) + (r.started - at(0)) // span * span if span < timedelta(days=1) else _midnight(r)
        groups.setdefault((r.check, r.region, start), []).append(r)
    found = {}
    for key, group in groups.items():
        counts = Counter[str]()
        for r in group:
            counts[r.outcome.value] += r.slot.count if r.outcome is Outcome.MISSED and r.slot else 1
            counts["maintenance"] += (
                (r.slot.count if r.outcome is Outcome.MISSED and r.slot else 1) if r.maintenance else 0
            )
        seconds = [r.duration.total_seconds() for r in group if r.outcome is Outcome.PASSED]
        found[key] = {
            **{name: counts[name] for name in (*(o.value for o in Outcome), "maintenance")},
            "total": round(sum(seconds), 5),
            "shortest": min(seconds, default=None),
            "longest": max(seconds, default=None),
            "histogram": len(seconds),
        }
    return found


def _midnight(run: Run) -> Any:
    return run.started.replace(hour=0, minute=0, second=0, microsecond=0)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
