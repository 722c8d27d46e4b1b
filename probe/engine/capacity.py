"""How many browser journeys may run at a time."""

import os


def browser_capacity(workers: int | None) -> int:
    """`workers` when given, else one journey for each two processors.

    Two journeys at a time on two processors stretch every step 1.7 times, four 4 times (docs/performance.md): more
    would measure our own load.
    """
    return workers if workers is not None else max(1, len(os.sched_getaffinity(0)) // 2)
