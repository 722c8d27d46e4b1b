"""Fixtures that stand before those of pytest-playwright: the browser that was found, our mark, and limits in time."""

from typing import Any

import pytest

from probe.worker.pages import ACTION_TIMEOUT, EXPECT_TIMEOUT, MARGIN
from probe.worker.pytest_plugin import KEY


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], pytestconfig: pytest.Config) -> dict[str, Any]:
    """The browser that was found, in place of Playwright's own."""
    order = pytestconfig.stash[KEY]
    given = {k: v for k, v in browser_type_launch_args.items() if k not in ("channel", "headless")}
    return {
        **given,
        "executable_path": order.executable,
        "args": [*given.get("args", ()), *order.flags],
        "chromium_sandbox": order.sandbox,
        "headless": True,
    }


@pytest.fixture(scope="session")
def browser_context_args(
    browser_context_args: dict[str, Any], browser: Any, pytestconfig: pytest.Config
) -> dict[str, Any]:
    """Our mark at the end of the browser's own user agent."""
    session = browser.new_browser_cdp_session()
    own = browser_context_args.get("user_agent") or session.send("Browser.getVersion")["userAgent"]
    session.detach()
    return {**browser_context_args, "user_agent": f"{own} {pytestconfig.stash[KEY].user_agent}"}


@pytest.fixture(autouse=True)
def _probe_limits(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> None:
    # Whatever waits in the page gives up before our deadline: it can say what it waited for.
    from playwright.sync_api import expect

    rest = max(0.2, pytestconfig.stash[KEY].timeout - MARGIN)
    expect.set_options(timeout=min(EXPECT_TIMEOUT, rest) * 1000)
    if "context" in request.fixturenames:
        request.getfixturevalue("context").set_default_timeout(min(ACTION_TIMEOUT, rest) * 1000)
