"""What records change in the tables, inside one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from probe.core.ledger import HOUR, MINUTE
from probe.core.notification import Attempt, Fate, Notification
from probe.core.run import Run
from probe.core.state import Tally
from probe.ports import Record
from probe.store.rows import (
    SETTLED,
    Values,
    attempt_values,
    detail_values,
    entry_values,
    failure_values,
    incident_values,
    notification_values,
    phase_values,
    run_values,
    step_values,
    to_json,
)
from probe.store.schema import (
    EPOCH,
    MICROSECOND,
    attempts,
    details,
    failures,
    incidents,
    ledger,
    meta,
    outbox,
    phases,
    places,
    runs,
    state,
    steps,
    timeline,
    upsert,
)

T = TypeVar("T")
SOME: Final = 500
"""Values in one `IN (...)`."""
SET_META: Final = upsert(meta)
SET_STATE: Final = upsert(state)
SET_INCIDENT: Final = upsert(incidents)
COUNT: Final = upsert(ledger, added=("good", "bad", "lost"))
SAY_ONCE: Final = insert_or(outbox).on_conflict_do_nothing(index_elements=["key"])
BESIDE_RUN: Final = (
    (steps, step_values),
    (phases, phase_values),
    (failures, failure_values),
    (details, detail_values),
)


def some(values: Iterable[T], size: int = SOME) -> Iterator[list[T]]:
    """The values, so many at a time."""
    found = list(values)
    for start in range(0, len(found), size):
        yield found[start : start + size]


class Writing:
    """Writes records through one connection, the only one that writes: it gives the numbers out itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._places: dict[tuple[str, str], int] | None = None
        self._seq = 0

    def forget(self) -> None:
        """A transaction came to nothing: the numbers that it gave out are free again."""
        self._places = None

    def _load(self) -> dict[tuple[str, str], int]:
        """The numbers that are given."""
        self._seq = self._connection.scalar(select(meta.c.value).where(meta.c.key == "runs")) or 0
        found = self._connection.execute(select(places.c.check_id, places.c.region, places.c.id))
        return {(check, region): number for check, region, number in found}

    def write(self, records: Sequence[Record]) -> None:
        """All of them, in their order. The caller begins and ends the transaction."""
        if self._places is None:
            self._places = self._load()
        known = self._places
        changes = [change for record in records for change in record.changes]
        values: dict[tuple[str, str], object] = {}
        for change in changes:
            values.update((("check", key), value) for key, value in change.checks.items())
            values.update((("region", key), value) for key, value in change.regions.items())
            values.update((("objective", key), value) for key, value in change.objectives.items())
        numbers = self._write_runs(known, (run for record in records for run in record.runs))
        self._many(SET_STATE, [{"kind": k, "key": key, "body": to_json(v)} for (k, key), v in values.items()])
        self._many(COUNT, _counts(tally for change in changes for tally in change.tallies))
        latest = {incident.id: incident for change in changes for incident in change.incidents.values()}
        self._many(SET_INCIDENT, map(incident_values, latest.values()))
        self._many(insert(timeline), map(entry_values, chain.from_iterable(c.entries for c in changes)))
        self._say(
            list(chain.from_iterable(c.notifications for c in changes)),
            list(chain.from_iterable(record.attempts for record in records)),
        )
        alive = [(r.alive - EPOCH) // MICROSECOND for r in records if r.alive is not None]
        if alive:
            numbers["alive"] = alive[-1]
        self._many(SET_META, [{"key": key, "value": value} for key, value in numbers.items()])

    def _write_runs(self, known: dict[tuple[str, str], int], given: Iterable[Run]) -> dict[str, int]:
        wanted: dict[str, Run] = {}
        for run in given:
            wanted.setdefault(run.id, run)
        for ids in some(wanted):
            for stored in self._connection.scalars(select(runs.c.id).where(runs.c.id.in_(ids))):
                del wanted[stored]
        if not wanted:
            return {}
        numbered = list(enumerate(wanted.values(), self._seq + 1))
        self._seq += len(numbered)
        self._many(insert(runs), [run_values(run, seq, self._place(known, run)) for seq, run in numbered])
        for table, values_of in BESIDE_RUN:
            self._many(insert(table), chain.from_iterable(values_of(run, seq) for seq, run in numbered))
        return {"runs": self._seq}

    def _place(self, known: dict[tuple[str, str], int], run: Run) -> int:
        name = (run.check, run.region)
        if name not in known:
            known[name] = len(known) + 1  # places are never removed
            self._connection.execute(insert(places), {"id": known[name], "check_id": run.check, "region": run.region})
        return known[name]

    def _say(self, said: Sequence[Notification], tried: Sequence[Attempt]) -> None:
        """Into the outbox, each key once; then what the attempts, of now or of before, have made of them."""
        self._many(SAY_ONCE, map(notification_values, said))
        self._many(insert(attempts), map(attempt_values, tried))
        keys = dict.fromkeys((*(n.key for n in said), *(a.key for a in tried)))
        for key in keys:
            made = select(attempts.c.fate, attempts.c.again, attempts.c.at).where(attempts.c.key == key)
            history = self._connection.execute(made.order_by(attempts.c.seq)).all()
            if history:
                last = history[-1]
                self._connection.execute(
                    update(outbox).where(outbox.c.key == key),
                    {
                        "fate": last.fate,
                        "tries": len(history),
                        "again": last.again,
                        "settled": last.at if Fate(last.fate) in SETTLED else None,
                    },
                )

    def _many(self, statement: Any, values: Iterable[Mapping[str, Any]]) -> None:
        found = list(values)
        if found:
            self._connection.execute(statement, found)


def _counts(tallies: Iterable[Tally]) -> list[Values]:
    """The rows to add to: each tally counts in its minute and in its hour."""
    found: dict[tuple[str, int, int], list[int]] = {}
    for tally in tallies:
        moment = int(tally.at.timestamp())
        for span in (MINUTE, HOUR):
            counts = found.setdefault((tally.objective, span, moment - moment % span), [0, 0, 0])
            counts[0] += tally.good
            counts[1] += tally.bad
            counts[2] += tally.lost
    return [
        {"objective": name, "span": span, "start": start, "good": good, "bad": bad, "lost": lost}
        for (name, span, start), (good, bad, lost) in found.items()
    ]
