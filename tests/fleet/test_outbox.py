"""The outbox in the node's own SQLite: what is read from it, and what becomes of it when there is too much."""

import asyncio
import zlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from probe.core.ledger import HOUR
from probe.core.notification import Fate
from probe.core.place import tallies_of
from probe.core.rules import Objective
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why
from probe.core.state import Change
from probe.fleet.outbox import SqliteOutbox
from probe.ports import Record
from probe.store import outbox, shrink
from probe.store.outbox import Batch
from probe.store.rollup import roll_up
from probe.store.schema import details
from probe.store.sqlite import SqliteStore
from tests.core.builders import NOW
from tests.core.world import watched
from tests.store.builders import attempt, failed, full_run, notification, read, run, store_in

WATCHED = watched()
SLO = Objective(name="slo", checks=frozenset({WATCHED.id}), target=0.99)


def said(batch: Batch) -> list[Run]:
    """What the parcels of a batch say."""
    return [msgspec.json.decode(zlib.decompress(parcel.body), type=Run) for parcel in batch.parcels]


async def put(store: SqliteStore, *given: Run) -> None:
    await store.commit(Record(runs=given))


async def test_a_run_comes_out_as_it_went_in_with_all_that_was_seen(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        box = SqliteOutbox(store)
        await put(store, run(1))
        source = await box.join("eu")
        assert (source.joined, source.forwarded) == (1, 1), "what was judged here is not judged again"
        whole = full_run()
        control = run(3, id=RunId("control"), why=Why.CONTROL, slot=None)
        await put(store, whole, run(2, region="us"), control)
        batch = await box.batch("eu", source.forwarded, 10)
        assert said(batch) == [whole, control]
        assert [(p.seq, p.kind) for p in batch.parcels] == [(2, "run"), (4, "control")]
        assert (batch.until, batch.behind) == (4, 0)
        first = await box.batch("eu", 1, 1)
        assert (len(first.parcels), first.until, first.behind) == (1, 2, 2)
        await box.forwarded("eu", 3)
    async with store_in(tmp_path) as store:
        again = await SqliteOutbox(store).join("eu")
        assert (again.id, again.joined, again.forwarded) == (source.id, 1, 3)
        other = await SqliteOutbox(store).rejoin("eu")
        assert other.id != source.id
        assert (other.joined, other.forwarded) == (3, 3)
        assert (await SqliteOutbox(store).join("us")).id not in (source.id, other.id)


async def test_a_batch_is_cut_by_its_bytes_and_a_run_that_is_too_large_goes_without_its_details(tmp_path: Path) -> None:
    noise = "".join(chr(33 + n * n * 7919 % 90) + chr(0x4E00 + n * n * 104729 % 20000) for n in range(700_000))
    async with store_in(tmp_path) as store:
        large = failed(1, id=RunId("large"))
        await put(store, replace(large, observation=replace(large.observation, log=(noise,))), failed(2))
        whole = await read(tmp_path, lambda reader: reader.read(lambda c: outbox.read_batch(c, "eu", 0, 10, 2**22)))
        assert len(whole.parcels[0].body) < 2**20
        assert said(whole)[0].failure == large.failure
        cut = await read(tmp_path, lambda reader: reader.read(lambda c: outbox.read_batch(c, "eu", 0, 10, 10)))
        assert (len(cut.parcels), cut.until, cut.behind) == (1, 1, 1)


async def test_without_details_steps_and_failures_are_still_told(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        whole = full_run()
        await put(store, whole)
        await store.transact(lambda connection: connection.execute(delete(details)))
        (found,) = said(await SqliteOutbox(store).batch("eu", 0, 10))
    seen = found.observation
    assert [(s.name, s.outcome, s.duration) for s in seen.steps] == [
        (s.name, s.outcome, s.duration) for s in whole.observation.steps
    ]
    assert [replace(f, url=None) for f in seen.failures] == [replace(f, url=None) for f in whole.observation.failures]
    assert found.failure == whole.failure


async def test_nothing_is_forgotten_that_was_not_forwarded(tmp_path: Path) -> None:
    later = NOW + timedelta(days=400)
    async with store_in(tmp_path, forwards=True) as store:
        box = SqliteOutbox(store)
        await box.join("eu")
        await put(store, *(run(n) for n in range(4)), *(failed(n) for n in range(4, 8)))
        await store.tidy(later)
        assert len(said(await box.batch("eu", 0, 100))) == 8
        assert await store.transact(lambda c: len(c.execute(select(details.c.run)).all())) == 8
        await box.forwarded("eu", 5)
        await store.tidy(later)
        assert [r.id for r in said(await box.batch("eu", 0, 100))] == ["run-5", "run-6", "run-7"]


async def test_what_was_told_is_read_once_and_only_since_the_fleet(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        box = SqliteOutbox(store)
        said_before = Change(notifications=(notification("before"),))
        await store.commit(Record(changes=(said_before,), attempts=(attempt("before", Fate.SENT),)))
        await box.join("eu")
        change = Change(notifications=(notification("a"), notification("b"), notification("c")))
        tries = (
            attempt("a", Fate.FAILED),
            attempt("b", Fate.SENT),
            attempt("c", Fate.WITHDRAWN),
            attempt("a", Fate.SENT, 1),
        )
        await store.commit(Record(changes=(change,), attempts=tries))
        told = await box.told()
        assert [(one.attempt.key, one.check) for one in told] == [("b", "cart"), ("a", "cart")]
        await box.told_until(told[0].number)
        assert [one.attempt.key for one in await box.told()] == ["a"]
        assert await read(tmp_path, lambda reader: reader.read(outbox.told_incidents)) == {"inc-1"}


async def test_books_of_regions_that_are_gone_are_closed(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        box = SqliteOutbox(store)
        await box.join("eu")
        await box.join("us")
        await put(store, run(1), run(2, region="us"), run(3, region="us"))
        assert await box.only(["eu"]) == 2
        assert await store.transact(outbox.forwarded) == {"eu": 0}


# --- too much of it -----------------------------------------------------------------------------------------------------

Slots = list[tuple[str, int]]
"""What became of slots, one after the other: `p` passed, `f` failed, `m` missed (of so many), `w` passed in a window, `x` passed outside the schedule."""
some_slots = st.lists(st.tuples(st.sampled_from("pppppppfmwx"), st.integers(1, 3)), max_size=60)


def made(slots: Slots, every: timedelta) -> list[Run]:
    """The runs."""
    number, found = 0, []
    for n, (what, count) in enumerate(slots):
        due = NOW + number * every
        given: dict[str, Any] = {"id": RunId(f"r{n}"), "started": due, "slot": Slot(number=number, due=due)}
        if what == "x":
            found.append(run(number, **given | {"slot": None, "why": Why.MANUAL}))
            continue
        if what == "f":
            found.append(failed(number, **given))
        elif what == "m":
            slot = Slot(number=number, due=due, count=count)
            found.append(run(number, **given | {"slot": slot, "outcome": Outcome.MISSED, "observation": Observation()}))
            number += count - 1
        else:
            found.append(run(number, **given, maintenance="release" if what == "w" else None))
        number += 1
    return found


def counted(given: list[Run], every: timedelta) -> Counter[tuple[int, str]]:
    """What the hub counts in each hour."""
    found: Counter[tuple[int, str]] = Counter()
    check = replace(WATCHED, every=every)
    for one in given:
        for tally in tallies_of(one, (SLO,), check, NOW + timedelta(days=9)):
            hour = int(tally.at.timestamp()) // HOUR
            found.update({(hour, "good"): tally.good, (hour, "bad"): tally.bad, (hour, "lost"): tally.lost})
    return +found


@settings(max_examples=25, deadline=None)
@given(slots=some_slots, minutes=st.sampled_from([0.5, 1, 7, 25]), again=some_slots)
def test_what_every_hour_counts_outlives_thinning(slots: Slots, minutes: float, again: Slots) -> None:
    every = timedelta(minutes=minutes)

    async def life(folder: Path) -> None:
        async with store_in(folder) as store:
            box = SqliteOutbox(store)
            await box.join("eu")
            given = made(slots, every)
            for part in (given, made(slots + again, every)[len(given) :]):
                await put(store, *part)
                given = [*given, *part] if part is not given else given
                while await store.transact(roll_up):
                    pass
                for place in await store.transact(lambda c: shrink.places_of(c, "eu")):
                    await store.transact(partial(shrink.thin, region="eu", place=place))
                await store.transact(lambda c: shrink.strip(c, "eu", passed=True))
            found = said(await box.batch("eu", 0, 2000))
            assert counted(found, every) == counted(given, every)
            kept = {r.id for r in found}
            assert {r.id for r in given if r.outcome is not Outcome.PASSED} <= kept
            kept_slots = [r.slot for r in found if r.slot]
            assert all(a.last < b.number for a, b in pairwise(kept_slots)), "in order, and no slot stands in two rows"

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrink, "WINDOW", 0)
        asyncio.run(life(Path(folder)))


async def thinned(folder: Path, given: list[Run], *, rolled: bool = True) -> list[tuple[int, int]]:
    """Number and count of what is left."""
    async with store_in(folder) as store:
        box = SqliteOutbox(store)
        await box.join("eu")
        await put(store, *given)
        while rolled and await store.transact(roll_up):
            pass
        (place,) = await store.transact(partial(shrink.places_of, region="eu"))
        gone = await store.transact(partial(shrink.thin, region="eu", place=place))
        assert await store.transact(partial(outbox.number_of, key=shrink.THINNED)) == gone
        assert await store.transact(partial(shrink.thin, region="eu", place=place)) == 0
        found = said(await box.batch("eu", 0, 2000))
        return [(r.slot.number, r.slot.count) for r in found if r.slot]


async def test_of_each_hour_the_first_and_the_last_are_kept_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrink, "WINDOW", 0)
    given = made([("p", 1)] * 30 + [("f", 1)] + [("p", 1)] * 89, timedelta(minutes=1))
    assert NOW.minute == 0
    left = await thinned(tmp_path, given)
    assert left == [(0, 1), (1, 28), (29, 1), (30, 1), (31, 1), (32, 27), (59, 1), (60, 1), (61, 58), (119, 1)]


async def test_what_was_not_counted_by_the_hour_is_not_melted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrink, "WINDOW", 0)
    given = made([("p", 1)] * 20, timedelta(minutes=1))
    assert len(await thinned(tmp_path, given, rolled=False)) == 20
