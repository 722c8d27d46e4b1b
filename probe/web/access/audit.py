"""The record of who did what."""

import logging
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from probe.core.people import AuditLine
from probe.errors import StoreUnavailable
from probe.web.access.origin import client_address
from probe.web.desk import DESK, IDENTITY

log = logging.getLogger(__name__)
LONGEST: Final = 500
"""Characters that are kept of a word."""


async def audit(request: web.Request, what: str, object: str = "", ok: bool = True, *, who: str | None = None) -> None:
    """Write down that somebody (`None`: who asks) did something to an object, or was refused: `ok` says which.

        await audit(request, "acknowledge", incident)

    What was done is done: when it cannot be written down, the log says it instead.
    """
    desk = request.app[DESK]
    asks = request.get(IDENTITY)
    line = AuditLine(
        at=datetime.now(UTC),
        who=_line(who if who is not None else asks.name if asks is not None else ""),
        what=_line(what),
        object=_line(object),
        address=client_address(request, desk.settings),
        ok=ok,
    )
    try:
        await desk.people(lambda people: people.audit(line))
    except StoreUnavailable as error:
        log.warning(
            "not written down: %s %s %s from %s (%s): %s", line.who, line.what, line.object, line.address, ok, error
        )


def _line(text: str) -> str:
    """One line, and not a long one: what somebody sent is in it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:LONGEST]
