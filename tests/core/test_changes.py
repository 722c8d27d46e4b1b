"""What changed since the last good run: what tells is told, the noise of every day is not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.changes import LINES, MOST, ORDER, changed_words, compare, words_of
from probe.core.check import CheckId
from probe.core.exchange import Certificate, Exchange, Hop, Phases, Tls
from probe.core.failure import Failure
from probe.core.fingerprint import fingerprint_of, is_telling
from probe.core.run import (
    Comparison,
    Difference,
    Document,
    Observation,
    Outcome,
    Run,
    RunId,
    Step,
    StepOutcome,
    StepText,
    ThirdParty,
    Vitals,
    Why,
)
from tests.core.builders import NOW, certificate

FAILURE = Failure.of("status", "POST /cart answered 500", step="cart")


def run(id: str = "good", **seen: Any) -> Run:
    failed = "failures" in seen
    return Run(
        id=RunId(id),
        check=CheckId("checkout"),
        kind="http",
        target="shop",
        region="eu",
        why=Why.SCHEDULED,
        outcome=Outcome.FAILED if failed else Outcome.PASSED,
        started=NOW,
        duration=timedelta(seconds=1),
        observation=Observation(**seen),
    )


def answer(
    url: str = "https://shop.example/cart",
    *,
    method: str = "GET",
    status: int = 200,
    headers: dict[str, str] | None = None,
    peer: str | None = "192.0.2.7:443",
    answers: tuple[str, ...] = ("192.0.2.7", "192.0.2.8"),
    leaf: Certificate | None = None,
    phases: Phases | None = None,
    size: int = 5000,
    way: tuple[str, ...] = (),
) -> Exchange:
    leaf = leaf or certificate()
    hop = Hop(
        method=method,
        url=url,
        status=status,
        phases=phases or Phases(dns=0.01, connect=0.01, tls=0.02, ttfb=0.1, transfer=0.01),
        address=peer,
        tls=Tls(version="TLSv1.3", cipher="AES", presented=(leaf,), verified=(leaf,)),
        answers=answers,
    )
    return Exchange(
        method=method,
        url=(*way, url)[0],
        status=status,
        reason="",
        headers=tuple((headers or {}).items()),
        body=b"",
        hops=(*(replace(hop, url=before, status=302) for before in way), hop),
        duration=0.15,
        started=NOW,
        wire_size=size,
        size=size,
    )


def told(good: Exchange, bad: Exchange) -> list[str]:
    """The differences between two answers, in words."""
    found = compare(run(exchanges=(good,)), run("bad", exchanges=(bad,), failures=(FAILURE,)))
    return [words_of(difference) for difference in found.differences]


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        pytest.param(
            {"headers": {"X-Build": "41", "Date": "a"}},
            {"headers": {"X-Build": "42", "Date": "b"}},
            ["build x-build: 41 → 42"],
            id="a build",
        ),
        pytest.param({"headers": {"X-Version": "41"}}, {"headers": {}}, [], id="an error page lacks its build"),
        pytest.param(
            {"headers": {"Server": "nginx", "Content-Type": "text/html"}},
            {"headers": {"Server": "envoy", "Content-Type": "text/plain"}, "status": 503},
            ["status of GET /cart: 200 → 503", "header server: nginx → envoy"],
            id="who answered, and what follows from the status is not told",
        ),
        pytest.param(
            {"headers": {"Content-Type": "text/html"}},
            {"headers": {}},
            ["header content-type: gone (was text/html)"],
            id="a header is gone",
        ),
        pytest.param({"headers": {}}, {"headers": {"Via": "proxy"}}, ["header via: new: proxy"], id="a header is new"),
        pytest.param(
            {"headers": {"Age": "1", "ETag": "a", "X-Cache": "HIT", "CF-Ray": "1-AMS", "X-Served-By": "a"}},
            {"headers": {"Age": "9", "ETag": "b", "X-Cache": "MISS", "CF-Ray": "2-AMS", "X-Served-By": "b"}},
            [],
            id="what is otherwise every day",
        ),
        pytest.param(
            {"headers": {"Last-Modified": "Sun, 22 Nov 2026 03:00:00 GMT"}},
            {"headers": {"Last-Modified": "Mon, 23 Nov 2026 02:00:00 GMT"}},
            ["header last-modified: Sun, 22 Nov 2026 03:00:00 GMT → Mon, 23 Nov 2026 02:00:00 GMT"],
            id="a page was exchanged",
        ),
        pytest.param(
            {"headers": {"Last-Modified": "Mon, 23 Nov 2026 02:58:00 GMT"}},
            {"headers": {"Last-Modified": "Mon, 23 Nov 2026 02:59:59 GMT"}},
            [],
            id="a page that is made anew each time",
        ),
        pytest.param({"headers": {"Last-Modified": "x"}}, {"headers": {"Last-Modified": "y"}}, [], id="no date at all"),
        pytest.param(
            {"headers": {"Last-Modified": "Sun, 22 Nov 2026 03:00:00 GMT"}}, {"headers": {}}, [], id="no date any more"
        ),
        pytest.param(
            {"answers": ("192.0.2.7", "192.0.2.8")}, {"answers": ("192.0.2.9",)}, [], id="addresses take turns"
        ),
        pytest.param(
            {"answers": ("192.0.2.7", "198.51.100.1")},
            {"answers": ("198.51.100.9",)},
            [],
            id="of several networks, too",
        ),
        pytest.param(
            {"answers": ("192.0.2.7",)},
            {"answers": ("203.0.113.5",), "peer": "203.0.113.5:443"},
            ["addresses of shop.example: 192.0.2.7 → 203.0.113.5"],
            id="other addresses, told once",
        ),
        pytest.param(
            {"answers": ("2001:db8::1",)}, {"answers": ("2001:db8::2",)}, [], id="IPv6 addresses of one network"
        ),
        pytest.param(
            {"answers": (), "peer": "[2001:db8::1]:443"},
            {"answers": (), "peer": "[2001:db9::1]:443"},
            ["server of shop.example: [2001:db8::1]:443 → [2001:db9::1]:443"],
            id="another peer, where nothing was resolved",
        ),
        pytest.param({"answers": ()}, {"answers": (), "peer": "192.0.2.99:443"}, [], id="a peer of the same network"),
        pytest.param(
            {"answers": (), "peer": "a"},
            {"answers": (), "peer": "b"},
            ["server of shop.example: a → b"],
            id="odd peers",
        ),
        pytest.param({"answers": (), "peer": None}, {"answers": (), "peer": "b"}, [], id="a peer that was not known"),
        pytest.param(
            {"leaf": certificate(1)},
            {"leaf": replace(certificate(90), sha256="cd" * 32)},
            [
                "certificate of shop.example: CN=shop.example by CN=Test CA, until 2026-11-24 → CN=shop.example by CN=Test CA, until 2027-02-21"
            ],
            id="a certificate",
        ),
        pytest.param(
            {},
            {"way": ("https://shop.example/cart",), "url": "https://shop.example/login?from=cart", "size": 10},
            [
                "way of GET /cart: https://shop.example/cart → https://shop.example/cart → https://shop.example/login",
                "size of GET /cart: 5000 B → 10 B",
            ],
            id="a redirect",
        ),
        pytest.param(
            {"way": ("https://shop.example/pay",), "url": "https://shop.example/done"},
            {"url": "https://shop.example/pay", "status": 422},
            ["status of GET /pay: 200 → 422"],
            id="an error where a redirect was",
        ),
        pytest.param({"size": 5000}, {"size": 5900}, [], id="about as large"),
        pytest.param({"size": 10}, {"size": 900}, [], id="small all the same"),
        pytest.param(
            {"size": 5000}, {"status": 500, "size": 10}, ["status of GET /cart: 200 → 500"], id="an error is short"
        ),
        pytest.param(
            {"phases": Phases(ttfb=0.1, connect=0.001)},
            {"phases": Phases(ttfb=2.6, connect=0.1, dns=3.0)},
            ["time of GET /cart, ttfb: 0.10 s → 2.60 s"],
            id="a slow phase, not one that is slower by little, or new",
        ),
        pytest.param({"phases": Phases(ttfb=2.0)}, {"phases": Phases(ttfb=4.0)}, [], id="twice as slow"),
    ],
)
def test_two_answers(good: dict[str, Any], bad: dict[str, Any], words: list[str]) -> None:
    """What tells one state of a shop from another, and what is noise."""
    assert told(answer(**good), answer(**bad)) == words


def test_two_answers_of_other_hosts_have_other_servers() -> None:
    """That is no news of addresses and certificates: the redirect says it."""
    bad = answer(answers=("203.0.113.5",), leaf=replace(certificate(), sha256="cd"), url="https://away.example/cart")
    assert told(answer(), bad) == ["way of GET /cart: https://shop.example/cart → https://away.example/cart"]


def test_answers_are_paired_by_what_was_asked() -> None:
    """With numbers and ids left out, one after the other; what has no partner is passed over."""
    good = run(exchanges=(answer("https://a.example/orders/17"), answer("https://a.example/orders/18", status=201)))
    bad = run(
        "bad",
        exchanges=(
            answer("https://a.example/orders/99"),
            answer("https://a.example/orders/a81bc81b", status=500),
            answer("https://a.example/orders/20", status=500),
            answer("https://a.example/else", status=500),
        ),
        failures=(FAILURE,),
    )
    assert [words_of(d) for d in compare(good, bad).differences] == ["status of GET /orders/a81bc81b: 201 → 500"]


SCRIPTS = (
    "https://shop.example/js/app.3f2a9c.js",
    "https://shop.example/js/vendor-BX71aZ09.js",
    "https://shop.example/js/1.0a0a0a.js",
    "https://shop.example/js/2.0b0b0b.js",
    "https://cdn.example/lib/1.2.3/a.js",
)


def scripts(*urls: str) -> list[str]:
    good, bad = run(scripts=SCRIPTS), run("bad", scripts=urls, failures=(FAILURE,))
    return [words_of(d) for d in compare(good, bad).differences]


def test_scripts() -> None:
    """Another build of one is one difference; a new one is told; that one is gone is not: the run ended before."""
    assert scripts(*SCRIPTS[:1]) == []
    assert scripts("https://shop.example/js/app.71bd00.js") == ["script app.js: app.3f2a9c.js → app.71bd00.js"]
    assert scripts("https://shop.example/js/vendor-C0ffee11.js", SCRIPTS[0]) == [
        "script vendor.js: vendor-BX71aZ09.js → vendor-C0ffee11.js"
    ]
    assert scripts("https://shop.example/js/1.0a0a0a.js", "https://shop.example/js/3.0c0c0c.js") == []
    assert scripts("https://new.example/pixel.js") == ["script pixel.js: new: pixel.js"]
    assert scripts("https://shop.example/3f2a9c") == ["script https://shop.example/*: new: 3f2a9c"]
    assert len(scripts(*(f"https://new.example/{n}x.js" for n in "abcdefgh"))) == LINES
    nothing = compare(run(), run("bad", scripts=SCRIPTS, failures=(FAILURE,)))
    assert nothing.differences == (), "where none was seen before, all would be new"


def parties(*hosts: str) -> tuple[ThirdParty, ...]:
    return tuple(ThirdParty(host=host, requests=1, failed=0, time=0.1, share=0.1) for host in hosts)


def test_third_parties() -> None:
    """Hosts that came; and those that went, where the run got to its end."""
    good = run(third_parties=parties("a.example", "b.example"))
    steps: tuple[Step, ...] = (Step(name="cart", outcome=StepOutcome.FAILED),)
    bad = run("bad", third_parties=parties("b.example", "c.example"), failures=(FAILURE,), steps=steps)
    assert [words_of(d) for d in compare(good, bad).differences] == [
        "third party c.example: new",
        "third party a.example: gone (was asked)",
    ]
    steps = (*steps, Step(name="pay", outcome=StepOutcome.SKIPPED))
    short = replace(bad, observation=replace(bad.observation, steps=steps))
    assert [words_of(d) for d in compare(good, short).differences] == ["third party c.example: new"]


def test_pages() -> None:
    """Documents of a browser: where they led, who answered, with which build."""
    page = Document(
        url="https://shop.example/home",
        status=200,
        redirects=("https://shop.example/",),
        address="192.0.2.7:443",
        headers=(("x-release", "41"),),
        certificate=certificate(),
    )
    bad = replace(page, url="https://shop.example/maintenance", headers=(("x-release", "42"),), status=None)
    found = compare(run(documents=(page,)), run("bad", documents=(bad,), failures=(FAILURE,))).differences
    assert [words_of(d) for d in found] == [
        "build x-release: 41 → 42",
        "way of page /: https://shop.example/ → https://shop.example/home → https://shop.example/ → https://shop.example/maintenance",
        "status of page /: gone (was 200)",
    ]
    assert compare(run(documents=(Document(url="data:x"),)), run(documents=(Document(url="data:x"),))).differences == ()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("Your cart\nTotal EUR 42.00\nOrder 17", "Your cart\nYour cart is empty\nOrder 18", "text at cart: Total EUR 42.00 → Your cart is empty"),
        ("Your cart\nOrder 17", " Your cart \n\nOrder 99", ""),
        ("Your cart", "", "text at cart: gone (was Your cart)"),
        ("Hello Ada Your cart Total EUR 42.00", "Hello Ada Your cart is empty", "text at cart: Total EUR 42.00 → is empty"),
        ("Shop a b c d Home", "We a b are sorry Shop a b c d Home again 7", "text at cart: new: We a b are sorry again 7"),
        ("Order 17", "Order 18", ""),
        ("", "Sorry", "text at cart: new: Sorry"),
        ("a\nb\nc\nd\ne\nf\ng", "x" * 300, f"text at cart: a b c d e → {'x' * 200}"),
    ],
)  # fmt: skip
def test_the_text_of_the_failing_step(before: str, after: str, words: str) -> None:
    """The lines that went and those that came; a number that counts up is no other line."""
    good = run(texts=(StepText(step="home", text="a"), StepText(step="cart", text=before)))
    bad = run("bad", texts=(StepText(step="home", text="b"), StepText(step="cart", text=after)), failures=(FAILURE,))
    assert "; ".join(words_of(d) for d in compare(good, bad).differences) == words


def test_what_an_earlier_page_said_has_not_come() -> None:
    """A journey that does not get on shows the page before: what is new is what no page of the good run said."""
    good = run(texts=(StepText(step="view", text="Kettle EUR 42 Add"), StepText(step="cart", text="Your cart EUR 42")))
    bad = run("bad", texts=(StepText(step="cart", text="Kettle EUR 42 Add Sorry, try again"),), failures=(FAILURE,))
    assert [words_of(d) for d in compare(good, bad).differences] == ["text at cart: Your cart → Sorry, try again"]


def test_texts_that_are_not_known_are_not_compared() -> None:
    """Neither one alone, nor where the failure has no step."""
    text = (StepText(step="cart", text="a"),)
    assert compare(run(texts=text), run("bad", failures=(FAILURE,))).differences == ()
    assert compare(run(), run("bad", texts=text, failures=(FAILURE,))).differences == ()
    assert compare(run(texts=text), run("bad", texts=text)).differences == ()


def test_steps_that_take_longer() -> None:
    """Three times as long, and by a fifth of a second; the greatest first."""

    def steps(*seconds: float | None) -> tuple[Step, ...]:
        return tuple(Step(name=f"s{n}", outcome=StepOutcome.PASSED, duration=s) for n, s in enumerate(seconds))

    good = run(steps=steps(0.01, 0.1, 1.0, 0.2, None))
    bad = run("bad", steps=steps(0.2, 0.4, 2.9, 4.0, 5.0), failures=(FAILURE,))
    assert [words_of(d) for d in compare(good, bad).differences] == [
        "time of s3: 0.20 s → 4.00 s",
        "time of s1: 0.10 s → 0.40 s",
    ]


def test_pages_that_are_painted_later() -> None:
    """Web vitals that are seconds; a layout that shifts is none."""
    quick, late = (
        Vitals(url="https://a.example/x?1", ttfb=0.1, lcp=0.5, cls=0.01),
        Vitals(url="https://a.example/x?2", ttfb=0.2, lcp=4.0, cls=0.9),
    )
    found = compare(run(vitals=(quick,)), run("bad", vitals=(late,), failures=(FAILURE,))).differences
    assert [words_of(difference) for difference in found] == ["time of page /x, lcp: 0.50 s → 4.00 s"]


def test_most_telling_first_and_no_more_than_twenty() -> None:
    """Whatever a hostile shop sends, it stays small, and quick: 10,000 scripts, headers and hosts of a megabyte."""
    many = range(10_000)
    good = run(exchanges=tuple(answer(f"https://a.example/{chr(97 + n)}") for n in range(26)))
    huge = {f"x-build-{n}": "v" * 5_000 for n in range(200)}
    bad = run(
        "bad",
        exchanges=tuple(
            answer(f"https://a.example/{chr(97 + n)}", status=500, headers={"Server": f"s{n}", **huge})
            for n in range(26)
        ),
        scripts=tuple(f"https://a.example/{n}/{'s' * 500}.js" for n in many),
        third_parties=parties(*(f"h{n}.example" for n in many)),
        texts=(StepText(step="cart", text="y" * 1_000_000),),
        failures=(FAILURE,),
    )
    found = compare(good, bad).differences
    assert len(found) == MOST
    assert [d.what for d in found] == sorted((d.what for d in found), key=ORDER.index)
    assert max(len(words_of(d)) for d in found) < 700
    print_ = fingerprint_of(bad)
    assert sum(map(len, print_.scripts)) < 100_000
    assert len(print_.text("cart") or "") == 4_000


def test_what_an_alert_says() -> None:
    """The two most telling things; what only follows from the failure is not said again."""
    differences = (
        Difference(what="build", name="x-build", before="41", after="42"),
        Difference(what="script", name="app.js", before="app.1.js", after="app.2.js"),
        Difference(what="dns", name="shop.example", before="a", after="b"),
        Difference(what="status", name="GET /", before="200", after="500"),
    )
    assert changed_words(Comparison(good=RunId("x"), at=NOW, differences=differences)) == (
        "build x-build: 41 → 42; script app.js: app.1.js → app.2.js"
    )
    assert changed_words(Comparison(good=RunId("x"), at=NOW, differences=differences[3:])) == ""
    assert changed_words(None) == ""
    assert words_of(Difference(what="odd", name="x", before=None, after=None)) == "odd x: new"


ODD = [
    "",
    "a",
    "a/b",
    "://",
    "http://[::1",
    "\x00",
    "é" * 300,
    "%",
    "app.3f2a9c.js",
    "app.71bd00.js",
    "v1",
    "v2",
    "*",
    "[",
    "a:1:2",
]
words = st.one_of(st.sampled_from(ODD), st.text("ab1/.-:", max_size=8))
urls = st.one_of(words, st.builds("https://{}.example/{}".format, st.sampled_from("ab"), words))
observations = st.builds(
    Observation,
    exchanges=st.lists(
        st.builds(
            answer,
            urls,
            status=st.sampled_from([200, 302, 500]),
            headers=st.dictionaries(st.one_of(words, st.sampled_from(["server", "X-Build", "last-modified"])), words),
            peer=st.one_of(st.none(), words),
            answers=st.lists(
                st.one_of(words, st.sampled_from(["192.0.2.1", "203.0.113.9", "2001:db8::1"])), max_size=3
            ).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    documents=st.lists(st.builds(Document, url=urls, redirects=st.lists(urls, max_size=2).map(tuple)), max_size=2).map(
        tuple
    ),
    scripts=st.lists(urls, max_size=5).map(tuple),
    texts=st.lists(st.builds(StepText, step=st.just("cart"), text=words), max_size=1).map(tuple),
    third_parties=st.lists(words, max_size=4).map(lambda hosts: parties(*hosts)),
)


@settings(deadline=None, max_examples=60)
@given(observations, observations)
def test_whatever_was_seen(one: Observation, other: Observation) -> None:
    """A run does not differ from itself; two are compared the same each time; what came one way went the other way."""
    good, bad = (
        replace(run(), observation=one),
        replace(run("bad", failures=(FAILURE,)), observation=replace(other, failures=(FAILURE,))),
    )
    assert compare(good, replace(good, id=RunId("again"))).differences == ()
    found = compare(good, bad)
    assert found == compare(good, bad)
    assert (found.good, found.at) == (good.id, good.started)
    assert len(found.differences) <= MOST
    assert len(set(found.differences)) == len(found.differences)
    assert all(difference.before != difference.after for difference in found.differences)
    back = {
        (d.what, d.name, d.after, d.before)
        for d in compare(bad, replace(good, observation=replace(one, failures=(FAILURE,)))).differences
        if d.what in ("certificate", "dns", "build")
    }
    assert {
        (d.what, d.name, d.before, d.after) for d in found.differences if d.what in ("certificate", "dns", "build")
    } == back


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from(
            ["Date", "Set-Cookie", "X-Request-Id", "traceparent", "Age", "ETag", "X-Request-Version", "Authorization"]
        ),
        words,
    )
)
def test_volatile_headers_are_no_difference(headers: dict[str, str]) -> None:
    """Ids, moments, cookies: otherwise in every answer."""
    assert told(answer(), answer(headers=headers)) == []


def test_secret_headers_are_not_kept() -> None:
    """Whatever they are called."""
    assert not any(map(is_telling, ["Authorization", "Cookie", "Set-Cookie", "X-Auth-Version", "X-Session-Build"]))
