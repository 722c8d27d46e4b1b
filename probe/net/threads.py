"""Blocking calls that nobody can interrupt, kept where they can hold up nobody.

`getaddrinfo` may block for half a minute. In asyncio's own executor such a thread holds up the end of the loop and of
the process; these are daemon threads, and whoever waits may stop waiting at any time.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")
Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]

MOST: Final = 64
"""Threads at most; further jobs queue for one. A job that waits is cut off by the deadline of its run like any other."""
IDLE: Final = 10.0
"""Seconds after which a thread without work ends."""


class Threads:
    """A pool of daemon threads that grows when all are busy."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0

    def run(self, function: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        """Call `function` in a thread. Cancelling the future only stops the waiting."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._free -= 1
            if self._free < 0 and self._threads < MOST:
                self._threads += 1
                self._free += 1
                threading.Thread(target=self._work, name="probe-blocking", daemon=True).start()
        self._jobs.put((loop, future, function, args))
        return future

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE)
            except Empty:
                with self._lock:
                    if self._free <= 0:  # a job was promised to this thread a moment ago
                        continue
                    self._free -= 1
                    self._threads -= 1
                    return
            self._run(*job)
            with self._lock:
                self._free += 1

    @staticmethod
    def _run(
        loop: asyncio.AbstractEventLoop,
        future: "asyncio.Future[Any]",
        function: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        result, error = None, None
        try:
            result = function(*args)
        except BaseException as raised:  # noqa: BLE001  # handed to the waiter, whatever it is
            error = raised

        def deliver() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        try:
            loop.call_soon_threadsafe(deliver)
        except RuntimeError:  # the loop ended meanwhile: nobody waits any more
            return


threads: Final = Threads()
"""The one pool of this process: threads cost memory, and the calls are rare."""
