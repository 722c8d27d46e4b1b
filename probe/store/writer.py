"""One thread that writes. What waits for it is committed together: a disk writes a hundred runs as fast as one."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar, cast

from probe.errors import StoreUnavailable
from probe.ports import Record

T = TypeVar("T")
MOST: Final = 1000
"""Records in one transaction."""
MANY: Final = 1000
"""Written records that are remembered after their callers gave up."""


@dataclass(eq=False, slots=True)
class _Job:
    """A record to be written (`work` is `None`), or anything else to be done in the thread."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    work: Callable[[], Any] | None = None
    record: Record | None = None
    tickets: list[None] = field(default_factory=lambda: [None])
    """One: who takes it decides, the thread that begins or the caller that gives up. `list.pop` needs no lock."""
    written: bool = False

    def taken(self) -> bool:
        """Take the job, unless somebody has."""
        try:
            self.tickets.pop()
        except IndexError:
            return False
        return True


class Writer:
    """The thread, and the queue before it. It never blocks the loop, whatever the disk does."""

    def __init__(self, write: Callable[[Sequence[Record]], None], end: Callable[[], None]) -> None:
        self._write = write
        self._end = end
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._doubtful: list[_Job] = []
        """Records whose caller gave up while they were being written: they may be committed again by and by."""
        self._closed = False
        # A daemon: a disk that hangs for ever must not keep the process from ending.
        threading.Thread(target=self._live, name="probe-store", daemon=True).start()

    async def run(self, work: Callable[[], T]) -> T:
        """Do something in the thread, when everything before it is done."""
        return cast("T", await self._wait(self._put(work, None)))

    async def commit(self, record: Record) -> None:
        """Write a record. Whoever stops waiting may commit the same changes again: they are written once."""
        await self._wait(self._put(None, record))

    async def close(self, patience: float) -> bool:
        """Do what waits and end; whether that came to an end in `patience` seconds."""
        last = self._put(self._end, None)
        self._closed = True
        self._jobs.put(None)
        try:
            async with asyncio.timeout(patience):
                await last.future
        except TimeoutError:
            return False
        return True

    def _put(self, work: Callable[[], Any] | None, record: Record | None) -> _Job:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        job = _Job(loop, loop.create_future(), work, record)
        self._jobs.put(job)
        return job

    async def _wait(self, job: _Job) -> Any:
        try:
            return await job.future
        except asyncio.CancelledError:
            if not job.taken() and job.record is not None:
                self._doubtful.append(job)
            raise

    def _live(self) -> None:
        waiting: deque[_Job | None] = deque()
        while True:
            if not waiting:
                waiting.append(self._jobs.get())
            with suppress(Empty):
                while True:
                    waiting.append(self._jobs.get_nowait())
            job = waiting.popleft()
            if job is None:
                break
            if job.work is not None:
                if job.taken():
                    _finish([job], *_outcome(job.work))
                continue
            group = [job]
            while waiting and len(group) < MOST and (following := waiting[0]) is not None and following.work is None:
                group.append(following)
                waiting.popleft()
            self._commit([job for job in group if job.taken()])

    def _commit(self, group: list[_Job]) -> None:
        if not group:
            return
        doubtful = self._settle_doubts()
        records = [_without(doubtful, job.record) for job in group if job.record is not None]
        _, error = _outcome(lambda: self._write(records))
        if error is not None and len(group) > 1 and not isinstance(error, StoreUnavailable):
            # One of them is at fault (a bug), and must not take the others with it.
            for job in group:
                self._commit([job])
            return
        for job in group:
            job.written = error is None
        _finish(group, None, error)

    def _settle_doubts(self) -> list[Record]:
        """What was written though its caller had given up. Whatever was begun before is over by now."""
        for job in list(self._doubtful):
            if not job.written:
                self._doubtful.remove(job)
        while len(self._doubtful) > MANY:
            del self._doubtful[0]
        return [job.record for job in self._doubtful if job.record is not None]


def _without(written: Sequence[Record], record: Record) -> Record:
    """A record without what is written already. Changes and attempts have no key: the very same objects are meant."""
    if not written:
        return record
    known = {id(part) for earlier in written for part in (*earlier.changes, *earlier.attempts)}
    return replace(
        record,
        changes=tuple(change for change in record.changes if id(change) not in known),
        attempts=tuple(attempt for attempt in record.attempts if id(attempt) not in known),
    )


def _outcome(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001  # handed to the waiter, whatever it is
        return None, error


def _finish(group: Sequence[_Job], result: Any, error: BaseException | None) -> None:
    def deliver() -> None:
        for job in group:
            if job.future.done():
                continue
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)

    try:
        group[0].loop.call_soon_threadsafe(deliver)
    except RuntimeError:  # the loop ended meanwhile: nobody waits any more
        return
