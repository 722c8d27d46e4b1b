"""Which runs are asked for: in the other regions at once, again until it is clear, and within what may be spent."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.confirm import (
    GAP,
    PATIENCE,
    PROBED,
    PURSE,
    ROUNDS,
    SHARE,
    SOLO,
    SOLO_WITHIN,
    Purse,
    Suspicion,
    Wish,
    probes_of,
    round_of,
)
from probe.core.detector import APART, Evidence
from tests.core.facts import FIVE, T0, bad, fact, weighed

TIMEOUT = 30.0
FULL = Purse(PURSE, T0)
NOW = T0 + 2.0


def ask(
    evidence: Evidence,
    suspicion: Suspicion | None = None,
    purse: Purse = FULL,
    regions: tuple[str, ...] = FIVE,
    now: float = NOW,
    skip: str | None = "r0",
    urgent: bool = False,
    grave: bool = False,
) -> Wish:
    return round_of(
        suspicion or Suspicion(), purse, evidence, regions, now, TIMEOUT, skip=skip, urgent=urgent, grave=grave
    )


# --- rounds -----------------------------------------------------------------------------------------------------------


def test_a_first_failure_asks_every_other_region_and_the_control_of_its_own() -> None:
    wish = ask(weighed(bad(0)))
    assert (wish.runs, wish.controls) == (FIVE[1:], ("r0",))
    assert wish.suspicion.awaited == FIVE[1:]
    assert (wish.suspicion.rounds, wish.suspicion.asked) == (1, NOW)
    assert wish.purse.runs == PURSE - 4


def test_a_region_that_failed_a_moment_ago_is_left_alone() -> None:
    """What it would say does not count. Where there is no other region, it is asked for nothing."""
    evidence = weighed(bad(0), bad(1, "r1"))
    assert ask(evidence, skip=None).runs == ("r2", "r3", "r4")
    assert ask(evidence, skip=None, now=T0 + 1 + APART).runs == FIVE
    assert ask(weighed(bad(0), regions=("r0",)), regions=("r0",)) == Wish(Suspicion(), FULL)
    assert ask(weighed(bad(0), regions=("r0",)), regions=("r0",), now=T0 + APART).runs == ("r0",)


def test_the_next_round_waits_for_the_answers_and_a_moment() -> None:
    """Or, when it is urgent, for nothing."""
    evidence = weighed(bad(0))
    first = ask(evidence)
    assert ask(evidence, first.suspicion, now=NOW + 3).runs == ()
    assert ask(evidence, first.suspicion, now=NOW + 3, urgent=True).runs == FIVE[1:]
    heard = first.suspicion.heard("r1", NOW + 3)
    assert ask(evidence, heard, now=NOW + 4).runs == (), "three have not answered yet"
    for name in FIVE[2:]:
        heard = heard.heard(name, NOW + 6)
    assert ask(evidence, heard, now=NOW + 6 + GAP - 0.1).runs == ()
    assert ask(evidence, heard, now=NOW + 6 + GAP).runs == FIVE[1:]
    assert heard.heard("r1", NOW + 99) == heard, "an answer that nobody waits for"


def test_an_answer_is_not_waited_for_for_ever() -> None:
    evidence = weighed(bad(0))
    asked = ask(evidence).suspicion
    assert asked.waits(NOW + TIMEOUT + PATIENCE, TIMEOUT)
    late = NOW + TIMEOUT + PATIENCE + 1
    assert not asked.waits(late, TIMEOUT)
    assert ask(evidence, asked, now=late).runs == FIVE[1:]


@pytest.mark.parametrize("regions", [("r0",), ("r0", "r1")])
def test_there_is_an_end_to_asking(regions: tuple[str, ...]) -> None:
    """So many rounds in one excursion, grave or not; twice as many where there is one region only."""
    evidence = weighed(bad(0), regions=regions)
    suspicion, now, rounds = Suspicion(), T0 + APART, 0
    for _ in range(100):
        wish = ask(evidence, suspicion, regions=regions, now=now, skip=None, grave=True)
        rounds += bool(wish.runs)
        suspicion = wish.suspicion
        for name in wish.runs:
            suspicion = suspicion.heard(name, now + 1)
        now += 1 + GAP
    assert rounds == (2 * ROUNDS if len(regions) == 1 else ROUNDS)


def test_one_region_alone_is_worth_few_rounds() -> None:
    """Unless it is grave; and again after a while."""
    evidence = weighed(bad(0))
    suspicion, now, times = Suspicion(), NOW, []
    while now < NOW + 2 * SOLO_WITHIN:
        wish = ask(evidence, suspicion, now=now)
        suspicion = wish.suspicion
        for name in wish.runs:
            suspicion = suspicion.heard(name, now + 1)
        times += [now] * bool(wish.runs)
        now += GAP + 1
    assert len(times) == 2 * SOLO
    assert all(times[n + SOLO] - times[n] >= SOLO_WITHIN for n in range(len(times) - SOLO))
    spent = Suspicion(solo=(NOW,) * SOLO)
    assert ask(evidence, spent).runs == ()
    assert ask(evidence, spent, grave=True).runs == FIVE[1:]
    assert ask(weighed(bad(0), bad(1, "r1")), spent).runs == ("r2", "r3", "r4")


# --- the purse ----------------------------------------------------------------------------------------------------------


def test_half_of_the_purse_is_kept_for_grave_suspicion() -> None:
    evidence = weighed(bad(0))
    assert ask(evidence, purse=Purse(PURSE / 2 + 4, T0)).purse.runs == PURSE / 2
    assert ask(evidence, purse=Purse(PURSE / 2 + 3.9, T0)).runs == ()
    assert ask(evidence, purse=Purse(4.0, T0), grave=True).purse.runs == 0.0
    assert ask(evidence, purse=Purse(3.9, T0), grave=True).runs == ()
    grave = weighed(bad(0), bad(0, "r1"), bad(0, "r2"))
    assert grave.fail.score >= grave.limits.needed / 2
    assert ask(grave, purse=Purse(4.0, T0)).runs == FIVE[3:]


@given(
    st.lists(st.tuples(st.floats(-5, 600), st.integers(1, 5), st.booleans()), max_size=60),
    st.sampled_from([10.0, 60.0, 300.0]),
    st.integers(1, 5),
)
def test_the_purse_is_never_overdrawn(steps: list[tuple[float, int, bool]], every: float, regions: int) -> None:
    """In any window no more is spent than it holds, and its share of the schedule; even when a clock is put back."""
    purse, now, latest, spent = Purse(), T0, T0, [(T0, 0)]
    for wait, count, grave in steps:
        now += wait
        latest = max(latest, now)
        purse = purse.filled(now, every, regions)
        assert 0.0 <= purse.runs <= PURSE
        left = purse.spent(count, grave=grave)
        if left is not None:
            assert 0.0 <= left.runs == purse.runs - count
            purse = left
            spent.append((latest, count))
    for first in range(len(spent)):
        total = sum(count for _, count in spent[first:])
        assert total <= PURSE + (spent[-1][0] - spent[first][0]) * SHARE * regions / every + 1e-6


def test_the_purse_fills_with_time() -> None:
    purse = Purse(0.0, T0)
    assert purse.filled(T0 + 60.0, 60.0, 4).runs == pytest.approx(4 * SHARE)
    assert purse.filled(T0 + 1e9, 60.0, 4).runs == PURSE
    assert purse.filled(T0 - 60.0, 60.0, 4) == purse
    assert Purse().filled(T0, 60.0, 1) == Purse(PURSE, T0)


# --- probes -----------------------------------------------------------------------------------------------------------


def test_a_region_that_looks_bad_is_looked_at_by_itself() -> None:
    """One run and one control run each time, not sooner than what it says can count."""
    evidence = weighed(bad(0), fact(16), bad(32))
    assert evidence.doubts["r0"].score >= PROBED
    began = evidence.doubts["r0"].counted
    quiet = Wish(Suspicion(), FULL)
    assert probes_of(quiet, evidence, FIVE, began + APART - 0.1) == quiet
    wish = probes_of(quiet, evidence, FIVE, began + APART)
    assert (wish.runs, wish.controls) == (("r0",), ("r0",))
    assert wish.purse.runs == PURSE - 1
    assert probes_of(wish._replace(runs=(), controls=()), evidence, FIVE, began + APART + 5).runs == ()
    times, now = [], began
    while now < began + 300:
        wish = probes_of(wish._replace(runs=(), controls=()), evidence, FIVE, now)
        times += [now] * len(wish.runs)
        now += 5
    assert times
    assert all(later - earlier >= APART for earlier, later in pairwise(times))


def test_nobody_is_probed_twice_or_in_vain() -> None:
    """One that is asked in the round already, that takes no part, of which little is known, or that is too dear."""
    evidence = weighed(bad(0), bad(16), bad(20, "r1"))
    now = T0 + 60
    asked = Wish(Suspicion(), FULL, ("r0",), ("r0",))
    assert probes_of(asked, evidence, ("r0",), now).runs == ("r0",)
    assert probes_of(Wish(Suspicion(), FULL), evidence, FIVE[2:], now).runs == ()
    assert probes_of(Wish(Suspicion(), Purse(0.5, now)), evidence, FIVE, now).runs == ()
    assert probes_of(Wish(Suspicion(), FULL, (), ("r0",)), evidence, ("r0",), now).controls == ("r0",)
    kept = Purse(PURSE / 2, now)
    assert probes_of(Wish(Suspicion(), kept), evidence, FIVE, now).runs == ("r0",), "two failures are grave"
    well = weighed(bad(0), *[bad(16.0 * n) for n in range(1, 4)], *[fact(64.0 + 16 * n) for n in range(3)])
    assert well.doubts["r0"].score >= PROBED
    assert probes_of(Wish(Suspicion(), FULL), well, FIVE, T0 + 200).runs == (), "its last words were good news"
