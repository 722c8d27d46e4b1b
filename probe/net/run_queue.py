"""What a thread of ours waited for a processor: the kernel's own books (Linux schedstat), not the whole machine's."""

import os
from contextlib import suppress
from typing import Final

SELF: Final = "/proc/thread-self/schedstat"
"""The book of the thread that opens it."""


class RunQueue:
    """The book of one thread, kept open, for many readings. Make it in the thread that it is about."""

    __slots__ = ("_file",)

    def __init__(self, path: str = SELF) -> None:
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

    def read(self) -> float | None:
        """Seconds that the thread has waited since it began; `None` where nobody counts them."""
        if self._file is not None:
            with suppress(OSError):
                return parse_schedstat(os.pread(self._file, 64, 0))
        return None


def queued(process: int, thread: int) -> float | None:
    """Seconds that any thread has waited since it began; `None` when it is gone, or nobody counts them."""
    try:
        with open(f"/proc/{process}/task/{thread}/schedstat", "rb") as file:  # noqa: PTH123  # a hundred of them a run
            return parse_schedstat(file.read())
    except OSError:
        return None


def parse_schedstat(text: bytes) -> float | None:
    r"""The seconds waited, from nanoseconds run, nanoseconds waited, and turns; `None` for a kernel that counts nothing.

    >>> parse_schedstat(b"1200000000 2500000000 81\n")
    2.5
    >>> parse_schedstat(b"0 0 0\n")
    """
    _, waited, turns = map(int, text.split())
    return waited / 1e9 if turns else None
