"""A month of all objectives, as it is stored: what was counted, what went wrong, and when maintenance was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from probe.core.drilled import is_drill
from probe.core.incident import Incident
from probe.core.ledger import HOUR, MINUTE, Counts
from probe.core.rules import Rules
from probe.store.days import incidents_since
from probe.store.schema import ledger, places, rollups


class Cell(NamedTuple):
    """What was counted in an hour, or in a minute, from `start` (seconds since 1970)."""

    start: int
    span: int
    counts: Counts


@dataclass(slots=True)
class Month:
    """All that was read of one month, which lies between `start` and `end`; what is known goes until `until`."""

    start: datetime
    end: datetime
    until: datetime
    incidents: tuple[Incident, ...] = ()
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    """By objective; minutes where all of an hour are kept, else hours."""
    first: dict[str, int] = field(default_factory=dict)
    """When counting began, by objective."""
    maintenance: dict[tuple[str, int], int] = field(default_factory=dict)
    """Check and hour → runs in maintenance."""


def read_month(connection: Connection, rules: Rules, known: Month) -> None:
    """Fill in what is stored of the month."""
    start, until = int(known.start.timestamp()), known.until.timestamp()
    found = incidents_since(connection, known.start)
    known.incidents = tuple(i for i in found if i.since < known.until and not is_drill(i.cause))
    inside = ledger.c.start >= start, ledger.c.start < until
    names = list(rules.objectives)
    rows: dict[str, dict[int, dict[int, Counts]]] = {}
    for name, span, at, *counts in connection.execute(select(ledger).where(ledger.c.objective.in_(names), *inside)):
        rows.setdefault(name, {}).setdefault(span, {})[at] = Counts(*counts)
    known.cells = {name: list(_cells(spans.get(HOUR, {}), spans.get(MINUTE, {}))) for name, spans in rows.items()}
    begun = select(ledger.c.objective, func.min(ledger.c.start).label("start")).where(ledger.c.objective.in_(names))
    known.first = {row.objective: row.start for row in connection.execute(begun.group_by(ledger.c.objective))}
    checks = {check for objective in rules.objectives.values() for check in objective.checks}
    held = (
        select(places.c.check_id, rollups.c.start, rollups.c.maintenance)
        .join(places, places.c.id == rollups.c.place)
        .where(rollups.c.span == HOUR, rollups.c.start >= start, rollups.c.start < until, rollups.c.maintenance > 0)
    )
    for check, at, count in connection.execute(held):
        if check in checks:
            known.maintenance[check, at] = known.maintenance.get((check, at), 0) + count


def _cells(hours: Mapping[int, Counts], minutes: Mapping[int, Counts]) -> Iterable[Cell]:
    parts: dict[int, list[Cell]] = {}
    for at, counts in minutes.items():
        parts.setdefault(at - at % HOUR, []).append(Cell(at, MINUTE, counts))
    for at, counts in sorted(hours.items()):
        fine = sorted(parts.get(at, ()))
        # Minutes that are not all of their hour came late, after the others were forgotten.
        whole = Counts(*(sum(column) for column in zip(*(cell.counts for cell in fine), strict=True))) if fine else None
        yield from fine if whole == counts else (Cell(at, HOUR, counts),)
