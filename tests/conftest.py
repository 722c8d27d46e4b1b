"""What holds for the whole suite."""

import asyncio
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

import probe


def pytest_configure() -> None:
    """Say that there is no current loop, so that looptime, which asks before each test, does not make and leak one."""
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    """A call of ours that blocks the event loop is an error: it would delay every other check."""
    with blockbuster_ctx(scanned_modules=[probe]):
        yield
