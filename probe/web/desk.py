"""What the handlers of the pages have at hand: documents, made where they may block, and the daemon."""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from aiohttp import web

from probe.core.access import Identity, WebSettings
from probe.core.status_page import StatusPage
from probe.store.people import People
from probe.view.documents import Overview
from probe.view.sources import Sources
from probe.web.ports import Daemon

T = TypeVar("T")


class Desk(Protocol):
    """One for each application: `request.app[DESK]`."""

    daemon: Daemon

    @property
    def settings(self) -> WebSettings:
        """How the pages are configured."""
        ...

    @property
    def status_page(self) -> StatusPage:
        """How the public page is configured."""
        ...

    async def view(self, make: Callable[[Sources], T]) -> T:
        """Have a document made, in a thread of its own, with one look at everything. `StoreUnavailable`: it cannot be read now."""
        ...

    async def overview(self) -> Overview:
        """The overview, at most two seconds old: made once for all who ask for it at the same time."""
        ...

    async def people(self, act: Callable[[People], T]) -> T:
        """Read or write what people do, in a thread. `StoreUnavailable`: it cannot be done now."""
        ...


DESK: Final[web.AppKey[Desk]] = web.AppKey("desk", Desk)
IDENTITY: Final[web.RequestKey[Identity | None]] = web.RequestKey("identity", object)  # type: ignore[arg-type]  # set by the gate for every request
CSRF: Final[web.RequestKey[str]] = web.RequestKey("csrf", str)
"""What the forms of this session must carry: set by the gate for every request, `""` without a session."""
PREFIX: Final[web.RequestKey[str]] = web.RequestKey("prefix", str)
JSON: Final = "application/json"


def identity(request: web.Request) -> Identity:
    """Who asks: only behind a door that is not public."""
    found = request[IDENTITY]
    assert found is not None, "the gate lets nobody through without"
    return found


def only_probes(desk: Desk) -> bool:
    """Whether this is an agent of a fleet: it knows its own runs, and what people say there reaches nobody else."""
    fleet = desk.daemon.status()["fleet"]
    return fleet is not None and fleet["role"] == "agent"


def prefix(request: web.Request) -> str:
    """What every address begins with, behind a reverse proxy: `""` or `/probe`."""
    found: str = request.get(PREFIX, "")
    return found
