"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("45s", 45),
        ("1m30s", 90),
        ("1m 30s", 90),
        ("2h", 7200),
        ("7d", 604800),
        ("1w", 604800),
        ("1.5s", 1.5),
    ],
)
def test_parse(text: str, seconds: float) -> None:
    """Numbers with units add up."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 minutes", "-5s", "1e3s", "5s!", "٣s" * 0 + "x5s"])
def test_parse_says_how_to_write_one(text: str) -> None:
    """What is not a duration is an error that shows one."""
    with pytest.raises(ValueError, match="such as 500ms, 45s or 1m30s"):
        parse_duration(text)


def test_parse_too_long() -> None:
    """A number beyond all measure is an error, not a crash."""
    with pytest.raises(ValueError, match="too long"):
        parse_duration("9" * 30 + "w")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0042, "4.2 ms"),
        (0.0421, "42 ms"),
        (1, "1 s"),
        (1.234, "1.23 s"),
        (90, "1m30s"),
        (3600, "1h"),
        (90061, "1d1h1m1s"),
    ],
)
def test_format(seconds: float, text: str) -> None:
    """Three digits say enough."""
    assert format_duration(seconds) == text
    assert format_duration(timedelta(seconds=seconds)) == text


@given(st.integers(min_value=60, max_value=10**9))
def test_whole_seconds_survive(seconds: int) -> None:
    """A minute and more: what is written is read back the same."""
    assert parse_duration(format_duration(seconds)) == timedelta(seconds=seconds)
