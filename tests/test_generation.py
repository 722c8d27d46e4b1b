"""A generation holds what its runs need until the last of them has ended, and goes when it is not needed any more."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from probe import compose
from probe.core.run import Outcome, Run, Why
from probe.engine.runner import SILENT
from probe.errors import ProbeError
from probe.generation import Generation, keep
from probe.loader import LoadedChecks, load
from tests.daemon.inbox import serving

CONFIG = """
[probe]
data = "data"
[targets.shop]
url = "{url}"
secrets = {{ key = "hunter2222" }}
[regions.far]
source_address = "127.0.0.2"
control = "{url}/control"
[[check]]
name = "home"
regions = ["local"]
"""


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the temporary files of generations are, in place of /tmp."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(compose, "mkdtemp", lambda prefix: tempfile.mkdtemp(prefix=prefix, dir=folder))
    return folder


async def loaded(folder: Path, url: str = "http://127.0.0.1:9") -> LoadedChecks:
    (folder / "config.toml").write_text(CONFIG.format(url=url))
    return await asyncio.to_thread(load, folder / "config.toml", environ={})


@asynccontextmanager
async def kept(what: LoadedChecks) -> AsyncIterator[tuple[Generation, "asyncio.Task[None]"]]:
    """A generation, and the task that keeps it."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        ready: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        task = group.create_task(keep(what, lambda: True, ready), name="generation")
        yield await ready, task


async def test_it_is_what_was_read(tmp_path: Path) -> None:
    """Its jobs are scheduled, its controls are not; its hash changes with any of the files; its secrets are masked."""
    one = await loaded(tmp_path)
    async with kept(one) as (generation, _):
        assert [(job.spec.id, job.region.name) for job in generation.jobs] == [("home", "local")]
        assert [(job.spec.id, job.region.name) for job in generation.unscheduled] == [
            (generation.rules.controls["far"], "far")
        ]
        assert generation.rules is one.rules
        assert generation.redactor.text("hunter2222") == "***"
        generation.retire()
    async with kept(await loaded(tmp_path)) as (same, _):
        assert same.hash == generation.hash
        same.retire()
    async with kept(await loaded(tmp_path, "http://127.0.0.1:10")) as (other, _):
        assert other.hash != generation.hash
        other.retire()


async def test_retired_it_waits_for_its_last_run(tmp_path: Path, scratch: Path) -> None:
    """A run that is being made when a reload comes ends as it would have; then, and not before, all is let go."""
    answers = [asyncio.Event(), asyncio.Event()]
    waiting: list[asyncio.Event] = []

    async def slow(_request: web.Request) -> web.Response:
        waiting.append(answers[len(waiting)])
        await waiting[-1].wait()
        return web.Response(text="well")

    async with serving(slow, "127.0.0.1") as port, kept(await loaded(tmp_path, f"http://127.0.0.1:{port}")) as held:
        generation, task = held
        assert list(scratch.iterdir())

        async def run() -> Run:
            return await generation.run(generation.jobs[0], Why.MANUAL, slot=None, due=None, watch=SILENT)

        async with asyncio.TaskGroup() as runs:
            two = [runs.create_task(run(), name=f"run {number}") for number in range(2)]
            while len(waiting) < 2:
                await asyncio.sleep(0.001)
            generation.retire()
            for answer in answers:
                done, _ = await asyncio.wait([task], timeout=0.05)
                assert not done
                assert list(scratch.iterdir())
                answer.set()
                await asyncio.wait(two, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().outcome for task in two] == [Outcome.PASSED] * 2
        await asyncio.wait([task])
        assert list(scratch.iterdir()) == []


async def test_idle_it_stays_until_it_is_retired(tmp_path: Path) -> None:
    """That no run is made now does not end it."""
    async with kept(await loaded(tmp_path)) as (generation, task):
        run = await generation.run(generation.jobs[0], Why.MANUAL, slot=None, due=None, watch=SILENT)
        assert run.outcome is not Outcome.PASSED
        done, _ = await asyncio.wait([task], timeout=0.05)
        assert not done
        generation.retire()


async def test_without_room_the_asker_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full when a reload comes is told to whoever reloads, and ends nothing else."""

    def full(prefix: str) -> str:
        raise OSError(28, "No space left on device", prefix)

    monkeypatch.setattr(compose, "mkdtemp", full)
    ready: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
    await keep(await loaded(tmp_path), lambda: True, ready)
    with pytest.raises(ProbeError, match=r"cannot be made here: .*No space left on device"):
        await ready


async def test_nobody_waits_any_more(tmp_path: Path, scratch: Path) -> None:
    """At the stop, in the middle of a reload: it lets go of all at once, without an error."""
    ready: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
    ready.cancel()
    async with asyncio.timeout(20):
        await keep(await loaded(tmp_path), lambda: True, ready)
    assert list(scratch.iterdir()) == []
