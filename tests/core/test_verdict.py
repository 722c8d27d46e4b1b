"""What the regions mean together: every number of failing regions among those that report maps to one verdict."""

from datetime import timedelta

import pytest

from probe.core.incident import Verdict
from probe.core.state import CheckState, Place, RegionState
from probe.core.verdict import awaits_control, is_lasting, reporting, status, time_to_live, verdict_of
from tests.core.builders import NOW
from tests.core.world import BROKEN, THIRD, watched

SECOND = timedelta(seconds=1)


def place(fails: int = 0, *, ago: float = 1, lasted: float = 60, failure: object = BROKEN) -> Place:
    at = NOW - ago * SECOND
    return Place(
        at=at,
        since=at - lasted * SECOND,
        fails=fails,
        passes=0 if fails else 3,
        failure=failure if fails else None,  # type: ignore[arg-type]  # object only to have a short default
    )


@pytest.mark.parametrize("n", range(1, 9))
def test_every_k_of_n_has_a_verdict(n: int) -> None:
    """More than half is down, any fewer is regional, none is well, nobody is unknown."""
    for k in range(n + 1):
        places = {f"r{i}": place(3 if i < k else 0) for i in range(n)}
        expected = Verdict.OK if k == 0 else Verdict.DOWN if 2 * k > n else Verdict.REGIONAL
        assert verdict_of(places, watched(), NOW) is expected, (k, n)
    assert verdict_of({}, watched(), NOW) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("fails", "lasted", "verdict"),
    [
        ((1,), 60, Verdict.OK),
        ((2,), 5, Verdict.OK),
        ((2,), 20, Verdict.DOWN),
        ((3,), 5, Verdict.DOWN),
        ((1, 1), 60, Verdict.OK),
        ((2, 1), 60, Verdict.OK),
        ((2, 2), 5, Verdict.DOWN),
        ((2, 2, 0), 5, Verdict.DOWN),
        ((2, 0, 0), 5, Verdict.OK),
        ((2, 0, 0), 20, Verdict.REGIONAL),
        ((1, 1, 0), 60, Verdict.OK),
    ],
)
def test_one_stray_failure_is_no_verdict(fails: tuple[int, ...], lasted: float, verdict: Verdict) -> None:
    """Each region of a majority fails twice in a row; one that stands alone fails for a while."""
    places = {f"r{i}": place(count, lasted=lasted) for i, count in enumerate(fails)}
    assert verdict_of(places, watched(), NOW) is verdict


def test_a_third_party_is_blamed_when_all_blame_it() -> None:
    """One region that saw the shop itself fail is enough to not blame somebody else."""
    both = {"a": place(3, failure=THIRD), "b": place(3, failure=THIRD)}
    assert verdict_of(both, watched(), NOW) is Verdict.THIRD_PARTY
    assert verdict_of({**both, "b": place(3)}, watched(), NOW) is Verdict.DOWN


def test_a_region_is_not_told_alone_before_the_others_were_heard() -> None:
    """The others were asked; until they answered, or are overdue, nobody knows that it is only one."""
    bad = place(3, ago=1, lasted=40)
    silent = place(0, ago=50)
    assert verdict_of({"a": bad, "b": silent}, watched(), NOW) is Verdict.OK
    assert verdict_of({"a": bad, "b": place(0, ago=10)}, watched(), NOW) is Verdict.REGIONAL
    assert verdict_of({"a": bad, "b": silent}, watched(), NOW + 61 * SECOND) is Verdict.REGIONAL


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
    who = watched(regions=("fresh", "stale", "blind", "seeing", "never"))
    regions = {"blind": RegionState(blind=NOW), "seeing": RegionState()}
    assert set(reporting(check, who, regions, NOW)) == {"fresh", "seeing"}


def test_a_status_expires() -> None:
    """No data is not good data."""
    check = CheckState(places={"eu": place()})
    assert status(check, watched(), {}, NOW) is Verdict.OK
    assert status(check, watched(), {}, NOW + time_to_live(watched())) is Verdict.UNKNOWN
    assert status(None, watched(), {}, NOW) is Verdict.UNKNOWN


def test_a_control_run_is_waited_for() -> None:
    """From the request until the answer, and not for ever."""
    asked = RegionState(asked=NOW)
    assert not awaits_control(None, NOW)
    assert not awaits_control(RegionState(), NOW)
    assert awaits_control(asked, NOW)
    assert not awaits_control(asked, NOW + 31 * SECOND)
    assert not awaits_control(RegionState(asked=NOW, answered=NOW), NOW)
    assert awaits_control(RegionState(asked=NOW, answered=NOW - SECOND), NOW)


def test_a_row_without_times_is_not_lasting() -> None:
    """Two failures, or one, of which nothing more is known, are not believed by themselves."""
    assert not is_lasting(place(1))
    assert not is_lasting(Place(fails=2))
    assert not is_lasting(Place(fails=2, at=NOW))
