"""The requests of a run, for the waterfall: of its HAR file, of its HTTP exchanges, or at least those that failed.

A HAR comes from a browser that a target has filled, in a fleet from another machine: it is read within limits, an entry
that makes no sense is left out, and what is no HAR at all gives nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec

from probe.core.encode import seconds
from probe.core.exchange import PHASES, Exchange
from probe.core.explain import Party, party_of
from probe.core.run import Run
from probe.core.target import Target
from probe.view.documents import Request

MOST: Final = 2_000
"""Requests that are shown."""
LARGEST: Final = 20 * 2**20
"""Bytes of a HAR that is read."""
LONGEST: Final = 86_400.0
"""Seconds: no time of a run is longer."""
ADDRESS: Final = 2_000
"""Signs of an address that are shown."""
WORDS: Final = {Party.OWN: "own", Party.LISTED: "listed", Party.FOREIGN: "third"}
"""Whose a request is, as documents say it."""
TYPES: Final = {"text/html": "document", "text/css": "stylesheet", "application/json": "fetch"}
"""Sorts of requests by the content type of the answer, where the browser did not say."""

WhosePage = Callable[[str], str]


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Har(msgspec.Struct):
    log: _Log


class _Content(msgspec.Struct):
    size: Any = None
    mime: Any = msgspec.field(default=None, name="mimeType")


class _Answer(msgspec.Struct):
    status: Any = None
    error: Any = msgspec.field(default=None, name="_failureText")
    content: _Content = msgspec.field(default_factory=_Content)
    transferred: Any = msgspec.field(default=None, name="_transferSize")


class _Asked(msgspec.Struct):
    url: str
    method: Any = None


class _Entry(msgspec.Struct):
    request: _Asked
    started: Annotated[str, msgspec.Meta(max_length=40)] = msgspec.field(name="startedDateTime")
    response: _Answer = msgspec.field(default_factory=_Answer)
    time: Any = None
    timings: dict[str, Any] = msgspec.field(default_factory=dict)
    type: Any = msgspec.field(default=None, name="_resourceType")
    step: Any = msgspec.field(default=None, name="_step")


_read_har: Final = msgspec.json.Decoder(_Har).decode
_read_entry: Final = msgspec.json.Decoder(_Entry).decode


def requests_of(run: Run, har: bytes | None, target: Target | None) -> list[Request]:
    """The requests of a run in the order in which they began. `har` is its network.har, as far as there is one."""
    whose = _whose(run, target)
    found = [] if har is None else _of_har(har, whose)
    if not found:
        found = list(_of_exchanges(run.observation.exchanges, whose))
    if not found:
        found = list(_of_failed(run, whose))
    return sorted(found, key=lambda request: request["start"])[:MOST]


def _whose(run: Run, target: Target | None) -> WhosePage:
    """Says whose an address is. Without a target that is known, the host that was asked first is the target's own."""
    if target is None:
        seen = run.observation
        addresses = (*(one.url for one in seen.exchanges), *(one.url for one in seen.documents))
        first = next(iter(addresses), "")
        target = Target(name=run.target, url=first)
    known: dict[str, str] = {}

    def whose(url: str) -> str:
        host = _host(url)
        if host not in known:
            try:
                known[host] = WORDS[party_of(url, target)]
            except ValueError:  # an address that is none
                known[host] = WORDS[Party.FOREIGN]
        return known[host]

    return whose


def _of_har(har: bytes, whose: WhosePage) -> list[Request]:
    if len(har) > LARGEST:
        return []
    try:
        entries = _read_har(har).log.entries
    except (msgspec.MsgspecError, RecursionError):
        return []
    read = [entry for raw in entries[:MOST] if (entry := _entry(raw)) is not None]
    first = min((began for began, _ in read), default=None)
    return [_of_entry(entry, (began - first).total_seconds(), whose) for began, entry in read if first is not None]


