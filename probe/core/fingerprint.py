"""What of a run can be compared with another one: small enough to be kept for every check in every region."""

import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Final

from probe.core.exchange import PHASES, Certificate, Exchange
from probe.core.run import Document, Run, RunId, StepOutcome, Vitals

TELLING: Final = frozenset(
    {
        "server",
        "via",
        "x-cache",
        "x-served-by",
        "x-backend",
        "cf-ray",
        "age",
        "etag",
        "last-modified",
        "x-powered-by",
        "content-type",
        "content-encoding",
        "cache-control",
        "retry-after",
    }
)
"""Headers that tell one state of a shop from another, whatever it is."""
EVERY_DAY: Final = frozenset({"age", "etag", "cf-ray", "x-cache", "x-served-by", "x-backend"})
"""Those of them that are otherwise every day: good to be seen, but nothing to be compared."""
BUILD: Final = re.compile(r"build|version|release|revision|commit|deploy", re.IGNORECASE)
"""Names of headers that say which build of the shop answered."""
EACH_TIME: Final = re.compile(r"request|trace|correlation|transaction|session|span|cookie|auth|token", re.IGNORECASE)
"""Names of headers that are otherwise in every answer, or that nobody should see."""
LONGEST: Final = 200
"""Characters of a header, a line or an address that are kept."""
MOST: Final = 40
"""Answers of a run that are kept, and headers of each."""
SCRIPTS: Final = 300
TEXT: Final = 4000
"""Characters of what a page said that are kept."""


def is_build(header: str) -> bool:
    """Whether a header says which build answered.

    >>> is_build("X-Build-Id"), is_build("X-Request-Version"), is_build("Server")
    (True, False, False)
    """
    return BUILD.search(header) is not None and EACH_TIME.search(header) is None


