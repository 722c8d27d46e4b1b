"""Bounds and posteriors of shares: against sums of exact fractions, closed forms, and by what must always hold."""

from fractions import Fraction
from itertools import pairwise
from math import asin, comb, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.binomial import (
    Interval,
    above,
    at_least,
    beta_quantile,
    bounds,
    critical,
    incomplete_beta,
    posterior,
)

shares = st.floats(0.0005, 0.9995)


@st.composite
def counted(draw: st.DrawFn, most: int = 5000) -> tuple[int, int]:
    """Bad runs, and runs."""
    runs = draw(st.integers(1, most))
    return draw(st.integers(0, runs)), runs


def tail(bad: int, runs: int, share: Fraction) -> Fraction:
    """P(K >= bad), summed up without any rounding."""
    return sum((comb(runs, k) * share**k * (1 - share) ** (runs - k) for k in range(bad, runs + 1)), Fraction(0))


@pytest.mark.parametrize("runs", [1, 2, 12, 60, 300])
@pytest.mark.parametrize("share", [Fraction(1, 1000), Fraction(144, 10000), Fraction(6, 100), Fraction(1, 2)])
def test_tails_are_those_of_the_binomial_distribution(runs: int, share: Fraction) -> None:
    """To 1e-9, whatever the count."""
    for bad in range(0, runs + 1, max(1, runs // 12)):
        assert at_least(bad, runs, float(share)) == pytest.approx(float(tail(bad, runs, share)), abs=1e-9)


def test_known_values() -> None:
    """Closed forms, and tables: Beta(1/2, 1/2) is the arcsine law; Abramowitz and Stegun 26.5."""
    for x in (0.0001, 0.01, 0.3, 0.5, 0.9, 0.999):
        assert incomplete_beta(0.5, 0.5, x) == pytest.approx(2 / pi * asin(sqrt(x)), abs=1e-12)
        assert incomplete_beta(1, 7, x) == pytest.approx(1 - (1 - x) ** 7, abs=1e-12)
        assert incomplete_beta(7, 1, x) == pytest.approx(x**7, abs=1e-12)
        # By the recurrence of DLMF 8.17.20, from the arcsine law: I(3/2, 1/2) = I(1/2, 1/2) - 2/pi sqrt(x (1 - x)).
        expected = 2 / pi * (asin(sqrt(x)) - sqrt(x * (1 - x)))
        assert incomplete_beta(1.5, 0.5, x) == pytest.approx(expected, abs=1e-12)
    assert [incomplete_beta(2, 3, x) for x in (-1, 0, 1, 2)] == [0, 0, 1, 1]
    # Clopper and Pearson's interval for 0 of n: the rule of three, exactly.
    assert bounds(0, 20, 0.95) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))
    assert bounds(20, 20, 0.95) == pytest.approx((0.025 ** (1 / 20), 1))


@given(st.floats(0.5, 3e4), st.floats(0.5, 3e4), shares)
def test_the_incomplete_beta_function_is_its_own_mirror(a: float, b: float, x: float) -> None:
    """I_x(a, b) = 1 - I_1-x(b, a), and it is a probability."""
    value = incomplete_beta(a, b, x)
    assert value == pytest.approx(1 - incomplete_beta(b, a, 1 - x), abs=1e-9)
    assert -1e-9 <= value <= 1 + 1e-9


@given(st.floats(0.01, 0.99), st.floats(0.5, 2000), st.floats(1, 2000))
def test_quantiles_are_the_inverse(probability: float, a: float, b: float) -> None:
    """Of the incomplete beta function."""
    assert incomplete_beta(a, b, beta_quantile(probability, a, b)) == pytest.approx(probability, abs=1e-7)


@given(counted(), shares)
def test_what_is_seen_and_what_it_says_are_monotone(seen: tuple[int, int], share: float) -> None:
    """More bad runs make a high share likelier, more good ones do not; a higher share is less likely."""
    bad, runs = seen
    assert above(bad, runs, share) <= above(bad + 1, runs + 1, share) + 1e-9
    assert above(bad, runs + 1, share) <= above(bad, runs, share) + 1e-9
    assert above(bad, runs, min(1.0, share * 1.1)) <= above(bad, runs, share) + 1e-9
    assert at_least(bad + 1, runs + 1, share) <= at_least(bad, runs + 1, share) + 1e-9


@given(counted(800), st.sampled_from([0.8, 0.9, 0.99]))
def test_intervals_hold_what_was_seen_and_each_other(seen: tuple[int, int], confidence: float) -> None:
    """The exact bounds are the wider ones; the ends are in order."""
    bad, runs = seen
    found, exact = posterior(bad, runs, confidence), bounds(bad, runs, confidence)
    assert 0 <= found.low <= found.median <= found.high <= 1
    assert exact[0] <= found.low + 1e-9
    assert exact[1] >= found.high - 1e-9
    assert exact[0] <= bad / runs <= exact[1]
    assert found.times(3) == Interval(found.low * 3, found.median * 3, found.high * 3)


@pytest.mark.parametrize("runs", [1, 2, 5, 12, 30, 60])
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.99])
def test_exact_bounds_hold_the_share_as_often_as_they_say(runs: int, confidence: float) -> None:
    """By enumeration: over all counts there can be, weighted by how likely they are; the posterior's do on average."""
    intervals = [bounds(k, runs, confidence) for k in range(runs + 1)]
    posteriors = [posterior(k, runs, confidence) for k in range(runs + 1)]
    covered = []
    for percent in range(1, 100):
        p = percent / 100
        chances = [comb(runs, k) * p**k * (1 - p) ** (runs - k) for k in range(runs + 1)]
        inside = sum(c for c, (low, high) in zip(chances, intervals, strict=True) if low <= p <= high)
        assert inside >= confidence - 1e-9
        covered.append(sum(c for c, i in zip(chances, posteriors, strict=True) if i.low <= p <= i.high))
    assert sum(covered) / len(covered) >= confidence - 0.02


@given(st.integers(1, 3000), st.floats(0.0005, 1.2), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_critical_number_is_the_first_that_is_credible(runs: int, share: float, confidence: float) -> None:
    """One less happens too often by chance; so many or more only as seldom as was asked for."""
    found = critical(runs, share, confidence)
    assert 1 <= found <= runs + 1
    assert found == runs + 1 or at_least(found, runs, share) <= 1 - confidence
    assert found == 1 or at_least(found - 1, runs, share) > 1 - confidence
    assert critical(runs + 1, share, confidence) >= found


def test_the_critical_numbers_of_an_objective() -> None:
    """What it takes at 99.9 %, for each rule: few runs take few, and never fewer."""
    table = {n: [critical(n, factor * 0.001, 0.99) for factor in (14.4, 6, 1)] for n in (12, 60, 300, 1800, 21600)}
    assert table == {
        12: [3, 2, 2],
        60: [5, 3, 2],
        300: [11, 7, 3],
        1800: [39, 20, 7],
        21600: [353, 158, 34],
    }
    rows = list(table.values())
    assert all(first <= second for a, b in pairwise(rows) for first, second in zip(a, b, strict=True))
