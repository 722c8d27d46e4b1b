"""Why a step of a journey failed: what the check saw in the page, explained by what was seen on the wire.

"The heading 'Your cart' was not found" is true and useless when the shop answered `POST /api/cart` with 500 just
before. This is the pure part: facts in, failures out, the deciding one first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from probe.core.duration import format_duration
from probe.core.failure import Failure
from probe.core.target import Target


class Party(StrEnum):
    """Whose a host is: the target's own, a third party that the target lists, or some other."""

    OWN = "own"
    LISTED = "listed"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One request of a page, as far as an explanation needs it.

    `resource` is Playwright's word (`document`, `script`, `xhr`, `fetch`, `image`, ...). `main` says that it is the
    page itself rather than a frame. `status` and `error` (such as `net::ERR_CONNECTION_REFUSED`) are both `None` while
    no answer has come; `seconds` is how long it took, or has been waited for.
    """

    method: str
    url: str
    party: Party
    resource: str
    main: bool = False
    status: int | None = None
    error: str | None = None
    seconds: float = 0.0
    done: bool = True

    @property
    def words(self) -> str:
        """How it is called in a message: `POST /api/cart`, with the host when it is not the target's own."""
        return f"{self.method} {path_of(self.url) if self.party is Party.OWN else host_and_path(self.url)}"

    @property
    def bad(self) -> bool:
        """Whether it failed: an error (but for an abort, which pages do all the time), or a status from 400 on."""
        if self.error is not None:
            return self.error not in ABORTS
        return self.status is not None and self.status >= 400

    @property
    def pending(self) -> bool:
        """Whether no answer has come yet."""
        return not self.done and self.status is None and self.error is None


ABORTS: Final = frozenset({"net::ERR_ABORTED", "NS_BINDING_ABORTED", "cancelled"})

STILL_LOADING: Final = "still loading"
"""`Failure.actual` of a `page_load` that did not come to an end in time, rather than broke off."""

_CALLS: Final = frozenset({"document", "xhr", "fetch"})
_BLOCKING: Final = frozenset({"document", "script", "stylesheet", "xhr", "fetch"})
_EXPLAINED: Final = frozenset(
    {"element", "assertion", "deadline", "page_load", "no_response", "page_error", "check_bug"}
)
_WAITED: Final = frozenset({"deadline", "page_load", "no_response", "element"})


