"""What a count says about a share: exact bounds for k bad runs of n, and the posterior of the share behind them."""

from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final, NamedTuple

PRECISION: Final = 4e-15
"""At which a continued fraction has converged: a few roundings."""
CLOSE: Final = 1e-12
"""At which a quantile is found, relative to itself."""
TINY: Final = 1e-300
"""A density that is nothing, and can be divided by."""


class Interval(NamedTuple):
    """A number that is not known exactly: its median, and the ends of a central interval around it."""

    low: float
    median: float
    high: float

    def times(self, factor: float) -> "Interval":
        """All of it, `factor` (positive) times as large."""
        return Interval(self.low * factor, self.median * factor, self.high * factor)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) for positive `a` and `b`: P(X <= x) of X ~ Beta(a, b).

    By the continued fraction of DLMF 8.17.22, evaluated by the modified method of Lentz (Press et al., Numerical
    Recipes, 6.4), on the side of I_x(a, b) = 1 - I_1-x(b, a) on which all its denominators are positive and about
    sqrt(max(a, b)) terms are enough.

    >>> round(incomplete_beta(2, 3, 0.4), 4)
    0.5248
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    scale = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return scale * _continued_fraction(a, b, x) / a
    return 1 - scale * _continued_fraction(b, a, 1 - x) / b


def _continued_fraction(a: float, b: float, x: float) -> float:
    """1/(1+ d1/(1+ d2/(1+ …))) of DLMF 8.17.22, two terms at a time."""
    above, below = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value, step, m = below, 0.0, 0
    while abs(step - 1) > PRECISION:
        m += 1
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            below = 1 / (1 + term * below)
            above = 1 + term / above
            step = above * below
            value *= step
    return value


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x at which I_x(a, b) is `probability`: by Newton's method, and by halving the bracket where that leaves it.

    >>> round(beta_quantile(0.5, 10.5, 290.5), 4)
    0.0339
    """
    constant = lgamma(a + b) - lgamma(a) - lgamma(b)
    low, high, x, step = 0.0, 1.0, a / (a + b), 1.0
    while high - low > CLOSE * high and abs(step) > CLOSE * x:
        miss = incomplete_beta(a, b, x) - probability
        low, high = (low, x) if miss > 0 else (x, high)
        density = exp(constant + (a - 1) * log(x) + (b - 1) * log1p(-x))
        following = x - miss / max(density, TINY)
        step = (following if low < following < high else (low + high) / 2) - x
        x += step
    return x


def at_least(bad: int, runs: float, share: float) -> float:
    """How likely `bad` or more bad runs of `runs` are, where each is bad with the probability `share`.

    P(K >= k) = I_p(k, n - k + 1) of the binomial distribution (DLMF 8.17.5).

    >>> round(at_least(2, 12, 0.0144), 4)
    0.0124
    """
    return 1.0 if bad <= 0 else incomplete_beta(bad, runs - bad + 1, share)


def bounds(bad: int, runs: int, confidence: float = 0.9) -> tuple[float, float]:
    """The exact interval of Clopper and Pearson (Biometrika 26, 1934, 404-413) for the share of bad runs.

    In at least `confidence` of all cases it holds the share, whatever that is. Without any run it is everything.

    >>> [round(bound, 4) for bound in bounds(10, 300)]
    [0.0182, 0.0559]
    """
    outside = (1 - confidence) / 2
    low = beta_quantile(outside, bad, runs - bad + 1) if bad > 0 else 0.0
    high = beta_quantile(1 - outside, bad + 1, runs - bad) if bad < runs else 1.0
    return low, high


def above(bad: float, runs: float, share: float) -> float:
    """The probability that the share of bad runs is above `share`, once `bad` of `runs` were seen.

    By the posterior Beta(k + 1/2, n - k + 1/2) of Jeffreys's prior (Brown, Cai, DasGupta: Interval Estimation for a
    Binomial Proportion, Statistical Science 16, 2001, 101-133).

    >>> round(above(0, 60, 0.0144), 2)
    0.19
    """
    return 1 - incomplete_beta(bad + 0.5, runs - bad + 0.5, share)


def posterior(bad: int, runs: float, confidence: float = 0.9) -> Interval:
    """The share of bad runs by the same posterior: its median and its central interval.

    Where none, or each, was bad the interval reaches to 0, or to 1 (Brown, Cai, DasGupta, section 4.1.2).

    >>> [round(share, 3) for share in posterior(10, 300)]
    [0.019, 0.034, 0.054]
    """
    a, b, outside = bad + 0.5, runs - bad + 0.5, (1 - confidence) / 2
    return Interval(
        low=beta_quantile(outside, a, b) if bad > 0 else 0.0,
        median=beta_quantile(0.5, a, b),
        high=beta_quantile(1 - outside, a, b) if bad < runs else 1.0,
    )


@lru_cache(maxsize=4096)
def critical(runs: int, share: float, confidence: float) -> int:
    """The smallest number of bad runs that shows, with `confidence`, that more than `share` of the runs are bad.

    That many or more happen with a probability of at most 1 - `confidence` as long as no more than `share` are: the
    lower bound of Clopper and Pearson lies above it. `runs + 1`: not even all of them show it.

    >>> [critical(runs, 0.0144, 0.99) for runs in (1, 12, 60, 300, 1800)]
    [2, 3, 5, 11, 39]
    """
    low, high = 1, runs + 1
    while low < high:
        middle = (low + high) // 2
        if at_least(middle, runs, share) <= 1 - confidence:
            high = middle
        else:
            low = middle + 1
    return low
