"""What runs say: points, caps and limits; what one region can and cannot do; and that the order is no matter."""

import random
from itertools import product
from math import exp, isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.detector import (
    APART,
    BETWEEN,
    ORDINARY,
    SAVED,
    SLOW_BIN,
    SLOW_POINTS,
    SLOWED,
    Q,
    are_served,
    commonest,
    is_third_party,
    limits,
    points_of,
    weigh,
)
from probe.core.fact import BLOCKED, Fact
from probe.core.habits import LEAST, MOST, UNKNOWN, Habits, Rate
from tests.core.facts import FIVE, bad, fact, weighed, worth

# --- limits and points --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [10.0, 60.0, 300.0, 3600.0, 86400.0])
@pytest.mark.parametrize("regions", range(1, 11))
def test_so_many_regions_must_agree(every: float, regions: int) -> None:
    """One region, with all that it can say, never makes it certain; all of them together can, in either way."""
    bounds = limits(every, regions)
    assert bounds.regions == (1 if regions == 1 else 2 if regions <= 3 else 3)
    for cap in (bounds.cap, bounds.path_cap):
        assert regions == 1 or (bounds.regions - 1) * cap < bounds.needed
        assert bounds.needed <= regions * cap
    assert bounds.path_cap <= bounds.cap, "a network of ours says less than an answer of the service"
    assert bounds.ceiling > bounds.needed


def test_what_is_needed_follows_from_false_alarms() -> None:
    """By Wald: an excursion that begins with a failed run gets there with a chance of e^-h at most."""
    for every, regions in product((10.0, 60.0, 300.0), (1, 3, 5)):
        runs = BETWEEN / every * regions
        assert isclose(exp(-limits(every, regions).needed) * runs * Q, 1.0)
    assert limits(1e9, 1).needed == log(8), "not even a check that hardly ever runs is believed at once"
    assert limits(60.0, 0).regions == 1


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 1000))
def test_a_failure_always_speaks_against_and_a_pass_always_for(served: float, path: float, runs: float) -> None:
    """However often it fails by itself; a single failure is never enough."""
    habits = Habits(rates={"r0": Rate(min(served, runs), min(path, runs), runs)})
    points = points_of(habits, "r0")
    assert points.passed < 0 < min(points.served, points.path, points.overdue)
    assert max(points) < limits(60.0, 1).needed
    assert all(LEAST <= share <= MOST for share in habits.noise("r0"))


def test_points_are_log_likelihood_ratios() -> None:
    """Of trouble, in which so many runs fail in either way, to an ordinary day."""
    served, path = UNKNOWN.noise("r0")
    points = points_of(UNKNOWN, "r0")
    assert isclose(points.served, log(Q / 2 / served))
    assert isclose(points.path, log(Q / 2 / path))
    assert isclose(points.passed, log((1 - Q) / (1 - served - path)))
    for points_of_bin, ordinary, slowed in zip(SLOW_POINTS, ORDINARY, SLOWED, strict=True):
        assert isclose(points_of_bin, log(slowed / ordinary))
    assert isclose(sum(ORDINARY), 1.0)
    assert isclose(sum(SLOWED), 1.0)


# --- all regions together ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["status", "refused"])
@pytest.mark.parametrize("count", range(1, 6))
def test_regions_that_fail_for_ever_reach_what_is_needed_only_together(count: int, kind: str) -> None:
    """Fewer than must agree are never certain in the pool, however long they fail."""
    facts = [bad(20 * n + k, FIVE[k], kind=kind) for n in range(60) for k in range(count)]
    pool, bounds = weighed(*facts).fail, limits(60.0, 5)
    cap = bounds.path_cap if kind == "refused" else bounds.cap
    assert (pool.score >= bounds.needed) == (count >= bounds.needed / cap)
    assert all(share <= cap + 1e-9 for share in pool.share.values())
    assert pool.score <= bounds.ceiling + 1e-9


