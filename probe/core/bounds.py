"""How much of what was said is kept: a shop, or a check, may say as much as it likes, and every list shows it."""

from dataclasses import replace
from typing import Final

from probe.core.failure import Failure
from probe.core.run import Observation, Step

LONGEST: Final = 10_000
"""Characters of one text."""
MOST_LINES: Final = 2000
"""Lines of the check's own log: the first half of these, and the last."""


def bounded(seen: Observation) -> Observation:
    """What was seen, with its reasons and its log cut to a length that can be shown; it itself, where nothing is too long.

    To be done when the secrets are out: half of one is none that anybody knows.
    """
    failures, steps, log = tuple(map(_failure, seen.failures)), tuple(map(_step, seen.steps)), _log(seen.log)
    if failures == seen.failures and steps == seen.steps and log == seen.log:
        return seen
    return replace(seen, failures=failures, steps=steps, log=log)


def _failure(failure: Failure) -> Failure:
    texts = (failure.message, failure.expected or "", failure.actual or "", failure.url or "")
    if max(map(len, texts)) <= LONGEST:
        return failure
    return replace(
        failure,
        message=cut(failure.message),
        expected=failure.expected and cut(failure.expected),
        actual=failure.actual and cut(failure.actual),
        url=failure.url and failure.url[:LONGEST],
    )


def _step(step: Step) -> Step:
    short = step.failure and _failure(step.failure)
    return step if short is step.failure else replace(step, failure=short)


def _log(lines: tuple[str, ...]) -> tuple[str, ...]:
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        lines = (*lines[:half], f"… ({len(lines) - MOST_LINES} lines)", *lines[-half:])
    return tuple(map(cut, lines))


def cut(text: str) -> str:
    """The beginning of a text that is too long, and how long it was.

    >>> cut("short"), cut("m" * 20_000)[-24:]
    ('short', 'mmm… (20,000 characters)')
    """
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"
