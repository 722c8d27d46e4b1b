"""What a configuration means: which checks, from where, how often, what they cost, and what it takes to be told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import floor

from rich.table import Table

from probe.cli.outlook import print_outlook
from probe.cli.progress import telling
from probe.cli.selection import Selection
from probe.cli.table import console
from probe.config.rules import rules_of
from probe.core.binomial import critical
from probe.core.cron import Gaps, gaps
from probe.core.duration import format_duration
from probe.core.rules import Objective, Rules
from probe.core.slo import BURN_RULES, CONFIDENCE, FEWEST, BurnRule, length, scaled
from probe.engine.capacity import browser_capacity
from probe.engine.runner import Job


def print_meaning(selection: Selection) -> None:
    """Print a row for each check, the sums, and what to expect of it all."""
    screen = console()
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("check", "kind", "target", "regions", "every", "timeout", "declared in"):
        table.add_column(column, overflow="fold")
    specs = {job.spec.id: job.spec for job in selection.jobs}
    for spec in specs.values():
        regions = ", ".join(job.region.name for job in selection.jobs if job.spec is spec)
        every, timeout = format_duration(spec.every), format_duration(spec.timeout)
        if spec.cron is not None:
            every = f"{spec.cron.expression} ({spec.cron.timezone})"
        table.add_row(spec.id, spec.kind, spec.target, regions, every, timeout, str(spec.source))
    screen.print(table)
    screen.print()
    for line in meaning(selection):
        screen.print(line, soft_wrap=True, markup=False)
    screen.print()
    with telling("simulating outages") as tell:
        print_outlook(screen, selection, _rules(selection).objectives.values(), tell)


def meaning(selection: Selection) -> tuple[str, ...]:
    """The sums, one a line: runs an hour, the worst case of a core's time for browser journeys, and each objective."""
    jobs = selection.jobs
    checks = len({job.spec.id for job in jobs})
    places = len({job.region.name for job in jobs})
    lines = [
        f"{_count(checks, 'check')} from {_count(places, 'region')}: {_number(sum(map(_runs_per_hour, jobs)))} runs an hour",
    ]
    browsers = [job for job in jobs if job.spec.needs_browser]
    if browsers:
        capacity = browser_capacity(selection.config.browser.workers)
        at_most = sum(_runs_per_hour(job) * job.spec.timeout.total_seconds() for job in browsers)
        lines.append(
            f"{_number(sum(map(_runs_per_hour, browsers)))} of them walk a browser: at most "
            f"{_number(at_most)} browser seconds an hour, of {capacity * 3600} that {_count(capacity, 'worker')} can give"
        )
        if at_most > capacity * 3600:
            lines.append(
                "if every journey took its whole timeout they would not fit: runs would wait for each other. "
                "Run them less often, shorten timeouts, or give more cores"
            )
    lines.append(
        "whatever was promised, a failed run makes its check run again at once, from all its regions, until it is clear "
        "whether it was chance; if not, it is told"
    )
    for objective in _rules(selection).objectives.values():
        counted = [job for job in jobs if job.spec.id in objective.checks]
        if counted:
            lines += ["", *_promise(objective, counted)]
    return tuple(lines)


def _rules(selection: Selection) -> Rules:
    return rules_of(selection.config, {job.spec.id: job.spec for job in selection.jobs}.values())[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What it takes for a burn rule to hold: so many bad runs among those of its windows, `long` and `short`.

    `never` says why it cannot hold, whatever happens; `most_long` and `most_short` are all runs that may fall into a
    window. `soonest` and `typical` are how long it takes when every run is bad from now on.
    """

    rule: BurnRule
    bad_long: int
    most_long: int
    bad_short: int
    most_short: int
    soonest: timedelta
    typical: timedelta
    never: str = ""


def alarm(rule: BurnRule, objective: Objective, jobs: Iterable[Job]) -> Alarm:
    """What it takes for a burn rule to hold for an objective whose checks run as `jobs` say."""
    jobs, rule = list(jobs), scaled(rule, length(objective.window))
    limit = rule.factor * (1 - objective.target)
    rate = sum(map(_runs_per_hour, jobs)) / 3600
    most = {
        span: sum(floor((span.total_seconds() + 60) / _shortest(job)) + 1 for job in jobs)
        for span in (rule.long, rule.short)
    }
    expected = max(1, round(rate * rule.long.total_seconds()))
    bad_long = max(FEWEST, critical(expected, limit, CONFIDENCE))
    bad_short = floor(limit * rate * rule.short.total_seconds()) + 1
    never = ""
    if limit >= 1:
        never = f"if all runs are bad it is {_number(1 / (1 - objective.target))}"
    elif (fewest := max(FEWEST, critical(most[rule.long], limit, CONFIDENCE))) > most[rule.long]:
        never = (
            f"at most {_count(most[rule.long], 'run')} in {format_duration(rule.long)}, and it takes {fewest} bad ones"
        )
    needed = max(bad_long, bad_short)
    return Alarm(
        rule=rule,
        bad_long=bad_long,
        most_long=most[rule.long],
        bad_short=bad_short,
        most_short=most[rule.short],
        soonest=timedelta(seconds=(needed - 1) / rate),
        typical=timedelta(seconds=(needed - 0.5) / rate),
        never=never,
    )


def _promise(objective: Objective, jobs: list[Job]) -> Iterator[str]:
    """What an objective means, a line for the budget and one for each burn rule."""
    rate = sum(map(_runs_per_hour, jobs))
    window = objective.window if isinstance(objective.window, timedelta) else f"a {objective.window}"
    over = format_duration(window) if isinstance(window, timedelta) else window
    hours = length(objective.window) / timedelta(hours=1)
    allowed = rate * hours * (1 - objective.target)
    good = "" if objective.under is None else f" within {format_duration(objective.under)}"
    what = f'passes of step "{objective.step}"' if objective.step else "runs"
    yield (
        f"{objective.name}: {_percent(objective.target)} good {what}{good} over {over}, "
        f"{_number(rate)} an hour: {_number(allowed)} may be bad"
    )
    alarms = [alarm(rule, objective, jobs) for rule in BURN_RULES]
    for found in alarms:
        rule = found.rule
        head = f"  {rule.severity} at a burn rate of {rule.factor:g}"
        if found.never:
            yield f"{head}: never, {found.never}"
            continue
        yield (
            f"{head}: {found.bad_long} bad runs in {_span(rule.long)}, {found.bad_short} of them in {_span(rule.short)}; "
            f"if all are bad, after {_span(found.typical)} ({_span(found.soonest)} at the soonest)"
        )
    able = [found for found in alarms if not found.never]
    if not able:
        yield f"  warning: {objective.name} never alerts: run its checks more often"
    else:
        yield f"  one stray bad run never alerts: it takes {min(found.bad_long for found in able)}"


def _span(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=round(duration.total_seconds())))


def _percent(share: float) -> str:
    return f"{share * 100:.6g}%"


def _runs_per_hour(job: Job) -> float:
    rhythm = _rhythm(job)
    return 3600 / (rhythm.mean if rhythm else job.spec.every).total_seconds()


def _shortest(job: Job) -> float:
    rhythm = _rhythm(job)
    return (rhythm.shortest if rhythm else job.spec.every).total_seconds()


def _rhythm(job: Job) -> Gaps | None:
    cron = job.spec.cron
    return None if cron is None else gaps(cron.expression, cron.timezone)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
