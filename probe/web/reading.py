"""Threads that may block: each has its own look at what is stored, opened when it is first needed, and anew after trouble."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, TypeVar

from probe.errors import StoreUnavailable
from probe.store.people import People
from probe.store.reader import Reader
from probe.view.sources import EvidenceFiles

log = logging.getLogger(__name__)
T = TypeVar("T")

THREADS: Final = 3
"""So that a page that takes long holds up two others at most; more would take the processor from those who probe."""
MOST_WAITING: Final = 200
"""Looks that may wait for a thread: who comes then is told to come again."""
FAREWELL: Final = 2.0
"""Seconds that a look that goes on gets to end at the stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What one thread looks at."""

    reader: Reader
    people: People
    evidence: EvidenceFiles


OpenStored = Callable[[], AbstractContextManager[Opened]]


class _Job(NamedTuple):
    work: Callable[[Opened], Any]
    done: asyncio.Future[Any]
    asked: float


class Reading:
    """Does things with what is stored, in threads. Get one from `open_reading`."""

    def __init__(self, open_stored: OpenStored) -> None:
        self._open = open_stored
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._shut: tuple[float, StoreUnavailable] | None = None
        self._threads = [threading.Thread(target=self._serve, name=f"pages {n}", daemon=True) for n in range(THREADS)]

    async def do(self, work: Callable[[Opened], T]) -> T:
        """What `work` gives. `StoreUnavailable` when nothing can be read now, or too many wait already."""
        if self._jobs.qsize() >= MOST_WAITING:
            raise StoreUnavailable("too much is looked at just now: try again in a moment")
        job = _Job(work, self._loop.create_future(), time.monotonic())
        self._jobs.put(job)
        result: T = await job.done
        return result

    def start(self) -> None:
        """Let the threads begin."""
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """End the threads: those that are at work get a little time, and then end with the process."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, FAREWELL / THREADS)

    def _serve(self) -> None:
        stack, opened = ExitStack(), None
        try:
            while (job := self._jobs.get()) is not None:
                if job.done.cancelled():
                    continue  # nobody waits for it any more
                try:
                    if opened is None:
                        opened = self._enter(stack, job.asked)
                    result = job.work(opened)
                except StoreUnavailable as error:
                    opened = None
                    stack = _anew(stack)
                    self._tell(job, error=error)
                except Exception as error:  # noqa: BLE001  # a bug in a page ends this look, not the thread
                    self._tell(job, error=error)
                else:
                    self._tell(job, result=result)
        finally:
            stack.close()

    def _enter(self, stack: ExitStack, asked: float) -> Opened:
        """Open what is stored. Who asked before it was found shut need not wait until that is found once more."""
        if self._shut is not None and asked < self._shut[0]:
            raise StoreUnavailable(str(self._shut[1]), lasting=self._shut[1].lasting)
        try:
            return stack.enter_context(self._open())
        except StoreUnavailable as error:
            self._shut = time.monotonic(), error
            raise

    def _tell(self, job: _Job, *, result: object = None, error: Exception | None = None) -> None:
        def settle() -> None:
            if job.done.done():
                return
            if error is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop has ended meanwhile: nobody waits
            log.debug("a look ended after the daemon did")


def _anew(stack: ExitStack) -> ExitStack:
    """Close what is broken; the next look opens it again."""
    try:
        stack.close()
    except Exception as error:  # noqa: BLE001  # it is broken: that it cannot be closed either is no news
        log.debug("what could not be read could not be closed either: %s", error)
    return ExitStack()


@asynccontextmanager
async def open_reading(open_stored: OpenStored) -> AsyncIterator[Reading]:
    """The threads, for the time of the context."""
    reading = Reading(open_stored)
    reading.start()
    try:
        yield reading
    finally:
        await reading.close()
