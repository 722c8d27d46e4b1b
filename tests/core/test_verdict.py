"""Who takes part in a judgement, and how a check stands for whoever looks."""

from datetime import timedelta

import pytest

from probe.core.incident import Verdict
from probe.core.state import CheckState, Place, RegionState
from probe.core.verdict import ILL, PATIENCE, awaits_control, ill, reporting, speaking, status, time_to_live
from tests.core.builders import NOW
from tests.core.world import BROKEN, watched

SECOND = timedelta(seconds=1)
TWO = watched(regions=("eu", "us"))


def place(fails: int = 0, *, ago: float = 1) -> Place:
    at = NOW - ago * SECOND
    return Place(at=at, since=at, fails=fails, failure=BROKEN if fails else None)


def test_who_reports() -> None:
    """Silent, blind and unwatched regions leave numerator and denominator; so does one that never answered."""
    check = CheckState(
        places={
            "fresh": place(),
            "stale": place(ago=time_to_live(watched()).total_seconds() + 1),
            "blind": place(3),
            "seeing": place(3),
            "never": Place(),
            "gone": place(),
        }
    )
    who = watched(regions=("fresh", "stale", "blind", "seeing", "never", "new"))
    regions = {"blind": RegionState(blind=NOW), "seeing": RegionState()}
    assert set(reporting(check, who, regions, NOW)) == {"fresh", "seeing"}
    assert speaking(check, who, regions, NOW) == ("fresh", "seeing", "never", "new"), (
        "one that was never heard of is waited for"
    )


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ({}, set()),
        ({"eu": RegionState()}, set()),
        ({"eu": RegionState(blind=NOW)}, {"eu"}),
        ({"eu": RegionState(ill=NOW - ILL)}, {"eu"}),
        ({"eu": RegionState(ill=NOW - ILL - SECOND)}, set()),
        ({"elsewhere": RegionState(blind=NOW)}, set()),
        ({"eu": RegionState(blind=NOW), "us": RegionState(ill=NOW)}, set()),
    ],
)
def test_what_fails_in_an_ill_region_says_nothing(regions: dict[str, RegionState], expected: set[str]) -> None:
    """Now, or a moment ago; in all of several regions it is not us."""
    assert ill(TWO, regions, NOW) == expected


def test_the_only_region_can_be_ill() -> None:
    assert ill(watched(), {"eu": RegionState(blind=NOW)}, NOW) == {"eu"}


def test_a_status_expires() -> None:
    """No data is not good data."""
    check = CheckState(places={"eu": place()}, verdict=Verdict.DOWN)
    assert status(check, watched(), {}, NOW) is Verdict.DOWN
    assert status(CheckState(places={"eu": place()}), watched(), {}, NOW) is Verdict.OK
    assert status(check, watched(), {}, NOW + time_to_live(watched())) is Verdict.UNKNOWN
    assert status(None, watched(), {}, NOW) is Verdict.UNKNOWN


def test_a_control_run_is_waited_for() -> None:
    """From the request until the answer, and not for ever."""
    asked = RegionState(asked=NOW)
    assert not awaits_control(None, NOW)
    assert not awaits_control(RegionState(), NOW)
    assert awaits_control(asked, NOW + PATIENCE)
    assert not awaits_control(asked, NOW + PATIENCE + SECOND)
    assert not awaits_control(RegionState(asked=NOW, answered=NOW), NOW)
    assert awaits_control(RegionState(asked=NOW, answered=NOW - SECOND), NOW)
