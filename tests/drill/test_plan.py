"""Which faults are planted where."""

from datetime import timedelta

import pytest

from probe.core.expectation import Expectation, Op, Subject
from probe.core.fault import Asked, Fault, FaultKind
from probe.drill.plan import limits_of, plan
from tests.drill.builders import asked, data, declared, page, spec

PRODUCT = page("<h1>Kettle</h1><p>EUR 42.00</p><script>go()</script>")
CART = page("<h1>Your cart</h1><p>EUR 42.00</p>")
WALK = (
    asked("view", "GET /product/1", PRODUCT),
    asked("view", "GET /api/reviews", data('{"text": "good"}'), "fetch"),
    asked("view", "GET cdn.example/kettle.svg", page("", kind="image/svg+xml"), "image"),
    asked("add", "POST /api/cart", data("{}", 201), "fetch"),
    asked("add", "GET /cart", CART),
    asked("pay", "GET /checkout", page("<h1>Checkout</h1>")),
    asked("pay", "POST /checkout", page("", 303)),
    asked("pay", "GET /order/D-1234", page("<h1>Thank you</h1><p>42.00</p>")),
    asked(None, "DELETE /api/orders/D-1234", data("{}"), "http", undo=True),
)


def at(faults: tuple[Fault, ...], kind: FaultKind, step: str | None) -> list[str]:
    return [fault.request for fault in faults if fault.kind is kind and fault.step == step]


def test_each_step_gets_its_faults() -> None:
    """On what it is about, and on what it shows at its end; what cannot be planted there is left out."""
    faults = plan(WALK, {})
    for kind in (FaultKind.REFUSED, FaultKind.SERVER_ERROR, FaultKind.SLOW, FaultKind.EMPTY):
        assert [at(faults, kind, s) for s in ("view", "add", "pay")] == [
            ["GET /product/1"],
            ["POST /api/cart"],
            ["POST /checkout"],
        ]
    for kind in (FaultKind.STALE, FaultKind.WRONG_TEXT, FaultKind.WRONG_PRICE):
        assert [at(faults, kind, s) for s in ("view", "add", "pay")] == [
            ["GET /product/1"],
            ["GET /cart"],
            ["GET /order/*"],
        ]
    assert [f.request for f in faults if f.kind is FaultKind.SCRIPT_ERROR] == ["GET /product/1"]
    assert [(f.kind, f.request) for f in faults if f.kind.foreign] == [
        (FaultKind.BLOCKED, "cdn.example"),
        (FaultKind.HANGING, "cdn.example"),
    ]
    assert len(faults) == 3 * 7 + 1 + 2
    assert not at(faults, FaultKind.REFUSED, None), "what the clean-up asks is no step"


def test_what_comes_in_place_of_an_answer() -> None:
    """An error page with a heading, nothing of the same type, the page before; at the beginning one of elsewhere."""
    faults = {(f.kind, f.step): f.answer for f in plan(WALK, {})}
    error, empty = faults[FaultKind.SERVER_ERROR, "add"], faults[FaultKind.EMPTY, "add"]
    first, later = faults[FaultKind.STALE, "view"], faults[FaultKind.STALE, "add"]
    assert error
    assert empty
    assert first
    assert later
    assert (error.status, b"<h1>500" in error.body) == (500, True)
    assert (empty.status, empty.body, empty.headers) == (201, b"", (("Content-Type", "application/json"),))
    assert b"back soon" in first.body
    assert later.body == PRODUCT.body
    assert faults[FaultKind.EMPTY, "pay"].status == 200  # type: ignore[union-attr]  # a redirect leads on


def test_stale_data_is_another_answer() -> None:
    """Of the same sort; one that says the same is no other."""
    again = asked(None, "GET /api/cart", data('{"n": 1}'), "http")
    calls = (asked(None, "GET /api/a", data("{}"), "http"), again, again)
    (stale,) = [f.answer for f in plan(calls, {}) if f.kind is FaultKind.STALE]
    assert stale
    assert b"back soon" in stale.body, "all is one step: there is no earlier request"
    two = (asked("a", "GET /a", data("{}"), "http"), asked("b", "GET /b", data('{"n": 1}'), "http"))
    assert [f.answer.body for f in plan(two, {}) if f.kind is FaultKind.STALE and f.step == "b" and f.answer] == [b"{}"]


@pytest.mark.parametrize(("limit", "seconds"), [(2.0, 2.7), (None, 5.0)])
def test_slow_is_beyond_the_steps_limit(limit: float | None, seconds: float) -> None:
    """Or a stated number of seconds where there is none."""
    limits: dict[str | None, float] = {} if limit is None else {"view": limit}
    (slow,) = [f for f in plan(WALK, limits) if f.kind is FaultKind.SLOW and f.step == "view"]
    assert slow.seconds == pytest.approx(seconds)


def test_limits_of_declared_requests() -> None:
    """Their `within`; a user's function tells its limits when it runs."""
    within = Expectation(subject=Subject.TOTAL, op=Op.UNDER, value=timedelta(seconds=1).total_seconds())
    status = Expectation(subject=Subject.STATUS, op=Op.EQUALS, value=200)
    assert limits_of(declared(expectations=(status, within))) == {None: 1.0}
    assert limits_of(declared(expectations=(status,))) == {}
    assert limits_of(spec()) == {}


def test_nothing_asked_nothing_planted() -> None:
    """Without an answer, without a call, and at most five third parties."""
    assert plan((asked("a", "GET /", None), asked("b", "GET /a.png", page("x"), "image")), {}) == ()
    many: tuple[Asked, ...] = tuple(asked("a", f"GET cdn{n}.example/x.js", page("x"), "script") for n in range(9))
    assert len(plan(many, {})) == 10
