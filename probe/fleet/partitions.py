"""The partitions of runs: made ahead, dropped by age; by any number of nodes, and nothing waits for them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from probe.fleet.hub import Hub
from probe.store.settings import StoreSettings

AHEAD: Final = 2
"""Days that have their partitions before they come. Without one, runs go into the default partition, to be moved later."""
TABLES: Final = ("details", "failures", "phases", "steps", "runs")
"""In the order in which they are forgotten: a run goes after what was written about it."""
ARRANGE: Final = text("SELECT made, dropped, busy FROM probe.arrange_partitions(:table, :ahead, :passed, :other)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """Names of partitions that were made and dropped, and of those that had to wait because somebody was reading."""

    made: tuple[str, ...]
    dropped: tuple[str, ...]
    busy: tuple[str, ...]


async def arrange_partitions(hub: Hub, settings: StoreSettings, *, ahead: int = AHEAD) -> Arranged:
    """Make what is missing from today on, and drop what is older than it is kept for, by the database's clock.

    To be called every hour or so. No lock is waited for longer than a second: what is busy is done the next time.
    `StoreUnavailable` when the database cannot be reached; what was done until then stays.
    """
    made: list[str] = []
    dropped: list[str] = []
    busy: list[str] = []
    for table in TABLES:
        passed, other = _kept(table, settings)
        async with hub.transaction() as connection:
            row = (
                await connection.execute(ARRANGE, {"table": table, "ahead": ahead, "passed": passed, "other": other})
            ).one()
        made += row.made
        dropped += row.dropped
        busy += row.busy
    return Arranged(made=tuple(made), dropped=tuple(dropped), busy=tuple(busy))


def _kept(table: str, settings: StoreSettings) -> tuple[timedelta, timedelta]:
    """How long the rows of runs that passed, and of all others, are kept."""
    return settings.keep_details if table == "details" else settings.keep_runs, settings.keep_failures
