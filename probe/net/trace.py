"""Where one request is, and when it got there: written as it goes, read when it ends or gets stuck."""

from enum import StrEnum
from typing import TYPE_CHECKING

from probe.core.exchange import Phases, Tls

if TYPE_CHECKING:
    from probe.net.connector import Protocol


class Stage(StrEnum):
    """What a request is busy with. A deadline that strikes is explained by it."""

    START = "start"
    DNS = "dns"
    PROXY = "proxy"
    """Reaching our own proxy, up to the point where it has taken the order: trouble here is ours."""
    CONNECT = "connect"
    QUEUE = "queue"
    """Waiting for our own turn to shake hands: neither the target's time nor its fault."""
    TLS = "tls"
    WAIT = "wait"
    HEAD = "head"
    BODY = "body"


class Trace:
    """The stage and times of one hop. Durations and instants are seconds of `time.perf_counter`.

    Mutable on purpose: the connector, the dialer and the protocol of the connection write to it while the request
    runs, and whoever meets the deadline reads from it what was going on.
    """

    __slots__ = (
        "address",
        "answers",
        "connect",
        "dns",
        "first",
        "protocol",
        "resolver_answers",
        "reused",
        "sent",
        "stage",
        "tls",
        "tls_time",
        "waited",
    )

    def __init__(self) -> None:
        self.stage = Stage.START
        self.dns: float | None = None
        self.connect: float | None = None
        self.tls_time: float | None = None
        self.sent: float | None = None
        self.first: float | None = None
        self.waited = 0.0
        self.address: str | None = None
        self.answers: tuple[str, ...] = ()
        """The addresses that the name was resolved to, sorted."""
        self.tls: Tls | None = None
        self.reused = False
        self.resolver_answers: bool | None = None
        """Whether our own name server gave a sign of life when a name took long; `None`: it was not asked."""
        self.protocol: Protocol | None = None

    def phases(self, end: float | None) -> Phases:
        """The phases so far; `end` is the instant of the last byte of the body, `None` when it was not read."""
        first, sent = self.first, self.sent
        return Phases(
            dns=self.dns,
            connect=self.connect,
            tls=self.tls_time,
            ttfb=None if first is None or sent is None else max(0.0, first - sent),
            transfer=None if first is None or end is None else max(0.0, end - first),
        )
