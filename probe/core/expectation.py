"""What is expected of an HTTP answer, as data, and the judgement of it.

The same expectations come from a TOML table and from the chained calls on a response in Python, so both say the same
words. Every expectation is judged; nothing stops at the first that does not hold.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, assert_never

from probe.core.duration import format_duration
from probe.core.exchange import PHASES, Exchange
from probe.core.failure import Failure

MISSING: Final = object()
"""What a JSON path that selects nothing gives."""


class Subject(StrEnum):
    """What is looked at."""

    STATUS = "status"
    HEADER = "header"
    BODY = "body"
    JSON = "json"
    SIZE = "size"
    PHASE = "phase"
    TOTAL = "total"
    TLS_DAYS = "tls_days"
    REDIRECTS = "redirects"


class Op(StrEnum):
    """How it is compared. `HAS`, `LACKS` are substrings (of a list: membership); `MATCHES` is a regular expression."""

    EQUALS = "equals"
    ONE_OF = "one of"
    HAS = "has"
    LACKS = "lacks"
    MATCHES = "matches"
    EXISTS = "exists"
    ABSENT = "is absent"
    UNDER = "under"
    AT_LEAST = "at least"


_WITHOUT_VALUE: Final = (Op.EXISTS, Op.ABSENT)
_KIND: Final = {
    Subject.STATUS: "status",
    Subject.HEADER: "header",
    Subject.BODY: "body",
    Subject.JSON: "json",
    Subject.SIZE: "size",
    Subject.PHASE: "slow",
    Subject.TOTAL: "slow",
    Subject.TLS_DAYS: "certificate_expires_soon",
    Subject.REDIRECTS: "status",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing expected of an answer.

    `selector` is the header's name, the JSON path or the phase. `value` is a number of seconds for `PHASE` and
    `TOTAL`, of bytes for `SIZE`, of days for `TLS_DAYS`.
    """

    subject: Subject
    op: Op
    value: Any = None
    selector: str = ""

    def __str__(self) -> str:
        what = " ".join(filter(None, (_NAMES.get(self.subject, self.subject), self.selector)))
        return (
            f"{what} {self.op}" if self.op in _WITHOUT_VALUE else f"{what} {self.op} {_show(self.value, self.subject)}"
        )


_NAMES: Final = {
    Subject.TOTAL: "total time",
    Subject.TLS_DAYS: "days of certificate left",
    Subject.SIZE: "body size",
    Subject.REDIRECTS: "number of redirects",
}


def judge(expectations: Iterable[Expectation], exchange: Exchange, now: datetime) -> tuple[Failure, ...]:
    """Every expectation that does not hold, as a failure that says what was expected and what was there.

    `now` is when the certificate's remaining days are counted from.
    """
    return tuple(f for f in (_judge_one(e, exchange, now) for e in expectations) if f is not None)


def _judge_one(e: Expectation, exchange: Exchange, now: datetime) -> Failure | None:
    request = f"{exchange.method} {_path(exchange.url)}"

    def failure(actual: str, why: str = "", kind: str | None = None) -> Failure:
        return Failure.of(
            kind or _KIND[e.subject],
            f"{request}: {why or _sentence(e, actual)}",
            expected=_expected(e),
            actual=actual,
            url=exchange.final_url,
        )

    if e.subject is Subject.TLS_DAYS:
        if exchange.tls is None or exchange.tls.expires is None:
            return failure("no TLS", "the certificate's days were to be counted, but the answer did not come over TLS")
        actual: Any = (exchange.tls.expires - now).total_seconds() / 86400
    else:
        actual = _actual(e, exchange)
    if isinstance(actual, _NotJson):
        return failure(f"not JSON: {actual.why}")
    if actual is MISSING and e.op not in (Op.LACKS, Op.ABSENT):
        return failure("missing")
    if _holds(e.op, actual, e.value):
        return None
    return failure(_show(actual, e.subject))


@dataclass(frozen=True, slots=True)
class _NotJson:
    why: str


def _actual(e: Expectation, exchange: Exchange) -> Any:
    match e.subject:
        case Subject.STATUS:
            return exchange.status
        case Subject.HEADER:
            value = exchange.header(e.selector)
            return MISSING if value is None else value
        case Subject.BODY:
            return exchange.text
        case Subject.JSON:
            return select_json(exchange.text, e.selector)
        case Subject.SIZE:
            return exchange.size
        case Subject.PHASE:
            value = getattr(exchange.phases, e.selector) if e.selector in PHASES else None
            return MISSING if value is None else value
        case Subject.TOTAL:
            return exchange.duration
        case Subject.REDIRECTS:
            return len(exchange.hops) - 1
        case Subject.TLS_DAYS:  # pragma: no cover  # judged by the caller, which has the clock
            return MISSING
        case _:  # pragma: no cover  # mypy proves that nothing gets here
            assert_never(e.subject)


def select_json(text: str, path: str) -> Any:
    """What the RFC 9535 JSON path selects: the value for one match, a list for several, `MISSING` for none."""
    # Not at the top: 40 ms that a check without a JSON path need not spend.
    from jsonpath import findall

    try:
        document = json.loads(text)
    except ValueError as error:
        return _NotJson(str(error))
    found = findall(path, document)
    return MISSING if not found else found[0] if len(found) == 1 else found


def _holds(op: Op, actual: Any, value: Any) -> bool:
    match op:
        case Op.EQUALS:
            return bool(actual == value) and isinstance(actual, bool) is isinstance(value, bool)
        case Op.ONE_OF:
            return actual in value
        case Op.HAS:
            return _contains(actual, value)
        case Op.LACKS:
            return actual is MISSING or not _contains(actual, value)
        case Op.MATCHES:
            return re.search(value, actual if isinstance(actual, str) else json.dumps(actual)) is not None
        case Op.EXISTS:
            return True
        case Op.ABSENT:
            return actual is MISSING
        case Op.UNDER:
            return _is_number(actual) and _is_number(value) and bool(actual < value)
        case Op.AT_LEAST:
            return _is_number(actual) and _is_number(value) and bool(actual >= value)
        case _:  # pragma: no cover  # mypy proves that nothing gets here
            assert_never(op)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(actual: Any, value: Any) -> bool:
    if isinstance(actual, str):
        return str(value) in actual
    return isinstance(actual, list | dict) and value in actual


def _path(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return (slash + path).partition("?")[0] or f"{scheme}://{host}/"


def _expected(e: Expectation) -> str:
    return (
        str(e.op) if e.op in _WITHOUT_VALUE else f"{'' if e.op is Op.EQUALS else f'{e.op} '}{_show(e.value, e.subject)}"
    )


def _sentence(e: Expectation, actual: str) -> str:
    what = " ".join(filter(None, (_NAMES.get(e.subject, str(e.subject)), e.selector)))
    return f"{what} is {actual}, expected {_expected(e)}"


def _show(value: Any, subject: Subject) -> str:
    if subject in (Subject.PHASE, Subject.TOTAL) and isinstance(value, int | float):
        return format_duration(value)
    if subject is Subject.TLS_DAYS and isinstance(value, int | float):
        return f"{value:.1f} days" if isinstance(value, float) else f"{value} days"
    if subject is Subject.SIZE and isinstance(value, int):
        return f"{value} bytes"
    if subject is Subject.STATUS:
        return " or ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    if value == "" and subject is Subject.BODY:
        return "an empty body"
    text = (
        value
        if isinstance(value, str) and subject is not Subject.JSON
        else json.dumps(value, default=str, ensure_ascii=False)
    )
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


LONGEST: Final = 200
"""Characters of an actual value that a failure quotes."""
