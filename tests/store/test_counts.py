"""What was counted, look by look: always what a whole reading gives."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from probe.core.ledger import FINE, Ledger
from probe.core.state import Change, Tally
from probe.ports import Record
from probe.store.counts import Counted
from probe.store.reader import Reader
from tests.core.builders import NOW
from tests.store.builders import read, store_in

pytestmark = pytest.mark.asyncio
NAMES = ("a", "b")


def flat(ledgers: dict[str, Ledger]) -> dict[str, object]:
    return {name: (ledger.hours, ledger.minutes) for name, ledger in ledgers.items()}


async def test_every_change_is_seen(tmp_path: Path) -> None:
    """Of now at once; of long ago within a minute; what was taken back, what came in a minute of its own, what was forgotten."""
    kept = Counted()
    steps = [
        [Tally(objective="a", at=NOW - timedelta(minutes=n), good=1) for n in range(300)],
        [Tally(objective="a", at=NOW, bad=1), Tally(objective="b", at=NOW - timedelta(hours=2), good=3)],
        [Tally(objective="a", at=NOW, bad=-1, lost=1)],
        [Tally(objective="b", at=NOW - timedelta(days=20), good=5)],
        [
            Tally(objective="b", at=NOW - timedelta(days=2), bad=5),
            Tally(objective="a", at=NOW - timedelta(days=99), lost=1),
        ],
        [Tally(objective="b", at=NOW - timedelta(days=2), bad=-5, good=5)],
    ]
    now = NOW
    async with store_in(tmp_path) as store:
        for tallies in steps:
            await store.commit(Record(changes=(Change(tallies=tuple(tallies)),), alive=now))
            now += timedelta(seconds=61)
            await same(tmp_path, kept, now)
        await store.tidy(NOW + timedelta(days=5))
        await same(tmp_path, kept, NOW + timedelta(days=5))


async def test_what_is_recent_is_seen_at_once(tmp_path: Path) -> None:
    """And what is older waits for the next whole comparison."""
    kept = Counted()
    async with store_in(tmp_path) as store:
        await store.commit(Record(changes=(Change(tallies=(Tally(objective="a", at=NOW, good=1),)),), alive=NOW))
        await same(tmp_path, kept, NOW)
        soon, old = Tally(objective="a", at=NOW, good=1), Tally(objective="a", at=NOW - timedelta(days=1), good=1)
        await store.commit(Record(changes=(Change(tallies=(soon, old)),), alive=NOW))
    found = await read(
        tmp_path, lambda reader: reader.read(lambda c: kept.refresh(c, NAMES, NOW + timedelta(seconds=2)))
    )
    assert sum(counts.good for counts in found["a"].hours.values()) == 2
    await same(tmp_path, kept, NOW + timedelta(seconds=61))


async def same(folder: Path, kept: Counted, now: datetime) -> None:
    def look(reader: Reader) -> tuple[dict[str, object], dict[str, object]]:
        found = reader.read(lambda connection: dict(kept.refresh(connection, NAMES, now)))
        whole = {name: reader.status().state.ledgers.get(name, Ledger()) for name in NAMES}
        for ledger in whole.values():
            ledger.forget(now - FINE)  # as a tidying does, once it comes
        return flat(found), flat(whole)

    found, whole = await asyncio.to_thread(lambda: asyncio.run(read(folder, look)))
    assert found == whole
