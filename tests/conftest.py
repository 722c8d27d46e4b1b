"""What holds for the whole suite."""

import asyncio


def pytest_configure() -> None:
    """Say that there is no current loop, so that looptime, which asks before each test, does not make and leak one."""
    asyncio.set_event_loop(None)
