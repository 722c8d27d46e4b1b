"""The waterfall of a run: from its HAR, whatever that holds; from its exchanges; or from what failed."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.exchange import Hop, Phases
from probe.core.run import Document, Observation, PageRequest, Run
from probe.core.target import Target
from probe.view import requests
from probe.view.documents import Request
from probe.view.requests import requests_of
from tests.core.builders import exchange
from tests.store.builders import run
from tests.view.outage import har

TARGET = Target(name="shop", url="https://www.shop.example/eu", third_parties=("pay.example",))
RUN = run(1, observation=Observation())


def of(body: bytes, **entry: Any) -> list[Request]:
    return requests_of(RUN, body, TARGET)


def test_a_request_of_a_har_with_its_times_phases_and_party() -> None:
    own, listed, third = of(
        har("https://shop.example/cart?a=1", "https://js.pay.example/x", "https://ads.example/t.js")
    )
    assert own == {
        "method": "POST",
        "url": "https://shop.example/cart?a=1",
        "host": "shop.example",
        "status": 500,
        "error": None,
        "type": "fetch",
        "party": "own",
        "step": own["step"],
        "start": 0.0,
        "duration": 0.1205,
        "phases": {"dns": 0.001, "connect": 0.01, "tls": 0.02, "ttfb": 0.05, "transfer": None},
        "size": 42,
    }
    assert own["step"] is not None
    assert own["step"].startswith("pay ")
    assert (listed["party"], third["party"]) == ("listed", "third")
    assert (listed["start"], third["start"]) == (0.01, 0.02)


def test_a_failed_request_has_its_error_and_no_status() -> None:
    body = har("https://shop.example/", response={"status": 0, "_failureText": "net::ERR_CONNECTION_RESET"})
    (found,) = of(body)
    assert (found["status"], found["error"], found["size"]) == (None, "net::ERR_CONNECTION_RESET", None)


@pytest.mark.parametrize(
    ("mime", "type"),
    [
        ("text/html; charset=utf-8", "document"),
        ("application/javascript", "script"),
        ("image/webp", "image"),
        ("application/json", "fetch"),
        ("video/mp4", "other"),
        (7, "other"),
    ],
)
def test_the_sort_where_the_browser_did_not_say(mime: object, type: str) -> None:
    body = har("https://s/", response={"status": 200, "content": {"mimeType": mime}}, _resourceType=None)
    assert of(body)[0]["type"] == type


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe no json",
        b"[]",
        b'{"log": 7}',
        b'{"log": {"entries": {"a": 1}}}',
        b'{"log": {"entries": [' + b"[" * 100_000,
        b'{"log": {"entries": [7, null, "x", {}, {"request": 5}, {"request": {"url": 4}}]}}',
    ],
)
def test_what_is_no_har_gives_nothing(body: bytes) -> None:
    assert of(body) == []


def test_an_entry_that_makes_no_sense_is_left_out_and_the_others_stay() -> None:
    good = json.loads(har("https://shop.example/good"))["log"]["entries"][0]
    bad: list[Any] = [
        {**good, "startedDateTime": "yesterday"},
        {**good, "startedDateTime": "2026-11-23T03:00:00"},
        {**good, "startedDateTime": 5},
        {**good, "request": None},
        {**good, "request": {"url": "data:text/html,x"}},
        {**good, "timings": []},
    ]
    assert [r["url"] for r in of(json.dumps({"log": {"entries": [*bad, good]}}).encode())] == [
        "https://shop.example/good"
    ]


def test_odd_values_are_told_as_not_known() -> None:
    body = har(
        "https://[bad",
        time="soon",
        response={
            "status": "200",
            "content": {"size": -5, "mimeType": None},
            "_transferSize": 1e300,
            "_failureText": [1],
        },
        timings={"dns": "x", "connect": True, "ssl": -1, "wait": 1e300, "receive": 2},
        _resourceType={},
        _step=3,
    )
    (found,) = of(body)
    assert (found["host"], found["party"], found["status"], found["error"]) == ("", "third", None, None)
    assert (found["type"], found["step"], found["size"], found["duration"]) == ("other", None, None, 0.0)
    assert found["phases"] == {"dns": None, "connect": None, "tls": None, "ttfb": 86400.0, "transfer": 0.002}


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand requests, twenty megabytes, and no address without an end."""
    many = of(har(*(f"https://shop.example/{n}" for n in range(requests.MOST + 50))))
    assert len(many) == requests.MOST
    assert len(of(har("https://shop.example/" + "x" * 9000))[0]["url"]) == requests.ADDRESS
    body = har("https://shop.example/")
    monkeypatch.setattr(requests, "LARGEST", len(body) - 1)
    assert of(body) == []


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["request", "url", "response", "timings", "startedDateTime", "time", "status", "content"]), inner)))  # fmt: skip
def test_whatever_json_there_is_it_is_answered(value: object) -> None:
    """And an answer is always JSON again."""
    for document in ({"log": {"entries": [value]}}, {"log": value}, value):
        json.dumps(of(json.dumps(document).encode()), allow_nan=False)


def test_without_a_har_each_hop_of_an_exchange_is_a_request() -> None:
    first = Hop(
        method="GET",
        url="https://shop.example/",
        status=302,
        phases=Phases(dns=0.001, connect=0.002, tls=0.003, ttfb=0.004, transfer=0.0),
        location="https://shop.example/cart",
    )
    made = exchange()
    one = replace(made, hops=(first, *made.hops))
    found = requests_of(run(1, observation=Observation(exchanges=(one,))), None, None)
    assert [(r["status"], r["url"], r["party"]) for r in found] == [
        (302, "https://shop.example/", "own"),
        (200, "https://shop.example/cart?x=1", "own"),
    ]
    assert (found[0]["start"], found[0]["duration"], found[1]["start"]) == (0.0, 0.01, 0.01)
    assert found[0]["phases"]["tls"] == 0.003
    assert (found[0]["size"], found[1]["size"]) == (None, 60)


def test_else_there_are_the_requests_that_failed() -> None:
    """Of a page whose target is not known, the host of its first document is its own."""

    def failed(url: str, *, third: bool) -> PageRequest:
        return PageRequest(method="POST", url=url, status=None, error="reset", third_party=third, step="pay")

    seen = Observation(
        documents=(Document(url="https://shop.example/"),),
        failed_requests=(
            failed("https://shop.example/a", third=False),
            failed("https://cdn.example/b", third=True),
            failed("https://media.shop.example/c", third=True),
        ),
    )
    made: Run = run(1, observation=seen)
    found = requests_of(made, b"no har", None)
    assert [(r["party"], r["step"], r["error"], r["duration"]) for r in found] == [
        ("own", "pay", "reset", 0.0),
        ("third", "pay", "reset", 0.0),
        ("third", "pay", "reset", 0.0),
    ]