@pytest.mark.parametrize("regions", [2, 3, 4, 5, 8])
def test_one_region_never_makes_it_certain(regions: int) -> None:
    """The network of one of our places may fail as long as it likes."""
    names = tuple(f"r{n}" for n in range(regions))
    facts = [bad(20.0 * n, kind="refused") for n in range(200)]
    assert weighed(*facts, regions=names).fail.firm < limits(60.0, regions).needed


def test_a_check_of_one_region_can() -> None:
    pool = weighed(*[bad(20.0 * n) for n in range(5)], regions=("r0",)).fail
    assert pool.score >= pool.limits.needed


def test_a_pool_begins_with_a_failed_run_and_ends_when_passes_outweigh_it() -> None:
    """From then on it is as if nothing had been."""
    points = worth("r0")["r0"]
    enough = int(points.served / -points.passed) + 1
    passes = [fact(20.0 + n, FIVE[1 + n % 4]) for n in range(enough)]
    assert weighed(*passes).fail.since is None
    almost = weighed(bad(0), *passes[:-1])
    assert (almost.fail.score > 0, almost.fail.since, almost.fail.first) == (True, bad(0).began, 0)
    over = weighed(bad(0), *passes)
    assert (over.fail.score, over.fail.since, over.fail.bad, over.fail.runs) == (0.0, None, 0, 0)
    assert not over.is_none, "the region itself still has something to say"
    again = weighed(bad(0), *passes, bad(60)).fail
    assert (again.since, again.bad, again.runs, again.first) == (bad(60).began, 1, 1, len(passes) + 1)


def test_nothing_is_left_when_the_region_itself_has_passed_often_enough() -> None:
    points = worth("r0")["r0"]
    enough = int(points.served / -points.passed) + 1
    trail = [bad(0), *(fact(20.0 + n) for n in range(enough))]
    evidence = weighed(*trail)
    assert evidence.is_none
    assert not weighed(*trail[:-1]).is_none


def test_runs_a_moment_after_a_failure_say_nothing() -> None:
    """A hiccup lasts as long: neither a second failure in the same region counts, nor a pass. Elsewhere they do."""
    one = weighed(bad(0)).fail.score
    for at, ok in product((0.0, 1.0, APART - 0.1), (True, False)):
        assert weighed(bad(0), fact(at, ok=ok, run="x")).fail.score == one
    assert weighed(bad(0), bad(APART)).fail.score > one
    assert weighed(bad(0), fact(APART)).fail.score < one
    assert weighed(bad(0), bad(1, "r1")).fail.score > one
    assert weighed(bad(0), fact(-1.0, ended=bad(0).ended + 1)).fail.score < one, "it began before"


def test_a_failure_that_does_not_count_is_counted_nevertheless() -> None:
    """It says nothing new; of the runs it is one that failed."""
    pool = weighed(bad(0), bad(5)).fail
    assert (pool.bad, pool.runs, pool.last) == (2, 2, bad(5).ended)


def test_who_does_not_take_part_says_nothing() -> None:
    evidence = weigh([bad(0, "elsewhere"), bad(1, "r0")], worth("r0"), limits(60.0, 1))
    assert set(evidence.doubts) == {"r0"}
    assert evidence.fail.first == 1


def test_a_pass_that_proves_nothing_takes_nothing_away() -> None:
    """A run that stopped before its side effects; the twin of a check."""
    one = weighed(bad(0))
    more = weighed(bad(0), *[fact(20.0 + n, counts=False) for n in range(20)])
    assert (more.fail.score, more.doubts["r0"].score) == (one.fail.score, one.doubts["r0"].score)


