"""The report of a month: what was promised, what was kept, what each incident cost, and what did not count, and why."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from probe.core.incident import Incident, Verdict
from probe.core.ledger import MINUTE, Counts
from probe.core.message import WORDS, place_of
from probe.core.rules import Objective, Rules
from probe.store.months import Cell, Month, read_month
from probe.store.rollup import DAY
from probe.view.documents import Cost, ObjectiveMonth, SloReport
from probe.view.month import last_second, month_of, rfc3339
from probe.view.slo_excluded import excluded
from probe.view.sources import Sources

SLACK: Final = MINUTE
"""Seconds that a run may begin after it was due: it counts in the minute that it was due in."""


def slo_report(sources: Sources, month: str) -> SloReport:
    """All objectives in a month such as `2026-11`, in UTC. `ValueError`, which says why, for what is no month yet."""
    start, end = month_of(month)
    if start > sources.now:
        raise ValueError(f"{month} has not begun")
    known = Month(start=start, end=end, until=min(end, sources.now))
    sources.reader.read(lambda connection: read_month(connection, sources.rules, known))
    objectives = [_objective(objective, sources.rules, known) for objective in sources.rules.objectives.values()]
    report = SloReport(
        month=month,
        start=rfc3339(start),
        until=rfc3339(known.until),
        complete=known.until == end,
        objectives=objectives,
    )
    return sources.redactor.structure(report)


def outside(month: ObjectiveMonth) -> int:
    """Bad runs that no incident explains."""
    return month["bad"] - sum(cost["bad"] for cost in month["costs"])


def _objective(objective: Objective, rules: Rules, known: Month) -> ObjectiveMonth:
    cells = known.cells.get(objective.name, [])
    counts = _sum(cells)
    counted = counts.good + counts.bad
    begun = max(known.start, datetime.fromtimestamp(known.first.get(objective.name, 0), UTC))
    elapsed = max(known.until - begun, timedelta(minutes=1))
    whole = max(elapsed, known.end - begun)
    allowed = (1 - objective.target) * counted * (whole / elapsed)
    answered = bool(counted) and counts.coverage >= objective.coverage
    return ObjectiveMonth(
        objective=objective.name,
        promised=objective.target,
        checks=sorted(objective.checks),
        step=objective.step,
        under=objective.under,
        good=counts.good,
        bad=counts.bad,
        lost=counts.lost,
        attained=counts.good / counted if counted else None,
        met=counts.good / counted >= objective.target if answered else None,
        budget=allowed,
        used=counts.bad / allowed if allowed else 0.0,
        coverage=counts.coverage,
        least_coverage=objective.coverage,
        costs=_costs(objective, cells, known, allowed),
        excluded=sorted(excluded(objective, rules, cells, known), key=lambda row: (row["start"], row["end"])),
        days=_days(cells, known),
    )


def _sum(cells: Iterable[Cell]) -> Counts:
    total = Counts()
    for cell in cells:
        total = total.plus(*cell.counts)
    return total


def _days(cells: Iterable[Cell], known: Month) -> list[tuple[str, int, int, int]]:
    found = dict.fromkeys(range(int(known.start.timestamp()), last_second(known.until), DAY), Counts())
    for cell in cells:
        day = cell.start - cell.start % DAY
        found[day] = found[day].plus(*cell.counts)
    return [(f"{datetime.fromtimestamp(day, UTC):%Y-%m-%d}", *counts) for day, counts in found.items()]


# --- what incidents cost --------------------------------------------------------------------------------------------


class _Trouble(NamedTuple):
    """An incident, as far as it is about one objective, between two moments (seconds since 1970)."""

    incident: Incident
    start: float
    end: float


def _costs(objective: Objective, cells: Sequence[Cell], known: Month, allowed: float) -> list[Cost]:
    """Each bad run is put down to one incident: to the one that covers most of the minute, or hour, it was due in.

    One that is about a budget alone has only what no other explains.
    """
    troubles = [t for incident in known.incidents if (t := _trouble(incident, objective, known)) is not None]
    bad = [0] * len(troubles)
    for cell in cells:
        if cell.counts.bad <= 0:
            continue
        covered = [
            (bool(t.incident.members), min(t.end, cell.start + cell.span) - max(t.start, cell.start), -t.start, number)
            for number, t in enumerate(troubles)
            if t.start - (SLACK if cell.span == MINUTE else 0) < cell.start + cell.span and t.end > cell.start
        ]
        if covered:
            bad[max(covered)[-1]] += cell.counts.bad
    left, total = [], max(0, _sum(cells).bad)
    for count in bad:  # what was taken back later is nobody's
        left.append(min(count, total))
        total -= left[-1]
    return [
        Cost(
            incident=t.incident.id,
            title=_title(t.incident),
            since=rfc3339(t.incident.since),
            until=None if t.incident.resolved is None else rfc3339(t.incident.resolved),
            bad=count,
            budget=count / allowed if allowed else 0.0,
        )
        for t, count in zip(troubles, left, strict=True)
    ]


def _trouble(incident: Incident, objective: Objective, known: Month) -> _Trouble | None:
    """What an incident is to an objective: that of its checks, or of its budget; `None`: nothing, or our own trouble."""
    if incident.verdict is Verdict.PROBE_FAULT:
        return None
    members = [member for check, member in incident.members.items() if check in objective.checks]
    over = incident.resolved or known.until
    if members:
        start = min(member.since for member in members)
        end = max(member.recovered or over for member in members)
    elif objective.name in incident.burns:
        start, end = incident.since, over
    else:
        return None
    if end <= known.start or start >= known.until:
        return None
    return _Trouble(incident, start.timestamp(), end.timestamp())


def _title(incident: Incident) -> str:
    first = incident.first
    head = f"{WORDS[incident.verdict]}: {place_of(incident.cause)}"
    if first is None:
        return f"{head}, {next(iter(incident.burns.values()), '').partition('; ')[0]}".removesuffix(", ")
    step = f' at step "{first.failure.step}"' if first.failure.step else ""
    return f"{head}, {first.check}{step}"
