"""The desk of the pages: makes documents of what is stored and of what the daemon knows."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from probe import __version__
from probe.core.access import WebSettings
from probe.core.status_page import StatusPage
from probe.errors import StoreUnavailable
from probe.ports import Clock
from probe.store.people import People
from probe.view.documents import Overview
from probe.view.overview import overview
from probe.view.recent import Recent
from probe.view.sources import Sources
from probe.web.ports import Daemon
from probe.web.reading import Opened, Reading

T = TypeVar("T")

FRESH: Final = 2.0
"""Seconds for which an overview that was made is shown to all."""


class Front:
    """Implements `probe.web.desk.Desk`."""

    def __init__(self, daemon: Daemon, reading: Reading, clock: Clock) -> None:
        self.daemon = daemon
        self._reading = reading
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._recent = Recent()
        self._making = asyncio.Lock()
        self._made: tuple[float, Overview] | None = None
        self._failed: tuple[float, StoreUnavailable] | None = None

    @property
    def settings(self) -> WebSettings:
        """How the pages are configured: by the configuration in use."""
        return self.daemon.known().web

    @property
    def status_page(self) -> StatusPage:
        """How the public page is configured."""
        return self.daemon.known().status_page

    async def view(self, make: Callable[[Sources], T]) -> T:
        """Have a document made, in a thread. `StoreUnavailable`: it cannot be read now."""
        known, reason = self.daemon.known(), self.daemon.healthy()
        live = {
            **self.daemon.status(),
            "ready": self.daemon.ready(),
            "healthy": reason is None,
            "reason": reason,
            "concern": self.daemon.concern(),
        }

        def look(opened: Opened) -> T:
            return make(
                Sources(
                    now=self._clock.now(),
                    reader=opened.reader,
                    people=opened.people,
                    evidence=opened.evidence,
                    rules=known.rules,
                    redactor=known.redactor,
                    checks=known.checks,
                    targets=known.targets,
                    hash=known.hash,
                    version=__version__,
                    live=live,
                    status_page=known.status_page,
                    restricted=known.restricted,
                )
            )

        return await self._reading.do(look)

    async def overview(self) -> Overview:
        """The overview, at most two seconds old: made once for all who ask for it at the same time, or found impossible once."""
        asked = self._loop.time()
        async with self._making:
            if self._failed is not None and asked < self._failed[0]:
                raise StoreUnavailable(str(self._failed[1]), lasting=self._failed[1].lasting)
            if self._made is None or self._loop.time() - self._made[0] > FRESH:
                try:
                    made = await self.view(lambda sources: overview(sources, self._recent))
                except StoreUnavailable as error:
                    self._failed = (self._loop.time(), error)
                    raise
                self._made = (self._loop.time(), made)
            return self._made[1]

    async def people(self, act: Callable[[People], T]) -> T:
        """Read or write what people do, in a thread. `StoreUnavailable`: it cannot be done now."""
        return await self._reading.do(lambda opened: act(opened.people))
