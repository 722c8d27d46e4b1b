"""What is expected of an answer, and what is said when it does not hold."""

from typing import Any

import pytest

from probe.core.exchange import Phases
from probe.core.expectation import LONGEST, Expectation, Op, Subject, judge
from tests.core.builders import NOW, exchange, tls

S = Subject

HOLDS: list[tuple[Subject, str, Op, Any]] = [
    (S.STATUS, "", Op.EQUALS, 200),
    (S.STATUS, "", Op.ONE_OF, (200, 204)),
    (S.STATUS, "", Op.UNDER, 400),
    (S.HEADER, "content-type", Op.HAS, "json"),
    (S.HEADER, "SET-COOKIE", Op.EQUALS, "a=1, b=2"),
    (S.HEADER, "x-none", Op.LACKS, "anything"),
    (S.HEADER, "content-type", Op.EXISTS, None),
    (S.HEADER, "content-type", Op.MATCHES, "^app.*json$"),
    (S.BODY, "", Op.HAS, '"sku"'),
    (S.BODY, "", Op.LACKS, "error"),
    (S.BODY, "", Op.MATCHES, r'"n": \d'),
    (S.JSON, "$.items[0].sku", Op.EQUALS, "X1"),
    (S.JSON, "$.items[*].sku", Op.EQUALS, ["X1", "Y2"]),
    (S.JSON, "$.items[*].sku", Op.HAS, "Y2"),
    (S.JSON, "$.items[0]", Op.HAS, "sku"),
    (S.JSON, "$.items[0].n", Op.AT_LEAST, 2),
    (S.JSON, "$.items[0].n", Op.UNDER, 3),
    (S.JSON, "$.items", Op.MATCHES, "X1"),
    (S.JSON, "$.ok", Op.EQUALS, True),
    (S.JSON, "$.none", Op.EQUALS, None),
    (S.JSON, "$.none", Op.EXISTS, None),
    (S.JSON, "$.gone", Op.LACKS, "x"),
    (S.JSON, "$.gone", Op.ABSENT, None),
    (S.SIZE, "", Op.AT_LEAST, 50),
    (S.SIZE, "", Op.UNDER, 500),
    (S.PHASE, "ttfb", Op.UNDER, 0.5),
    (S.TOTAL, "", Op.UNDER, 0.8),
    (S.TLS_DAYS, "", Op.AT_LEAST, 14),
    (S.REDIRECTS, "", Op.EQUALS, 0),
]


@pytest.mark.parametrize(("subject", "selector", "op", "value"), HOLDS)
def test_holds(subject: Subject, selector: str, op: Op, value: Any) -> None:
    """What holds is no failure."""
    expected = Expectation(subject=subject, selector=selector, op=op, value=value)
    assert judge([expected], exchange(tls=tls(90, 400)), NOW) == ()


FAILS: list[tuple[Subject, str, Op, Any, str, str, str, str]] = [
    # subject, selector, op, value; kind, expected, actual, message
    (S.STATUS, "", Op.EQUALS, 201, "status", "201", "200", "GET /cart: status is 200, expected 201"),
    (
        S.STATUS,
        "",
        Op.ONE_OF,
        (201, 204),
        "status",
        "one of 201 or 204",
        "200",
        "status is 200, expected one of 201 or 204",
    ),
    (S.HEADER, "x-none", Op.EQUALS, "a", "header", "a", "missing", "header x-none is missing, expected a"),
    (S.HEADER, "x-none", Op.EXISTS, None, "header", "exists", "missing", "header x-none is missing, expected exists"),
    (S.BODY, "", Op.LACKS, "sku", "body", "lacks sku", '{"items"', "expected lacks sku"),
    (S.JSON, "$.items[0].sku", Op.EQUALS, "Z9", "json", '"Z9"', '"X1"', 'json $.items[0].sku is "X1", expected "Z9"'),
    (S.JSON, "$.ok", Op.ABSENT, None, "json", "is absent", "true", "json $.ok is true, expected is absent"),
    (S.JSON, "$.gone", Op.EQUALS, 1, "json", "1", "missing", "json $.gone is missing, expected 1"),
    (S.JSON, "$.ok", Op.EQUALS, 1, "json", "1", "true", "json $.ok is true, expected 1"),
    (S.JSON, "$.ok", Op.UNDER, "1", "json", 'under "1"', "true", "is true"),
    (S.JSON, "$.items[0].sku", Op.AT_LEAST, 1, "json", "at least 1", '"X1"', 'is "X1", expected at least 1'),
    (S.SIZE, "", Op.UNDER, 10, "size", "under 10 bytes", "83 bytes", "body size is 83 bytes, expected under 10 bytes"),
    (S.PHASE, "ttfb", Op.UNDER, 0.1, "slow", "under 100 ms", "300 ms", "phase ttfb is 300 ms, expected under 100 ms"),
    (S.PHASE, "tls", Op.UNDER, 0.1, "slow", "under 100 ms", "missing", "phase tls is missing"),
    (S.PHASE, "warp", Op.UNDER, 0.1, "slow", "under 100 ms", "missing", "phase warp is missing"),
    (S.TOTAL, "", Op.UNDER, 0.1, "slow", "under 100 ms", "313 ms", "total time is 313 ms, expected under 100 ms"),
    (S.REDIRECTS, "", Op.EQUALS, 1, "status", "1", "0", "number of redirects is 0, expected 1"),
]


