"""The threads that read what is stored: trouble is found once for all who wait, and is over when it is over."""

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probe.engine.runner import SystemClock
from probe.errors import StoreUnavailable
from probe.store.people import open_people
from probe.store.reader import open_reader
from probe.view.evidence import LocalEvidence
from probe.web.front import Front
from probe.web.reading import THREADS, Opened, open_reading
from tests.store.builders import store_in
from tests.web.daemon import FakeDaemon

WAIT = 20
"""Many who look at the same time."""


class Stored:
    """What is stored, behind a door that may be shut: who tries it then waits until somebody looks after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shut = True
        self.tried = 0
        self.answer = threading.Event()

    @contextmanager
    def __call__(self) -> Iterator[Opened]:
        self.tried += 1
        if self.shut:
            self.answer.wait()
            raise StoreUnavailable("the database does not answer")
        with open_reader(self.folder) as reader, open_people(self.folder) as people:
            yield Opened(reader=reader, people=people, evidence=LocalEvidence(self.folder))


async def test_who_waits_meanwhile_need_not_find_it_out_again(tmp_path: Path) -> None:
    async with store_in(tmp_path):
        pass
    stored = Stored(tmp_path)
    async with open_reading(stored) as reading, asyncio.TaskGroup() as group:
        front = Front(FakeDaemon(), reading, SystemClock())
        overviews = [group.create_task(_refused(front.overview())) for _ in range(WAIT)]
        looks = [group.create_task(_refused(front.view(lambda sources: sources.now))) for _ in range(WAIT)]
        while stored.tried < THREADS:
            await asyncio.sleep(0)
        stored.answer.set()
        for task in (*overviews, *looks):
            assert await task == "the database does not answer"
        assert stored.tried == THREADS
        stored.shut = False
        assert (await front.overview())["targets"] == []
        assert stored.tried == THREADS + 1


async def _refused(look: Awaitable[object]) -> str:
    with pytest.raises(StoreUnavailable) as told:
        await look
    return str(told.value)
