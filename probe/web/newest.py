"""The status page, made once for all who ask: whatever the load, what is stored is looked at once in ten seconds."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from weakref import WeakKeyDictionary

from probe.core.status_page import StatusPage
from probe.errors import StoreUnavailable
from probe.view.documents import StatusDocument
from probe.view.sources import Sources
from probe.view.status import status_document, unknown
from probe.view.status_render import status_files
from probe.web.access.origin import prefix_of
from probe.web.desk import Desk

log = logging.getLogger(__name__)
FRESH: Final = 10.0
"""Seconds for which it is shown to all."""
AGAIN: Final = 2.0
"""Seconds from the beginning of one look to that of the next, should whoever waited for the first have gone."""


KINDS: Final = {
    "html": "text/html",
    "atom": "application/atom+xml",
    "json": "application/json",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file of the page."""

    body: bytes
    kind: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The page as it is now: its document, and its files by their addresses below `/status/`; `index.html` is the page itself."""

    document: StatusDocument
    files: Mapping[str, File]


def rendered(document: StatusDocument, *, base: str, report: str | None, url: str | None) -> Newest:
    """All files of a document; see `status_files`."""
    files = status_files(document, base=base, report=report, url=url)
    return Newest(
        document=document,
        files={
            name: File(body, KINDS[name.rpartition(".")[2]], hashlib.blake2b(body, digest_size=12).hexdigest())
            for name, body in files.items()
        },
    )


class _Made:
    """What was made last, for one desk."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.newest: Newest | None = None
        self.of: tuple[StatusPage, str] | None = None
        self.at = self.begun = -FRESH


_made: Final[WeakKeyDictionary[Desk, _Made]] = WeakKeyDictionary()


async def newest(desk: Desk) -> Newest:
    """The page as it is now, at most ten seconds old. `StoreUnavailable` when there was none yet, and nothing can be read.

    Later, when nothing can be read any more, it says that nothing is known since.
    """
    made, loop = _made.setdefault(desk, _Made()), asyncio.get_running_loop()
    of = (desk.status_page, prefix_of(desk.settings))
    async with made.turn:
        if made.newest is not None and made.of == of and loop.time() - made.at < FRESH:
            return made.newest
        await asyncio.sleep(made.begun + AGAIN - loop.time())  # not at all, but after one that nobody waited for
        made.begun = loop.time()
        try:
            found = await desk.view(lambda sources: _look(sources, of[1]))
        except StoreUnavailable as error:
            if made.newest is None or made.of != of:
                raise
            log.warning("the status page knows nothing now: %s", error)
            found = _blind(made.newest.document, of)
        made.newest, made.of, made.at = found, of, loop.time()
        return found


def _look(sources: Sources, front: str) -> Newest:
    return _rendered(status_document(sources), (sources.status_page, front))


def _blind(document: StatusDocument, of: tuple[StatusPage, str]) -> Newest:
    return _rendered(unknown(document, datetime.now(UTC)), of)


def _rendered(document: StatusDocument, of: tuple[StatusPage, str]) -> Newest:
    page, front = of
    return rendered(document, base=f"{front}/status/", report=f"{front}/status/report", url=page.url)
