"""The few words that customers are told."""

import pytest

from probe.core.incident import Verdict
from probe.core.uptime import of_day, told, worst


def test_every_verdict_is_told() -> None:
    """Our own trouble is never told as the shop's."""
    assert {verdict.value: told(verdict) for verdict in Verdict} == {
        "ok": "ok", "degraded": "degraded", "down": "down", "regional": "degraded", "third_party": "degraded",
        "blocked": "unknown", "probe_fault": "unknown", "unknown": "unknown",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ((), "unknown"),
        (("ok", "ok"), "ok"),
        (("ok", "maintenance"), "maintenance"),
        (("ok", "unknown", "maintenance"), "unknown"),
        (("unknown", "degraded"), "degraded"),
        (("degraded", "down", "unknown"), "down"),
    ],
)
def test_the_whole_is_as_its_worst_part(states: tuple[str, ...], whole: str) -> None:
    assert worst(states) == whole


@pytest.mark.parametrize(
    ("good", "bad", "suffered", "state"),
    [
        (0, 0, {"down"}, "unknown"),
        (100, 0, {"down"}, "ok"),  # it failed in maintenance alone
        (1000, 1, set(), "ok"),
        (98, 2, set(), "degraded"),
        (1000, 1, {"degraded"}, "degraded"),
        (1000, 1, {"degraded", "down"}, "down"),
        (49, 51, set(), "down"),
        (50, 50, set(), "degraded"),
    ],
)
def test_a_day(good: int, bad: int, suffered: set[str], state: str) -> None:
    """By its runs, and by the incidents that there were."""
    assert of_day(good, bad, suffered) == (state, good / (good + bad) if good + bad else None)
