"""The last good run of a place: what a failed one is compared with after a restart."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from probe.core.run import Outcome, Run
from probe.store.rows import run_of
from probe.store.schema import details, places, runs

LOOKED_AT: Final = 10
"""Good runs that are looked at: one that was ended before its side effects is passed over for an older one."""


def last_good(connection: Connection, *, check: str, region: str, since: datetime) -> Run | None:
    """The newest run of a check in a region that passed, began since then, and has its details; whole, where there is one."""
    newest = (
        select(runs, details.c.body)
        .join(places, places.c.id == runs.c.place)
        .join(details, details.c.run == runs.c.seq)
        .where(places.c.check_id == check, places.c.region == region)
        .where(runs.c.outcome == Outcome.PASSED.value, runs.c.started >= since)
        .order_by(runs.c.started.desc())
        .limit(LOOKED_AT)
    )
    found = None
    for row in connection.execute(newest):
        run = run_of(row, check, region, row.body)
        if run.observation.stopped_before is None:
            return run
        found = found or run
    return found
