"""One database for the tests that only look."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from probe.store.people import open_people
from probe.store.reader import open_reader
from probe.view.sources import Sources
from tests.store.builders import store_in
from tests.view.watching import Watching, together, watching


async def _fill(folder: Path, world: Watching) -> None:
    async with store_in(folder) as store:
        await store.commit(together(world.records))
        await store.tidy(world.now)


@pytest.fixture(scope="session")
def world() -> Watching:
    return watching()


@pytest.fixture(scope="session")
def filled(world: Watching, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data in which three hours are stored."""
    folder = tmp_path_factory.mktemp("watched")
    asyncio.run(_fill(folder, world))
    return folder


@contextmanager
def looking(world: Watching, folder: Path, **given: Any) -> Iterator[Sources]:
    with open_reader(folder) as reader, open_people(folder) as people:
        yield world.sources(reader, people, **given)


@pytest.fixture
def sources(world: Watching, filled: Path) -> Iterator[Sources]:
    with looking(world, filled) as found:
        yield found
