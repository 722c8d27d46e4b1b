"""The browser's side of one run: a fresh context, its page, and what is heard and kept of it."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from probe.authoring.findings import Findings
from probe.authoring.http import HttpClient
from probe.core.check import CheckSpec
from probe.core.explain import explain
from probe.core.failure import CheckFailed, Failure, Layer
from probe.core.run import Document
from probe.core.target import IpVersion, Region
from probe.drill.planter import Planter
from probe.net.egress import Egress, running_egress
from probe.ports import RunContext
from probe.worker.cleaning import OURS
from probe.worker.documents import documents_of, scripts_of
from probe.worker.evidence import SCREENSHOT_LIMIT, Collector
from probe.worker.launch import OpenBrowser, answers
from probe.worker.marking import mark_requests, origin_of
from probe.worker.observer import VITALS_SCRIPT, Observer
from probe.worker.planted import plant

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, Page

ACTION_TIMEOUT: Final = 10.0
"""Seconds that an action or a navigation waits unless the check says otherwise, or less of the run is left."""
EXPECT_TIMEOUT: Final = 5.0
"""Playwright's own for `expect`."""
MARGIN: Final = 0.3
"""Seconds before the deadline at which whatever waits in the page gives up: it can say why, a deadline cannot."""
CLOSE_LIMIT: Final = 3.0
CA_LIMIT: Final = 5.0
"""Seconds for the handshake that judges the certificate of a target with a CA of its own."""


@dataclass(slots=True)
class Pages:
    """One browser context, from `open` to `close`."""

    browser: OpenBrowser
    spec: CheckSpec
    run: RunContext
    collector: Collector
    observer: Observer
    planter: Planter | None = None
    """What a drill does with the requests of the pages."""
    stuck: bool = False
    """Whether the context did not close: its browser is not fit for another run."""
    tls: Failure | None = None
    """What is wrong with the target's certificate, where the target has a CA of its own."""
    egress: Egress | None = None
    """The proxy that makes the browser leave as the region does; `None`: it leaves as this host does."""
    documents: tuple[Document, ...] = ()
    """The pages it went to; known once it is closed."""
    scripts: tuple[str, ...] = ()
    _sessions: "dict[Page, CDPSession]" = field(default_factory=dict)
    _context: "BrowserContext | None" = None
    _page: "Page | None" = field(default=None)

    @property
    def page(self) -> "Page":
        """The run's first page."""
        assert self._page is not None, "open() comes first"
        return self._page

    @property
    def front(self) -> "Page | None":
        """The page that is in front; `None`: there is none that lives."""
        pages = [] if self._context is None else [p for p in self._context.pages if p not in self.observer.crashed]
        return self._page if self._page in pages else pages[-1] if pages else None

    async def open(self, stack: AsyncExitStack) -> None:
        """Make the context and its page, with our marks on the target's own requests. `stack` closes what it needs."""
        marks, target = self.run.marks, self.run.target
        options: dict[str, Any] = self.collector.context_options()
        if target.client_certificate is not None:
            options["client_certificates"] = [
                {
                    "origin": origin_of(target.url),
                    "certPath": target.client_certificate,
                    "keyPath": target.client_key or target.client_certificate,
                }
            ]
        if target.ca is not None:
            self.tls = await self._private_ca()
            options["ignore_https_errors"] = self.tls is None
        if leaves_otherwise(self.run.region):
            self.egress = await stack.enter_async_context(running_egress(self.run.region))
            # Chromium keeps loopback away from proxies unless told otherwise.
            options["proxy"] = {"server": self.egress.url, "bypass": "<-loopback>"}
        self._context = context = await self.browser.browser.new_context(
            user_agent=f"{self.browser.user_agent} {marks.user_agent}", **options
        )
        self.observer.attach(context)
        if not self.observer.lean:
            await context.add_init_script(VITALS_SCRIPT)
        await self.collector.begin(context)
        self._page = await context.new_page()
        headers = {**marks.headers, **{name: secret.reveal() for name, secret in target.headers.items()}}
        await self._mark(self._page, headers)
        context.on("page", lambda page: self._mark(page, headers))
        if (planter := self.planter) is not None:
            await plant(self._page, planter)
            context.on("page", lambda page: plant(page, planter))

    async def _mark(self, page: "Page", headers: Mapping[str, str]) -> None:
        self._sessions[page] = await mark_requests(page, origin_of(self.run.target.url), headers)

    def session_of(self, page: "Page") -> "CDPSession | None":
        """The session by which a page can be asked at the least price; `None`: it has none yet."""
        return self._sessions.get(page)

    async def _private_ca(self) -> Failure | None:
        """What is wrong with the target's certificate by its own CA, which Chromium cannot be told about."""
        deadline = asyncio.get_running_loop().time() + CA_LIMIT
        async with HttpClient(
            self.run.target, self.run.region, self.run.marks, Findings(), deadline=deadline
        ) as client:
            try:
                await client.head(self.run.target.url, follow_redirects=False)
            except CheckFailed as failed:
                return next((f for f in failed.failures if f.layer is Layer.TLS), None)
        return None

    def set_timeouts(self, left: float) -> None:
        """Have whatever waits in the page give up a moment before the run's deadline, `left` seconds from now."""
        from playwright.async_api import expect

        rest = max(0.2, left - MARGIN)
        assert self._context is not None, "open() comes first"
        self._context.set_default_timeout(min(ACTION_TIMEOUT, rest) * 1000)
        expect.set_options(timeout=min(EXPECT_TIMEOUT, rest) * 1000)

    def explain(self, failure: Failure, since: float, step: str | None) -> tuple[Failure, ...]:
        """A failure, explained by what is on the wire now."""
        return explain((failure,), self.observer.in_step(since), self.observer.errors_since(since), step=step)

    async def picture(self, *, failed: bool, limit: float | None = None) -> None:
        """Take the screenshot of the page that is in front, as far as one can be taken."""
        page = self.front
        if page is not None:
            await self.collector.picture(page, failed=failed, limit=SCREENSHOT_LIMIT if limit is None else limit)

    async def close(self, *, failed: bool) -> None:
        """Read the vitals, end what was recorded, close the context, and write the evidence that is to be kept."""
        context = self._context
        assert context is not None, "open() comes first"
        well = self.browser.alive and not self.stuck
        if not self.observer.lean:
            await self._read_documents(ask=well)
        if well:
            if not self.observer.lean:
                await self._read_vitals()
            await self.picture(failed=failed)
            await self.collector.end_trace(context, failed=failed)
            self.stuck = not await answers(context.close(), CLOSE_LIMIT)
        else:
            self.stuck = True
        await self.collector.write_har(self.observer, failed=failed)
        await self.collector.write_console(tuple(self.observer.console), failed=failed)

    async def _read_documents(self, *, ask: bool) -> None:
        requests, clean = tuple(self.observer.requests.values()), self.run.redactor.text
        self.documents = await documents_of(requests, clean, ask=ask, egress=self.egress)
        self.scripts = scripts_of(requests, clean)

    async def _read_vitals(self) -> None:
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(0.3):
                said = await self.page.evaluate(OURS + "() => window.__probe_vitals ? window.__probe_vitals() : ''")
        except (Error, TimeoutError):
            return
        if isinstance(said, str) and said:
            self.observer.measured(said)


def leaves_otherwise(region: Region) -> bool:
    """Whether a browser needs a proxy of ours to leave from `region`."""
    return (
        region.proxy is not None
        or region.source_address is not None
        or region.nameserver is not None
        or region.ip_version is not IpVersion.ANY
    )
