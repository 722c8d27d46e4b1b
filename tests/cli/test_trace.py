"""`probe trace`: which run has one, and the viewer with it, on one's own machine."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from aiohttp import ClientSession

from probe.cli.trace import read_trace
from probe.core.failure import Failure
from probe.core.run import Run, Why
from probe.ports import Record
from probe.web.lone_trace import serve_trace
from probe.web.viewer import PAGE, find_viewer
from tests.store.builders import store_in
from tests.view.outage import a_run, everything, fill, looking

CONFIG = """
[probe]
data = "."
[targets.shop]
url = "https://shop.example"
"""


def another(folder: Path) -> Run:
    """A run with a trace that failed at something else, nearer to the others than the one that failed like them."""
    run = a_run("checkout", "us", 2.5, bad=True, why=Why.MANUAL)
    elsewhere = Failure.of("element", "no button", step="basket")
    return everything(replace(run, observation=replace(run.observation, failures=(elsewhere,))), folder)


async def add(folder: Path, run: Run) -> None:
    async with store_in(folder) as store:
        await store.commit(Record(runs=(run,)))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("outage")
    fill(folder)
    asyncio.run(add(folder, another(folder)))
    (folder / "config.toml").write_text(CONFIG)
    yield folder
    shutil.rmtree(folder)


def told(folder: Path, run: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said in the place of a trace."""
    with looking(folder) as sources, pytest.raises(typer.Exit) as ended:
        read_trace(sources, run)
    assert ended.value.exit_code == 2
    return capsys.readouterr().err


def test_a_run_with_a_trace(stored: Path) -> None:
    with looking(stored) as sources:
        assert read_trace(sources, "checkout-eu-0").startswith(b"PK")


def test_a_run_without_one_names_the_nearest_that_has_one(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(stored, "checkout-us-3", capsys)
    assert "it has no trace" in said
    assert "from eu failed like it and has one: probe trace checkout-eu-0" in said


def test_no_other_has_one(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(stored, "search-eu-0", capsys)
    assert "it has no trace" in said
    assert 'trace = "retain-on-failure" in [evidence]' in said
    assert "probe history" in told(stored, "never-was", capsys)


def test_a_trace_that_is_gone(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = stored / "evidence" / "checkout" / "checkout-eu-0" / "trace.zip"
    kept = trace.rename(trace.with_suffix(".away"))
    try:
        assert "not kept any more" in told(stored, "checkout-eu-0", capsys)
    finally:
        kept.rename(trace)


async def test_the_viewer_and_the_trace_and_nothing_else() -> None:
    viewer = await asyncio.to_thread(find_viewer)
    assert viewer is not None
    async with serve_trace(viewer, b"PK: a trace") as address, ClientSession() as client:
        parts = urlsplit(address)
        assert (parts.hostname, parts.path) == ("127.0.0.1", f"/trace/{PAGE}")
        (trace,) = parse_qs(parts.query)["trace"]
        opened = await client.get(trace)
        assert await opened.read() == b"PK: a trace"
        assert (await client.get(address)).status == 200
        assert (await client.get(trace + "x")).status == 404
        assert (await client.get(trace, headers={"Host": f"evil.example:{parts.port}"})).status == 421
        assert (await client.get(f"http://127.0.0.1:{parts.port}/")).status == 404


def _deaf() -> None:
    """As a shell starts what runs in the background: Ctrl-C is ignored until the program says otherwise."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_the_command_serves_until_it_is_interrupted(stored: Path) -> None:
    """As one types it: the address is printed, Ctrl-C ends it, and it ends well."""
    code = "import typer; from probe.cli.trace import trace; typer.run(trace)"
    command = [sys.executable, "-c", code, "checkout-eu-0", "--no-open"]
    with subprocess.Popen(
        command,
        cwd=stored,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
        preexec_fn=_deaf,  # noqa: PLW1509  # this test has no threads
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
        assert process.wait() == 0, rest
    assert line.startswith(b"the trace is at http://127.0.0.1:"), rest
    assert "Traceback" not in rest
