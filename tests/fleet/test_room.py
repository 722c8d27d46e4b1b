"""What waits for the hub is kept within its bounds: first goes what is missed least, and what goes is counted."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from probe.core.run import Observation, Outcome, Run, RunId
from probe.fleet import room as room_module
from probe.fleet.outbox import SqliteOutbox
from probe.fleet.room import Room
from probe.fleet.room import _evidence as waiting_evidence
from probe.ports import Record
from probe.store import shrink
from probe.store.outbox import measure
from probe.store.schema import details, runs
from probe.store.sqlite import SqliteStore
from tests.fleet.test_ship import with_files
from tests.store.builders import failed, full_run, run, store_in

PLENTY = 2**40


@pytest.fixture(autouse=True)
def _no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few runs are enough to see it."""
    monkeypatch.setattr(shrink, "WINDOW", 0)


def a_day() -> list[Run]:
    """600 runs of a minute's check, each twentieth failed, with details that a compressor cannot do much about."""
    noise = full_run().observation
    return [
        replace(
            failed(n) if n % 20 == 7 else run(n),
            observation=replace(noise, failures=failed(n).observation.failures if n % 20 == 7 else (), artifacts=()),
        )
        for n in range(600)
    ]


async def counts(store: SqliteStore) -> tuple[int, int, int, int]:
    """Runs that passed and others, details of runs that passed and of others."""

    async def count(table: object, *where: object) -> int:
        return await store.transact(lambda c: c.scalar(select(func.count()).select_from(table).where(*where)) or 0)  # type: ignore[arg-type]  # any table

    passed = runs.c.outcome == Outcome.PASSED.value
    return (
        await count(runs, passed),
        await count(runs, ~passed),
        await count(details, details.c.passed),
        await count(details, ~details.c.passed),
    )


async def size(store: SqliteStore) -> int:
    return (await store.transact(lambda c: measure(c, 0))).bytes


async def made_smaller(
    folder: Path, to: Callable[[int], int], evidence: Path | None = None
) -> tuple[int, int, int, int, Room]:
    """A day that waits, and a room for less of it."""
    async with store_in(folder) as store:
        await SqliteOutbox(store).join("eu")
        await store.commit(Record(runs=tuple(a_day())))
        room = Room(store, to(await size(store)), evidence)
        await room.look()
        assert room.waiting <= room._limit or room.dropped
        return *await counts(store), room


async def test_while_there_is_room_nothing_is_touched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    *found, room = await made_smaller(tmp_path, lambda whole: whole)
    assert found == [570, 30, 570, 30]
    assert (room.thinned, room.dropped) == (0, 0)
    assert caplog.text == ""


async def test_details_of_what_passed_go_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passed, others, their_details, other_details, room = await made_smaller(tmp_path, lambda whole: int(whole * 0.9))
    assert (passed, others, other_details) == (570, 30, 30)
    assert their_details < 570
    assert (room.thinned, room.dropped) == (0, 0)
    assert "details of runs that passed" in caplog.text


async def test_then_what_passed_is_melted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passed, others, their_details, other_details, room = await made_smaller(tmp_path, lambda _: 100_000)
    assert (others, their_details, other_details) == (30, 0, 30)
    assert passed < 200, "three rows for each stretch between two failures, and the hours that cut it"
    assert room.thinned == 570 - passed
    assert room.dropped == 0
    assert "melted" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_then_the_details_of_the_others_and_last_of_all_what_is_oldest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrink, "PIECE", 10)
    monkeypatch.setattr(room_module, "TURNS", 1)
    passed, others, _, other_details, room = await made_smaller(tmp_path, lambda _: 10_000)
    assert other_details == 0
    assert room.dropped > 0
    assert passed + others + room.dropped + room.thinned == 600
    assert "nobody has, the oldest first" in caplog.text
    async with store_in(tmp_path) as store:
        oldest = await store.transact(lambda c: c.scalar(select(func.min(runs.c.seq))))
        assert oldest is not None
        assert oldest > 1
        again = Room(store, PLENTY, None)
        await again.look()
        assert (again.thinned, again.dropped) == (room.thinned, room.dropped), "known after a restart"


async def test_evidence_goes_before_anything_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = tmp_path / "evidence"
    async with store_in(tmp_path) as store:
        await SqliteOutbox(store).join("eu")
        given = [with_files(files, n, "trace.zip", outcome=Outcome.FAILED) for n in range(8)]
        for one in given:
            Path(one.observation.artifacts[0].path).write_bytes(b"x" * 100_000)
        await store.commit(Record(runs=tuple(given)))
        room = Room(store, 450_000, files)
        await room.look()
        left = sorted(path.name for path in files.glob("*/*"))
        assert left == ["run-5", "run-6", "run-7"] or left == ["run-4", "run-5", "run-6", "run-7"]
        assert (await counts(store)) == (0, 8, 0, 8)
        assert room.waiting <= 450_000
    assert "evidence" in caplog.text


def test_pictures_of_what_is_well_are_no_evidence_that_waits(tmp_path: Path) -> None:
    """They lie beside the runs, whose names are numbers and sort before theirs."""
    run_folder = tmp_path / "cart" / "01a20dfd095-15484cf9c7"
    for folder in (run_folder, tmp_path / "cart" / "reference" / "eu"):
        folder.mkdir(parents=True)
        (folder / "a.jpg").write_bytes(b"x")
    assert waiting_evidence(tmp_path, "01a20dfd095") == [(run_folder, 1)]


async def test_the_measure_is_what_the_file_grows_by(tmp_path: Path) -> None:
    def small(n: int) -> Run:
        return run(n, id=RunId(f"{n:011x}-{n:010x}"), observation=Observation(trace_id=f"{n:032x}"))

    async with store_in(tmp_path) as store:
        before = await store.transact(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
        await store.commit(Record(runs=tuple(small(n) for n in range(2000))))
        after = await store.transact(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
        assert before is not None
        assert after is not None
        grown = (after - before) * 4096
        assert await size(store) == pytest.approx(grown, rel=0.4)


async def test_the_window_behind_what_was_forwarded_is_never_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrink, "WINDOW", 100)
    async with store_in(tmp_path) as store:
        box = SqliteOutbox(store)
        await box.join("eu")
        await store.commit(Record(runs=tuple(a_day())))
        await box.forwarded("eu", 50)
        await Room(store, 1, None).look()
        left = await store.transact(lambda c: list(c.scalars(select(runs.c.seq).order_by(runs.c.seq))))
        assert left == list(range(1, 251))
