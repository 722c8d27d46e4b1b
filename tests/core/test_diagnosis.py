"""The likely cause: a table for each rule, of what it sees and where it is silent; and what speaks for and against."""

from dataclasses import replace
from typing import Any

import pytest

from probe.core import causes_answer, causes_time, causes_wire
from probe.core.case import Case, Confidence, Diagnosis
from probe.core.diagnosis import RULES as ALL_RULES
from probe.core.diagnosis import diagnose
from probe.core.failure import KINDS, Failure, Layer
from probe.core.incident import Verdict
from probe.core.run import Control, Document, PageRequest, ThirdParty
from tests.core.builders import NOW
from tests.core.cases import HOST, answer, case, incident_of, seen, status, steps

LIKELY, POSSIBLE, UNCLEAR = Confidence.LIKELY, Confidence.POSSIBLE, Confidence.UNCLEAR
BUG = status(500, "POST /cart", "add to cart")
SLOW = Failure.of("slow", "GET /: total time is 2.6 s", step=None, url=f"https://{HOST}/")
SILENT = Failure.of("no_response", f"{HOST} did not answer within 5s", url=f"https://{HOST}/")
EMPTY = Failure.of("json", "json $.items is missing", step="add to cart", url=f"https://{HOST}/cart")
RESET = Failure.of("connection_reset", f"{HOST} reset the connection")
BUSY = Failure.of("third_party_slow", "ads.example (third party) has not answered", url="https://ads.example/a.js")


def found(*runs: Any, **given: Any) -> Diagnosis:
    return diagnose(case(*runs, **given))


# --- below an answer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "given", "words"),
    [
        (Failure.of("browser_start", "no browser"), {}, "our own trouble in eu, not the shop's: no browser"),
        (BUG, {"verdict": Verdict.PROBE_FAULT}, "our own trouble in eu, not the shop's: POST /cart answered 500"),
        (Failure.of("internal", "nothing heard"), {"cause": "stale:us"}, "nothing is heard from our region us"),
    ],
)
def test_our_own_trouble_is_never_the_shops(failure: Failure, given: dict[str, Any], words: str) -> None:
    """Whatever else was seen."""
    told = found(seen(1, failure=failure), **given)
    assert words in told.words
    assert (told.layer, told.confidence) == (Layer.PROBE, LIKELY)
    assert "deploy" not in told.words


def controlled(second: float, *, well: bool) -> Any:
    sample = Control(well=well, at=NOW, seconds=0.1, text="anchor.example answered" if well else "no route")
    return seen(second, failure=BUG, control=sample)


def test_control_samples() -> None:
    """That failed with most of the runs: it may be our network. That were well: it is not."""
    told = found(controlled(1, well=False), controlled(2, well=False), controlled(3, well=True))
    assert told.layer == Layer.PROBE
    assert told.confidence is POSSIBLE
    assert told.evidence_for == ("2 of 3 control samples failed: no route",)
    assert "POST /cart answered 500" in told.evidence_against[0]
    told = found(controlled(1, well=True), controlled(2, well=True))
    assert "our own network was well in the same seconds: anchor.example answered" in told.evidence_for
    half = found(controlled(1, well=False), controlled(2, well=True))
    assert half.layer == Layer.HTTP
    assert not any("own network" in text for text in half.evidence_for)


@pytest.mark.parametrize(
    ("kind", "regions", "words", "confidence"),
    [
        ("name_not_found", ("eu", "us"), f"the name {HOST} does not exist", LIKELY),
        ("name_not_found", ("eu",), f"the name {HOST} does not exist", POSSIBLE),
        ("dns_timeout", ("eu", "us"), f"the name servers of {HOST} do not answer in time", LIKELY),
        ("certificate_expired", ("eu", "us"), f"the certificate of {HOST} has expired", LIKELY),
        ("certificate_wrong_host", ("eu", "us"), f"{HOST} presents a certificate that is for another host", LIKELY),
        ("tls_handshake", ("eu", "us"), f"the TLS handshake with {HOST} fails", LIKELY),
        ("refused", ("eu", "us"), f"nothing listens where {HOST} should", LIKELY),
        ("refused", ("us",), f"nothing listens where {HOST} should", POSSIBLE),
        ("connection_reset", ("eu", "us"), f"{HOST} drops every connection", LIKELY),
        ("closed_early", ("eu", "us"), f"{HOST} drops every connection", LIKELY),
    ],
)
def test_names_certificates_and_connections(
    kind: str, regions: tuple[str, ...], words: str, confidence: Confidence
) -> None:
    """The kind says it; where only one region sees it, it is less sure."""
    runs = [
        seen(n, failure=Failure.of(kind, f"seen: {kind}", url=f"https://{HOST}:443/"), region=r)
        for n, r in enumerate(regions)
    ]
    told = found(*runs)
    assert words in told.words
    assert told.confidence is confidence
    assert f"seen: {kind}" in told.evidence_for
    assert told.look_at
    fine = [text for text in told.evidence_against if text.startswith("it passes from")]
    assert fine == ([] if len(regions) == 2 else [f"it passes from {'us' if regions == ('eu',) else 'eu'}"])


