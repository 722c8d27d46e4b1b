"""What is planted into a run to see whether the check notices it, and what such a run notes."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class FaultKind(StrEnum):
    """The ways in which a shop fails its customers that can be planted."""

    REFUSED = "refused"
    SERVER_ERROR = "server-error"
    SLOW = "slow"
    EMPTY = "empty"
    STALE = "stale"
    WRONG_TEXT = "wrong-text"
    WRONG_PRICE = "wrong-price"
    SCRIPT_ERROR = "script-error"
    BLOCKED = "third-party-blocked"
    HANGING = "third-party-hanging"

    @property
    def foreign(self) -> bool:
        """Whether it is a third party's."""
        return self in (FaultKind.BLOCKED, FaultKind.HANGING)

    @property
    def replaces(self) -> bool:
        """Whether the request is kept from the shop; the others change what it answers, or when."""
        return self not in (FaultKind.SLOW, FaultKind.WRONG_TEXT, FaultKind.WRONG_PRICE, FaultKind.SCRIPT_ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a request, as it is given again or in the place of another."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    @property
    def content_type(self) -> str:
        """Its content type, in lower case; "" when it has none."""
        return next((value.lower() for name, value in self.headers if name.lower() == "content-type"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that a run made. `resource` is Playwright's word (`document`, `fetch`, …), or `http` for `t.http`.

    `own`: to the target itself. `undo`: while the run cleaned up. `answer` is `None` where none came, or none was kept.
    """

    step: str | None
    method: str
    url: str
    resource: str
    own: bool
    undo: bool = False
    answer: Answer | None = None

    @property
    def place(self) -> str:
        """The address as `place_of` tells it."""
        return place_of(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, and where it is planted.

    It meets each request with `method` to `place` during `step` (`None`: outside of steps); a third party's meets every
    request to the host that `place` then is. `seconds` is how much longer a slow answer takes. `answer` comes in place
    of the shop's for `server-error`, `empty` and `stale`.

    >>> fault = Fault(kind=FaultKind.REFUSED, step="cart", method="POST", place="https://shop.example/api/cart")
    >>> fault.hits("cart", "POST", "https://shop.example/api/cart?x=1"), fault.hits(None, "POST", fault.place)
    (True, False)
    """

    kind: FaultKind
    step: str | None
    method: str
    place: str
    seconds: float = 0.0
    answer: Answer | None = None

    def hits(self, step: str | None, method: str, url: str) -> bool:
        """Whether it meets this request."""
        if self.kind.foreign:
            return host_of(url) == self.place
        return (step, method) == (self.step, self.method) and place_of(url) == self.place

    @property
    def request(self) -> str:
        """The request in a person's words: `POST /api/cart`, or the third party's host."""
        return self.place if self.kind.foreign else f"{self.method} {urlsplit(self.place).path or '/'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What a drill asks of one run. Without a fault the run only notes what it asks, when `record` is set.

    From the step `effects` on, requests that change something are kept from the shop: each gets the answer that
    `known` has for it. `spare` has the run end before that step instead.
    """

    fault: Fault | None = None
    record: bool = False
    spare: bool = False
    effects: str | None = None
    known: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillNotes:
    """What a run of a drill noted.

    `hits` is how many requests met the fault. `strayed` are requests that were kept from the shop though no answer was
    known for them: nothing can be said of such a run. `ordered` is the step in which the first order was placed.
    """

    asked: tuple[Asked, ...] = ()
    hits: int = 0
    strayed: tuple[str, ...] = ()
    ordered: str | None = None


_VARYING: Final = re.compile(r"(?=.*\d).{4,}")
VARIES: Final = "*"


def place_of(url: str) -> str:
    """An address without its query, and with `*` for what is another at each run, such as an order's number.

    >>> place_of("https://shop.example/order/7F3A-22?paid=1")
    'https://shop.example/order/*'
    """
    parts = urlsplit(url)
    path = "/".join(VARIES if _VARYING.fullmatch(part) else part for part in parts.path.split("/"))
    return f"{parts.scheme}://{host_of(url)}{path or '/'}"


def host_of(url: str) -> str:
    """Host and port of an address, without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()
