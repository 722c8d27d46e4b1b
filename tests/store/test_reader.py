"""What the command line sees: beside a daemon that writes, and without one."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from probe.core.incident import Entry, IncidentId
from probe.core.notification import Fate, Reason
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Step, StepOutcome, Why
from probe.core.state import Change
from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.store.reader import Backlog, Receipt, open_reader
from probe.store.retention import tidying
from probe.store.rollup import roll_up
from tests.core.builders import NOW
from tests.store.builders import (
    DOWN,
    at,
    attempt,
    failed,
    full_change,
    full_incident,
    full_run,
    notification,
    read,
    run,
    seen,
    store_in,
)

pytestmark = pytest.mark.asyncio


async def test_a_run_with_all_that_was_seen(tmp_path: Path) -> None:
    """Every field of a run comes back as it was; an id that nobody knows gives nothing."""
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=(full_run(), run(1))))
    assert await read(tmp_path, lambda reader: reader.run("full")) == full_run()
    assert await read(tmp_path, lambda reader: reader.run("run-1")) == run(1)
    assert await read(tmp_path, lambda reader: reader.run("none")) is None


async def test_details_are_forgotten_before_runs(tmp_path: Path) -> None:
    """After a day of what passed; of what failed they stay, and the failure that decided is with the run anyway."""
    async with store_in(tmp_path, keep_failures=timedelta(days=90)) as store:
        await store.commit(Record(runs=(run(1), full_run())))
        await store.tidy(at(60) + timedelta(hours=24))
    assert await read(tmp_path, lambda reader: reader.run("run-1")) == replace(run(1), observation=Observation())
    assert await read(tmp_path, lambda reader: reader.run("full")) == full_run()


async def test_history(tmp_path: Path) -> None:
    """Newest first, of one region or all, as many as asked for, since when, only what failed; missed with their number."""
    missed = run(4, outcome=Outcome.MISSED, slot=Slot(number=4, due=at(4), count=9), observation=Observation())
    us = [run(n, id=RunId(f"us-{n}"), region="us") for n in (1, 2, 3)]
    async with store_in(tmp_path) as store:
        # A reader beside the daemon.
        await store.commit(Record(runs=(run(1), failed(3), *us, missed, run(2), run(1, check="pay", id="p"))))
        assert await names(tmp_path) == ["run-4", "run-3", "us-3", "run-2", "us-2", "run-1", "us-1"]
    assert await names(tmp_path, limit=3) == ["run-4", "run-3", "us-3"]
    assert await names(tmp_path, region="us") == ["us-3", "us-2", "us-1"]
    assert await names(tmp_path, since=at(3)) == ["run-4", "run-3", "us-3"]
    assert await names(tmp_path, since=at(2), until=at(3.5)) == ["run-3", "us-3", "run-2", "us-2"]
    assert await names(tmp_path, failed=True) == ["run-4", "run-3"]
    assert await read(tmp_path, lambda reader: reader.history("none")) == ()
    found = await read(tmp_path, lambda reader: reader.history("cart", "eu", limit=2))
    assert found[0].slot == missed.slot
    brief = DOWN.__class__(layer=DOWN.layer, kind=DOWN.kind, message=DOWN.message, step=DOWN.step)
    assert found[1] == replace(failed(3), observation=Observation(failures=(brief,)))


async def test_history_tells_what_was_not_seen(tmp_path: Path) -> None:
    """A run that confirmed as far as its side effects passed no later step; one that was to go to its end just passed."""
    steps = [Step(name=name, outcome=StepOutcome.SKIPPED) for name in ("pay", "thanks")]
    part = Observation(steps=(Step(name="cart", outcome=StepOutcome.PASSED), *steps), stopped_before="pay")
    runs = [run(n, why=why, slot=None, observation=part) for n, why in enumerate((Why.CONFIRM, Why.MANUAL, Why.DRILL))]
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=(*runs, failed(3, why=Why.CONFIRM, slot=None))))
    found = await read(tmp_path, lambda reader: reader.history("cart"))
    assert [r.observation.stopped_before for r in found] == [None, "pay", None, "pay"]
    whole = await read(tmp_path, lambda reader: reader.run(runs[0].id))
    assert whole is not None
    assert whole.observation.stopped_before == "pay"


async def names(folder: Path, **given: object) -> list[str]:
    def look(reader: object) -> list[str]:
        runs: tuple[Run, ...] = reader.history("cart", **given)  # type: ignore[attr-defined]  # a reader
        order = sorted(runs, key=lambda r: (r.started, r.region == "eu"), reverse=True)
        assert [r.started for r in order] == [r.started for r in runs]
        return [r.id for r in order]

    return await read(folder, look)


async def test_status(tmp_path: Path) -> None:
    """What a start would restore, and what became of everything that was to be said."""
    said = [notification(f"n{n}", created=at(n)) for n in range(4)]
    other = notification("o", channel="team")
    tried = [attempt("n1", Fate.FAILED), attempt("n2", Fate.SENT), attempt("n3", Fate.SENT)]
    async with store_in(tmp_path) as store:
        await store.commit(Record(changes=(full_change(),), alive=at(3)))
        await store.commit(Record(changes=(Change(notifications=(*said, other)),), attempts=tuple(tried)))
        restored = await store.restore()
    status = await read(tmp_path, lambda reader: reader.status())
    assert seen(replace(restored, state=status.state)) == seen(restored)
    assert status.alive == at(3)
    assert [b for b in status.outbox if b.channel == "oncall" and b.fate is not None] == [
        Backlog(channel="oncall", fate=Fate.FAILED, count=1, oldest=at(1)),
        Backlog(channel="oncall", fate=Fate.SENT, count=2, oldest=at(2)),
    ]
    waiting = {b.channel: b.count for b in status.outbox if b.fate is None}
    assert waiting == {"oncall": 2, "team": 2}


async def test_incidents_and_their_stories(tmp_path: Path) -> None:
    """Newest first, or only open ones; a story has the timeline and every attempt to tell, in the order of time."""
    over = replace(full_incident(), id=IncidentId("inc-0"), opened=at(0), resolved=at(5), cause="x")
    change = full_change()
    async with store_in(tmp_path) as store:
        await store.commit(Record(changes=(Change(incidents={"x": over}), change)))
        tried = attempt("k1", Fate.FAILED, answer="500"), attempt("k1", Fate.SENT, 1, answer="ok", seconds=0.25)
        await store.commit(Record(attempts=tried))
    every = await read(tmp_path, lambda reader: reader.incidents())
    assert every == (full_incident(), over)
    assert await read(tmp_path, lambda reader: reader.incidents(limit=1)) == every[:1]
    assert await read(tmp_path, lambda reader: reader.incidents(open_only=True)) == every[:1]
    assert await read(tmp_path, lambda reader: reader.incident("inc-9")) is None
    story = await read(tmp_path, lambda reader: reader.incident("inc-1"))
    assert story is not None
    assert story.incident == full_incident()
    assert [line for line in story.lines if isinstance(line, Entry)] == list(change.entries)
    assert [line for line in story.lines if isinstance(line, Receipt)] == [
        Receipt(at=at(0), channel="oncall", reason=Reason.OPENED, fate=Fate.FAILED, answer="500", seconds=0.0),
        Receipt(at=at(1), channel="oncall", reason=Reason.OPENED, fate=Fate.SENT, answer="ok", seconds=0.25),
    ]
    assert [line.at for line in story.lines] == sorted(line.at for line in story.lines)


async def test_percentiles(tmp_path: Path) -> None:
    """By the hour and by the day, to one part in twelve; a run that comes late is in its own hour."""
    durations = [0.1 * 1.05**n for n in range(50)]
    runs = [run(n, duration=timedelta(seconds=d)) for n, d in enumerate(durations)]
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=tuple(runs[:-1])))
        await store.tidy(at(120))
        await store.commit(Record(runs=(runs[-1], run(120))))
        await store.tidy(at(180))
    hours = await read(tmp_path, lambda reader: reader.stretches("cart", since=at(30)))
    days = await read(tmp_path, lambda reader: reader.stretches("cart", span=timedelta(days=1), since=NOW))
    assert [(s.start, s.sum.passed) for s in hours] == [(NOW, 50), (at(120), 1)]
    assert [(s.start, s.sum.passed) for s in days] == [(NOW.replace(hour=0), 51)]
    for share in (0.5, 0.9, 0.98, 1.0):
        exact = durations[int(share * 50) - 1]
        assert hours[0].percentile(share) == pytest.approx(exact, rel=1 / 12)
    assert hours[0].sum.longest == pytest.approx(durations[-1], abs=1e-6)


async def test_a_run_that_comes_while_tidying(tmp_path: Path) -> None:
    """An old one that is stored after the rolling up, and before the forgetting, is not forgotten uncounted."""
    late = at(60) + timedelta(days=14)
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=(run(1),)))
        for piece in tidying(store.settings, late):
            while await store._writer.run(partial(store._database.transact, piece)):
                pass
            if piece is roll_up:
                await store.commit(Record(runs=(run(2),)))
        assert await names(tmp_path) == ["run-2"]
        await store.tidy(late)
    assert await names(tmp_path) == []
    hours = await read(tmp_path, lambda reader: reader.stretches("cart", since=NOW))
    assert [s.sum.passed for s in hours] == [2]


async def test_nothing_there_yet(tmp_path: Path) -> None:
    """Says so, and makes nothing."""
    with pytest.raises(StoreUnavailable, match="nothing was remembered yet"):
        await read(tmp_path, lambda reader: reader.status())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "probe.db").touch()
    with pytest.raises(StoreUnavailable, match="nothing was remembered yet"):
        await read(tmp_path, lambda reader: reader.status())


async def test_a_reader_does_not_disturb_the_writer(tmp_path: Path) -> None:
    """One that stays open sees what is committed meanwhile, and neither waits for the other."""
    async with store_in(tmp_path) as store:
        await store.commit(Record(alive=at(1)))
        go, went = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def stay() -> list[object]:
            with open_reader(tmp_path) as reader:
                found: list[object] = [reader.status().alive]
                loop.call_soon_threadsafe(went.set)
                asyncio.run_coroutine_threadsafe(go.wait(), loop).result(30)
                return [*found, reader.status().alive]

        async with asyncio.TaskGroup() as group:
            staying = group.create_task(asyncio.to_thread(stay), name="reader")
            await went.wait()
            await store.commit(Record(alive=at(2)))
            go.set()
        assert staying.result() == [at(1), at(2)]
