"""Forecasts: the same for the same shape, better with more and more frequent runs, honest about what they rest on."""

from dataclasses import replace
from math import inf

import pytest

from probe.backtest.forecast import Shape, Trouble, best_knob, forecast, stray_pages, typical_delay

REQUEST = Shape(regions=3, every=60.0, timeout=10.0)
JOURNEY = Shape(regions=1, every=300.0, timeout=30.0, steps=3)


def test_a_forecast_is_ordered_and_always_the_same() -> None:
    found = forecast(JOURNEY)
    assert list(found.delays) == list(Trouble)
    for delay in found.delays.values():
        assert 0 < delay.earliest <= delay.typical <= delay.worst
    assert found.false_pages == found.stray + found.bursts
    forecast.cache_clear()
    assert forecast(JOURNEY) == found


def test_a_total_outage_is_told_sooner_than_a_half_one() -> None:
    delays = forecast(REQUEST).delays
    assert delays[Trouble.TOTAL].typical < delays[Trouble.HALF].typical < inf
    assert Trouble.STEP not in delays


def test_runs_that_come_less_often_tell_later() -> None:
    seldom = forecast(replace(REQUEST, every=3600.0))
    assert seldom.delays[Trouble.TOTAL].typical > 2 * forecast(REQUEST).delays[Trouble.TOTAL].typical


def test_stray_failures_are_bounded_by_the_threshold_of_evidence() -> None:
    """One false page a year and check, however many runs there are: that is what the threshold is made for."""
    for shape in (REQUEST, replace(REQUEST, every=300.0), replace(REQUEST, regions=7)):
        assert stray_pages(shape) == pytest.approx(30 / 365, rel=0.05)


def test_the_best_knob_is_one_that_helps() -> None:
    knob = best_knob(JOURNEY)
    assert knob is not None
    assert knob.before == typical_delay(JOURNEY)
    others = (replace(JOURNEY, every=150.0), replace(JOURNEY, regions=2), replace(JOURNEY, timeout=15.0))
    assert knob.shape in others
    assert knob.after == min(map(typical_delay, others)) <= 0.9 * knob.before


def test_without_control_runs_these_come_first_where_they_prevent_false_pages() -> None:
    knob = best_knob(Shape(regions=1, every=60.0, timeout=30.0, controls=False))
    assert knob is not None
    assert knob.words == "control runs"
    assert knob.after < knob.before