def is_telling(header: str) -> bool:
    """Whether a header is worth keeping, to be compared with that of another run.

    >>> is_telling("X-Build-Id"), is_telling("Server"), is_telling("Set-Cookie")
    (True, True, False)
    """
    return header.lower() in TELLING or is_build(header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A certificate, as far as it is told from another. `sha256` is empty where only a browser saw it."""

    sha256: str
    subject: str
    issuer: str
    not_after: datetime

    def __str__(self) -> str:
        return f"{self.subject} by {self.issuer}, until {self.not_after:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: to a request of an HTTP check, or to a browser that went to a page.

    `name` is the request in words, the same in every run. `chain` are the addresses from the first to the last, without
    queries; `peer` the address that answered, `resolved` those that its name had. `size` is -1 and `phases` is
    empty where only a browser knows; the latter are seconds, in the order of `PHASES`.
    """

    name: str
    status: int | None
    chain: tuple[str, ...]
    peer: str | None = None
    resolved: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    seal: Seal | None = None
    size: int = -1
    phases: tuple[float | None, ...] = ()

    @property
    def host(self) -> str:
        """The host that gave it."""
        return host_of(self.chain[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A run, as far as it can be compared. `hosts` are the third parties, `times` seconds by name.

    `whole` says that it went to its end, so that what it has not seen was not there. `said` and `scripts` are compressed.
    """

    run: RunId
    at: datetime
    answers: tuple[Answer, ...]
    hosts: tuple[str, ...]
    times: tuple[tuple[str, float], ...]
    whole: bool
    said: tuple[tuple[str, bytes], ...] = ()
    packed: bytes = b""

    @property
    def scripts(self) -> tuple[str, ...]:
        """Addresses of the scripts."""
        return tuple(_unpack(self.packed).split("\n")) if self.packed else ()

    @property
    def texts(self) -> tuple[str, ...]:
        """What the pages said at the ends of all steps."""
        return tuple(_unpack(text) for _, text in self.said)

    def text(self, step: str | None) -> str | None:
        """What the page said at the end of a step; `None`: that is not known."""
        return next((_unpack(text) for name, text in self.said if name == step), None)


def fingerprint_of(run: Run) -> Fingerprint:
    """The fingerprint of a run that passed or failed."""
    seen = run.observation
    whole = seen.stopped_before is None and all(step.outcome is not StepOutcome.SKIPPED for step in seen.steps)
    scripts = "\n".join(_short(url) for url in seen.scripts[:SCRIPTS])
    return Fingerprint(
        run=run.id,
        at=run.started,
        answers=(*map(_of_exchange, seen.exchanges[:MOST]), *_pages(seen.documents[:MOST])),
        hosts=tuple(sorted(sys.intern(party.host[:LONGEST]) for party in seen.third_parties[:SCRIPTS])),
        times=(
            *((sys.intern(s.name), s.duration) for s in seen.steps if s.duration is not None),
            *_vitals(seen.vitals),
        ),
        whole=whole,
        said=tuple((sys.intern(t.step), _pack(t.text[:TEXT])) for t in seen.texts[:MOST]),
        packed=_pack(scripts) if scripts else b"",
    )


def without_query(url: str) -> str:
    """An address without query and fragment, shortened.

    >>> without_query("https://shop.example/cart?id=1#top")
    'https://shop.example/cart'
    """
    return _short(url.partition("#")[0].partition("?")[0])


def host_of(url: str) -> str:
    """The host of an address, with its port; whatever the address is.

    >>> host_of("https://shop.example:8443/cart")
    'shop.example:8443'
    """
    return url.partition("://")[2].partition("/")[0]


def header_of(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The first value of a header that is kept under its name in lower case."""
    return next((value for key, value in headers if key == name), None)


def _of_exchange(exchange: Exchange) -> Answer:
    last = exchange.hops[-1]
    leaf = None if last.tls is None else last.tls.leaf
    return Answer(
        name=sys.intern(f"{exchange.method} {_path(exchange.url)}"),
        status=exchange.status,
        chain=tuple(sys.intern(without_query(hop.url)) for hop in exchange.hops[:MOST]),
        peer=None if last.address is None else sys.intern(last.address),
        resolved=tuple(sys.intern(address) for address in last.answers[:MOST]),
        headers=_telling(exchange.headers),
        seal=None if leaf is None else _seal(leaf),
        size=exchange.size,
        phases=tuple(getattr(last.phases, phase) for phase in PHASES),
    )


def _pages(documents: Iterable[Document]) -> Iterable[Answer]:
    for document in documents:
        chain = (*document.redirects[:MOST], document.url)
        yield Answer(
            name=sys.intern(f"page {_path(chain[0])}"),
            status=document.status,
            chain=tuple(sys.intern(without_query(url)) for url in chain),
            peer=None if document.address is None else sys.intern(document.address),
            headers=_telling(document.headers),
            seal=None if document.certificate is None else _seal(document.certificate),
        )


def _vitals(pages: Iterable[Vitals]) -> Iterator[tuple[str, float]]:
    """Those web vitals that are seconds, by page."""
    for page in islice(pages, MOST):
        for name in ("ttfb", "fcp", "lcp", "inp"):
            if (seconds := getattr(page, name)) is not None:
                yield sys.intern(f"page {_path(page.url)}, {name}"), seconds


def _telling(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    kept = sorted((key, _short(value)) for name, value in headers if (key := _key(name[:LONGEST])))
    return tuple((name, sys.intern(value)) for name, value in kept[:MOST])


@lru_cache(maxsize=1024)  # every run of every check asks for the same few names
def _key(name: str) -> str:
    """The name of a header that is compared, in lower case; "" for any other."""
    return name.lower() if is_telling(name) and name.lower() not in EVERY_DAY else ""


def _seal(certificate: Certificate) -> Seal:
    return Seal(
        sha256=sys.intern(certificate.sha256),
        subject=sys.intern(_short(certificate.subject)),
        issuer=sys.intern(_short(certificate.issuer)),
        not_after=certificate.not_after,
    )


def _path(url: str) -> str:
    return "/" + without_query(url).partition("://")[2].partition("/")[2]


def _short(text: str) -> str:
    return text[:LONGEST]


def _pack(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "replace"), 1)


def _unpack(packed: bytes) -> str:
    return zlib.decompress(packed).decode()
