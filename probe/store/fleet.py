"""What records change in the tables of a fleet: on PostgreSQL, under the locks of the shards that were judged."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from probe.core.run import Run
from probe.ports import Record
from probe.store.numbers import next_numbers
from probe.store.restore import region_kind
from probe.store.schema import outbox, places
from probe.store.write import SETTLE, RowWriter, Statements, remembered, some, statements

POSTGRESQL: Final[Statements] = statements(insert_or, settle=SETTLE.where(outbox.c.settled.is_(None)))
NAME_PLACE: Final = insert_or(places).on_conflict_do_nothing()


class FleetWriting(RowWriter):
    """Writes records through a connection whose transaction holds the locks of what they are about.

    Nothing is kept between two transactions: the numbers are the database's. Each run must be given once (delivery sees
    to that); runs, and what else is in a record, are stored as they are. `alive` of a record is left out: the nodes of a
    fleet have rows of their own. A notification with a key that is there already is left out, an attempt never.

        async with hub.transaction() as connection:
            ...                                            # lock the shards, judge
            await connection.run_sync(lambda sync: FleetWriting(sync).write_shards({"cart": records}))
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, POSTGRESQL)

    def write(self, records: Sequence[Record], *, shard: str = "") -> None:
        """All of them, in their order, as a shard sees them. The caller begins and ends the transaction."""
        self.write_shards({shard: records})

    def write_shards(self, judged: Mapping[str, Sequence[Record]]) -> None:
        """Those of several shards at once: hardly more questions to the database than for one."""
        records = list(chain.from_iterable(judged.values()))
        state: dict[tuple[str, str], object] = {}
        for shard, theirs in judged.items():
            state.update(remembered((c for record in theirs for c in record.changes), region_kind(shard)))
        changes = [change for record in records for change in record.changes]
        self._number_runs([run for record in records for run in record.runs])
        self.write_changes(changes, state)
        self.say(
            list(chain.from_iterable(change.notifications for change in changes)),
            list(chain.from_iterable(record.attempts for record in records)),
        )

    def many(self, statement: Any, values: Iterable[Mapping[str, Any]]) -> None:
        """Do it with each of the values, if there are any; texts are made such as PostgreSQL takes."""
        super().many(statement, map(_storable, values))

    def _number_runs(self, runs: Sequence[Run]) -> None:
        if not runs:
            return
        given = next_numbers(self._connection, [(run.check, run.region) for run in runs])
        unknown = {(run.check, run.region) for run, one in zip(runs, given, strict=True) if one.place is None}
        known = self._name_places(sorted(unknown)) if unknown else {}
        self.write_runs(
            [
                (one.number(run.outcome), known[run.check, run.region] if one.place is None else one.place, run)
                for run, one in zip(runs, given, strict=True)
            ]
        )

    def _name_places(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Numbers for places that have none; another evaluator may give them at the same time."""
        self.many(NAME_PLACE, [{"check_id": check, "region": region} for check, region in names])
        found: dict[tuple[str, str], int] = {}
        for chosen in some({check for check, _ in names}):
            rows = select(places.c.check_id, places.c.region, places.c.id).where(places.c.check_id.in_(chosen))
            found.update({(check, region): number for check, region, number in self._connection.execute(rows)})
        return found


def _storable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row without what PostgreSQL has no text for: the NUL, and halves of characters. Hardly any has such."""
    for value in row.values():
        if value.__class__ is str and ("\0" in value or not value.isascii()):
            return {name: _plain(text) if isinstance(text, str) else text for name, text in row.items()}
    return row


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