def test_runs_that_are_overdue_are_half_of_what_is_needed_at_most() -> None:
    """They count as failed until they end; the rest must be runs that did."""
    pool = weighed(*[bad(20 * n + k, FIVE[k], kind="overdue", overdue=True) for n in range(9) for k in range(5)]).fail
    assert pool.score > pool.limits.needed
    assert pool.firm <= pool.limits.ceiling - pool.limits.needed / 2
    assert pool.firm < pool.limits.needed
    assert weighed(bad(0)).fail.firm == weighed(bad(0)).fail.score


def test_runs_that_are_overdue_never_make_it_less_certain() -> None:
    """Only what they add is provisional: nothing, where runs that failed said all that there is to say."""
    failed = [bad(20 * n + k, FIVE[k]) for n in range(3) for k in range(4)]
    pool = weighed(*failed).fail
    assert pool.firm >= pool.limits.needed
    late = [bad(80 + k, FIVE[k], kind="overdue", overdue=True) for k in range(5)]
    for count in range(6):
        assert weighed(*failed, *late[:count]).fail.firm >= pool.limits.needed


def test_how_bad_it_is() -> None:
    """Of a few runs all are taken to be bad; never less than the share that can be seen."""
    assert weighed(bad(0)).fail.badness == 1.0
    assert weighed(bad(0), bad(20), fact(40, "r1")).fail.badness == 2 / 3
    mixed = [bad(0), bad(20), *[fact(40 + n, "r1") for n in range(12)]]
    assert weighed(*mixed).fail.badness == 0.3


# --- one region -------------------------------------------------------------------------------------------------------


def test_two_of_the_last_three_are_failing_and_three_of_five_are_bad() -> None:
    """For every row of five runs."""
    for row in product((True, False), repeat=5):
        doubt = weighed(*[fact(20.0 * n, ok=not failed) for n, failed in enumerate(row)]).doubts["r0"]
        assert doubt.is_failing == (sum(row[-3:]) >= 2), row
        assert doubt.is_bad == (sum(row) >= 3), row


def test_a_region_that_fails_for_long_can_be_cleared_soon() -> None:
    doubt = weighed(*[bad(20.0 * n) for n in range(100)]).doubts["r0"]
    assert doubt.score == limits(60.0, 5).needed + SAVED
    assert (doubt.bad, doubt.runs, doubt.served, doubt.classified) == (100, 100, 100, 100)


def test_trouble_of_a_region_begins_with_its_first_run_of_a_row() -> None:
    """A failure long before does not belong to it: not in when it began, and not in what it is made of."""
    assert weighed(bad(0), bad(20)).doubts["r0"].since == bad(0).began
    far = weighed(bad(0, kind="refused"), *[bad(70.0 + 61 * n) for n in range(3)]).doubts["r0"]
    assert far.since != bad(0).began
    assert far.served == far.classified == far.bad


def test_which_regions_are_down() -> None:
    """Half of what is needed by themselves, and failing now."""
    down = [bad(20.0 * n) for n in range(3)]
    assert weighed(*down).down() == ["r0"]
    assert weighed(down[0]).down() == []
    assert weighed(*down, fact(60), fact(80)).down() == []


def test_answers_of_the_service_are_three_in_four() -> None:
    """Of those that have a reason; one that is only overdue has none."""
    served = weighed(*[bad(20.0 * n) for n in range(3)]).doubts["r0"]
    path = weighed(*[bad(20.0 * n, kind="refused") for n in range(2)]).doubts["r0"]
    late = weighed(bad(0, kind="overdue", overdue=True)).doubts["r0"]
    assert are_served([served], 3)
    assert not are_served([served], 4)
    assert are_served([served, late], 3)
    assert not are_served([served, path], 3)
    assert not are_served([late], 1)


# --- slow -------------------------------------------------------------------------------------------------------------


def slow(at: float, region: str = "r0", number: int = 4, name: str = "pay") -> Fact:
    return fact(at, region, took=((name, 1.0),), bins=((name, number),), worst=number)


