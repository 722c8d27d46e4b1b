"""What records change in the tables, inside one transaction: on SQLite, and what PostgreSQL has in common with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from probe.core.ledger import HOUR, MINUTE
from probe.core.notification import Attempt, Fate, Notification
from probe.core.run import Run
from probe.core.state import Change, Tally
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What is said otherwise to each database. Get them from `statements`."""

    set_meta: Any
    set_state: Any
    set_incident: Any
    count: Any
    say_once: Any
    settle: Any


SETTLE: Final = (
    update(outbox)
    .where(outbox.c.key == bindparam("of"))
    .values({name: bindparam(name) for name in ("fate", "tries", "again", "settled")})
)


def statements(inserting: Callable[[Table], Any], *, settle: Any = SETTLE) -> Statements:
    """With the `insert` of a database, which can say what is to be done with a row that is there already."""
    return Statements(
        set_meta=upsert(meta, inserting=inserting),
        set_state=upsert(state, inserting=inserting),
        set_incident=upsert(incidents, inserting=inserting),
        count=upsert(ledger, added=("good", "bad", "lost"), inserting=inserting),
        say_once=inserting(outbox).on_conflict_do_nothing(index_elements=["key"]),
        settle=settle,
    )


SQLITE: Final = statements(insert_or)


class RowWriter:
    """Writes everything but runs, which each database numbers in its own way."""

    def __init__(self, connection: Connection, words: Statements) -> None:
        self._connection = connection
        self._words = words

    def write_changes(self, changes: Iterable[Change], state_of: Mapping[tuple[str, str], object]) -> None:
        """Counts, incidents and their timelines, in their order; `state_of` is what `remembered` made of them."""
        found = list(changes)
        self.many(
            self._words.set_state, [{"kind": k, "key": key, "body": to_json(v)} for (k, key), v in state_of.items()]
        )
        self.many(self._words.count, _counts(tally for change in found for tally in change.tallies))
        latest = {incident.id: incident for change in found for incident in change.incidents.values()}
        self.many(self._words.set_incident, map(incident_values, latest.values()))
        self.many(insert(timeline), map(entry_values, chain.from_iterable(c.entries for c in found)))

    def write_runs(self, numbered: Sequence[tuple[int, int, Run]]) -> None:
        """Runs, each with its number and that of its place, and all that belongs to them."""
        self.many(insert(runs), [run_values(run, seq, place) for seq, place, run in numbered])
        for table, values_of in BESIDE_RUN:
            self.many(insert(table), chain.from_iterable(values_of(run, seq) for seq, _, run in numbered))

    def say(self, said: Sequence[Notification], tried: Sequence[Attempt]) -> None:
        """Into the outbox, each key once; then what the attempts, of now or of before, have made of them."""
        self.many(self._words.say_once, map(notification_values, said))
        self.many(insert(attempts), map(attempt_values, tried))
        settled: list[Values] = []
        for keys in some(dict.fromkeys((*(n.key for n in said), *(a.key for a in tried)))):
            made = select(attempts.c.key, attempts.c.fate, attempts.c.again, attempts.c.at)
            history: dict[str, list[Any]] = {}
            for row in self._connection.execute(made.where(attempts.c.key.in_(keys)).order_by(attempts.c.seq)):
                history.setdefault(row.key, []).append(row)
            settled += [
                {
                    "of": key,
                    "fate": rows[-1].fate,
                    "tries": len(rows),
                    "again": rows[-1].again,
                    "settled": rows[-1].at if Fate(rows[-1].fate) in SETTLED else None,
                }
                for key, rows in history.items()
            ]
        self.many(self._words.settle, settled)

    def set_meta(self, numbers: Mapping[str, int]) -> None:
        """Numbers to be known by name."""
        self.many(self._words.set_meta, [{"key": key, "value": value} for key, value in numbers.items()])

    def many(self, statement: Any, values: Iterable[Mapping[str, Any]]) -> None:
        """Do it with each of the values, if there are any."""
        found = list(values)
        if found:
            self._connection.execute(statement, found)


def remembered(changes: Iterable[Change], region: str = "region") -> dict[tuple[str, str], object]:
    """What is to be remembered, by kind and key: the last of each. `region` is the kind of what is known of regions."""
    found: dict[tuple[str, str], object] = {}
    for change in changes:
        found.update((("check", key), value) for key, value in change.checks.items())
        found.update(((region, key), value) for key, value in change.regions.items())
        found.update((("objective", key), value) for key, value in change.objectives.items())
    return found


class Writing(RowWriter):
    """Writes records through one connection, the only one that writes: it gives the numbers out itself."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, SQLITE)
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
        changes = [change for record in records for change in record.changes]
        numbers = self._number_runs(self._places, (run for record in records for run in record.runs))
        self.write_changes(changes, remembered(changes))
        self.say(
            list(chain.from_iterable(c.notifications for c in changes)),
            list(chain.from_iterable(record.attempts for record in records)),
        )
        alive = [(r.alive - EPOCH) // MICROSECOND for r in records if r.alive is not None]
        if alive:
            numbers["alive"] = alive[-1]
        self.set_meta(numbers)

    def _number_runs(self, known: dict[tuple[str, str], int], given: Iterable[Run]) -> dict[str, int]:
        wanted: dict[str, Run] = {}
        for run in given:
            wanted.setdefault(run.id, run)
        for ids in some(wanted):
            for stored in self._connection.scalars(select(runs.c.id).where(runs.c.id.in_(ids))):
                del wanted[stored]
        if not wanted:
            return {}
        numbered = [(seq, self._place(known, run), run) for seq, run in enumerate(wanted.values(), self._seq + 1)]
        self._seq += len(numbered)
        self.write_runs(numbered)
        return {"runs": self._seq}

    def _place(self, known: dict[tuple[str, str], int], run: Run) -> int:
        name = (run.check, run.region)
        if name not in known:
            known[name] = len(known) + 1  # places are never removed
            self._connection.execute(insert(places), {"id": known[name], "check_id": run.check, "region": run.region})
        return known[name]


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
