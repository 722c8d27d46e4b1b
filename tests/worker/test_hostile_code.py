"""User code that sleeps, loops, raises, exits, forks or leaks costs its own run and nothing else."""

import asyncio
import time

import psutil
import pytest

from probe.core.run import Outcome, StepOutcome, outcome_of
from probe.worker.process import GRACE
from tests.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("sleeps", "check_blocked", "hostile.py:17"),
        ("sleeps_politely", "check_blocked", "sleep()"),
        ("loops", "check_blocked", "hostile.py:"),
        ("raises", "check_bug", "KeyError at hostile.py:"),
        ("exits", "check_exited", "sys.exit(3)"),
        ("leaves", "check_exited", "exit code 4"),
        ("kills_itself", "worker_died", "SIGKILL"),
        ("stops_itself", "worker_died", "SIGSTOP"),
        ("never_cancelled", "check_blocked", "own code"),
        ("writes_to_us", "worker_died", "nonsense"),
    ],
)
async def test_each_ends_in_one_truthful_observation(bench: Bench, name: str, kind: str, words: str) -> None:
    begun = time.monotonic()
    seen = await bench.http(name, timeout=1.2)
    elapsed = time.monotonic() - begun
    assert [f.kind for f in seen.failures] == [kind]
    assert words in seen.failures[0].message
    assert seen.failures[0].step == "one"
    assert outcome_of(seen.failures) is Outcome.ERRORED
    assert [(s.name, s.outcome) for s in seen.steps] == [("one", StepOutcome.ERRORED), ("two", StepOutcome.SKIPPED)]
    assert elapsed < 1.2 + GRACE + 2.5, "a new worker's start is in it"


async def test_forked_children_end_with_the_run(bench: Bench) -> None:
    seen = await bench.http("forks")
    assert seen.failures == ()
    names = [p.name() for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    assert "sleep" not in names


async def test_a_forked_child_that_comes_back_says_nothing(bench: Bench) -> None:
    seen = await bench.http("forks_and_returns")
    assert seen.failures == ()
    assert (await bench.http("passes")).failures == ()


async def test_leaked_threads_and_tasks_are_told_and_do_not_outlive_the_run(bench: Bench) -> None:
    thread = await bench.http("leaks_thread")
    assert thread.failures == ()
    assert any("1 thread(s) running: leaked" in line for line in thread.log)
    task = await bench.http("leaks_task")
    assert task.failures == ()
    assert any("1 task(s) running: leaked" in line for line in task.log)


async def test_memory_of_the_check_is_bounded(bench: Bench) -> None:
    from dataclasses import replace

    from probe.worker.pool import WorkerPool

    settings = replace(bench.pool.settings, max_memory=300 * 2**20)
    async with WorkerPool(settings, bench.tmp / "m") as pool:
        seen = await pool.run(bench.spec("eats_memory", timeout=20), bench.context())
    assert [f.kind for f in seen.failures] == ["worker_memory"]


async def test_what_is_printed_is_in_the_log_without_secrets(bench: Bench) -> None:
    from probe.core.secret import Secret

    context = bench.context(secrets=(Secret("hunter2-canary"),))
    seen = await bench.pool.run(bench.spec("prints"), context)
    assert "to stdout ***" in seen.log
    assert "to stderr" in seen.log


async def test_undo_runs_after_the_deadline(bench: Bench) -> None:
    seen = await bench.http("undoes", timeout=0.5)
    assert seen.undone == ("clean",)
    assert "cleaned order" in seen.log
    assert [f.kind for f in seen.failures] == ["check_blocked"]


async def test_undo_is_bounded_and_changes_no_outcome(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = await bench.http("undoes_too_long", timeout=5)
    assert seen.failures == ()
    assert seen.undone == ()
    assert any("undo did not end within 5 s" in line for line in seen.log)


async def test_a_cancelled_run_cleans_up_and_leaves_nothing(bench: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.http("undoes", timeout=30), name="run")
        await asyncio.sleep(1.5)
        begun = time.monotonic()
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()
    assert time.monotonic() - begun < 2.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "line 1"),
        ("import nothing_like_this\n", "line 1: ModuleNotFoundError"),
        ("raise SystemExit(1)\n", "line 1: SystemExit"),
        ("x = 1\n", "no function"),
        ("def check(t): pass\n", "async def"),
        ("import os; os._exit(3)\n", "exit code 3"),
    ],
)
async def test_a_file_that_cannot_be_loaded(bench: Bench, text: str, words: str) -> None:
    file = bench.tmp / f"broken{abs(hash(text))}.py"
    file.write_text(text)
    seen = await bench.http("check", file=file)
    assert [f.kind for f in seen.failures] == ["check_unloadable"]
    assert words in seen.failures[0].message
