"""Objectives: which runs are good, and when the error budget burns too fast."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from probe.core.binomial import Interval, above, at_least, posterior
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


CONFIDENCE: Final = 0.99
"""How sure it must be that a long window is too bad: less than once in a hundred as many are bad by chance."""
FEWEST: Final = 2
"""Bad runs without which nothing burns, whatever was promised: one is an event, not a rate."""
EVEN: Final = 0.5
"""A burn is over when it is more likely than not that its long window is not too bad any more…"""
PLAINLY: Final = 0.1
"""…or, sooner, when that is as unlikely as this of a latest part of it."""


ENOUGH: Final = 1000
"""Runs from which noise is known: fewer than make a burn by noise alone."""


class Noise(NamedTuple):
    """How often the checks of an objective fail by themselves, when nothing is wrong: failed runs, and runs."""

    failed: float = 0.0
    runs: float = 0.0

    @property
    def share(self) -> float:
        """The share of failed runs; 0 until it is known from `ENOUGH` runs."""
        return self.failed / self.runs if self.runs >= ENOUGH else 0.0

    def hides(self, share: float) -> bool:
        """Whether it is, with a probability of 95 %, more than `share`: what is as rare cannot be told from it."""
        return self.share > share and above(self.failed, self.runs, share) >= 0.95


SILENT: Final = Noise()
"""No noise is known of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A burn rule that holds.

    `counts` are those of the last `span`: the rule's long window, or less where counting began later (at the first run
    there ever was, or after an incident that was told); what is older is taken to have been good. `rate` is how many
    times too fast the budget burns over the long window: the share of bad runs in it against what is allowed, with
    the central 90 % of its posterior. `chance` is how likely so many bad runs are where the objective is just met.
    """

    rule: BurnRule
    counts: Counts
    span: timedelta
    rate: Interval
    chance: float


class Evidence(NamedTuple):
    """The counts of a window, and `runs`: how many there would be, had it been counted from its start."""

    counts: Counts
    runs: float

    @property
    def bad(self) -> int:
        """Bad runs; none where more were taken back than are left."""
        return max(0, self.counts.bad)


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


def scaled(rule: BurnRule, window: timedelta) -> BurnRule:
    """The rule for an objective with another window than 30 days: the same share of its budget, in proportion.

    >>> scaled(BURN_RULES[0], timedelta(days=90)).long
    datetime.timedelta(seconds=10800)
    """
    share = window / MONTH
    least = timedelta(seconds=MINUTE)
    return replace(rule, long=max(rule.long * share, least), short=max(rule.short * share, least))


def burning(
    objective: Objective, ledger: Ledger, now: datetime, explained: datetime | None = None, noise: Noise = SILENT
) -> Burn | None:
    """The gravest burn rule that holds, if any.

    It holds when, with `CONFIDENCE`, more runs of the long window are bad than the rule's factor allows on top of the
    `noise` of the checks themselves, by the exact bound of Clopper and Pearson; when the short window is still too bad;
    and when it has not plainly stopped. Bad runs before `explained` belong to an incident that is known: counting
    begins anew there, as it does with the first run there ever was.

    To be asked whenever a bad run was counted: nothing else makes a burn begin.
    """
    begun = _begun(ledger, now, explained)
    for rule in BURN_RULES:
        fitted, limit = scaled(rule, length(objective.window)), _limit(rule, objective, noise)
        long = evidence(ledger, fitted.long, now, begun)
        if long.bad < max(FEWEST, limit * long.runs) or at_least(long.bad, long.runs, limit) > 1 - CONFIDENCE:
            continue
        if evidence(ledger, fitted.short, now, begun).counts.ratio > limit and not _is_over(
            fitted, limit, ledger, now, begun
        ):
            allowed = 1 - objective.target
            return Burn(
                rule=rule,
                counts=long.counts,
                span=min(fitted.long, _end(now) - begun),
                rate=posterior(long.bad, long.runs).times(1 / allowed),
                chance=at_least(long.bad, long.runs, min(1.0, allowed + noise.share)),
            )
    return None


def cooled(
    objective: Objective,
    ledger: Ledger,
    now: datetime,
    severity: Severity = Severity.TICKET,
    explained: datetime | None = None,
    noise: Noise = SILENT,
) -> bool:
    """Whether a burn that was told with this severity is over, by each of the rules that are as grave.

    For a rule it is when its long window is more likely than not to be within what the rule allows, or when a latest
    part of it, no shorter than the short window, plainly is.
    """
    begun = _begun(ledger, now, explained)
    return all(
        _is_over(scaled(rule, length(objective.window)), _limit(rule, objective, noise), ledger, now, begun)
        for rule in BURN_RULES
        if severity is Severity.TICKET or rule.severity is Severity.PAGE
    )


def evidence(ledger: Ledger, span: timedelta, now: datetime, begun: datetime) -> Evidence:
    """What the ledger says of the last `span`, when counting began at `begun`."""
    end = _end(now)
    counts = ledger.between(max(now - span, begun), end)
    seen = min(1.0, max(timedelta(0), end - begun) / (end - now + span))
    counted = max(0, counts.good + counts.bad)
    return Evidence(counts, counted / seen if counted else 0.0)


def _is_over(rule: BurnRule, limit: float, ledger: Ledger, now: datetime, begun: datetime) -> bool:
    """Whether a rule, fitted to its objective, has ceased to hold."""
    span = rule.short
    while span < rule.long:
        part = evidence(ledger, span, now, begun)
        if above(part.bad, part.runs, limit) < PLAINLY:
            return True
        span *= 2
    long = evidence(ledger, rule.long, now, begun)
    return not long.runs or above(long.bad, long.runs, limit) < EVEN  # without a run nothing burns


def _limit(rule: BurnRule, objective: Objective, noise: Noise) -> float:
    """The share of bad runs above which it is too much."""
    return rule.factor * (1 - objective.target) + noise.share


def _begun(ledger: Ledger, now: datetime, explained: datetime | None) -> datetime:
    """When counting began: with the first run, or at the first whole minute after what is explained."""
    first = ledger.first() or now
    if explained is None:
        return first
    return max(first, (explained + timedelta(seconds=MINUTE, microseconds=-1)).replace(second=0, microsecond=0))


def _end(now: datetime) -> datetime:
    """Past the minute of `now`: a run that is due in it counts already."""
    return now + timedelta(seconds=MINUTE)
