"""One browser and one server for the tests of the pages: the real handlers, over a desk that gives documents of `samples.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, async_playwright

from probe.core.access import Access, Identity, WebSettings
from probe.core.check import CheckId
from probe.core.status_page import StatusPage
from probe.core.target import BrowserKind
from probe.errors import StoreUnavailable
from probe.view.documents import Overview
from probe.web.desk import CSRF, DESK, IDENTITY, PREFIX
from probe.web.routes import Handler, Route
from probe.worker.browser import find_browser
from tests.web.pages import samples

SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")


@dataclass
class SampleDaemon:
    """A daemon that is asked to run things, and keeps what it was asked."""

    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def places(self) -> dict[CheckId, tuple[str, ...]]:
        return {CheckId(name): tuple(samples.REGIONS) for name in ("buy", "search", "login")}

    def status(self) -> dict[str, Any]:
        return {"fleet": None}

    async def ask(self, check: CheckId, regions: tuple[str, ...]) -> None:
        self.asked.append((check, regions))


@dataclass
class SampleDesk:
    """A desk whose documents are samples. `documents` are given to `view` by the name of what it is asked to make.

    The page handlers call their view functions through the desk; a test says with `shows` what comes back.
    """

    shown: Overview = field(default_factory=samples.overview)
    trouble: str = ""
    daemon: Any = field(default_factory=SampleDaemon)
    settings: WebSettings = field(default_factory=WebSettings)
    status_page: StatusPage = field(default_factory=StatusPage)
    sources: Any = field(default_factory=lambda: SimpleNamespace(now=samples.NOW))

    async def overview(self) -> Overview:
        if self.trouble:
            raise StoreUnavailable(self.trouble)
        return self.shown

    async def view(self, make: Callable[[Any], Any]) -> Any:
        if self.trouble:
            raise StoreUnavailable(self.trouble)
        return make(self.sources)

    async def people(self, act: Callable[[Any], Any]) -> Any:
        return act(None)


def application(desk: Any, routes: tuple[Route, ...], *, access: Access = Access.OPERATOR) -> web.Application:
    """The handlers of some routes, for somebody who is logged in."""

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[IDENTITY] = Identity(name="Jo Operator", access=access, by="password")
        request[CSRF] = "csrf-of-the-session"
        request[PREFIX] = ""
        return await handler(request)

    app = web.Application(middlewares=[gate])
    app[DESK] = desk
    for route in routes:
        app.router.add_route(route.method, route.path, route.handler)
    return app


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The project's own Chromium, one for each module, so that nothing is left of it: tests that use it run in the loop of the session."""
    found = find_browser(BrowserKind.HEADLESS_SHELL)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=found.path, args=list(found.flags), chromium_sandbox=found.sandbox
        )
        yield started
        await started.close()
