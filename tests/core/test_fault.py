"""Where faults are planted, and what they meet."""

import pytest

from probe.core.fault import Answer, Asked, Fault, FaultKind, host_of, place_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://Ada:pw@Shop.example/cart?token=1#top", "https://shop.example/cart"),
        ("https://shop.example", "https://shop.example/"),
        ("https://shop.example:8443/product/1", "https://shop.example:8443/product/1"),
        ("https://shop.example/order/D-7A39A141/lines", "https://shop.example/order/*/lines"),
        ("https://shop.example/6f1c9a52-33aa-4b1e/x", "https://shop.example/*/x"),
        ("https://shop.example/checkout", "https://shop.example/checkout"),
    ],
)
def test_a_place_is_the_same_at_each_run(url: str, place: str) -> None:
    """Without query, credentials and numbers of orders; a product keeps its short one."""
    assert place_of(url) == place


def test_a_fault_meets_its_request_in_its_step_only() -> None:
    """Step, method and place; another query and another order are the same place."""
    fault = Fault(kind=FaultKind.STALE, step="pay", method="GET", place="https://shop.example/order/*")
    assert fault.hits("pay", "GET", "https://shop.example/order/D-0001?x=1")
    assert not fault.hits("cart", "GET", "https://shop.example/order/D-0001")
    assert not fault.hits("pay", "POST", "https://shop.example/order/D-0001")
    assert not fault.hits("pay", "GET", "https://shop.example/orders")
    assert fault.request == "GET /order/*"


def test_a_third_partys_fault_meets_all_requests_to_it() -> None:
    """By host and port, in every step."""
    fault = Fault(kind=FaultKind.BLOCKED, step=None, method="", place="cdn.example:8902")
    assert fault.hits("pay", "POST", "https://CDN.example:8902/a.js")
    assert not fault.hits("pay", "GET", "https://cdn.example/a.js")
    assert fault.request == "cdn.example:8902"
    assert host_of("https://ada:pw@CDN.example:8902/x") == "cdn.example:8902"


def test_which_faults_keep_the_request_from_the_shop() -> None:
    """Those that change what it answers, or when, need the answer."""
    passing = {kind for kind in FaultKind if not kind.replaces}
    assert passing == {FaultKind.SLOW, FaultKind.WRONG_TEXT, FaultKind.WRONG_PRICE, FaultKind.SCRIPT_ERROR}


def test_what_is_noted_of_a_request() -> None:
    """Its place, and the type of its answer whatever the case of the header."""
    answer = Answer(status=200, headers=(("Date", "now"), ("Content-Type", "Text/HTML")), body=b"secret")
    asked = Asked(step=None, method="GET", url="https://a.example/?q", resource="http", own=True, answer=answer)
    assert asked.place == "https://a.example/"
    assert answer.content_type == "text/html"
    assert Answer(status=204).content_type == ""
    assert "secret" not in repr(asked)