@pytest.mark.parametrize(("subject", "selector", "op", "value", "kind", "wanted", "actual", "message"), FAILS)
def test_fails(
    subject: Subject, selector: str, op: Op, value: Any, kind: str, wanted: str, actual: str, message: str
) -> None:
    """What does not hold says what was expected and what was there."""
    (failure,) = judge([Expectation(subject=subject, selector=selector, op=op, value=value)], exchange(), NOW)
    assert (failure.kind, failure.expected) == (kind, wanted)
    assert failure.actual is not None
    assert failure.actual.startswith(actual)
    assert message in failure.message
    assert failure.url == "https://shop.example/cart?x=1"


def test_all_are_judged() -> None:
    """Nothing stops at the first that does not hold."""
    expected = [Expectation(subject=S.STATUS, op=Op.EQUALS, value=n) for n in (201, 200, 202)]
    assert [f.expected for f in judge(expected, exchange(), NOW)] == ["201", "202"]


def test_not_json() -> None:
    """A body that is not JSON is said to be that."""
    (failure,) = judge(
        [Expectation(subject=S.JSON, selector="$.a", op=Op.EQUALS, value=1)], exchange(body=b"<html>"), NOW
    )
    assert failure.actual is not None
    assert failure.actual.startswith("not JSON: ")


def test_certificate_days() -> None:
    """The verified chain's first expiry counts, not only the leaf's."""
    expected = [Expectation(subject=S.TLS_DAYS, op=Op.AT_LEAST, value=14)]
    (failure,) = judge(expected, exchange(tls=tls(90, 3.5)), NOW)
    assert (failure.kind, failure.layer, failure.actual, failure.expected) == (
        "certificate_expires_soon", "tls", "3.5 days", "at least 14 days",
    )  # fmt: skip
    (failure,) = judge(expected, exchange(), NOW)
    assert failure.actual == "no TLS"
    assert "not come over TLS" in failure.message


def test_long_values_are_cut() -> None:
    """A failure quotes the beginning, and says how much there was."""
    (failure,) = judge([Expectation(subject=S.BODY, op=Op.EQUALS, value="a")], exchange(body=b"x" * 999), NOW)
    assert failure.actual == "x" * LONGEST + "… (999 characters)"
    (failure,) = judge([Expectation(subject=S.BODY, op=Op.EQUALS, value="a")], exchange(body=b""), NOW)
    assert failure.actual == "an empty body"


def test_words_of_an_expectation() -> None:
    """An expectation reads as a sentence."""
    assert str(Expectation(subject=S.PHASE, selector="ttfb", op=Op.UNDER, value=0.3)) == "phase ttfb under 300 ms"
    assert str(Expectation(subject=S.HEADER, selector="etag", op=Op.EXISTS)) == "header etag exists"
    assert str(Expectation(subject=S.TLS_DAYS, op=Op.AT_LEAST, value=14)) == "days of certificate left at least 14 days"


def test_the_root_path_has_a_name() -> None:
    """A URL without a path is still named."""
    (failure,) = judge(
        [Expectation(subject=S.STATUS, op=Op.EQUALS, value=1)],
        exchange(url="https://shop.example", phases=Phases()),
        NOW,
    )
    assert failure.message.startswith("GET https://shop.example/: ")
