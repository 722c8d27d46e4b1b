"""Charts: numbers at their places, gaps where nothing is known, and a way to the runs behind every number."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.web.charts import HEIGHT, WIDTH, Frame, Span, nice
from probe.web.journeys import by_region, charts, latency, outcomes, steps
from probe.web.words import age, ago, clock, moment, percent
from tests.web.pages import samples, samples_journey

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def frame(top: float = 4.0) -> Frame:
    return Frame(start=NOON, end=NOON + HOUR, top=top)


def link(start, end=None, **more):  # type: ignore[no-untyped-def]  # as the pages' own
    words = [start if isinstance(start, str) else f"{start:%H:%M}-{end:%H:%M}", *(f"{k}={v}" for k, v in more.items())]
    return "/runs?" + "&".join(words)


def test_values_and_moments_have_their_places() -> None:
    drawn = frame()
    assert (drawn.x(NOON), drawn.x(NOON + HOUR / 2), drawn.x(NOON + 2 * HOUR)) == (0, WIDTH / 2, WIDTH)
    assert (drawn.y(0), drawn.y(1), drawn.y(9)) == (HEIGHT, HEIGHT * 3 / 4, 0)


def test_a_line_breaks_where_nothing_is_known() -> None:
    drawn = frame()
    quarter = HOUR / 4
    drawn.line("p50", [(NOON, 1.0), (NOON + quarter, 2.0), (NOON + 2 * quarter, None), (NOON + 3 * quarter, 4.0)])
    assert 'd="M0.0 150.0h0L250.0 100.0M750.0 0.0h0"' in drawn.svg()


def test_parts_of_a_column_lie_on_one_another() -> None:
    drawn = frame()
    drawn.columns(["a", "b", "c"], [(NOON, NOON + HOUR / 2, (1.0, None, 2.0))])
    assert 'class="part a" d="M0.0 200.0V150.0h499.0V200.0z"' in drawn.svg()
    assert 'class="part c" d="M0.0 150.0V50.0h499.0V150.0z"' in drawn.svg()
    assert "part b" not in drawn.svg()


def test_marks_are_lines_or_bands_and_their_texts_are_text() -> None:
    drawn = frame()
    drawn.spans(
        [
            Span(kind="deploy", at=NOON + HOUR / 2, until=None, text="<b>"),
            Span(kind="maintenance", at=NOON - HOUR, until=NOON + HOUR / 4, text="upgrade"),
            Span(kind="incident", at=NOON + HOUR * 3 / 4, until=None, text="open still"),
            Span(kind="deploy", at=NOON - HOUR, until=None, text="long ago"),
        ]
    )
    svg = drawn.svg()
    assert 'class="mark mark--deploy" d="M500.0 0V200"' in svg
    assert "deploy: &lt;b&gt;" in svg
    assert 'class="band band--maintenance" x="0.0" width="250.0"' in svg
    assert 'class="band band--incident" x="750.0" width="250.0"' in svg
    assert "long ago" not in svg


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_scale_holds_its_value_and_is_not_much_larger(value: float) -> None:
    assert value <= nice(value) <= value * 1.7


@pytest.mark.parametrize("region", [None, "dallas"])
def test_every_number_leads_to_its_runs(region: str | None) -> None:
    journey = samples_journey.journey(8)
    for chart in (latency(journey, region, link), outcomes(journey, region, link), steps(journey, region, link)):
        assert len(chart.rows) == 8, chart.title
        assert chart.svg.count("<a href=") == 8, chart.title
        assert all("/runs?" in str(row[0]) for row in chart.rows), chart.title
    failed = [row[1] for row in outcomes(journey, region, link).rows if row[1] != "0"]
    assert len(failed) == 1
    assert "outcome=failed" in str(failed[0])


def test_what_is_promised_is_a_line_over_the_latency() -> None:
    journey = samples_journey.journey(8)
    assert "promised" not in latency(journey, None, link).svg
    journey["budgets"][0]["objective"]["under"] = 7.0
    chart = latency(journey, None, link)
    assert 'class="level promised"' in chart.svg
    assert ("promised", "promised: within 7 s") in chart.legend
    journey["budgets"][0]["objective"]["step"] = "Pay by card"
    assert "promised" not in latency(journey, None, link).svg  # of a step: it says nothing about the whole


def test_nothing_to_show_is_said() -> None:
    journey = samples_journey.journey(8)
    journey["columns"], journey["step_columns"], journey["vitals"] = [], [], []
    assert [chart.empty for chart in charts(journey, None, link)] == [True] * 4


def test_steps_of_a_region_stand_one_after_the_other() -> None:
    drawn = by_region(samples_journey.journey(8))
    assert [name for name, _, _ in drawn] == samples.REGIONS
    assert all(svg.count("<rect") == len(samples.STEPS) for _, svg, _ in drawn)
    assert all(took > 0 for _, _, took in drawn)


def test_ages_grow_in_one_unit() -> None:
    assert [age(s) for s in (0, 119, 120, 7199, 7200, 172_799, 172_800)] == [
        "0 s",
        "119 s",
        "2 min",
        "119 min",
        "2 h",
        "47 h",
        "2 d",
    ]
    assert ago("2026-11-24T11:50:00Z", NOON) == (
        '<time datetime="2026-11-24T11:50:00Z" title="24 Nov 11:50:00 UTC" data-ago=" ago">10 min ago</time>'
    )
    assert ">11:50:00<" in ago("2026-11-24T11:50:00Z", None)


def test_what_is_not_known_is_a_dash() -> None:
    assert {moment(None), ago(None, NOON), percent(None)} == {"–"}
    assert clock("2026-11-24T13:00:00+01:00") == "12:00:00"


@given(st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1))
def test_a_share_is_whole_only_when_it_is(a: float, b: float) -> None:
    low, high = sorted((a, b))
    said = [float(percent(share).removesuffix(" %")) for share in (low, high)]
    assert all(x <= y for x, y in pairwise(said))
    assert (said[1] == 100) == (high == 1)
