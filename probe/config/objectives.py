"""`[slo.NAME]` and `[store]` → what was promised, and how long its proof is kept."""

from datetime import timedelta

from probe.config.findings import Findings
from probe.config.service_schema import SloTable, StoreTable
from probe.config.settings import Latency, Slo, StoreLimits
from probe.core.duration import format_duration


def slo(name: str, table: SloTable) -> Slo:
    """An objective as it is written."""
    latency = table.latency
    return Slo(
        name=name,
        target=table.objective,
        window=table.window,
        checks=table.checks,
        step=table.step,
        latency=Latency(under=latency.under, target=latency.objective, step=latency.step) if latency else None,
        coverage=table.coverage,
    )


def store_limits(table: StoreTable, findings: Findings) -> StoreLimits:
    """What is kept for how long. What is a part of something else is not kept longer than that."""
    for part, whole, reason in (
        ("keep_details", "keep_runs", "the details of a run go with the run"),
        ("keep_hours", "keep_days", "days are summed up from hours, and outlast them"),
    ):
        span, limit = getattr(table, part), getattr(table, whole)
        if span > limit:
            findings.error(("store", part), f"{_plain(span)} is longer than {whole}, {_plain(limit)}", reason)
    names = ("keep_details", "keep_runs", "keep_failures", "keep_hours", "keep_days", "ballast")
    return StoreLimits(**{name: getattr(table, name) for name in names})


def _plain(duration: timedelta) -> str:
    return format_duration(duration).replace(" ", "")
