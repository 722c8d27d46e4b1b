"""What every store promises: in memory, on disk, on disk opened anew for each call, and in a fleet's PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from probe.core.check import CheckId
from probe.core.incident import Incident, IncidentId
from probe.core.notification import Fate
from probe.core.run import Outcome, Run, RunId, Slot
from probe.core.state import RETURNS, Change, Tally
from probe.ports import Record, Restored, Store
from probe.store.memory import MemoryStore
from tests.core.builders import NOW
from tests.postgres import Database
from tests.store.builders import (
    ODD,
    at,
    attempt,
    counted,
    failed,
    full_change,
    full_incident,
    full_run,
    notification,
    read,
    run,
    seen,
    store_in,
    suspected,
)
from tests.store.fleet import fleet_store, read_fleet

pytestmark = pytest.mark.asyncio


class Reopened:
    """The store on disk, opened for each call and closed after it: nothing is only in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.turn = asyncio.Lock()

    async def restore(self) -> Restored:
        async with store_in(self.folder) as store:
            return await store.restore()

    async def commit(self, record: Record) -> None:
        async with self.turn, store_in(self.folder) as store:
            await store.commit(record)

    async def tidy(self, now: datetime) -> None:
        async with store_in(self.folder) as store:
            await store.tidy(now)


class Kept:
    """A store, and what runs it holds."""

    def __init__(self, store: Store, where: Path | Database) -> None:
        self.store = store
        self.where = where

    async def runs(self, check: str = "cart") -> list[Run]:
        """In the order of their start, without details."""
        if isinstance(self.store, MemoryStore):
            return sorted((r for r in self.store.runs if r.check == check), key=lambda r: r.started)
        if isinstance(self.where, Database):
            return list(reversed(await read_fleet(self.where, lambda reader: reader.history(check))))
        return list(reversed(await read(self.where, lambda reader: reader.history(check))))


@asynccontextmanager
async def opened(kind: str, where: Path | Database) -> AsyncIterator[Kept]:
    if isinstance(where, Database):
        async with fleet_store(where) as shared:
            yield Kept(shared, where)
    elif kind == "sqlite":
        async with store_in(where) as store:
            yield Kept(store, where)
    else:
        yield Kept(MemoryStore() if kind == "memory" else Reopened(where), where)


