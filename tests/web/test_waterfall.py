"""Requests and steps as bars: where they lie, how wide they are, and which are left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.view.documents import Request
from probe.web.waterfall import LEAST, short_name, step_bars, ticks, waterfall, why_failed
from tests.web.pages.samples_run import request, step

PHASES = st.dictionaries(
    st.sampled_from(["dns", "connect", "tls", "ttfb", "transfer"]), st.none() | st.floats(-1, 50), max_size=5
)
REQUESTS = st.lists(
    st.builds(
        lambda start, duration, phases, status: request(
            0, start=start, duration=duration, phases=phases, status=status
        ),
        st.floats(0, 60),
        st.floats(0, 60),
        PHASES,
        st.none() | st.integers(0, 599),
    ),
    max_size=12,
)


@given(REQUESTS)
def test_every_bar_lies_in_the_picture(requests: list[Request]) -> None:
    """Whatever a HAR says: parts follow each other inside of their bar, and bars inside of the whole."""
    water = waterfall(requests, most=5)
    assert (water.shown, water.left_out) == (min(len(requests), 5), max(len(requests) - 5, 0))
    for bar in (bar for group in water.groups for bar in group.bars):
        assert bar.left >= 0
        assert bar.left + bar.width <= 100 + LEAST + 0.02
        at = bar.left
        for part in bar.segments:
            assert part.left >= at - 0.02
            at = part.left + part.width
        assert at <= bar.left + bar.width + 0.05


def test_phases_and_what_they_do_not_account_for() -> None:
    slow = request(0, start=1.0, duration=1.0, phases={"dns": 0.1, "connect": 0.2, "ttfb": 0.5})
    (group,) = waterfall([request(0, start=0.0, duration=4.0), slow]).groups
    parts = group.bars[1].segments
    assert [(part.phase, part.left, part.width) for part in parts] == [
        ("queued", 25.0, 5.0),
        ("dns", 30.0, 2.5),
        ("connect", 32.5, 5.0),
        ("ttfb", 37.5, 12.5),
    ]


def test_those_that_failed_and_the_slowest_are_shown() -> None:
    quick = [request(0, start=float(n), duration=0.1) for n in range(5)]
    failed = request(0, start=2.5, duration=0.01, status=503, party="third")
    refused = request(0, start=9.0, duration=0.01, status=None, error="net::ERR_ABORTED")
    slow = request(0, start=3.5, duration=2.0)
    water = waterfall([*quick, failed, refused, slow], most=3)
    assert [bar.failed for group in water.groups for bar in group.bars] == ["503", "", "net::ERR_ABORTED"]
    assert (water.shown, water.left_out, water.failed) == (3, 5, 2)
    assert [bar.request["party"] for bar in water.failures] == ["own", "third"]
    assert water.parties == {"own": 7, "third": 1, "listed": 0}


def test_requests_of_a_step_stay_together() -> None:
    names: list[str | None] = [None, "pay", "pay", "thank", "pay"]
    water = waterfall([request(0, start=float(n), step=name) for n, name in enumerate(names)])
    assert [(group.step, len(group.bars)) for group in water.groups] == [
        *((None, 1), ("pay", 2), ("thank", 1), ("pay", 1))
    ]


@pytest.mark.parametrize(
    ("status", "error", "why"),
    [
        (200, None, ""),
        (404, None, "404"),
        (None, None, "no answer"),
        (0, None, "no answer"),
        (200, "aborted", "aborted"),
    ],
)
def test_why_a_request_failed(status: int | None, error: str | None, why: str) -> None:
    assert why_failed(request(0, status=status, error=error)) == why


def test_ticks_are_round_and_few() -> None:
    assert ticks(0) == ticks(5e-324) == ()
    assert ticks(float("inf")) == ()
    for seconds in (0.0007, 0.09, 1.0, 2.3, 9.99, 61.0, 1800.0):
        found = ticks(seconds)
        assert 2 <= len(found) <= 6
        assert found[-1].seconds <= seconds


def test_steps_lie_over_the_time_of_the_run() -> None:
    never = step(0) | {"start": None, "duration": None}
    first, second, none = step_bars([step(0), step(1) | {"within": 0.3}, never], 2.0)
    assert none is None
    assert first is not None
    assert second is not None
    assert (first.left, first.width, first.limit) == (0.0, 27.5, 100.0)
    assert (second.left, second.limit) == (35.0, 50.0)
    assert step_bars([step(0) | {"duration": 0.0, "start": 0.0}], 0.0) == (None,)


def test_names_are_short() -> None:
    assert short_name("https://[::1/broken", "x") == "https://[::1/broken"
    assert len(short_name("https://shop.example/" + "a" * 500, "shop.example")) == 64
    assert short_name("https://shop.example/?q=1", "shop.example") == "shop.example"
