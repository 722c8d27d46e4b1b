"""How much of an error budget is left, and when it will be gone if it goes on like this."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from probe.core.binomial import Interval, posterior
from probe.core.ledger import MINUTE, Counts, Ledger
from probe.core.rules import Objective
from probe.core.slo import BURN_RULES, SILENT, Noise, burning, evidence, length, scaled, window_of
from probe.core.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When the budget will be gone: the median, and the central 90 % of its posterior.

    `latest` is `None` where that lies beyond the window.
    """

    likely: timedelta
    soonest: timedelta
    latest: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How an objective stands. Shares are 0 to 1; `left` may be negative.

    `attained` is the share of good runs among those counted, `within` the central 90 % of what it may really be; `None`:
    none was. `left` is the share of the error budget that is left: the budget is what may be bad of all runs of the
    whole window, at the rate at which they come. `known` says whether enough of what was due has an answer. `forecast`
    is `None` where the budget is spent, or will last. `spent` is when the last of it was used up. `noise` is the share
    of runs that fail by the checks' own doing, where that is known to be more than the objective allows: these checks
    cannot judge it.
    """

    attained: float | None
    left: float
    coverage: float
    known: bool
    counts: Counts
    within: tuple[float, float] | None = None
    forecast: Forecast | None = None
    spent: datetime | None = None
    noise: float | None = None


def budget(objective: Objective, ledger: Ledger, now: datetime, noise: Noise = SILENT) -> Budget:
    """How the objective stands at `now`."""
    start, end = window_of(objective.window, now)
    counts = ledger.between(start, now + timedelta(seconds=MINUTE))
    counted = counts.good + counts.bad
    allowed = 1 - objective.target
    drowned = noise.share if noise.hides(allowed) and objective.step is None else None
    if not counted:
        return Budget(attained=None, left=1.0, coverage=0.0, known=False, counts=counts, noise=drowned)
    begun = max(start, ledger.first() or start)
    elapsed = max(now - begun, timedelta(minutes=1))
    whole = max(elapsed, objective.window if isinstance(objective.window, timedelta) else end - begun)
    may = allowed * counted * (whole / elapsed)
    left = 1 - counts.bad / may
    bad = posterior(max(0, counts.bad), counted)
    known = counts.coverage >= objective.coverage
    forecast = None
    if known and left > 0:
        rest = length(objective.window) if isinstance(objective.window, timedelta) else end - now
        forecast = _forecast(left * whole, rest, pace(objective, ledger, now, noise))
    return Budget(
        attained=counts.good / counted,
        left=left,
        coverage=counts.coverage,
        known=known,
        counts=counts,
        within=(1 - bad.high, 1 - bad.low),
        forecast=forecast,
        spent=ledger.reached(start, may) if left <= 0 else None,
        noise=drowned,
    )


def noise_of(state: State, objective: Objective) -> Noise:
    """What the checks of an objective fail by themselves, as it was learned while nothing was wrong.

    Nothing is known of how often they are slow by themselves. A single step fails no more often than all of them.
    """
    if objective.under is not None:
        return SILENT
    checks = (state.checks[check] for check in objective.checks if check in state.checks)
    rates = [rate for check in checks for rate in check.habits.rates.values()]
    return Noise(failed=sum(rate.served + rate.path for rate in rates), runs=sum(rate.runs for rate in rates))


def pace(objective: Objective, ledger: Ledger, now: datetime, noise: Noise = SILENT) -> Interval:
    """How many times as fast as it may the budget burns just now, with the central 90 %.

    Where a burn rule holds, over its long window: that is what was told. Else by the slow rule, over the slower of its
    two windows: the long one alone would go on telling of an outage that is over, the short one of a stray failure.
    """
    burn = burning(objective, ledger, now, noise=noise)
    if burn is not None:
        return burn.rate
    rule, begun = scaled(BURN_RULES[-1], length(objective.window)), ledger.first() or now
    windows = (evidence(ledger, span, now, begun) for span in (rule.long, rule.short))
    slower = min((posterior(part.bad, part.runs) for part in windows), key=lambda share: share.median)
    return slower.times(1 / (1 - objective.target))


def _forecast(lasts: timedelta, rest: timedelta, pace: Interval) -> Forecast | None:
    """When what would last so long at the pace that is allowed is gone; `None`: not within the `rest` of the window."""
    if lasts > rest * pace.median:
        return None
    return Forecast(
        likely=lasts / pace.median,
        soonest=lasts / pace.high,
        latest=lasts / pace.low if lasts <= rest * pace.low else None,
    )
