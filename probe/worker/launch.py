"""One Playwright driver and one browser, inside a worker: started at the first journey, shared by all of its runs."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from probe.core.failure import Failure
from probe.core.target import BrowserKind, BrowserSettings
from probe.errors import ProberUnavailable
from probe.worker.browser import Executable, find_browser

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Playwright

START_LIMIT: Final = 30.0
"""Seconds that a browser has to start. They are ours, never the journey's."""


@dataclass(slots=True)
class OpenBrowser:
    """A running browser and its driver."""

    kind: BrowserKind
    executable: Executable
    playwright: "Playwright"
    browser: "Browser"
    session: "CDPSession"
    user_agent: str

    @property
    def alive(self) -> bool:
        """Whether the browser is still connected."""
        return self.browser.is_connected()

    async def ping(self, limit: float) -> bool:
        """Whether driver and browser answer within `limit` seconds."""
        return await answers(self.session.send("Browser.getVersion"), limit)

    async def close(self, limit: float = 3.0) -> None:
        """Close browser and driver; what does not end by itself is for the supervisor to kill."""
        await answers(self.browser.close(), limit)
        await answers(self.playwright.stop(), limit)


async def answers(call: Any, limit: float) -> bool:
    """Whether a call to the browser comes back, without an error, within `limit` seconds."""
    from playwright.async_api import Error

    try:
        async with asyncio.timeout(limit):
            await call
    except (TimeoutError, Error):
        return False
    return True


async def open_browser(kind: BrowserKind, settings: BrowserSettings, scratch: Path) -> OpenBrowser:
    """Start a browser for journeys of `kind`; its profile and temporary files are below `scratch`.

    Raises `ProberUnavailable`: `browser_missing`, or `browser_start` with what the browser said.
    """
    executable = find_browser(kind, settings)
    from playwright.async_api import Error, async_playwright

    playwright: Playwright | None = None
    begun = time.monotonic()
    try:
        async with asyncio.timeout(START_LIMIT):
            playwright = await async_playwright().start()
            browser = await playwright.chromium.launch(
                executable_path=executable.path,
                args=list(executable.flags),
                chromium_sandbox=executable.sandbox,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                env=_environment(scratch),
                timeout=START_LIMIT * 1000,
            )
            session = await browser.new_browser_cdp_session()
            version = await session.send("Browser.getVersion")
    except (Error, OSError, TimeoutError) as error:
        if playwright is not None:
            await answers(playwright.stop(), 2.0)
        raise ProberUnavailable(_not_started(executable, error, time.monotonic() - begun)) from error
    return OpenBrowser(
        kind=kind,
        executable=executable,
        playwright=playwright,
        browser=browser,
        session=session,
        user_agent=version["userAgent"],
    )


def _environment(scratch: Path) -> dict[str, str | float | bool]:
    """The browser's: with a home of its own, so that it writes nowhere else."""
    home = str(scratch)
    return {**os.environ, "HOME": home, "TMPDIR": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}


def _not_started(executable: Executable, error: Exception, seconds: float) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure.of("browser_start", f"{executable.path} did not start within {seconds:.0f} s")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if "ERROR" in line or "error" in line.lower()), lines[0] if lines else "")
    return Failure.of("browser_start", f"{executable.path} did not start: {lines[0] if lines else error}; {said}"[:600])
