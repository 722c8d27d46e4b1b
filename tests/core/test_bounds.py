"""What is said without an end is kept with one."""

from probe.core.bounds import LONGEST, MOST_LINES, bounded
from probe.core.failure import Failure
from probe.core.run import Observation, Step, StepOutcome

LONG = "m" * 5_000_000


def test_what_is_short_is_kept_as_it_is() -> None:
    failure = Failure.of("status", "no", expected="200")
    step = Step(name="pay", outcome=StepOutcome.FAILED, failure=failure)
    seen = Observation(failures=(failure,), steps=(step, Step(name="b", outcome=StepOutcome.SKIPPED)), log=("a",))
    assert bounded(seen) is seen


def test_what_is_long_is_cut() -> None:
    """In the reasons, those of the steps, and the log; what is cut says so."""
    failure = Failure.of("body", LONG, expected=LONG, actual=LONG, url=LONG)
    only = Failure.of("body", LONG)
    step = Step(name="pay", outcome=StepOutcome.FAILED, failure=failure)
    lines = tuple(f"line {n}" for n in range(MOST_LINES + 5))
    seen = bounded(Observation(failures=(failure, only), steps=(step,), log=(LONG, *lines)))
    assert seen.steps[0].failure == seen.failures[0]
    for text in (*(str(f) for f in seen.failures), *seen.log):
        assert len(text) < 4 * LONGEST
    assert seen.failures[0].message.endswith("… (5,000,000 characters)")
    assert seen.failures[1].expected is None
    assert len(seen.log) == MOST_LINES + 1
    assert (seen.log[1], seen.log[MOST_LINES // 2], seen.log[-1]) == ("line 0", "… (6 lines)", f"line {MOST_LINES + 4}")
