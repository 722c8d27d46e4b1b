"""What waits for a fleet's database is made smaller when there is too much of it, the dearest last, a little at a time.

After evidence, whose files are not in here: details of runs that passed; then runs that passed are melted (of those that
follow each other within an hour all but the first and the last become one row that counts for all of them, and what counts
for nothing goes); then the details of the others; at the very last rows, the oldest first.

What lies within two `WINDOW`s of what was forwarded is left as it is: the hub may have it already, though nobody heard it say so.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, update

from probe.core.ledger import HOUR
from probe.core.run import Outcome, Why
from probe.store.outbox import WINDOW, forwarded, number_of, put
from probe.store.schema import details, failures, meta, phases, places, runs, steps

PIECE: Final = 500
"""Rows at a time: a commit may have to wait for one piece."""
THINNED: Final = "thinned"
"""The number in `meta` of slots and runs that lost their rows to another one."""
DROPPED: Final = "dropped"
"""The number in `meta` of runs that are gone though nobody has them."""


def strip(connection: Connection, region: str, *, passed: bool) -> int:
    """Forget the details of the oldest runs of a region that passed, or of the others; gives how many. 0: there are none."""
    old = (
        select(details.c.run)
        .join(runs, runs.c.seq == details.c.run)
        .where(details.c.run > _free(connection, region), details.c.passed.is_(passed), _in(region))
    )
    numbers = list(connection.scalars(old.order_by(details.c.run).limit(PIECE)))
    if numbers:
        connection.execute(delete(details).where(details.c.run.in_(numbers)))
    return len(numbers)


def drop(connection: Connection, region: str) -> int:
    """Drop the oldest runs of a region, whatever they say; gives how many. 0: there are none."""
    old = select(runs.c.seq).where(runs.c.seq > _free(connection, region), _rolled(), _in(region))
    numbers = list(connection.scalars(old.order_by(runs.c.seq).limit(PIECE)))
    _forget(connection, numbers)
    put(connection, {DROPPED: number_of(connection, DROPPED) + len(numbers)})
    return len(numbers)


def places_of(connection: Connection, region: str) -> list[int]:
    """The places of a region, for `thin`."""
    return list(connection.scalars(select(places.c.id).where(places.c.region == region).order_by(places.c.id)))


def thin(connection: Connection, region: str, place: int) -> int:
    """Melt what passed in one place; gives how many rows are gone. What each hour counts stays as it is."""
    passed = (
        runs.c.place == place,
        runs.c.seq > _free(connection, region),
        runs.c.outcome == Outcome.PASSED.value,
        _rolled(),
    )
    extra = select(runs.c.seq).where(*passed, (runs.c.why != Why.SCHEDULED.value) | runs.c.slot.is_(None))
    gone = list(connection.scalars(extra))
    planned = select(runs.c.seq, runs.c.slot, runs.c.slots, runs.c.due, runs.c.maintenance)
    planned = planned.where(*passed, runs.c.why == Why.SCHEDULED.value, runs.c.slot.is_not(None))
    for stretch in _stretches(connection.execute(planned.order_by(runs.c.slot))):
        melted = stretch[1:-1]
        _forget_beside(connection, [melted[0].seq])
        whole = sum(row.slots for row in melted)
        connection.execute(update(runs).where(runs.c.seq == melted[0].seq).values(slots=whole))
        gone += (row.seq for row in melted[1:])
    _forget(connection, gone)
    put(connection, {THINNED: number_of(connection, THINNED) + len(gone)})
    return len(gone)


def _stretches(rows: Iterable[Row[Any]]) -> Iterator[list[Row[Any]]]:
    """Rows whose slots follow each other without a gap, within an hour, of which there are enough to melt."""
    stretch: list[Row[Any]] = []
    for row in rows:
        if stretch and _follows(stretch[-1], row):
            stretch.append(row)
            continue
        if len(stretch) > 3:
            yield stretch
        stretch = [row]
    if len(stretch) > 3:
        yield stretch


def _follows(one: Row[Any], other: Row[Any]) -> bool:
    return bool(
        one.slot + one.slots == other.slot
        and one.seq < other.seq
        and int(one.due.timestamp()) // HOUR == int(other.due.timestamp()) // HOUR
        and one.maintenance == other.maintenance
    )


def _free(connection: Connection, region: str) -> int:
    return forwarded(connection).get(region, 0) + 2 * WINDOW


def _in(region: str) -> Any:
    return runs.c.place.in_(select(places.c.id).where(places.c.region == region))


def _rolled() -> Any:
    """Only what was added to the counts by the hour: those of this node stay true."""
    return (
        runs.c.seq <= select(func.coalesce(func.max(meta.c.value), 0)).where(meta.c.key == "rolled").scalar_subquery()
    )


def _forget(connection: Connection, numbers: list[int]) -> None:
    for start in range(0, len(numbers), PIECE):
        some = numbers[start : start + PIECE]
        _forget_beside(connection, some)
        connection.execute(delete(runs).where(runs.c.seq.in_(some)))


def _forget_beside(connection: Connection, numbers: list[int]) -> None:
    for table in (steps, phases, failures, details):
        connection.execute(delete(table).where(table.c.run.in_(numbers)))