def test_every_kind_has_a_cause_in_words() -> None:
    """A failure of any kind is told in a sentence of its layer, with somewhere to look."""
    for kind, info in KINDS.items():
        told = found(
            seen(1, failure=Failure.of(kind, actual="500" if kind == "status" else None, url=f"https://{HOST}/"))
        )
        assert told.words, kind
        assert told.look_at or told.confidence is UNCLEAR, kind
        assert (told.layer == Layer.PROBE) is (info.layer is Layer.PROBE), kind


def parties(*stats: tuple[str, int, int, float]) -> tuple[ThirdParty, ...]:
    return tuple(ThirdParty(host=host, requests=n, failed=bad, time=time, share=0.5) for host, n, bad, time in stats)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (BUSY, "the third party ads.example does not answer, and the page waits for it: not the shop's own servers"),
        (
            Failure.of("third_party_failed", "x", actual="404", url="https://ads.example/a.png"),
            "ads.example answers 404",
        ),
        (Failure.of("third_party_failed", "ads.example failed"), "the third party ads.example fails"),
    ],
)
def test_a_third_party(failure: Failure, words: str) -> None:
    """Which one, how, and how much of it; not the shop's own servers."""
    told = found(seen(1, failure=failure, third_parties=parties(("ads.example", 4, 2, 8.25), ("cdn.example", 9, 0, 1))))
    assert words in told.words
    assert told.confidence is LIKELY
    assert "2 of 4 requests to ads.example failed; they took up to 8.2 s of a run" in told.evidence_for
    assert found(seen(1, failure=failure)).evidence_for == (failure.message,)


def test_connections_that_break_off_now_and_then() -> None:
    """Some runs were only slow, or passed: that is the way, not the server."""
    told = found(seen(1, failure=RESET), seen(2, failure=SLOW), seen(3, failure=RESET), seen(4, failure=SLOW))
    assert told.layer == Layer.CONNECT
    assert told.confidence is LIKELY
    assert "break off or stall now and then" in told.words
    assert "2 of 4 bad runs had a connection that broke off" in told.evidence_for
    in_a_browser = Failure.of("page_load", "the page: net::ERR_CONNECTION_RESET", step="home")
    assert found(seen(1, failure=in_a_browser), seen(2)).confidence is POSSIBLE
    assert "drops every connection" in found(seen(1, failure=RESET), seen(2, failure=RESET)).words
    alone = diagnose(Case(incident=incident_of([seen(1, failure=RESET)])))
    assert alone.confidence is POSSIBLE


# --- answers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "verdict", "confidence"), [(403, Verdict.BLOCKED, LIKELY), (429, Verdict.DOWN, POSSIBLE)]
)
def test_a_server_that_takes_us_for_a_robot(code: int, verdict: Verdict, confidence: Confidence) -> None:
    """And what it means for customers is not known."""
    told = found(seen(1, failure=status(code)), verdict=verdict)
    assert f"refuses probe as it refuses robots (HTTP {code})" in told.words
    assert told.confidence is confidence
    assert told.evidence_against[0] == "customers may be refused, too: that is not known"


def served(second: float, name: str, code: int = 200, request: str = "GET /a") -> Any:
    failure = status(code, request, f"step {request}") if code >= 500 else None
    return seen(second, failure=failure, exchanges=(answer(request, code, headers={"X-Served-By": name}),))


