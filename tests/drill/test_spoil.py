"""Answers are spoilt in what a customer reads, and in nothing else."""

import json

import pytest

from probe.core.fault import Answer, FaultKind
from probe.drill.spoil import THROW, WRONG, can_spoil, prices_in, spoilt
from tests.drill.builders import data, page

PRICE, TEXT, SCRIPT = FaultKind.WRONG_PRICE, FaultKind.WRONG_TEXT, FaultKind.SCRIPT_ERROR


def spoil(kind: FaultKind, answer: Answer) -> str:
    return spoilt(kind, answer).body.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p>EUR 42.00</p>", "<p>EUR 52.00</p>"),
        ("<p>1.299,00 €</p>", "<p>2.299,00 €</p>"),
        ("<b>$9</b>", "<b>$1</b>"),
        ("<b>0,99</b>", "<b>1,99</b>"),
        ("<p>at 12:03:10.22, v1.2.3, 2026</p>", None),
        ("<style>p { margin: 1.55rem 42.00px }</style><script>var a = 42.00</script><!-- 42.00 -->", None),
        ('<img width="42.00" alt="42.00">', None),
    ],
)
def test_prices_that_are_shown_go_up(before: str, after: str | None) -> None:
    """Not those in styles, scripts, comments and attributes, nor what is no price."""
    assert spoil(PRICE, page(before)) == (after or before)
    assert can_spoil(PRICE, page(before)) == (after is not None)


def test_prices_in_data() -> None:
    """Texts that are a price, and numbers whose name says so."""
    answer = data(
        '{"sku": "X1", "price": "42.00", "total_cents": 4200, "stock": 37, "paid": true, "lines": [{"cost": 1.5}]}'
    )
    assert json.loads(spoil(PRICE, answer)) == {
        "sku": "X1",
        "price": "52.00",
        "total_cents": 5200,
        "stock": 37,
        "paid": True,
        "lines": [{"cost": 2.5}],
    }
    assert prices_in(answer) == ("42.00", "4200", "1.5")
    assert prices_in(page("<p>EUR 42.00</p><p>42.00 or € 7</p>")) == ("42.00", "7")


def test_texts() -> None:
    """The first heading of a page, the words in data, a plain text; never a number."""
    assert spoil(TEXT, page("<h2>Cart</h2><h1>Two</h1>")) == f"<h2>{WRONG}</h2><h1>Two</h1>"
    assert json.loads(spoil(TEXT, data('{"a": "ok", "n": 1, "price": "42.00"}'))) == {
        "a": WRONG,
        "n": 1,
        "price": "42.00",
    }
    assert spoil(TEXT, page("fine", kind="text/plain")) == WRONG
    assert not can_spoil(TEXT, page("<p>no heading</p>"))
    assert not can_spoil(TEXT, page("{", kind="application/json"))
    assert not can_spoil(TEXT, page("\x89PNG", kind="image/png"))
    assert not can_spoil(TEXT, None)


def test_scripts_throw() -> None:
    """Those of the page itself and whole files; not data, and not what is fetched from elsewhere."""
    own = "<script>go()</script><script type=module>go()</script>"
    others = '<script src="/a.js"></script><script type="application/json">{}</script>'
    assert spoil(SCRIPT, page(own + others)) == own.replace("go()", f"{THROW}go()") + others
    assert spoil(SCRIPT, page("go()", kind="text/javascript")) == f"{THROW}go()"
    assert not can_spoil(SCRIPT, page(others))
    assert not can_spoil(SCRIPT, data("{}"))


def test_nothing_else_is_touched() -> None:
    """Bytes that are no UTF-8 survive, status and headers stay, and other faults spoil nothing."""
    latin = Answer(status=201, headers=(("content-type", "text/html"),), body=b"<h1>x</h1>caf\xe9 42.00")
    assert spoilt(PRICE, latin) == Answer(status=201, headers=latin.headers, body=b"<h1>x</h1>caf\xe9 52.00")
    assert spoilt(FaultKind.SLOW, latin) == latin
    assert not can_spoil(PRICE, page("42.00", kind="text/plain"))
