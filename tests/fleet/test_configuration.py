"""A node runs what was published, from its own disk, also when nothing more can be written there."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from probe.core.rules import Rules
from probe.errors import StoreUnavailable
from probe.fleet.bundle import Bundle
from probe.fleet.configuration import Configuration
from probe.loader import LoadedChecks, load

LOCAL = """
[probe]
region = "us"
data = "data"
[store]
url = "postgresql://probe@hub.example/probe"
[fleet]
role = "agent"
node = "far"
"""
CHECK = {"name": "home", "target": "shop", "path": "/"}
SHOP: dict[str, Any] = {
    "regions": {"us": {"agent": True}},
    "targets": {"shop": {"url": "http://shop.example"}},
    "check": [CHECK],
}
OLD, NEW = Bundle(document=SHOP), Bundle(document={**SHOP, "check": [CHECK, {**CHECK, "name": "cart"}]})


def read(file: Path) -> LoadedChecks:
    return load(file, environ={})


async def node(folder: Path, published: list[Bundle]) -> Configuration:
    """A node that is given what was published last."""
    (folder / "config.toml").write_text(LOCAL)

    async def fetch() -> tuple[str, Bundle]:
        return published[-1].hash, published[-1]

    def glance(_file: Path) -> Rules | None:
        return None

    local = await asyncio.to_thread(read, folder / "config.toml")
    return Configuration(local.config, folder / "given", read, glance, fetch)


def fill(folder: Path) -> None:
    """No file of that folder can be written again."""
    for file in [file for file in folder.rglob("*") if file.is_file()]:
        file.with_name(f".{file.name}.fresh").mkdir()


async def test_a_full_disk_keeps_nobody_from_going_on(tmp_path: Path) -> None:
    """What is there already need not be written: a node that starts runs it; another one is refused, and it is said why."""
    published = [OLD]
    first = await (await node(tmp_path, published)).first(None)
    fill(tmp_path / "given")
    again = await node(tmp_path, published)
    assert (await again.first(None)).checks == first.checks
    (tmp_path / "given" / NEW.hash).write_text("in the way")
    published.append(NEW)
    assert await again.again(asked=False) is None
    assert again.hash == OLD.hash
    assert "cannot be kept" in again.trouble


@pytest.mark.parametrize("file", ["accepted", "config.toml", "published.toml"])
async def test_a_file_that_cannot_be_written_is_a_refusal(tmp_path: Path, file: str) -> None:
    published = [OLD]
    one = await node(tmp_path, published)
    await one.first(None)
    home = tmp_path / "given"
    (home / f".{file}.fresh" if file == "accepted" else home / NEW.hash / f".{file}.fresh").mkdir(parents=True)
    published.append(NEW)
    assert await one.again(asked=False) is None
    assert (one.hash, bool(one.trouble)) == (OLD.hash, True)


async def test_it_says_why_it_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each reason once: the first may be over long before there is something to run."""
    (tmp_path / "config.toml").write_text(LOCAL)
    answers = iter([None, "the configuration has no agents in us", "the configuration has no agents in us", OLD])

    async def fetch() -> tuple[str, Bundle] | None:
        answer = next(answers)
        if isinstance(answer, str):
            raise StoreUnavailable(answer)
        return None if answer is None else (answer.hash, answer)

    local = await asyncio.to_thread(read, tmp_path / "config.toml")
    one = Configuration(local.config, tmp_path / "given", read, lambda _file: None, fetch, waits=(0.0,))
    await one.first(None)
    waits = [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]
    assert ["nothing was published" in said for said in waits] == [True, False]
    assert "no agents in us" in waits[1]
