"""The runs that matter: in their order whenever they come, forgotten when they cannot matter, learned from once."""

import random

from hypothesis import given
from hypothesis import strategies as st

from probe.core.fact import Fact
from probe.core.habits import UNKNOWN
from probe.core.trail import FULL, SAME, Trail, cut, insert, learn, settle, without, without_overdue
from tests.core.facts import T0, bad, fact

some = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(["r0", "r1", "r2"]), st.booleans()),
    min_size=1,
    max_size=30,
    unique=True,
)


def made(items: list[tuple[int, str, bool]]) -> list[Fact]:
    return [fact(at, region, ok=ok, run=str(number)) for number, (at, region, ok) in enumerate(items)]


@given(some, st.integers(0, 1000))
def test_the_order_in_which_runs_come_is_no_matter(items: list[tuple[int, str, bool]], seed: int) -> None:
    facts = made(items)
    mixed = random.Random(seed).sample(facts, len(facts))
    trail: Trail = ()
    for one in mixed:
        trail = insert(trail, one)
    assert trail == tuple(sorted(facts))


def test_a_run_that_comes_home_takes_the_place_of_its_being_overdue() -> None:
    """Whether it failed or passed; so does any later run from there. That of another region, or what began before, stays."""
    late = bad(10, overdue=True, ended=T0 + 20, run="")
    other = bad(10, "r1", overdue=True, ended=T0 + 21, run="")
    trail = insert(insert((), late), other)
    home = fact(10, ended=T0 + 30)
    assert insert(trail, home) == (other, home)
    measured = fact(10 - SAME / 2, ended=T0 + 30)
    assert insert(trail, measured) == (other, measured), "two clocks never agree to the microsecond"
    before = fact(10 - 2 * SAME, ended=T0 + 30)
    assert insert(trail, before) == (late, other, before)
    later = bad(25, ended=T0 + 30)
    assert insert(trail, later) == (other, later)


def test_what_was_overdue_may_have_come_to_nothing() -> None:
    late = bad(10, overdue=True, ended=T0 + 20, run="")
    assert without_overdue((fact(0), late, bad(5, "r1")), "r0") == (fact(0), bad(5, "r1"))


@given(some, st.floats(0, 200))
def test_what_may_still_be_joined_by_a_late_run_is_kept(items: list[tuple[int, str, bool]], patience: float) -> None:
    """Nothing is lost, nothing is learned twice, and the last `patience` seconds stay."""
    trail = tuple(sorted(made(items)))
    rest, old = settle(trail, patience)
    assert old + rest == trail
    assert all(one.ended < trail[-1].ended - patience for one in old)
    assert all(one.ended >= trail[-1].ended - patience for one in rest)


def test_a_full_trail_is_cut_now_and_then() -> None:
    """What is oldest goes first; not with every run, so that what was weighed holds for a while."""
    trail = tuple(bad(20 * n) for n in range(2 * FULL + 1))
    assert cut(trail[1:], 1) == trail[1:]
    assert cut(trail, 1) == trail[-FULL:]


def test_only_scheduled_runs_that_count_are_learned_from() -> None:
    """Trouble brings many extra runs: they would count it several times."""
    facts = (
        fact(0),
        bad(1),
        bad(2, scheduled=False),
        fact(3, counts=False),
        fact(4, "r1"),
    )
    habits = learn(UNKNOWN, facts, 1.0)
    assert {name: rate.runs for name, rate in habits.rates.items()} == {"r0": 2.0, "r1": 1.0}
    assert (habits.rates["r0"].served, habits.rates["r0"].path) == (1.0, 0.0)
    assert learn(UNKNOWN, (bad(0, kind="refused"),), 1.0).rates["r0"].path == 1.0


def test_failures_of_a_region_that_were_ours_are_taken_out() -> None:
    trail = (fact(0), bad(1), bad(2, "r1"))
    assert without(trail, "r0") == (fact(0), bad(2, "r1"))