def test_one_of_several_servers() -> None:
    """All bad answers come from one, and none of the good ones."""
    runs = [served(1, "a", 500), served(2, "b"), served(3, "c"), served(4, "a", 500, "GET /b"), served(5, "b")]
    told = found(*runs)
    assert told.words == f"one of several servers of {HOST} answers 500, the others are well: x-served-by: a"
    assert told.confidence is LIKELY
    assert told.evidence_for[:3] == (
        "good and bad runs take turns: 2 of 5 failed",
        "all 2 bad answers came with x-served-by: a, none of the 3 good ones",
        "they fail at 2 different places",
    )
    assert "3 of 5 runs passed meanwhile" in told.evidence_against
    document = Document(url="x", status=500, headers=(("x-pod", "p1"),))
    pages = [
        seen(1, failure=status(500), documents=(document, replace(document, status=None))),
        seen(2, documents=(replace(document, status=200, headers=(("x-pod", "p2"),)),)),
        seen(3, documents=(replace(document, status=200, headers=(("x-pod", "p3"), ("server", "x"))),)),
    ]
    assert "x-pod: p1" in found(*pages).words


def test_one_of_several_servers_that_do_not_say_who_they_are() -> None:
    """Good and bad runs take turns at one place, and fail at different steps."""
    bad, other = status(500, "GET /a", "a"), status(500, "GET /b", "b")
    told = found(seen(1, failure=bad), seen(2), seen(3, failure=other), seen(4))
    assert "one of several servers" in told.words
    assert told.confidence is POSSIBLE
    assert "take the ill one out" in told.look_at[0]


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([served(1, "a", 500), served(2, "a"), served(3, "b")], id="the same server gives good answers"),
        pytest.param([served(1, "a", 500), served(2, "b", 500), served(3, "c")], id="several are bad"),
        pytest.param([served(1, "a", 500), served(2, "b")], id="one good one is no crew"),
        pytest.param([seen(1, failure=BUG), seen(2), seen(3, failure=BUG)], id="always the same step"),
        pytest.param([seen(1, failure=BUG), seen(2, failure=status(500, "GET /")), seen(3)], id="then it was over"),
        pytest.param(
            [seen(1, failure=BUG), seen(2), seen(3, failure=BUG), seen(4, "api", BUG)], id="one step of two checks"
        ),
        pytest.param(
            [seen(1, failure=status(404)), seen(2), seen(3, failure=status(404, step="b"))], id="not an error"
        ),
    ],
)
def test_where_one_of_several_servers_is_not_named(runs: list[Any]) -> None:
    """Without proof."""
    assert "one of several" not in found(*runs).words


@pytest.mark.parametrize(
    ("code", "how"),
    [(502, "cannot be reached"), (503, "is down or overloaded"), (504, "does not answer in time")],
)
def test_what_is_behind_a_gateway(code: int, how: str) -> None:
    """All of it, one request, or not known which."""
    everything = found(seen(1, "home", status(code)), seen(2, "api", status(code, "GET /api")), seen(3, "search"))
    assert f"{HOST} answers {code} to all that is asked" in everything.words
    assert how in everything.words
    pay = status(code, "POST /pay", "pay")
    one = found(seen(1, failure=pay, steps=steps("cart", "pay", failure=pay)))
    assert one.words == f'POST /pay answers {code} at "pay": a service that only this needs {how}'
    alone = found(seen(1, failure=pay))
    assert alone.words == f'POST /pay answers {code} at "pay": a service that it needs {how}'


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (404, "GET /p is not there (HTTP 404)"),
        (401, "GET /p asks who we are (HTTP 401)"),
        (422, "the shop itself refuses GET /p (HTTP 422)"),
    ],
)
def test_refusals(code: int, words: str) -> None:
    """Likely when it is always so."""
    bad = status(code, "GET /p")
    assert words in found(seen(1, failure=bad)).words
    assert found(seen(1, failure=bad)).confidence is LIKELY
    assert found(seen(1, failure=bad), seen(2), seen(3, failure=bad)).confidence is POSSIBLE


def test_an_error_of_the_server() -> None:
    """Of one request, of everything, or not known which."""
    one = found(seen(1, failure=BUG, steps=steps("view", "add to cart", failure=BUG)))
    assert one.words.startswith('POST /cart fails on the server (HTTP 500) at "add to cart", while all else works')
    assert one.confidence is LIKELY
    assert found(seen(1, failure=BUG)).words == 'POST /cart fails on the server (HTTP 500) at "add to cart"'
    assert found(seen(1, failure=BUG)).confidence is POSSIBLE
    everything = found(seen(1, failure=status(500)), seen(2, "api", status(500, "GET /api")))
    assert everything.words == f"{HOST} answers 500 to all that is asked: the application itself fails"
    part = found(seen(1, failure=BUG), seen(2, "home"), seen(3, "api"))
    assert "while all else works" in part.words
    assert f"other checks of {HOST} pass: api, home" in part.evidence_for


