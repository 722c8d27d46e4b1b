"""What one HTTP request saw on the wire."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Where the time of a request went, in seconds. `None`: the phase did not happen (a reused connection, no TLS).

    `dns` resolving the name · `connect` TCP, through the proxy if there is one · `tls` the handshake · `ttfb` from the
    first byte sent to the first byte of the answer's head · `transfer` from then to the last byte of the body.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    ttfb: float | None = None
    transfer: float | None = None

    @property
    def total(self) -> float:
        """The sum, in seconds."""
        return sum(p for p in (self.dns, self.connect, self.tls, self.ttfb, self.transfer) if p is not None)


PHASES = ("dns", "connect", "tls", "ttfb", "transfer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One X.509 certificate, as far as a person needs it."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The TLS session. `presented` is the chain the server sent, `verified` the chain that was trusted, leaf first.

    Only `verified` (up to the root) counts for expiry: a server may present certificates that nobody needs.
    """

    version: str
    cipher: str
    presented: tuple[Certificate, ...]
    verified: tuple[Certificate, ...]

    @property
    def leaf(self) -> Certificate | None:
        """The server's own certificate."""
        chain = self.verified or self.presented
        return chain[0] if chain else None

    @property
    def expires(self) -> datetime | None:
        """When the first certificate of the verified chain expires."""
        return min((c.not_after for c in self.verified), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One request and the head of its answer; a redirect makes a further hop."""

    method: str
    url: str
    status: int
    phases: Phases
    address: str | None = None
    """The peer's IP address and port (the proxy's, where there is one)."""
    location: str | None = None
    tls: Tls | None = None
    answers: tuple[str, ...] = ()
    """The addresses that its name was resolved to, sorted; none where it was not (a proxy, an address in the URL)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request with all its redirects and the last answer. `duration` is seconds from first to last byte, all hops."""

    method: str
    url: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    hops: tuple[Hop, ...]
    duration: float
    started: datetime
    wire_size: int
    """Bytes of the body as sent, before decompression."""
    size: int = -1
    """Bytes of the body, decompressed; counted when not given. Stays when the body is dropped."""

    def __post_init__(self) -> None:
        if self.size < 0:
            object.__setattr__(self, "size", len(self.body))

    @property
    def phases(self) -> Phases:
        """The phases of the last hop."""
        return self.hops[-1].phases

    @property
    def tls(self) -> Tls | None:
        """The TLS session of the last hop."""
        return self.hops[-1].tls

    @property
    def final_url(self) -> str:
        """The address of the last hop."""
        return self.hops[-1].url

    def header(self, name: str) -> str | None:
        """All values of a header, joined by ", "; `None` when it is not there. Names are case-insensitive."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        """The body as text, by the charset of its content type, else UTF-8; undecodable bytes are replaced."""
        charset = "utf-8"
        for part in (self.header("content-type") or "").split(";")[1:]:
            key, _, value = part.strip().partition("=")
            if key.lower() == "charset":
                charset = value.strip("\"' ") or charset
        try:
            return self.body.decode(charset, "replace")
        except LookupError:  # a charset nobody knows
            return self.body.decode("utf-8", "replace")
