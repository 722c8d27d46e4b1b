"""What a thread of ours waited for a processor."""

import os
import threading
from pathlib import Path

import pytest

from probe.net.run_queue import RunQueue, parse_schedstat, queued


@pytest.mark.parametrize(
    ("text", "waited"), [(b"1200000000 2500000000 81\n", 2.5), (b"70000 0 1\n", 0.0), (b"0 0 0\n", None)]
)
def test_the_kernels_book(text: bytes, waited: float | None) -> None:
    """A thread that runs has had a turn: where the kernel counts none it counts nothing."""
    assert parse_schedstat(text) == waited


def test_a_book_that_is_kept_open(tmp_path: Path) -> None:
    """Each reading is a new one; where there is no book, or none that can be read, nothing is known."""
    book = tmp_path / "schedstat"
    book.write_text("5 1000000000 1\n")
    queue = RunQueue(str(book))
    assert queue.read() == 1.0
    book.write_text("5 3000000000 2\n")
    assert queue.read() == 3.0
    assert RunQueue(str(tmp_path / "nowhere")).read() is None
    assert RunQueue(str(tmp_path)).read() is None


def test_the_book_of_any_thread() -> None:
    """Our own is there, by either way; what is no thread of ours has none."""
    assert queued(os.getpid(), threading.get_native_id()) is not None
    assert RunQueue().read() is not None
    assert queued(os.getpid(), 0) is None
