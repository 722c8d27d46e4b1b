"""What one run says about its target, as far as the detector looks at it."""

from functools import lru_cache
from math import log
from typing import Final, NamedTuple

from probe.core.failure import KINDS, Failure, Layer
from probe.core.run import Outcome, Run, StepOutcome, Why

WHOLE: Final = ""
"""The series of durations of whole runs, beside those of each step."""
SHORTEST: Final = 1e-4
"""Seconds: what takes less is counted as this."""

SERVED_LAYERS: Final = frozenset({Layer.DNS, Layer.HTTP, Layer.CONTENT, Layer.SCRIPT, Layer.THIRD_PARTY, Layer.TIMING})
SERVED_KINDS: Final = frozenset(
    {
        "certificate_expired",
        "certificate_not_yet_valid",
        "certificate_wrong_host",
        "certificate_untrusted",
        "certificate_revoked",
        "certificate_expires_soon",
        "client_certificate_refused",
    }
)
PATH_KINDS: Final = frozenset(
    {"dns_timeout", "closed_early", "incomplete_body", "request_failed", "page_load", "deadline"}
)
BLOCKED: Final = "blocked"
"""The kind of a fact whose server refused us as it refuses robots."""
REFUSALS: Final = frozenset({"403", "429"})
"""What a server answers to somebody it takes for a robot."""


class Fact(NamedTuple):
    """One run that passed or failed. Times are seconds since 1970. Facts sort by when they came to be known.

    `kind` and `step` are those of the failure, "" for none. `counts` is false for a run that passed only as far as it
    was allowed to go, and for the twin of a check: that it passed proves little. `overdue` is a run that has not ended
    yet, though it should have. `took` are natural logarithms of seconds, of the whole run and of each step.
    """

    ended: float
    region: str
    began: float
    run: str = ""
    ok: bool = True
    kind: str = ""
    step: str = ""
    scheduled: bool = True
    counts: bool = True
    overdue: bool = False
    took: tuple[tuple[str, float], ...] = ()
    bins: tuple[tuple[str, int], ...] = ()
    worst: int = 0


def fact_of(run: Run, *, twin: bool = False) -> Fact:
    """The fact that a run is, which passed or failed."""
    began = run.started.timestamp()
    seconds = run.duration.total_seconds()
    scheduled = run.why is Why.SCHEDULED or run.why is Why.DRILL
    if run.outcome is Outcome.PASSED:
        seen = run.observation
        partial = seen.stopped_before is not None
        took: tuple[tuple[str, float], ...] = ()
        if not partial and not twin:
            took = ((WHOLE, log(max(seconds, SHORTEST))),)
            if seen.steps:
                took += tuple(
                    (step.name, log(max(step.duration, SHORTEST)))
                    for step in seen.steps
                    if step.duration is not None and step.outcome is StepOutcome.PASSED
                )
        return Fact(
            began + seconds, run.region, began, run.id, True, "", "", scheduled, not (partial or twin), False, took
        )
    failure = run.failure
    kind, step = ("", "") if failure is None else (failure.kind, failure.step or "")
    if failure is not None and is_refusal(failure):
        kind = BLOCKED
    return Fact(began + seconds, run.region, began, run.id, False, kind, step, scheduled)


def is_refusal(failure: Failure) -> bool:
    """Whether a server refused us: status 403 or 429."""
    return failure.kind == "status" and failure.actual in REFUSALS


@lru_cache(maxsize=1024)
def is_served(kind: str) -> bool:
    """Whether a failure is an answer of the service itself, so that the path to it works.

    >>> is_served("status"), is_served("certificate_expired"), is_served("refused")
    (True, True, False)
    """
    if kind in PATH_KINDS:
        return False
    info = KINDS.get(kind)
    return kind in SERVED_KINDS or kind == BLOCKED or (info is not None and info.layer in SERVED_LAYERS)
