"""An answer, and what is expected of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from probe.authoring.findings import Findings
from probe.core.duration import parse_duration
from probe.core.exchange import PHASES, Exchange
from probe.core.expectation import MISSING, Expectation, Op, Subject, judge, select_json
from probe.core.failure import CheckFailed, Failure

Duration = str | float | timedelta
"""`"500ms"`, or a number of seconds, or a `timedelta`."""

UNSET: Final[Any] = type("Unset", (), {"__repr__": lambda _: "…"})()


class Headers(Mapping[str, str]):
    """The headers of an answer; names are case-insensitive, several values are joined by `", "`."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __getitem__(self, name: str) -> str:
        value = self._exchange.header(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Any:
        return iter(dict.fromkeys(name.lower() for name, _ in self._exchange.headers))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._exchange.headers})

    def __repr__(self) -> str:
        return f"Headers({sorted(self)})"  # names only: values may be secret


class Response:
    """The answer to a request: read in whole.

    >>> async def cart(t):
    ...     r = await t.http.post("/api/cart", json={"sku": "X1"})
    ...     r.expect(status=200, within="500ms").json("$.items[0].sku", "X1")
    ...     return r.json()["id"]
    """

    __slots__ = ("_findings", "exchange")

    def __init__(self, exchange: Exchange, findings: Findings) -> None:
        self.exchange = exchange
        """All that was seen on the wire: hops, phases, TLS."""
        self._findings = findings

    @property
    def status(self) -> int:
        """The status code."""
        return self.exchange.status

    @property
    def headers(self) -> Headers:
        """The headers, names case-insensitive."""
        return Headers(self.exchange)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.exchange.text

    @property
    def body(self) -> bytes:
        """The body, decompressed."""
        return self.exchange.body

    @property
    def url(self) -> str:
        """The address that answered, after all redirects."""
        return self.exchange.final_url

    @property
    def elapsed(self) -> float:
        """Seconds from the first to the last byte, redirects included."""
        return self.exchange.duration

    def json(self, path: str | None = None) -> Any:
        """The body as data, or what an RFC 9535 path selects of it.

        A body that is not JSON, or a path that selects nothing, fails the check (`CheckFailed`); a malformed path is a
        `ValueError`.
        """
        try:
            data = json.loads(self.text)
        except ValueError as error:
            raise CheckFailed(self._failure(f"the body is not JSON: {error}", "JSON", f"not JSON: {error}")) from None
        if path is None:
            return data
        _valid_json_path(path)
        found = select_json(self.text, path)
        if found is MISSING:
            raise CheckFailed(self._failure(f"json {path} is missing", "exists", "missing"))
        return found

    def _failure(self, why: str, expected: str, actual: str) -> Failure:
        what = f"{self.exchange.method} {self.exchange.final_url.partition('?')[0]}"
        failure = Failure.of("json", f"{what}: {why}", expected=expected, actual=actual, url=self.url)
        return failure.at(self._findings.step)

    def expect(
        self,
        *,
        status: int | tuple[int, ...] | None = None,
        within: Duration | None = None,
        body: str | None = None,
        redirects: int | None = None,
        tls_days: float | None = None,
        message: str | None = None,
    ) -> "ResponseExpectation":
        """Say what is expected; what does not hold is collected and raised at the next request or the step's end.

        `body` is a text that it must hold; `message` is put before what fails. More can be chained: see `ResponseExpectation`.
        """
        expect = ResponseExpectation(self.exchange, self._findings, message)
        if status is not None:
            expect.status(status)
        if within is not None:
            expect.within(within)
        if body is not None:
            expect.body(has=body)
        if redirects is not None:
            expect.redirects(redirects)
        if tls_days is not None:
            expect.tls_days(tls_days)
        return expect

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.exchange.method} {self.url.partition('?')[0]}>"


