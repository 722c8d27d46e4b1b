"""Links that let somebody in once: for whoever may use the control socket, and so does not need a password."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from aiohttp import web

from probe.core.access import WebSettings
from probe.web.answers import answer, body_of, refusal
from probe.web.routes import Handler

LASTS: Final = timedelta(seconds=60)
MOST: Final = 100
"""Links that may wait to be used."""
LONGEST_NAME: Final = 200
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # looked for, not bound
"""What leads here from here, of what means every address."""


@dataclass(frozen=True, slots=True)
class _Issued:
    by: str
    until: datetime


class Links:
    """The tickets that were given out and not used yet: in memory, as hashes. For the control socket and the pages alike."""

    bound: tuple[str, int] | None = None
    """Host and port at which the pages are served; `None`: they are not."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._issued: dict[str, _Issued] = {}

    def issue(self, by: str) -> str:
        """A ticket of 256 bits for somebody: good for 60 seconds, and once."""
        now = self._now()
        self._issued = {key: one for key, one in self._issued.items() if one.until > now}
        while len(self._issued) >= MOST:
            del self._issued[next(iter(self._issued))]
        ticket = token_urlsafe(32)
        self._issued[_hash(ticket)] = _Issued(by, now + LASTS)
        return ticket

    def use(self, ticket: str) -> str | None:
        """For whom it was made; `None`: it is none, it was used, or it is too old."""
        found = self._issued.pop(_hash(ticket), None)
        return found.by if found is not None and found.until > self._now() else None


def login_link(links: Links, settings: Callable[[], WebSettings]) -> Handler:
    """The handler of `POST /login-link` on the control socket."""

    async def handler(request: web.Request) -> web.Response:
        body = await body_of(request, {"by"})
        by = body.get("by")
        if not isinstance(by, str) or not 0 < len(by.strip()) <= LONGEST_NAME:
            return refusal(400, f'"by" is to be a name of at most {LONGEST_NAME} characters')
        if links.bound is None:
            return refusal(
                404, "the pages are served nowhere", 'set [probe] listen to "127.0.0.1:9464", and start anew'
            )
        address = settings().url or _written(*links.bound)
        url = f"{address.rstrip('/')}/login/link#{links.issue(' '.join(by.split()))}"
        return answer({"ok": True, "url": url, "seconds": int(LASTS.total_seconds())})

    return handler


def _written(host: str, port: int) -> str:
    """The address of what is bound there, as seen from this machine."""
    if host in EVERYWHERE:
        host = EVERYWHERE[host]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _hash(ticket: str) -> str:
    return sha256(ticket.encode("utf-8", "replace")).hexdigest()