def test_slow_runs_of_enough_regions_are_slow() -> None:
    """Each step for itself; one region alone never is, and what begins with a fast run is nothing."""
    assert weighed(slow(0, number=SLOW_BIN - 1)).slow == {}
    pool = weighed(*[slow(20 * n + k, FIVE[k]) for n in range(9) for k in range(4)]).slow["pay"]
    assert pool.score >= pool.limits.needed
    alone = weighed(*[slow(20.0 * n) for n in range(50)]).slow["pay"]
    assert alone.score < alone.limits.needed
    two = weighed(slow(0), slow(1, name="open"), slow(2))
    assert two.slowest is not None
    assert two.slowest[0] == "pay"
    assert weighed(bad(0)).slowest is None
    both = slow(0)._replace(bins=(("open", 0), ("pay", 4)))
    assert set(weighed(both).slow) == {"pay"}, "each step for itself"


def test_ordinary_durations_make_it_fast_again() -> None:
    """And it takes a slow run to begin again."""
    evidence = weighed(slow(0), *[slow(20.0 + n, number=0) for n in range(10)])
    assert evidence.slow["pay"].score == 0.0
    assert evidence.is_none
    assert weighed(slow(0), *[slow(20.0 + n, number=0) for n in range(10)], slow(40)).slow["pay"].first == 11
    assert not weighed(slow(0)).is_none


# --- the order --------------------------------------------------------------------------------------------------------

some = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from(FIVE),
        st.sampled_from(["ok", "ok", "status", "refused", "overdue", "slow", "void"]),
    ),
    min_size=1,
    max_size=40,
    unique=True,
)


def made(items: list[tuple[int, str, str]]) -> list[Fact]:
    facts = []
    for number, (at, region, what) in enumerate(items):
        name = f"{number}"
        if what == "slow":
            facts.append(slow(at, region)._replace(run=name))
        elif what in ("ok", "void"):
            facts.append(fact(at, region, run=name, counts=what == "ok"))
        else:
            facts.append(bad(at, region, run=name, kind=what, overdue=what == "overdue"))
    return facts


@given(some, st.integers(0, 1000))
def test_one_by_one_is_all_at_once(items: list[tuple[int, str, str]], seed: int) -> None:
    """`then` gives what weighing the whole trail gives, and leaves what it went on from as it was."""
    facts = sorted(made(items))
    cut = random.Random(seed).randrange(len(facts))
    evidence = weighed(*facts[:cut])
    for one in facts[cut:]:
        before = repr(evidence)
        more = evidence.then(one)
        assert repr(evidence) == before
        evidence = more
    assert evidence == weighed(*facts)


@given(some)
def test_what_must_always_hold(items: list[tuple[int, str, str]]) -> None:
    evidence = weighed(*made(items))
    for pool in (evidence.fail, *evidence.slow.values()):
        assert 0.0 <= pool.score <= pool.limits.ceiling + 1e-9
        assert all(share <= pool.limits.cap + 1e-9 for share in pool.share.values())
        assert (pool.score > 0.0) == (pool.since is not None)
        assert pool.firm <= pool.score
        assert isclose(sum(pool.share.values()), pool.score, abs_tol=1e-9)
    for doubt in evidence.doubts.values():
        assert 0.0 <= doubt.score <= evidence.limits.needed + SAVED
        assert doubt.served <= doubt.classified <= doubt.bad <= doubt.runs


# --- words --------------------------------------------------------------------------------------------------------------


def test_the_commonest_failure_speaks() -> None:
    """Of what is only overdue where there is nothing else."""
    late = bad(0, kind="overdue", overdue=True)
    facts = [fact(1), late, late, late, bad(2, step="pay"), bad(3, step="pay"), bad(4, kind="refused")]
    assert commonest(facts) == ("pay", "status")
    assert commonest([late]) == ("", "overdue")
    assert commonest([fact(0)]) is None


def test_who_is_a_third_party() -> None:
    assert is_third_party("third_party_failed")
    assert not is_third_party("status")
    assert not is_third_party(BLOCKED)
