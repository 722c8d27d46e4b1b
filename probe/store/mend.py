"""Records that the database refuses, made acceptable: one odd text must not keep the rest from being remembered."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from probe.core.run import Run
from probe.core.secret import Redactor
from probe.ports import Record
from probe.store.schema import places, runs

log = logging.getLogger(__name__)


class _Readable(Redactor):
    """Walks through a structure like its base, and replaces what is no text: halves of characters (a page's script)."""

    __slots__ = ()

    def text(self, text: str) -> str:
        """`text`, with `?` in place of lone surrogates."""
        return text if text.isascii() else text.encode("utf-8", "replace").decode()


def mended(connection: Connection, records: Sequence[Record]) -> list[Record]:
    """The same records, with whole characters, and with each slot given to one run.

    Two runs of one slot are a bug elsewhere: the first keeps it, the other is stored without a slot.
    """
    readable = _Readable()
    taken: dict[tuple[str, str, int], str] = {}
    return [
        replace(record, runs=tuple(_one_of_its_slot(connection, run, taken) for run in record.runs))
        for record in map(readable.structure, records)
    ]


def _one_of_its_slot(connection: Connection, run: Run, taken: dict[tuple[str, str, int], str]) -> Run:
    if run.slot is None:
        return run
    slot = (run.check, run.region, run.slot.number)
    if slot not in taken:
        stored = connection.scalar(
            select(runs.c.id)
            .join(places, places.c.id == runs.c.place)
            .where(places.c.check_id == run.check, places.c.region == run.region, runs.c.slot == run.slot.number)
        )
        taken[slot] = stored or run.id
    if taken[slot] == run.id:
        return run
    log.error(
        "slot %d of %s from %s has a run already, %s: %s is stored without", slot[2], *slot[:2], taken[slot], run.id
    )
    return replace(run, slot=None)