def test_which_request_it_was() -> None:
    """From the answers of the run, the requests of the page, the message, or the address; whatever is known."""
    plain = Failure.of("status", "the page failed", step="cart", actual="500")
    wire = seen(1, failure=plain, exchanges=(answer("GET /a"), answer("POST /b?id=1", 500)))
    assert "POST /b fails" in found(wire).words
    assert "the request fails" in found(seen(0.5, failure=replace(plain, step="home")), wire).words
    asked = PageRequest(method="PUT", url=f"https://{HOST}/d", status=500, error=None, third_party=False)
    foreign = replace(asked, url="https://ads.example/e", third_party=True)
    assert "PUT /d fails" in found(seen(1, failure=plain, failed_requests=(asked, foreign))).words
    assert "/c fails" in found(seen(1, failure=replace(plain, url=f"https://{HOST}/c"))).words
    assert "the request fails" in found(seen(1, failure=plain)).words
    assert "GET /d fails" in found(seen(1, failure=replace(plain, message="GET /d: it failed"))).words
    refused = replace(plain, actual="503", message="x y")
    assert "POST /b" not in found(seen(1, failure=refused, exchanges=(answer("POST /b", 500),))).words


def test_the_pages_own_script() -> None:
    """The page came; the twin over HTTP says that the back end is well."""
    broken = Failure.of("page_error", "TypeError: x is undefined", step="view")
    told = found(seen(1, failure=broken, steps=steps("view", failure=broken)), seen(2, "api", steps=steps("view")))
    assert told.words == 'the page\'s own script fails at "view": the page was answered, and is broken'
    assert "the same step passes in api" in told.evidence_for
    assert "never ends" in found(seen(1, failure=Failure.of("page_unresponsive", "x"))).words


def test_twins() -> None:
    """A step of the same name in another check that fails there as well: not the front end alone."""
    broken = Failure.of("element", "no heading", step="view")
    bad = seen(1, failure=broken, steps=steps("view", failure=broken))
    both = found(bad, seen(2, "api", BUG, steps=steps("view", failure=BUG)))
    assert "the same step fails in api, too: not the front end alone" in both.evidence_for
    assert "content than expected" in both.words
    one = found(bad, seen(2, "api", steps=steps("view")))
    assert "the front end is broken" in one.words
    assert one.confidence is POSSIBLE
    assert found(bad).confidence is UNCLEAR
    assert found(bad, seen(2, "api", steps=steps("else"))).confidence is UNCLEAR
    assert found(seen(1, failure=Failure.of("header", "no header"))).confidence is UNCLEAR


def test_what_was_written_is_not_read_back() -> None:
    """A change that went well, and the reading after it lacks it."""
    wrote, read = answer("POST /cart", 201), answer("GET /cart")
    told = found(seen(1, failure=EMPTY, exchanges=(answer("GET /"), wrote, read)))
    assert told.words.startswith('what POST /cart wrote is not there when /cart is read at "add to cart"')
    assert told.confidence is LIKELY
    assert told.evidence_for[0] == "POST /cart answered 201, then GET /cart 200 without it"
    now_and_then = found(seen(1, failure=EMPTY, exchanges=(wrote, read)), seen(2), seen(3))
    assert now_and_then.confidence is POSSIBLE


@pytest.mark.parametrize(
    "exchanges",
    [
        pytest.param((answer("GET /"), answer("GET /cart")), id="nothing was written"),
        pytest.param((answer("POST /cart", 500), answer("GET /cart")), id="the change failed"),
        pytest.param((answer("POST /cart"), answer("GET /else")), id="another address"),
        pytest.param((answer("POST /cart"), answer("HEAD /cart")), id="not read"),
        pytest.param((answer("POST /cart"),), id="not read at all"),
    ],
)
def test_where_nothing_says_that_it_is_not_read_back(exchanges: Any) -> None:
    """Then it is content, as any other."""
    assert "content than expected" in found(seen(1, failure=EMPTY, exchanges=exchanges)).words
    other = seen(2, failure=BUG, exchanges=(answer("POST /cart"), answer("GET /cart")))
    assert "content than expected" in found(seen(1, failure=EMPTY, exchanges=exchanges), other).words


