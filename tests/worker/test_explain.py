"""What was seen in the page, explained by what was seen on the wire: one row for each rule."""

from typing import Any

import pytest

from probe.core.explain import STILL_LOADING, Party, Wire, explain, party_of
from probe.core.failure import Failure
from probe.core.target import Target

ELEMENT = Failure.of("element", "heading 'Your cart' was not found", step="add")
LOADING = Failure.of("page_load", "the page did not finish loading within 2 s", actual=STILL_LOADING)


def wire(path: str = "/api/cart", **more: object) -> Wire:
    given = {"method": "GET", "url": f"https://shop.example{path}", "party": Party.OWN, "resource": "fetch", **more}
    return Wire(**given)  # type: ignore[arg-type]  # a row of the table


def third(**more: object) -> Wire:
    given: dict[str, Any] = {"url": "https://pay.example/p.js?k=1", "party": Party.LISTED, "resource": "script", **more}
    return wire(**given)


@pytest.mark.parametrize(
    ("seen", "requests", "errors", "kinds", "words"),
    [
        ((), [wire(status=500)], ["boom"], [], ""),
        ((ELEMENT,), [], [], ["element"], "heading"),
        ((ELEMENT,), [wire(method="POST", status=500)], [], ["status", "element"], "POST /api/cart answered 500; then heading"),
        ((ELEMENT,), [wire(error="net::ERR_CONNECTION_REFUSED")], [], ["request_failed", "element"], "ERR_CONNECTION_REFUSED"),
        ((ELEMENT,), [wire(error="net::ERR_ABORTED")], [], ["element"], ""),
        ((ELEMENT,), [wire(status=401)], [], ["element"], ""),
        ((ELEMENT,), [wire(method="POST", status=422)], [], ["status", "element"], "POST /api/cart answered 422"),
        ((ELEMENT,), [wire("/x", status=404, resource="document", main=True)], [], ["status", "element"], "GET /x answered 404"),
        ((ELEMENT,), [wire(status=500, resource="image")], [], ["element"], ""),
        ((LOADING,), [wire("/", resource="document", main=True, done=False, seconds=2)], [], ["no_response", "page_load"], "GET / has not answered after 2 s"),
        ((ELEMENT,), [wire(done=False, seconds=1.5)], [], ["no_response", "element"], "has not answered after 1.5 s"),
        ((ELEMENT,), [wire(done=False, seconds=0.1)], [], ["element"], ""),
        ((ELEMENT,), [third(done=False, seconds=3), third(done=False, seconds=1)], [], ["third_party_slow", "element"], "pay.example (third party) has not answered GET pay.example/p.js after 3 s"),
        ((ELEMENT,), [third(error="net::ERR_NAME_NOT_RESOLVED")], [], ["third_party_failed", "element"], "failed: net::ERR_NAME_NOT_RESOLVED"),
        ((ELEMENT,), [third(status=503)], [], ["third_party_failed", "element"], "answered 503"),
        ((ELEMENT,), [third(status=503, party=Party.FOREIGN)], [], ["element"], ""),
        ((ELEMENT,), [third(status=404, resource="fetch")], [], ["element"], ""),
        ((ELEMENT,), [third(status=503), wire(status=502)], [], ["status", "element"], "answered 502"),
        ((ELEMENT,), [], ["TypeError: x\n at y"], ["page_error", "element"], "the page's script failed: TypeError: x; then heading"),
        ((ELEMENT,), [wire(status=500)], ["TypeError: x"], ["status", "page_error", "element"], "answered 500"),
        ((Failure.of("page_error", "boom"),), [], ["boom"], ["page_error"], "boom"),
        ((LOADING,), [wire("/", resource="document", main=True, status=200)], [], ["page_unresponsive", "page_load"], "never yields"),
        ((LOADING,), [third(done=False, seconds=3, party=Party.FOREIGN)], [], ["page_load"], "it waits for GET pay.example/p.js"),
        ((LOADING,), [], [], ["page_load"], "within 2 s"),
        ((Failure.of("check_bug", "KeyError"),), [wire(status=500)], [], ["status"], "answered 500; then the check's code failed: KeyError"),
        ((Failure.of("check_bug", "KeyError"),), [wire(method="POST", status=404)], [], ["check_bug"], "KeyError"),
        ((Failure.of("check_bug", "KeyError"),), [], [], ["check_bug"], "KeyError"),
        ((Failure.of("browser_died"), ELEMENT), [wire(status=500)], [], ["browser_died", "element"], ""),
        ((Failure.of("refused", "no"),), [wire(status=500)], [], ["refused"], "no"),
    ],
)  # fmt: skip
def test_the_order_of_blame(
    seen: tuple[Failure, ...], requests: list[Wire], errors: list[str], kinds: list[str], words: str
) -> None:
    found = explain(seen, requests, errors, step="add")
    assert [f.kind for f in found] == kinds
    if found:
        assert words in found[0].message


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("https://shop.example/x", Party.OWN),
        ("https://api.shop.example/x", Party.OWN),
        ("https://www.shop.example:8443/", Party.OWN),
        ("https://pay.example/x", Party.LISTED),
        ("https://js.pay.example/x", Party.LISTED),
        ("http://127.0.0.1:9000/x", Party.LISTED),
        ("http://127.0.0.1:9001/x", Party.FOREIGN),
        ("https://notshop.example/x", Party.FOREIGN),
        ("https://shop.example:port/x", Party.OWN),
        ("about:blank", Party.FOREIGN),
    ],
)
def test_whose_a_host_is(url: str, party: Party) -> None:
    target = Target(name="s", url="https://www.shop.example", third_parties=("pay.example", "127.0.0.1:9000"))
    assert party_of(url, target) is party