class ResponseExpectation:
    """Expectations of one answer, chained. Each is judged at once and reported with all others.

    >>> def looks_right(r):
    ...     r.expect(status=200).header("cache-control", has="no-store").body(lacks="Traceback").size(under=100_000)

    Wrong use (no such phase, a malformed pattern, path or duration) is a `ValueError` or `TypeError` at the call.
    """

    __slots__ = ("_exchange", "_findings", "_message")

    def __init__(self, exchange: Exchange, findings: Findings, message: str | None = None) -> None:
        self._exchange = exchange
        self._findings = findings
        self._message = message

    def status(self, status: int | tuple[int, ...]) -> Self:
        """The status is this, or one of these."""
        if isinstance(status, tuple | list | set | frozenset):
            return self._judge(Subject.STATUS, Op.ONE_OF, tuple(status))
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(f"a status is a number such as 200, or a tuple of numbers, not {status!r}")
        return self._judge(Subject.STATUS, Op.EQUALS, status)

    def json(
        self,
        path: str,
        value: Any = UNSET,
        *,
        has: Any = UNSET,
        lacks: Any = UNSET,
        matches: str = UNSET,
        exists: bool = UNSET,
    ) -> Self:
        """What the RFC 9535 `path` selects equals `value`, `has` or `lacks` it, `matches` a pattern, is there, or is not."""
        _valid_json_path(path)
        return self._one(Subject.JSON, path, value, has=has, lacks=lacks, matches=matches, exists=exists)

    def header(
        self,
        name: str,
        value: str = UNSET,
        *,
        has: str = UNSET,
        lacks: str = UNSET,
        matches: str = UNSET,
        exists: bool = UNSET,
    ) -> Self:
        """The header equals, `has`, `lacks`, `matches`, is there, or is not. A missing header lacks everything."""
        return self._one(Subject.HEADER, name, value, has=has, lacks=lacks, matches=matches, exists=exists)

    def body(self, value: str = UNSET, *, has: str = UNSET, lacks: str = UNSET, matches: str = UNSET) -> Self:
        """The body as text equals, `has`, `lacks` or `matches`."""
        given = self._given(value=value, has=has, lacks=lacks, matches=matches)
        if not given:
            raise TypeError('body() wants a text, has="…", lacks="…" or matches="…"')
        for op, wanted in given:
            self._judge(Subject.BODY, op, wanted)
        return self

    def size(self, *, under: int | None = None, at_least: int | None = None) -> Self:
        """The body has less than `under` bytes, or `at_least` so many."""
        if under is None and at_least is None:
            raise TypeError("size() wants under=BYTES or at_least=BYTES")
        for op, size in ((Op.UNDER, under), (Op.AT_LEAST, at_least)):
            if size is not None:
                self._judge(Subject.SIZE, op, _number(size, "a size is a number of bytes"))
        return self

    def phase(self, name: str, *, under: Duration) -> Self:
        """One phase of the last hop (dns, connect, tls, ttfb, transfer) took less."""
        if name not in PHASES:
            raise ValueError(f"there is no phase {name!r}: it is one of {', '.join(PHASES)}")
        return self._judge(Subject.PHASE, Op.UNDER, seconds(under), name)

    def within(self, duration: Duration) -> Self:
        """The whole exchange, redirects included, took less."""
        return self._judge(Subject.TOTAL, Op.UNDER, seconds(duration))

    def tls_days(self, days: float) -> Self:
        """The certificate chain is valid for at least so many days more."""
        return self._judge(Subject.TLS_DAYS, Op.AT_LEAST, _number(days, "tls_days is a number of days"))

    def redirects(self, number: int) -> Self:
        """So many redirects were followed."""
        return self._judge(Subject.REDIRECTS, Op.EQUALS, _number(number, "redirects is a number"))

    def _one(self, subject: Subject, selector: str, value: Any, **named: Any) -> Self:
        exists = named.pop("exists", UNSET)
        given = self._given(value=value, **named)
        if exists is not UNSET or not given:
            given.append((Op.EXISTS if exists else Op.ABSENT, None))
        for op, wanted in given:
            self._judge(subject, op, wanted, selector)
        return self

    def _given(self, **named: Any) -> list[tuple[Op, Any]]:
        ops = {"value": Op.EQUALS, "has": Op.HAS, "lacks": Op.LACKS, "matches": Op.MATCHES}
        given = [(ops[name], wanted) for name, wanted in named.items() if wanted is not UNSET]
        for op, wanted in given:
            if op is Op.MATCHES:
                _valid_pattern(wanted)
        return given

    def _judge(self, subject: Subject, op: Op, value: Any, selector: str = "") -> Self:
        expectation = Expectation(subject=subject, op=op, value=value, selector=selector)
        for failure in judge((expectation,), self._exchange, datetime.now(UTC)):
            said = f"{self._message}: {failure.message}" if self._message else failure.message
            self._findings.add(replace(failure, message=said))
        return self


def seconds(duration: Duration) -> float:
    """A duration as a number of seconds; `ValueError` that tells how to write one."""
    if isinstance(duration, str):
        return parse_duration(duration).total_seconds()
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    return float(_number(duration, 'a duration is a text such as "500ms", or a number of seconds'))


def _number(value: Any, what: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what}, not {value!r}")
    if value < 0:
        raise ValueError(f"{what}, not {value!r}")
    return value


def _valid_pattern(pattern: Any) -> None:
    if not isinstance(pattern, str):
        raise TypeError(f"matches= wants a regular expression as text, not {pattern!r}")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None


def _valid_json_path(path: str) -> None:
    # Not at the top: 40 ms that a check without a JSON path need not spend.
    from jsonpath import JSONPathError, compile  # noqa: A004  # the library's own name for it

    try:
        compile(path)
    except JSONPathError as error:
        raise ValueError(f"{path!r} is not a JSON path (RFC 9535, such as $.items[0].sku): {error}") from None
