"""What goes wrong when a configuration is read again ends no daemon."""

import asyncio
from contextlib import nullcontext

import pytest

from probe.core.diagnostic import Diagnostic
from probe.engine.runner import SystemClock
from probe.errors import ProbeError
from probe.loader import LoadedChecks
from probe.reloading import Reloads


class Shelf:
    """A source that has nothing new; `error` is raised instead."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = asyncio.Event()

    async def again(self, *, asked: bool) -> LoadedChecks | None:  # the port's shape
        self.asked.set()
        if self.error is not None:
            raise self.error
        return None


async def take(_loaded: LoadedChecks) -> tuple[Diagnostic, ...]:
    raise AssertionError("there is nothing new")


async def test_a_bug_keeps_the_old_one_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    source, stop = Shelf(), asyncio.Event()
    reloads = Reloads(source, take, nullcontext, SystemClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(reloads.run(stop), name="reload")
        source.error = LookupError("a bug")
        (found,) = await reloads.answer()
        assert found.what == reloads.error == "LookupError: a bug"
        source.error = ProbeError("it cannot be read")
        for _ in range(3):
            source.asked.clear()
            reloads.follow()
            await source.asked.wait()
        source.error = None
        assert await reloads.answer() == ()
        assert reloads.error == ""
        stop.set()
        reloads.follow()
    assert caplog.text.count("the configuration stays as it is: it cannot be read") == 1, "though it was asked thrice"
