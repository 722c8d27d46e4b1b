"""An unchanged pytest-playwright file as a check: one observation per test function, nothing left behind."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from probe.core.check import CheckId, CheckSpec, PytestFunction, Source
from probe.core.run import RunId, Why
from probe.core.secret import Redactor
from probe.core.target import BrowserSettings, Region, Target
from probe.errors import ProberUnavailable
from probe.ports import Marks, ProberSettings, RunContext
from probe.probers import pytest_file
from probe.probers.pytest_file import PytestProber

SUITE = Path(__file__).parent / "data" / "existing_suite.py"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def ok(_request: web.Request) -> web.Response:
        return web.Response(text="<title>ok</title><h1>ok</h1>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/ok", ok)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def spec(node: str, folder: Path, timeout: float = 10) -> CheckSpec:
    file = folder / SUITE.name  # outside of this repository, whose own pytest settings turn warnings into errors
    shutil.copy(SUITE, file)
    return CheckSpec(
        id=CheckId(node),
        kind="playwright-pytest",
        target="shop",
        every=timedelta(minutes=1),
        timeout=timedelta(seconds=timeout),
        work=PytestFunction(file=str(file), node=node),
        source=Source(file=str(file), line=1),
    )


def context(url: str) -> RunContext:
    return RunContext(
        run=RunId("r1"),
        why=Why.MANUAL,
        region=Region(name="here"),
        target=Target(name="shop", url=url),
        marks=Marks(user_agent="probe/0.1.0", headers={}, trace_id="ab" * 16),
        redactor=Redactor(),
    )


@pytest.mark.parametrize(
    ("node", "kinds", "words"),
    [
        ("test_passes", [], ""),
        ("test_fails", ["element"], "heading is expected to have text 'Your cart'"),
        ("test_asserts", ["assertion"], "wrong title"),
        ("test_bug", ["check_bug"], "KeyError at existing_suite.py:"),
        ("test_refused", ["refused"], "ERR_CONNECTION_REFUSED"),
        ("test_sleeps", ["check_blocked"], "existing_suite.py:"),
        ("test_spins", ["deadline"], "waits for the browser"),
        ("test_skipped", ["check_bug"], "not today"),
        ("test_nothing", ["check_unloadable"], "test_nothing"),
    ],
)
async def test_each_function_is_one_result(url: str, tmp_path: Path, node: str, kinds: list[str], words: str) -> None:
    """One step, the classification of the journeys, and in time."""
    async with PytestProber(ProberSettings(browser=BrowserSettings(), scratch=tmp_path / "s")) as prober:
        seen = await prober.probe(
            spec(node, tmp_path, 2 if node in ("test_sleeps", "test_spins") else 10), context(url)
        )
    assert [f.kind for f in seen.failures] == kinds, seen
    assert all(words in f.message for f in seen.failures), seen.failures
    assert [s.name for s in seen.steps] == [node]
    assert list((tmp_path / "s").glob("*")) == []
    left = [p.name() for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    assert left == []


async def test_a_cancelled_run_leaves_nothing(url: str, tmp_path: Path) -> None:
    settings = ProberSettings(browser=BrowserSettings(), scratch=tmp_path / "s")
    async with PytestProber(settings) as prober, asyncio.TaskGroup() as group:
        task = group.create_task(prober.probe(spec("test_sleeps", tmp_path, 30), context(url)), name="run")
        await asyncio.sleep(1)
        task.cancel()
    left = [p.name() for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    assert left == []


async def test_what_is_missing_is_said(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest_file, "_NEEDED", ("pytest", "no_such_package"))
    async with PytestProber(ProberSettings(browser=BrowserSettings(), scratch=tmp_path / "s")) as prober:
        with pytest.raises(ProberUnavailable, match="no_such_package is missing: run `pip install"):
            await prober.probe(spec("test_passes", tmp_path), context(url))
