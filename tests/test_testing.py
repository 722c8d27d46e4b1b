"""The kit for tests of users: a check runs in the test's own process."""

import doctest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import probe.authoring.session
import probe.testing
import probe.worker.playwright_errors
from probe import expect, journey
from probe.core.run import Outcome
from probe.testing import FakeClock, run_check


@journey(every="1m", timeout="5s", target="shop")
async def looks(t: Any) -> None:
    async with t.step("view"):
        await t.page.goto(t.url("/"))
        await expect(t.page.get_by_role("heading")).to_have_text(t.params["title"], timeout=500)


@pytest.mark.parametrize(("title", "outcome"), [("Shop", Outcome.PASSED), ("Shoes", Outcome.FAILED)])
async def test_a_journey_in_a_test(tmp_path: Path, title: str, outcome: Outcome) -> None:
    """The decorated function gets a browser of its own; evidence goes where it is told."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>Shop</h1>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        run = await run_check(looks, target=url, params={"title": title}, evidence=tmp_path, timeout="5s")
    finally:
        await runner.cleanup()
    assert run.outcome is outcome, run.failure
    assert (run.kind, run.check) == ("browser", "looks")
    assert (tmp_path / "screenshot.png").exists() is (outcome is Outcome.FAILED)


async def test_what_is_no_check_is_refused() -> None:
    with pytest.raises(TypeError, match="async def"):
        await run_check(lambda t: None, target="http://x")


def test_a_clock_that_is_moved() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(-1)
    assert clock.now() == datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("module", [probe.testing, probe.authoring.session, probe.worker.playwright_errors])
def test_examples_in_docstrings(module: Any) -> None:
    assert doctest.testmod(module, verbose=False).failed == 0