# --- time ---------------------------------------------------------------------------------------------------------------


def test_a_server_that_hangs() -> None:
    """Connections are taken, nothing is answered, by whatever is asked."""
    told = found(seen(1, failure=SILENT), seen(2, "home", SILENT), seen(3, "api", SILENT))
    assert told.words.startswith(f"{HOST} takes connections and answers nothing")
    assert (told.confidence, told.layer) == (LIKELY, Layer.HTTP)
    assert "3 checks suffer" in told.evidence_for
    assert found(seen(1, failure=SILENT), seen(2, "home", SILENT), seen(3)).confidence is POSSIBLE


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([seen(1, failure=SILENT)], id="one check alone"),
        pytest.param([seen(1, failure=SILENT), seen(2, "home", SILENT), seen(3, "api")], id="another is well"),
        pytest.param([seen(1, failure=SILENT), seen(2, "home", SLOW), seen(3, "api", SLOW)], id="most are only slow"),
    ],
)
def test_where_a_server_is_not_said_to_hang(runs: list[Any]) -> None:
    """What it waits for is not known then."""
    assert "answers nothing" not in found(*runs).words


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("connect", "connections are made slowly"),
        ("tls", "the TLS handshake is slow"),
        ("dns", "its name is resolved slowly"),
        ("transfer", "bodies come slowly"),
    ],
)
def test_a_slow_way(phase: str, words: str) -> None:
    """The part of the requests that took the time says where."""
    told = found(seen(1, failure=SLOW, exchanges=(answer("GET /", phases={phase: 2.5}),)))
    assert f"the way to {HOST} is slow, rather than any page of it" in told.words
    assert words in told.words
    assert told.confidence is POSSIBLE


def test_every_request_takes_as_much_longer() -> None:
    """Whatever it asks for: that is no page of it."""
    late = [seen(n, failure=SLOW, exchanges=(answer(f"GET /{n}", ttfb=2.5 + n / 100),)) for n in range(3)]
    told = found(*late)
    assert "every request takes longer by about as much" in told.words
    assert "2.5 to 2.5 s for each of 3 requests" in told.evidence_for[0]


def test_pages_that_are_answered_late() -> None:
    """Which ones, and which are as quick as ever."""
    told = found(
        seen(1, failure=SLOW, exchanges=(answer("GET /a", ttfb=1.2), answer("GET /b", ttfb=4.0))),
        seen(2, "home", exchanges=(answer("GET /static"),)),
    )
    assert told.words.startswith("GET /a, GET /b are answered late by the server: something that they share")
    assert told.confidence is LIKELY
    assert told.evidence_for[:2] == ("late every time: GET /a, GET /b", "as quick as ever: GET /static")
    one = found(
        seen(1, failure=SLOW, exchanges=(answer("GET /a", ttfb=1.2),)), seen(2, "home", exchanges=(answer("GET /b"),))
    )
    assert one.words.startswith("GET /a is answered late by the server: a service that it calls is slow")
    alone = found(seen(1, failure=SLOW, exchanges=(answer("GET /a", ttfb=1.2),)))
    assert alone.confidence is POSSIBLE
    quick = found(seen(1, failure=SILENT, exchanges=(answer("GET /a"),)))
    assert quick.words.startswith("/ is answered late by the server: a service that it calls is slow or overloaded")


def test_an_element_that_waits_for_a_late_answer() -> None:
    """Is slow, where answers were late; else it is content."""
    missing = Failure.of("element", "no heading", step="view")
    late = found(seen(1, failure=missing), seen(2, "api", SLOW, exchanges=(answer("GET /a", ttfb=4.0),)))
    assert "GET /a is answered late by the server" in late.words
    assert "content than expected" in found(seen(1, failure=missing), seen(2, "api", SLOW)).words


def test_what_is_slow_for_reasons_that_are_not_known() -> None:
    """Nothing is claimed."""
    told = found(seen(1, failure=Failure.of("step_slow", "the step took 5 s; more", step="pay")))
    assert told.words == 'the step took 5 s at "pay": what it waits for is not known'
    assert told.confidence is UNCLEAR


def test_rules_are_asked_in_order_and_each_is_one_of_ours() -> None:
    """A rule that is written and not listed would never be asked."""
    modules = (causes_wire, causes_answer, causes_time)
    written = {
        value
        for module in modules
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }
    assert written == set(ALL_RULES)
    assert len(ALL_RULES) == len(set(ALL_RULES))
