"""What the doors remember between two requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from probe.store.people import Session
from probe.web.access.limit import LoginLimit
from probe.web.access.links import Links
from probe.web.access.passwords import Passwords


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """One for each application: `request.app[ENTRANCE]`. `listen` is the name of the host that we listen at.

    `links` are shared with the control socket, which makes them.
    """

    links: Links
    listen: str | None = None
    now: Callable[[], datetime] = _now
    limit: LoginLimit = field(default_factory=LoginLimit)
    passwords: Passwords = field(default_factory=Passwords)
    kept: dict[str, Session] = field(default_factory=dict)
    """Sessions that could not be stored, by what would have been: who comes on the day the disk is full gets in."""


ENTRANCE: Final[web.AppKey[Entrance]] = web.AppKey("entrance", Entrance)
