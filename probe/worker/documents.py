"""The pages that a run went to and the scripts that they loaded: what can be compared with another run.

Asked for when the run is over, of the answers that the listeners have kept: nothing of it costs the journey time.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from probe.core.exchange import Certificate
from probe.core.run import Document
from probe.core.secret import SECRET_HEADERS, without_credentials
from probe.core.sensitive import is_sensitive, without_sensitive
from probe.net.egress import Egress
from probe.worker.observer import Seen

if TYPE_CHECKING:
    from playwright.async_api import Request, Response

MOST_DOCUMENTS: Final = 20
"""Pages of one run that are kept: the last ones, where it ended."""
MOST_SCRIPTS: Final = 200
MOST_REDIRECTS: Final = 20
LONGEST_URL: Final = 1000
LONGEST_VALUE: Final = 200
ASKING: Final = 0.3
"""Seconds that the browser has to say all of it."""

_TELLING: Final = frozenset(
    {"server", "via", "x-cache", "cf-ray", "x-served-by", "age", "etag", "last-modified", "x-powered-by"}
)
_BUILD: Final = re.compile(r"build|version|release|revision|commit|deploy")

Clean = Callable[[str], str]


async def documents_of(
    requests: Iterable[Seen], clean: Clean, *, ask: bool, egress: Egress | None = None
) -> tuple[Document, ...]:
    """A document for each page that a main frame went to. `clean` takes secrets out of a text.

    `ask`: whether the browser can still be asked, for the peer and its certificate. Where it left through `egress`, the
    peer is what that has reached.
    """
    pages = [s for s in requests if s.main and s.resource == "document" and not _leads_on(s)][-MOST_DOCUMENTS:]
    peers: dict[Seen, tuple[str | None, Certificate | None]] = {}
    if ask:
        with suppress(TimeoutError):  # what was said in time counts
            async with asyncio.timeout(ASKING), asyncio.TaskGroup() as group:
                for seen in pages:
                    if seen.response is not None:
                        group.create_task(_peer(seen, seen.response, peers), name=f"peer of {seen.url}")
    found = []
    for seen in pages:
        address, certificate = peers.get(seen, (None, None))
        if egress is not None:
            address = _reached(egress, seen.url)
        found.append(
            Document(
                url=_shown(seen.url, clean),
                status=seen.status,
                step=seen.step,
                redirects=tuple(_shown(url, clean) for url in _redirects(seen.request)),
                address=address,
                headers=() if seen.response is None else telling_headers(seen.response.headers, clean),
                certificate=certificate,
            )
        )
    return tuple(found)


def scripts_of(requests: Iterable[Seen], clean: Clean) -> tuple[str, ...]:
    """The addresses of the scripts that were loaded, without queries, sorted."""
    loaded = (s for s in requests if s.resource == "script" and s.status is not None and s.status < 400)
    found = {clean(without_credentials(s.url).partition("#")[0].partition("?")[0])[:LONGEST_URL] for s in loaded}
    return tuple(sorted(found)[:MOST_SCRIPTS])


def telling_headers(headers: dict[str, str], clean: Clean) -> tuple[tuple[str, str], ...]:
    """Those of the headers of an answer (names in lower case) that tell one state of a shop from another, sorted."""
    return tuple(
        (name, clean(value)[:LONGEST_VALUE])
        for name, value in sorted(headers.items())
        if (name in _TELLING or _BUILD.search(name)) and name not in SECRET_HEADERS and not is_sensitive(name)
    )


def _leads_on(seen: Seen) -> bool:
    """Whether it is no page of its own: a redirect, whose end is one, or what was left before it came."""
    left = seen.response is None and (seen.error is None or "ERR_ABORTED" in seen.error)
    return left or seen.request.redirected_to is not None


def _redirects(request: "Request") -> list[str]:
    """The addresses that led to a request, the first one first."""
    found: list[str] = []
    before = request.redirected_from
    while before is not None and len(found) < MOST_REDIRECTS:
        found.append(before.url)
        before = before.redirected_from
    return found[::-1]


def _shown(url: str, clean: Clean) -> str:
    return clean(without_sensitive(without_credentials(url)))[:LONGEST_URL]


def _reached(egress: Egress, url: str) -> str | None:
    parts = urlsplit(url)
    return egress.peer_of(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


async def _peer(seen: Seen, response: "Response", peers: dict[Seen, tuple[str | None, Certificate | None]]) -> None:
    """Ask who answered, and with which certificate. What the browser no longer knows is left out."""
    from playwright.async_api import Error

    try:
        peer = await response.server_addr()
        details = await response.security_details() if seen.url.startswith("https:") else None
    except Error:
        return
    address = None
    if peer is not None:
        host = peer["ipAddress"].strip("[]")
        address = f"[{host}]:{peer['port']}" if ":" in host else f"{host}:{peer['port']}"
    peers[seen] = (address, None if details is None else _certificate(dict(details)))


def _certificate(details: dict[str, object]) -> Certificate | None:
    """What a browser says of a certificate: names and validity, no fingerprint."""
    begins, ends = details.get("validFrom"), details.get("validTo")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float) or not begins:
        return None
    try:
        return Certificate(
            subject=str(details.get("subjectName", "")),
            issuer=str(details.get("issuer", "")),
            names=(),
            not_before=datetime.fromtimestamp(begins, UTC),
            not_after=datetime.fromtimestamp(ends, UTC),
            sha256="",
        )
    except (OverflowError, ValueError, OSError):  # a validity that no calendar has
        return None