def party_of(url: str, target: Target) -> Party:
    """Whose host an address is on. `third_parties` are host names or `host:port`, and stand for their subdomains too."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    try:
        with_port = f"{host}:{parts.port}"
    except ValueError:  # a port that is none
        with_port = host
    if any(p in (host, with_port) or host.endswith(f".{p}") for p in target.third_parties):
        return Party.LISTED
    own = target.host.removeprefix("www.")
    return Party.OWN if host == own or host.endswith(f".{own}") else Party.FOREIGN


def path_of(url: str) -> str:
    """The path of an address, without query, or the address itself where there is none."""
    parts = urlsplit(url)
    return parts.path or "/"


def host_and_path(url: str) -> str:
    """Host and path of an address, without scheme and query.

    >>> host_and_path("https://cdn.example/lib/a.js?v=1")
    'cdn.example/lib/a.js'
    """
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def explain(
    seen: Iterable[Failure], requests: Iterable[Wire], page_errors: Iterable[str], *, step: str | None = None
) -> tuple[Failure, ...]:
    """The failures of a step, the deciding one first.

    `seen` is what the check itself noticed; `requests` those that began, ended or were still open in the step;
    `page_errors` the page's uncaught script errors in it. Nothing is invented: without `seen` there is no failure.

    The order of blame: an own request that answered 500 or failed, an own page or change (POST and the like) that was
    refused (4xx), a listed third party that failed or hangs, an error of the page's script, and then what was seen.
    """
    noticed = tuple(seen)
    if not noticed or any(f.kind not in _EXPLAINED for f in noticed):
        return noticed
    wires = tuple(requests)
    wire = _blamed(
        wires,
        waited=any(f.kind in _WAITED for f in noticed),
        picture=any(_PICTURE.search(f.message) is not None for f in noticed),
    )
    if any(f.kind == "check_bug" for f in noticed):
        # Code that reads what a broken answer does not hold raises what it raises; the answer is the reason.
        if wire is None or not _severe(wire):
            return noticed
        then = "; then the check's code failed: " + "; ".join(f.message for f in noticed)
        return (_failure(wire, then, step),)
    then = f"; then {noticed[0].message}"
    first = () if wire is None else (_failure(wire, then, step),)
    errors = (
        () if any(f.kind == "page_error" for f in noticed) else _script(page_errors, then if not first else "", step)
    )
    if not first and any(f.actual == STILL_LOADING for f in noticed) and _stuck(wires):
        words = f"the page was answered, and nothing is outstanding: its script never yields{then}"
        first = (Failure.of("page_unresponsive", words, step=step),)
    return (*first, *errors, *(_waits_for(f, wires) if f.kind == "page_load" and not first else f for f in noticed))


def _waits_for(failure: Failure, wires: Iterable[Wire]) -> Failure:
    """A load that did not end, with what it waits for: a foreign host that nobody listed, or a picture of the shop."""
    pending = sorted((w for w in wires if w.pending), key=lambda w: -w.seconds)
    if not pending:
        return failure
    names = ", ".join(w.words for w in pending[:3])
    return replace(failure, message=f"{failure.message}: it waits for {names}", url=pending[0].url)


def _stuck(wires: Iterable[Wire]) -> bool:
    """Whether the page has all it asked for, and yet is not done."""
    seen = list(wires)
    return any(w.main and w.status is not None for w in seen) and not any(w.pending for w in seen)


_PICTURE: Final = re.compile(r"\b(img|image|picture)\b", re.IGNORECASE)
"""How a failure reads that is about a picture: only such a one is explained by a picture that did not come."""


def _blamed(wires: tuple[Wire, ...], *, waited: bool, picture: bool) -> Wire | None:
    own = [w for w in wires if w.party is Party.OWN and w.resource in _CALLS]
    listed = [w for w in wires if w.party is Party.LISTED and w.resource in _BLOCKING]
    pictures = [w for w in wires if w.resource == "image"]
    hanging = [w for w in own if w.pending and waited]
    ranks = (
        [w for w in own if w.bad and _severe(w)],
        [w for w in own if w.bad and (w.main or w.method not in ("GET", "HEAD"))],
        [w for w in hanging if w.main],
        [w for w in listed if w.bad and (w.status is None or w.status >= 500 or w.resource in ("script", "document"))],
        [w for w in listed if w.pending and waited],
        [w for w in pictures if w.bad or (w.pending and waited)] if picture else [],
        [w for w in hanging if w.seconds >= LONG],
    )
    return next(
        (rank[-1] if rank is not ranks[4] else max(rank, key=lambda w: w.seconds) for rank in ranks if rank), None
    )


LONG: Final = 1.0
"""Seconds from which an own request that has not answered explains that something did not come."""


def _severe(wire: Wire) -> bool:
    return wire.party is Party.OWN and wire.bad and (wire.status is None or wire.status >= 500)


def _failure(wire: Wire, then: str, step: str | None) -> Failure:
    name = urlsplit(wire.url).hostname or wire.url
    if wire.party is not Party.OWN:
        if wire.pending:
            said = f"{name} (third party) has not answered {wire.words} after {format_duration(wire.seconds)}"
            return Failure.of("third_party_slow", said + then, step=step, url=wire.url)
        how = f"answered {wire.status}" if wire.error is None else f"failed: {wire.error}"
        actual = None if wire.status is None else str(wire.status)
        return Failure.of(
            "third_party_failed", f"third party: {wire.words} {how}{then}", step=step, actual=actual, url=wire.url
        )
    if wire.pending:
        said = f"{wire.words} has not answered after {format_duration(wire.seconds)}"
        return Failure.of("no_response", said + then, step=step, url=wire.url)
    if wire.error is not None:
        return Failure.of("request_failed", f"{wire.words} failed: {wire.error}{then}", step=step, url=wire.url)
    return Failure.of(
        "status",
        f"{wire.words} answered {wire.status}{then}",
        step=step,
        expected="a status below 400",
        actual=str(wire.status),
        url=wire.url,
    )


def _script(errors: Iterable[str], then: str, step: str | None) -> tuple[Failure, ...]:
    first = next(iter(errors), None)
    if first is None:
        return ()
    return (replace(Failure.of("page_error", f"the page's script failed: {first.splitlines()[0]}{then}"), step=step),)
