"""What the processes of a run waited for a processor, from its begin to its end."""

import os
from collections.abc import Iterable

from probe.net.run_queue import queued
from probe.worker.tree import Family


class QueueMeter:
    """Reads, twice a run, how long each thread of this process has waited; with `below` those of all its tree too.

    That takes a tenth of a millisecond for this process, some for a tree with a browser (nine processes, 80 threads).

    >>> meter = QueueMeter(below=False)
    >>> meter.start()
    >>> waited = meter.longest()
    """

    __slots__ = ("_before", "_below")

    def __init__(self, *, below: bool) -> None:
        self._below = below
        self._before: dict[int, float] = {}

    def start(self) -> None:
        """Begin."""
        self._before = {thread: waited for threads in self._read() for thread, waited in threads.items()}

    def longest(self) -> float | None:
        """Seconds since `start` that the threads of the process waited that had to wait most; `None`: nobody counts.

        Not the sum over the tree: its processes wait side by side, and on a busy host that sum is soon longer than the
        run. A process that has ended since is left out.
        """
        return max(
            (
                sum(waited - self._before.get(thread, 0.0) for thread, waited in threads.items())
                for threads in self._read()
            ),
            default=None,
        )

    def _read(self) -> list[dict[int, float]]:
        read = (threads_of(pid) for pid in (_family() if self._below else (os.getpid(),)))
        return [threads for threads in read if threads]


def threads_of(pid: int) -> dict[int, float]:
    """The seconds that each thread of a process has waited since it began; nothing for one that is gone."""
    try:
        threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208  # names are all we need
    except OSError:
        return {}
    return {thread: waited for thread in threads if (waited := queued(pid, thread)) is not None}


def _family() -> Iterable[int]:
    return (process.pid for process in Family(root=os.getpid(), mark="").refresh() if not process.dead)
