"""What a node publishes of its own file as it starts."""

import asyncio
from pathlib import Path

import pytest

from probe.engine.runner import SystemClock
from probe.fleet.calls import HubCalls
from probe.fleet.given import Given
from probe.fleet.hub import Hub
from probe.fleet.publish import current
from probe.loader import LoadedChecks, load
from tests.fleet.hubs import installed
from tests.postgres import Database

FILE = """
[probe]
region = "{region}"
data = "data"
[store]
url = "{url}"
[fleet]
node = "{node}"
role = "{role}"
[targets.shop]
url = "http://shop.example"
[regions.us]
agent = true
[[check]]
name = "{check}"
target = "shop"
"""


def read(file: Path) -> LoadedChecks:
    return load(file, environ={})


async def started(hub: Hub, folder: Path, url: str, node: str, role: str, check: str = "home") -> str:
    """Start a node with a file of its own: the hash of what it runs."""
    path = folder / node / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(FILE.format(region="eu", url=url, node=node, role=role, check=check))
    local = await asyncio.to_thread(read, path)
    given = Given(hub, HubCalls(hub, SystemClock()), path, local, read, {}, SystemClock().now())
    await given.first()
    return given.hash


async def test_the_file_of_a_second_node_takes_no_region_from_the_first(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same file, of a node that does not probe: it lacks the region that the first one is at home in."""
    async with installed(database) as hub:
        first = await started(hub, tmp_path, database.url(), "hub", "all")
        assert await started(hub, tmp_path, database.url(), "second", "evaluate") == first
        assert "it has no region eu, and what hub published has" in caplog.text
        newer = await started(hub, tmp_path, database.url(), "hub", "all", "cart")
        found = await current(hub)
    assert found is not None
    assert found[0] == newer != first
