"""Durations in buckets whose width grows with them: mergeable, and exact to one part in twelve.

The buckets are those of OpenTelemetry's exponential histogram at scale 3: bucket `i` holds what is above `2^(i/8)`
seconds, up to and with `2^((i+1)/8)`.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

Histogram = dict[int, int]
SCALE: Final = 8
"""Buckets for each doubling."""
SHORTEST: Final = 1e-6
"""Seconds below which everything is in one bucket."""


def bucket_of(seconds: float) -> int:
    """The number of the bucket that a duration falls into."""
    return math.ceil(math.log2(max(seconds, SHORTEST)) * SCALE) - 1


def merged(histograms: Iterable[Mapping[int, int]]) -> Histogram:
    """All of them together."""
    found: Histogram = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            found[bucket] = found.get(bucket, 0) + count
    return found


def percentile(histogram: Mapping[int, int], share: float) -> float | None:
    """The duration in seconds that `share` (0 to 1) of all stay within: the middle of its bucket; `None` for none.

    >>> percentile({bucket_of(0.2): 9, bucket_of(3.0): 1}, 0.5)
    0.2102241038134286
    """
    wanted = share * sum(histogram.values())
    passed = 0
    for bucket, count in sorted(histogram.items()):
        passed += count
        if passed >= wanted:
            return float(2 ** ((bucket + 0.5) / SCALE))
    return None
