"""Pages, drivers and browsers that misbehave: one truthful observation each, in time, and nothing left."""

import time
from dataclasses import replace

import pytest

from probe.core.run import Outcome, StepOutcome, outcome_of
from probe.core.target import BrowserKind
from probe.worker.pool import WorkerPool
from probe.worker.process import GRACE
from tests.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", ["opens", "alerts", "pops_up"])
async def test_what_pages_may_do(bench: Bench, name: str) -> None:
    seen = await bench.page(name, timeout=8)
    assert seen.failures == ()
    assert all(s.outcome is StepOutcome.PASSED for s in seen.steps)
    assert seen.duration is not None
    assert seen.duration < 3, "the browser's start is no part of it"


@pytest.mark.parametrize(
    ("name", "kind", "step", "words"),
    [
        ("never_loads", "no_response", "one", "GET /hang has not answered after"),
        ("spins", "page_unresponsive", "one", "never yields"),
        ("spins_by_itself", "page_unresponsive", "one", "never yields"),
        ("redirects", "too_many_redirects", "one", "ERR_TOO_MANY_REDIRECTS"),
        ("downloads", "unexpected_download", "one", "a download came in place of a page"),
        ("crashes", "page_crashed", "one", "the page crashed"),
    ],
)
async def test_bad_pages_fail_the_target(bench: Bench, name: str, kind: str, step: str, words: str) -> None:
    begun = time.monotonic()
    seen = await bench.page(name, timeout=2)
    elapsed = time.monotonic() - begun
    assert outcome_of(seen.failures) is Outcome.FAILED
    assert (seen.failures[0].kind, seen.failures[0].step) == (kind, step)
    assert words in seen.failures[0].message
    assert elapsed < 2 + GRACE + 3.5, "a new browser's start is in it"


async def test_a_local_file_is_the_checks_own_fault(bench: Bench) -> None:
    seen = await bench.page("local_file")
    assert [f.kind for f in seen.failures] == ["check_bug"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("stops_driver", "browser_unresponsive"),
        ("kills_browser", "browser_died"),
        ("stops_browser", "browser_unresponsive"),
    ],
)
async def test_trouble_of_our_browser_is_ours(bench: Bench, name: str, kind: str) -> None:
    begun = time.monotonic()
    seen = await bench.page(name, timeout=2)
    assert outcome_of(seen.failures) is Outcome.ERRORED
    assert seen.failures[0].kind == kind
    assert time.monotonic() - begun < 2 + GRACE + 3.5
    assert (await bench.page("opens", timeout=8)).failures == (), "the next run gets a new browser"


async def test_a_page_that_fills_memory(bench: Bench) -> None:
    settings = replace(bench.pool.settings, max_memory=900 * 2**20)
    async with WorkerPool(settings, bench.tmp / "m") as pool:
        seen = await pool.run(
            bench.spec("fills_memory", browser=BrowserKind.HEADLESS_SHELL, timeout=15), bench.context()
        )
    assert [f.kind for f in seen.failures] == ["page_memory"]
    assert outcome_of(seen.failures) is Outcome.FAILED


async def test_a_killed_run_tells_how_far_it_came(bench: Bench) -> None:
    seen = await bench.page("hangs_half_way", timeout=2, steps=("one", "two", "three"))
    assert [(s.name, s.outcome) for s in seen.steps] == [
        ("one", StepOutcome.PASSED),
        ("two", StepOutcome.ERRORED),
        ("three", StepOutcome.SKIPPED),
    ]
    assert seen.orders == ("order-1",)
    assert [f.kind for f in seen.failures] == ["check_blocked"]
    assert "undo did not run: print" in seen.log


async def test_no_browser_is_one_clear_message(bench: Bench) -> None:
    settings = replace(bench.pool.settings, executable="/nowhere/chromium")
    async with WorkerPool(settings, bench.tmp / "n") as pool:
        seen = await pool.run(bench.spec("opens", browser=BrowserKind.HEADLESS_SHELL), bench.context())
    assert [f.kind for f in seen.failures] == ["browser_missing"]
    assert "make setup" in seen.failures[0].message


async def test_a_browser_that_does_not_start(bench: Bench) -> None:
    settings = replace(bench.pool.settings, executable="/bin/false")
    async with WorkerPool(settings, bench.tmp / "f") as pool:
        seen = await pool.run(bench.spec("opens", browser=BrowserKind.HEADLESS_SHELL), bench.context())
    assert [f.kind for f in seen.failures] == ["browser_start"]


async def test_workers_are_kept_and_recycled(bench: Bench) -> None:
    settings = replace(bench.pool.settings, recycle_after_runs=2)
    async with WorkerPool(settings, bench.tmp / "r") as pool:
        for _ in range(3):
            assert (await pool.run(bench.spec("passes"), bench.context())).failures == ()
        assert pool._count == 2
