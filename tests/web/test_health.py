"""When the daemon counts as healthy."""

import pytest

from probe.web.health import reason


@pytest.mark.parametrize(
    ("ticked", "written", "queued", "trouble", "said"),
    [
        (99.0, 99.0, 5, None, None),
        (90.0, 70.0, 5, None, None),  # at the very limits
        (99.0, 1.0, 0, None, None),  # nothing to write
        (99.0, None, 0, None, None),
        (99.0, 99.0, 5, "locked", None),  # in trouble, but not for long
        (None, 99.0, 0, None, "the scheduler has not ticked yet"),
        (89.9, 99.0, 0, None, "the scheduler has not ticked for 10.1 s"),
        (99.0, 69.0, 1, None, "nothing could be written for 31 s, 1 record waits"),
        (99.0, 40.0, 7, "the disk is full", "nothing could be written for 1m, 7 records wait: the disk is full"),
        (99.0, None, 7, None, "nothing could be written yet, 7 records wait"),
    ],
)
def test_both_must_live(
    ticked: float | None, written: float | None, queued: int, trouble: str | None, said: str | None
) -> None:
    """The scheduler ticks, and what is to be written is written; else it says which does not, and since when."""
    assert reason(100.0, ticked=ticked, written=written, queued=queued, trouble=trouble) == said
