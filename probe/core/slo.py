"""Objectives: which runs are good, how much of the error budget is left, and how fast it burns."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from probe.core.ledger import MINUTE, Counts, Ledger
from probe.core.rules import Calendar, Objective, Severity
from probe.core.run import Outcome, Run, StepOutcome

MONTH: Final = timedelta(days=30)
"""The window that burn rules are written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRule:
    """Alert when the budget burns more than `factor` times as fast as it may, over `long` and still over `short`."""

    factor: float
    long: timedelta
    short: timedelta
    severity: Severity


BURN_RULES: Final = (
    BurnRule(factor=14.4, long=timedelta(hours=1), short=timedelta(minutes=5), severity=Severity.PAGE),
    BurnRule(factor=6, long=timedelta(hours=6), short=timedelta(minutes=30), severity=Severity.PAGE),
    BurnRule(factor=1, long=timedelta(days=3), short=timedelta(hours=6), severity=Severity.TICKET),
)
"""2 % of the budget of 30 days in an hour, 5 % in six, 10 % in three days: The Site Reliability Workbook, chapter 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How an objective stands. Shares are 0 to 1; `left` may be negative.

    `attained` is the share of good runs among those counted; `None`: none was. `left` is the share of the error budget
    that is left: the budget is what may be bad of all runs of the whole window, at the rate at which they come.
    `known` says whether enough of what was due has an answer.
    """

    attained: float | None
    left: float
    coverage: float
    known: bool
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A burn rule that holds: its windows' counts, and `rate`, how many times too fast over the long one.

    What is older than the first run that was counted is taken to have been good: a young objective has spent no more
    of its budget than it was seen to spend.
    """

    rule: BurnRule
    long: Counts
    short: Counts
    rate: float


def classify(run: Run, objective: Objective) -> Counts:
    """What one run counts for: one good, one bad, or one lost (it says nothing about what was promised).

    A step that was not reached is lost: what came before it is at fault, not the step.
    """
    if run.outcome not in (Outcome.PASSED, Outcome.FAILED) or run.maintenance is not None:
        return Counts(lost=1)
    passed, seconds = run.outcome is Outcome.PASSED, run.duration.total_seconds()
    if objective.step is not None:
        step = next((s for s in run.observation.steps if s.name == objective.step), None)
        if step is None or step.duration is None or step.outcome not in (StepOutcome.PASSED, StepOutcome.FAILED):
            return Counts(lost=1)
        passed, seconds = step.outcome is StepOutcome.PASSED, step.duration
    good = passed and (objective.under is None or seconds <= objective.under)
    return Counts(good=1) if good else Counts(bad=1)


def window_of(window: timedelta | Calendar, now: datetime) -> tuple[datetime, datetime]:
    """Start and end of the window that `now` lies in; a rolling one ends now.

    >>> from datetime import UTC
    >>> start, end = window_of(Calendar.QUARTER, datetime(2026, 11, 24, tzinfo=UTC))
    >>> f"{start:%Y-%m-%d} {end:%Y-%m-%d}"
    '2026-10-01 2027-01-01'
    """
    if isinstance(window, timedelta):
        return now - window, now
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if window is Calendar.WEEK:
        start = day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7)
    months = 1 if window is Calendar.MONTH else 3
    start = day.replace(day=1, month=day.month - (day.month - 1) % months)
    following = start.month + months
    end = start.replace(year=start.year + (following > 12), month=(following - 1) % 12 + 1)
    return start, end


def length(window: timedelta | Calendar) -> timedelta:
    """How long a window is; a calendar's month counts as 30 days, its quarter as 90."""
    if isinstance(window, timedelta):
        return window
    return {Calendar.WEEK: timedelta(days=7), Calendar.MONTH: MONTH, Calendar.QUARTER: 3 * MONTH}[window]


def budget(objective: Objective, ledger: Ledger, now: datetime) -> Budget:
    """How the objective stands at `now`."""
    start, end = window_of(objective.window, now)
    counts = ledger.between(start, now + timedelta(seconds=MINUTE))
    counted = counts.good + counts.bad
    if not counted:
        return Budget(attained=None, left=1.0, coverage=0.0, known=False, counts=counts)
    begun = max(start, ledger.first() or start)
    elapsed = max(now - begun, timedelta(minutes=1))
    whole = max(elapsed, objective.window if isinstance(objective.window, timedelta) else end - begun)
    allowed = (1 - objective.target) * counted * (whole / elapsed)
    return Budget(
        attained=counts.good / counted,
        left=1 - counts.bad / allowed,
        coverage=counts.coverage,
        known=counts.coverage >= objective.coverage,
        counts=counts,
    )


def scaled(rule: BurnRule, window: timedelta) -> BurnRule:
    """The rule for an objective with another window than 30 days: the same share of its budget, in proportion.

    >>> scaled(BURN_RULES[0], timedelta(days=90)).long
    datetime.timedelta(seconds=10800)
    """
    share = window / MONTH
    least = timedelta(seconds=MINUTE)
    return replace(rule, long=max(rule.long * share, least), short=max(rule.short * share, least))


def burning(objective: Objective, ledger: Ledger, now: datetime, explained: datetime | None = None) -> Burn | None:
    """The gravest burn rule that holds, if any.

    The budget must burn too fast in both windows, with `min_bad` bad runs in the long one and two in the short one:
    at one run a minute and 99.9 %, a single stray failure is a burn of 16. Bad runs before `explained` belong to an
    incident that is known; it takes as many new ones.
    """
    fewest = objective.min_bad
    for rule in BURN_RULES:
        short, long, ratio, limit = _windows(rule, objective, ledger, now)
        if not (ratio > limit and short.ratio > limit and long.bad >= fewest and short.bad >= min(2, fewest)):
            continue
        if explained is not None and ledger.between(explained, _end(now)).bad < fewest:
            continue
        return Burn(rule=rule, long=long, short=short, rate=ratio / (1 - objective.target))
    return None


def cooled(objective: Objective, ledger: Ledger, now: datetime) -> bool:
    """Whether a burn that was told is over: no rule holds any more, nor would if half as much were too much just now."""
    for rule in BURN_RULES:
        short, long, ratio, limit = _windows(rule, objective, ledger, now)
        if ratio > limit and long.bad >= objective.min_bad and short.ratio > limit / 2:
            return False
    return True


def _windows(
    rule: BurnRule, objective: Objective, ledger: Ledger, now: datetime
) -> tuple[Counts, Counts, float, float]:
    """The counts of the short and of the long window, the share of bad runs in the long one, and what is too much."""
    fitted, end = scaled(rule, length(objective.window)), _end(now)
    short, long = ledger.between(now - fitted.short, end), ledger.between(now - fitted.long, end)
    seen = min(1.0, (end - (ledger.first() or now)) / (end - now + fitted.long))
    return short, long, long.ratio * seen, fitted.factor * (1 - objective.target)


def _end(now: datetime) -> datetime:
    """Past the minute of `now`: a run that is due in it counts already."""
    return now + timedelta(seconds=MINUTE)
