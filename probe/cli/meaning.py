"""What a configuration means: which checks, from where, how often, and what they cost."""

from rich.table import Table

from probe.cli.selection import Selection
from probe.cli.table import console
from probe.core.duration import format_duration
from probe.engine.capacity import browser_capacity
from probe.engine.runner import Job


def print_meaning(selection: Selection) -> None:
    """Print a row for each check, and the sums."""
    screen = console()
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("check", "kind", "target", "regions", "every", "timeout", "declared in"):
        table.add_column(column, overflow="fold")
    specs = {job.spec.id: job.spec for job in selection.jobs}
    for spec in specs.values():
        regions = ", ".join(job.region.name for job in selection.jobs if job.spec is spec)
        every, timeout = format_duration(spec.every), format_duration(spec.timeout)
        table.add_row(spec.id, spec.kind, spec.target, regions, every, timeout, str(spec.source))
    screen.print(table)
    screen.print()
    for line in meaning(selection):
        screen.print(line, soft_wrap=True)


def meaning(selection: Selection) -> tuple[str, ...]:
    """The sums, one a line: runs an hour, and for browser journeys the worst case of a core's time."""
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
    return tuple(lines)


def _runs_per_hour(job: Job) -> float:
    return 3600 / job.spec.every.total_seconds()


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