@pytest.fixture(params=["memory", "sqlite", "reopened", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def where(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Path | Database:
    if kind != "postgresql":
        return tmp_path
    database: Database = request.getfixturevalue("fleet")
    return database


@pytest.fixture
async def kept(kind: str, where: Path | Database) -> AsyncIterator[Kept]:
    async with opened(kind, where) as found:
        yield found


@pytest.fixture(params=["memory", "sqlite", "reopened"])
async def alone(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """The store of one node, to which a run may be given again, and which forgets runs by itself."""
    async with opened(request.param, tmp_path) as found:
        yield found


async def test_nothing_is_remembered_at_first(kept: Kept) -> None:
    """A store that nothing was written to restores nothing."""
    assert seen(await kept.store.restore()) == seen(Restored())


async def test_everything_comes_back(kept: Kept) -> None:
    """Each field of the state, of an incident and of a message is restored as it was."""
    change = full_change()
    await kept.store.commit(Record(runs=(full_run(),), changes=(change,), alive=at(9)))
    restored = await kept.store.restore()
    assert restored.state.checks == change.checks
    assert restored.state.regions == change.regions
    assert restored.state.objectives == change.objectives
    assert restored.state.incidents == change.incidents
    assert restored.state.suspects == {"cart"}
    assert restored.state.ledgers["checkout"].hours == counted(change.tallies).hours
    assert restored.state.ledgers["checkout"].minutes == counted(change.tallies).minutes
    assert restored.pending == change.notifications
    assert (restored.tries, restored.again, restored.alive) == ({}, {}, at(9))


async def test_the_last_change_of_a_key_holds(kept: Kept) -> None:
    """Of several changes of one check, in one record or in several, the last is what is remembered."""
    states = [suspected(n) for n in range(4)]
    changes = [Change(checks={CheckId("cart"): s}, tallies=(Tally(objective="o", at=NOW, good=1),)) for s in states]
    await kept.store.commit(Record(changes=tuple(changes[:3])))
    await kept.store.commit(Record(changes=(changes[3],)))
    restored = await kept.store.restore()
    assert restored.state.checks == {"cart": states[3]}
    assert restored.state.ledgers["o"].between(NOW, at(1)).good == 4


async def test_a_run_is_stored_once(alone: Kept) -> None:
    """However often it is committed, and also twice in one record; the rest of the record counts."""
    await alone.store.commit(Record(runs=(run(1), run(1), run(2))))
    await alone.store.commit(Record(runs=(run(2), run(3)), alive=at(3)))
    assert [r.id for r in await alone.runs()] == ["run-1", "run-2", "run-3"]
    assert (await alone.store.restore()).alive == at(3)


async def test_a_slot_has_one_run(alone: Kept) -> None:
    """A second run of a slot is stored without the slot: nothing accepted is lost. Other regions have their own slots."""
    other = replace(run(1, region="us"), id=RunId("run-us"))
    await alone.store.commit(Record(runs=(run(1), other)))
    second, third = run(1, id="second", started=at(1.5)), run(1, id="third", started=at(1.6))
    await alone.store.commit(Record(runs=(run(2), second, third)))
    assert {r.id: r.slot and r.slot.number for r in await alone.runs()} == {
        "run-1": 1,
        "run-us": 1,
        "run-2": 2,
        "second": None,
        "third": None,
    }


async def test_runs_beside_the_schedule_and_missed_ones(kept: Kept) -> None:
    """Any number of runs have no slot; one missed run stands for several."""
    asked = [run(n, slot=None) for n in (1, 2)]
    missed = run(3, outcome=Outcome.MISSED, slot=Slot(number=3, due=at(3), count=40), duration=timedelta())
    await kept.store.commit(Record(runs=(*asked, missed)))
    assert [r.slot for r in await kept.runs()] == [None, None, missed.slot]


async def test_a_notification_is_pending_until_it_is_sent(kept: Kept) -> None:
    """Failed and refused ones wait, with the number of tries and the time of the next; sent and withdrawn ones do not."""
    keys = ["sent", "withdrawn", "failed", "refused", "new"]
    await kept.store.commit(Record(changes=(Change(notifications=tuple(map(notification, keys))),)))
    tried = [attempt(key, Fate.FAILED, 1, answer="500", again=at(2)) for key in keys[:4]]
    await kept.store.commit(Record(attempts=tuple(tried)))
    fates = {"sent": Fate.SENT, "withdrawn": Fate.WITHDRAWN, "refused": Fate.REFUSED}
    await kept.store.commit(Record(attempts=tuple(attempt(key, fate, 2, seconds=0.5) for key, fate in fates.items())))
    restored = await kept.store.restore()
    assert [n.key for n in restored.pending] == ["failed", "refused", "new"]
    assert restored.tries == {"failed": 1, "refused": 2}
    assert restored.again == {"failed": at(2)}


async def test_a_notification_is_stored_once(kept: Kept) -> None:
    """The same key again changes nothing, also when it was sent; its order stays."""
    said = Change(notifications=(notification("a"), notification("b"), notification("a", channel="other")))
    await kept.store.commit(Record(changes=(said,), attempts=(attempt("a", Fate.SENT),)))
    await kept.store.commit(Record(changes=(said,)))
    assert [n.key for n in (await kept.store.restore()).pending] == ["b"]


async def test_an_attempt_may_come_before_its_notification(kept: Kept) -> None:
    """Alerts go out from memory while a disk is full: what was sent then is not sent again."""
    await kept.store.commit(Record(attempts=(attempt("a", Fate.SENT), attempt("b", Fate.FAILED, again=at(5)))))
    await kept.store.commit(Record(changes=(Change(notifications=(notification("a"), notification("b"))),)))
    restored = await kept.store.restore()
    assert [n.key for n in restored.pending] == ["b"]
    assert (restored.tries, restored.again) == ({"b": 1}, {"b": at(5)})


async def test_incidents_leave_when_they_are_resolved(kept: Kept) -> None:
    """Only open ones are restored, by cause, in their last version."""
    first, second = full_incident(), replace(full_incident(), id=IncidentId("inc-2"), cause="slo:x")
    await kept.store.commit(Record(changes=(Change(incidents={first.cause: first, second.cause: second}),)))
    told = replace(second, announced=9)
    over = replace(first, resolved=at(60))
    changes = Change(incidents={first.cause: over}), Change(incidents={second.cause: told})
    await kept.store.commit(Record(changes=changes))
    assert (await kept.store.restore()).state.incidents == {"slo:x": told}


async def test_what_may_come_back_is_restored(kept: Kept) -> None:
    """Of each cause the last incident that was resolved within half an hour before the last sign of life, if none is open."""
    limit = timedelta(hours=9)

    def over(name: str, cause: str, minutes: float) -> Incident:
        return replace(
            full_incident(), id=IncidentId(name), cause=cause, resolved=NOW + limit + timedelta(minutes=minutes)
        )

    old, edge, first, last = (
        over("old", "old.example", -0.01),
        over("edge", "edge.example", 0),
        over("first", "shop.example", 5),
        over("last", "shop.example", 20),
    )
    before = over("before", "busy.example", 10)
    now_open = replace(before, id=IncidentId("now"), resolved=None)
    found = (old, edge, first, last, before, now_open)
    await kept.store.commit(Record(changes=tuple(Change(incidents={i.cause: i}) for i in found)))
    assert (await kept.store.restore()).state.closed == {}, "nobody was ever alive"
    await kept.store.commit(Record(alive=NOW + limit + RETURNS))
    state = (await kept.store.restore()).state
    assert state.closed == {"edge.example": edge, "shop.example": last}
    assert state.incidents == {"busy.example": now_open}


async def test_what_was_weighed_is_not_restored(kept: Kept) -> None:
    """It follows from the trail: whoever starts weighs anew."""
    assert full_change().weighed
    await kept.store.commit(Record(changes=(full_change(),)))
    assert (await kept.store.restore()).state.weighed == {}


async def test_what_is_restored_is_a_copy(kept: Kept) -> None:
    """Its owner changes it, and the store does not notice."""
    await kept.store.commit(Record(changes=(full_change(),)))
    restored = await kept.store.restore()
    restored.state.apply(full_change())
    assert seen(await kept.store.restore())["ledgers"] == {
        "checkout": (counted(full_change().tallies).hours, counted(full_change().tallies).minutes)
    }


async def test_retention(alone: Kept) -> None:
    """Runs that passed go after 14 days, others after 90, what was told 90 days after; incidents and pending stay."""
    runs = [run(1), failed(2), run(3, started=at(3) + timedelta(days=13))]
    said = Change(
        notifications=(notification("sent"), notification("open")), incidents={"shop.example": full_incident()}
    )
    await alone.store.commit(Record(runs=tuple(runs), changes=(said,), attempts=(attempt("sent", Fate.SENT),)))
    await alone.store.tidy(at(60) + timedelta(days=14))
    assert [r.id for r in await alone.runs()] == ["run-2", "run-3"]
    await alone.store.tidy(at(60) + timedelta(days=90))
    assert await alone.runs() == []
    await alone.store.tidy(at(60) + timedelta(days=90))
    restored = await alone.store.restore()
    assert [n.key for n in restored.pending] == ["open"]
    assert list(restored.state.incidents) == ["shop.example"]
    # The key of what was forgotten is free again: this shows that it was.
    await alone.store.commit(Record(changes=(Change(notifications=(notification("sent"),)),)))
    assert [n.key for n in (await alone.store.restore()).pending] == ["open", "sent"]


async def test_counts_stay_exact(kept: Kept) -> None:
    """After 75 hours by the hour, exactly; a late one counts in its hour; after the longest window they are gone."""
    tallies = [Tally(objective="o", at=at(n * 7) + ODD, good=n % 3, bad=n % 2, lost=1) for n in range(300)]
    await kept.store.commit(Record(changes=(Change(tallies=tuple(tallies)),)))
    exact = counted(tallies)
    for hours in (75, 76, 90, 120):
        now = NOW + timedelta(hours=hours, minutes=20)
        await kept.store.tidy(now)
        exact.forget(now - timedelta(hours=75))
        late = Tally(objective="o", at=NOW + timedelta(hours=1), bad=-1, lost=1)
        await kept.store.commit(Record(changes=(Change(tallies=(late,)),)))
        exact.add(late.at, bad=-1, lost=1)
        ledger = (await kept.store.restore()).state.ledgers["o"]
        assert (ledger.hours, ledger.minutes) == (exact.hours, exact.minutes)
    await kept.store.tidy(NOW + timedelta(days=136))
    assert (await kept.store.restore()).state.ledgers == {}


async def test_commits_keep_their_order(kept: Kept) -> None:
    """Of records committed at the same time the one called last is written last."""
    async with asyncio.TaskGroup() as group:
        for n in range(20):
            change = Change(checks={CheckId("cart"): suspected(n)})
            group.create_task(kept.store.commit(Record(runs=(run(n),), changes=(change,), alive=at(n))), name=f"{n}")
    restored = await kept.store.restore()
    assert (restored.state.checks[CheckId("cart")], restored.alive) == (suspected(19), at(19))
    assert len(await kept.runs()) == 20
