"""What holds for the whole suite."""

import asyncio
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

import probe

MAY_BLOCK = {
    # A worker asks to be killed with the *thread* that started it (PR_SET_PDEATHSIG): it must be the main one. /proc and
    # the scratch folders beside it are memory, not disks.
    "probe/worker/process.py": {"start"},
    "probe/worker/tree.py": {"look"},
    # A worker reads its own /proc when a check begins and ends: memory again, and nobody else waits for its loop.
    "probe/worker/queued.py": {"threads_of", "_family"},
    "probe/net/run_queue.py": {"queued"},
    "probe/probers/pytest_file.py": {"__init__"},
    # The measure of coverage takes a lock of its own, wherever a new file is entered.
    "coverage/collector.py": {"lock_data"},
    # Runs a check in the process of the user's test, and says so.
    "probe/testing.py": {"run_check"},
}


def pytest_configure() -> None:
    """Say that there is no current loop, so that looptime, which asks before each test, does not make and leak one."""
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    """A call of ours that blocks the event loop is an error: it would delay every other check."""
    with blockbuster_ctx(scanned_modules=[probe]) as blockbuster:
        for function in blockbuster.functions.values():
            for file, names in MAY_BLOCK.items():
                function.can_block_in(file, names)
        yield
