"""The thread that writes: the loop goes on whatever the disk does, and what waits is written together."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from probe.core.check import CheckId
from probe.core.incident import Entry, IncidentId, What
from probe.core.notification import Fate
from probe.core.run import Observation
from probe.core.state import Change, Tally
from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.store import sqlite
from probe.store.writer import Writer
from tests.core.builders import NOW
from tests.store.builders import at, attempt, failed, full_incident, notification, read, run, store_in, suspected

pytestmark = pytest.mark.asyncio


class Disk:
    """Writes nothing; may hang until it is let go, or fail."""

    def __init__(self) -> None:
        self.written: list[list[Record]] = []
        self.begun = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.bad: Record | None = None
        self.error: Exception = ValueError("a bug")

    def write(self, records: Sequence[Record]) -> None:
        self.begun.set()
        assert self.free.wait(30)
        if self.bad in records:
            raise self.error
        self.written.append(list(records))


def counting(number: int) -> Change:
    return Change(tallies=(Tally(objective="o", at=NOW, good=1),), checks={CheckId("c"): suspected(number)})


async def test_what_waits_is_written_together() -> None:
    """While the disk is busy with one record the next ones gather; they are one transaction, in their order."""
    disk = Disk()
    writer = Writer(disk.write, lambda: None)
    records = [Record(alive=at(n)) for n in range(50)]
    disk.free.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.commit(records[0]), name="first")
        assert await asyncio.to_thread(disk.begun.wait, 30)
        for record in records[1:]:
            group.create_task(writer.commit(record), name="next")
        await asyncio.sleep(0)  # all of them have been called
        disk.free.set()
    assert disk.written == [records[:1], records[1:]]
    assert await writer.close(30)


async def test_one_bad_record_takes_no_other_with_it() -> None:
    """A bug in one record fails that one; those that waited with it are written."""
    disk = Disk()
    writer = Writer(disk.write, lambda: None)
    records = [Record(alive=at(n)) for n in range(5)]
    disk.bad = records[2]
    disk.free.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_caught(writer, record), name="commit") for record in records]
        assert await asyncio.to_thread(disk.begun.wait, 30)
        disk.free.set()
    assert [type(task.result()) for task in tasks] == [type(None), type(None), ValueError, type(None), type(None)]
    assert [r for group in disk.written for r in group] == [r for r in records if r is not disk.bad]
    assert await writer.close(30)


async def test_trouble_of_the_disk_fails_all_that_waited() -> None:
    """None of them is written, so that a later one never comes before an earlier one that is tried again."""
    disk = Disk()
    writer = Writer(disk.write, lambda: None)
    records = [Record(alive=at(n)) for n in range(3)]
    disk.bad, disk.error = records[1], StoreUnavailable("full")
    disk.free.clear()
    async with asyncio.TaskGroup() as group:
        blocking = group.create_task(writer.run(lambda: disk.free.wait(30)), name="busy")
        tasks = [group.create_task(_caught(writer, record), name="commit") for record in records]
        await asyncio.sleep(0)
        disk.free.set()
    assert blocking.result()
    assert [type(task.result()) for task in tasks] == [StoreUnavailable] * 3
    assert disk.written == []
    assert await writer.close(30)


async def _caught(writer: Writer, record: Record) -> Exception | None:
    try:
        await writer.commit(record)
    except Exception as error:
        return error
    return None


async def test_giving_up_before_it_is_written() -> None:
    """Who stops waiting for a record that nobody has begun has stored nothing."""
    disk = Disk()
    writer = Writer(disk.write, lambda: None)
    disk.free.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.commit(Record(alive=at(0))), name="busy")
        assert await asyncio.to_thread(disk.begun.wait, 30)
        given_up = group.create_task(writer.commit(Record(alive=at(1))), name="given up")
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        disk.free.set()
    assert await writer.close(30)
    assert disk.written == [[Record(alive=at(0))]]


async def test_giving_up_while_it_is_written_counts_once(tmp_path: Path) -> None:
    """A commit that took too long, and is committed again with what came since, is counted and told once."""
    async with store_in(tmp_path) as store:
        first = Change(
            tallies=(Tally(objective="o", at=NOW, good=1),),
            entries=(Entry(incident=IncidentId("inc-1"), at=NOW, what=What.OPENED, text="x"),),
            incidents={"shop.example": full_incident()},
            notifications=(notification("k"),),
        )
        early = Record(runs=(run(1),), changes=(first,), attempts=(attempt("k", Fate.FAILED, again=at(9)),))
        begun, free = threading.Event(), threading.Event()
        write = store._database.commit

        def slowly(records: Sequence[Record]) -> None:
            begun.set()
            assert free.wait(30)
            write(records)

        store._writer._write = slowly
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(store.commit(early), name="slow")
            assert await asyncio.to_thread(begun.wait, 30)
            slow.cancel()
        free.set()
        for more in (2, 3):  # committed twice: the second time because the first seemed to fail, too
            again = Record(
                runs=(*early.runs, run(more)), changes=(first, counting(more)), attempts=early.attempts, alive=at(more)
            )
            await store.commit(again)
        restored = await store.restore()
    assert restored.state.ledgers["o"].between(NOW, at(1)).good == 3
    assert restored.tries == {"k": 1}
    story = await read(tmp_path, lambda reader: reader.incident("inc-1"))
    assert story is not None
    assert len(story.lines) == 2
    assert {r.id for r in await read(tmp_path, lambda reader: reader.history("cart"))} == {"run-1", "run-2", "run-3"}


async def test_a_disk_that_hangs_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits can be given up, and the end does not wait for it for long."""
    monkeypatch.setattr(sqlite, "FAREWELL", 0.05)
    disk = Disk()
    disk.free.clear()
    async with store_in(tmp_path) as store:
        store._writer._write = disk.write
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await store.commit(Record(alive=NOW))
    disk.free.set()


async def test_the_loop_goes_on(tmp_path: Path) -> None:
    """Nothing that a store is asked for blocks the loop: the suite's guard (blockbuster) would raise."""
    async with store_in(tmp_path, ballast=2**16) as store:
        await store.commit(Record(runs=tuple(run(n) for n in range(100)), changes=(counting(1),)))
        await store.tidy(at(60 * 24 * 30))
        assert (await store.restore()).state.checks["c"] == suspected(1)  # type: ignore[index]  # a plain text is one, too
        assert not store.low_on_space


async def test_odd_characters(tmp_path: Path) -> None:
    """Half a character, as scripts of pages make them, does not keep a record from being stored."""
    odd = failed(1, failed(1).observation.failures[0].at(None), observation=Observation(log=("a\ud800b", "ok ü\x00")))
    change = Change(checks={CheckId("c"): suspected(0)}, notifications=(notification("k\udfff"),))
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=(odd, run(2)), changes=(change,)))
        assert [n.key for n in (await store.restore()).pending] == ["k?"]
    stored = await read(tmp_path, lambda reader: reader.run("run-1"))
    assert stored is not None
    assert stored.observation.log == ("a?b", "ok ü\x00")