def _entry(raw: msgspec.Raw) -> tuple[datetime, _Entry] | None:
    """An entry, and when it began; `None`: it says nothing that can be shown."""
    try:
        entry = _read_entry(raw)
        began = datetime.fromisoformat(entry.started)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    if began.tzinfo is None or entry.request.url.startswith(("data:", "blob:")):
        return None
    return began, entry


def _of_entry(entry: _Entry, start: float, whose: WhosePage) -> Request:
    url, answer = entry.request.url, entry.response
    status = answer.status if isinstance(answer.status, int) and 100 <= answer.status <= 999 else None
    sizes = (answer.transferred, answer.content.size)
    return Request(
        method=_text(entry.request.method, 20) or "GET",
        url=url[:ADDRESS],
        host=_host(url),
        status=status,
        error=_text(answer.error, 300),
        type=_text(entry.type, 40) or _sort_of(_text(answer.content.mime, 100) or ""),
        party=whose(url),
        step=_text(entry.step, 200),
        start=_bounded(start),
        duration=_milliseconds(entry.time) or 0.0,
        phases=_phases(entry.timings),
        size=next((size for size in sizes if isinstance(size, int) and 0 <= size < 2**53), None),
    )


def _phases(timings: dict[str, Any]) -> dict[str, float | None]:
    """The phases of a HAR by our names; there the time of TLS is part of that of the connection."""
    given = {name: _milliseconds(timings.get(name)) for name in ("dns", "connect", "ssl", "wait", "receive")}
    connect, tls = given["connect"], given["ssl"]
    if connect is not None and tls is not None:
        connect = seconds(max(0.0, connect - tls))
    return {"dns": given["dns"], "connect": connect, "tls": tls, "ttfb": given["wait"], "transfer": given["receive"]}


def _of_exchanges(exchanges: Iterable[Exchange], whose: WhosePage) -> Iterator[Request]:
    """A request for each hop. They follow each other, so that one begins when the one before has ended."""
    first: datetime | None = None
    for exchange in exchanges:
        first = min(first or exchange.started, exchange.started)
    for exchange in exchanges:
        assert first is not None  # there is one
        begun = exchange.started
        for hop in exchange.hops:
            is_last = hop is exchange.hops[-1]
            yield Request(
                method=hop.method,
                url=hop.url[:ADDRESS],
                host=_host(hop.url),
                status=hop.status or None,
                error=None,
                type="document",
                party=whose(hop.url),
                step=None,
                start=_bounded((begun - first).total_seconds()),
                duration=_bounded(hop.phases.total),
                phases={name: seconds(getattr(hop.phases, name)) for name in PHASES},
                size=exchange.wire_size if is_last else None,
            )
            begun += timedelta(seconds=_bounded(hop.phases.total))


def _of_failed(run: Run, whose: WhosePage) -> Iterator[Request]:
    """Those that failed, of which no times are known."""
    for request in run.observation.failed_requests:
        party = whose(request.url)
        yield Request(
            method=request.method,
            url=request.url[:ADDRESS],
            host=_host(request.url),
            status=request.status,
            error=request.error,
            type="other",
            party=WORDS[Party.FOREIGN] if request.third_party and party == WORDS[Party.OWN] else party,
            step=request.step,
            start=0.0,
            duration=0.0,
            phases=dict.fromkeys(PHASES),
            size=None,
        )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _sort_of(mime: str) -> str:
    plain = mime.partition(";")[0].strip().lower()
    if "javascript" in plain:
        return "script"
    kind = plain.partition("/")[0]
    return TYPES.get(plain) or (kind if kind in {"image", "font"} else "other")


def _text(value: object, length: int) -> str | None:
    return value[:length] if isinstance(value, str) and value else None


def _milliseconds(value: object) -> float | None:
    """Seconds of so many milliseconds; `None`: it is no time, or it did not happen (-1)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return _bounded(min(value, LONGEST * 1000) / 1000)


def _bounded(value: float) -> float:
    return round(min(max(value, 0.0), LONGEST), 4)
