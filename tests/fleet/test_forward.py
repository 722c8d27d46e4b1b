"""What is recorded reaches the hub, all of it, once, in its order, whatever is lost, killed or restored on the way."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.evaluate import Overdue
from probe.core.notification import Attempt, Fate
from probe.core.run import Run, RunId
from probe.errors import StoreUnavailable
from probe.fleet.forward import ROOM, Tap
from probe.fleet.outbox import Told
from probe.ports import Record
from probe.store.memory import MemoryStore
from tests.engine.virtual import virtually
from tests.fleet.nodes import AWAY, START, MemoryOutbox, Node
from tests.fleet.test_link import living, memory_hub
from tests.store.builders import failed, run

pytestmark = pytest.mark.looptime(noop_cycles=1)


def numbered(count: int, first: int = 0, **given: Any) -> list[Run]:
    return [run(n, id=RunId(f"r{n:06d}"), slot=None, region="eu", **given) for n in range(first, first + count)]


async def test_an_hour_away_nothing_is_lost_the_rate_is_limited_and_the_order_kept() -> None:
    """33 runs a second for an hour: 120,000 wait, and are there in about four minutes at 500 a second, live ones and all."""
    hub = memory_hub()
    node = Node(hub, catch_up=500)
    async with living(node):
        await asyncio.sleep(5)
        hub.fail = AWAY
        node.record(*numbered(12_000))
        await asyncio.sleep(3600)
        assert hub.inbox == []
        hub.fail = None
        await asyncio.sleep(16)
        live = 12_000
        for _ in range(60):
            node.record(*numbered(33, live))
            live += 33
            await asyncio.sleep(1)
    assert [row.seq for _, _, row in hub.inbox] == [n * ROOM for n in range(1, live + 1)]
    times = [at for at, _, _ in hub.inbox]
    assert times == sorted(times)
    assert max(hub.batches) <= 500
    for second in range(3600, 3700):
        assert sum(second <= at < second + 1 for at in times) <= 1000, "a bucket of one second, and a second"
    assert sum(at < times[0] + 30 for at in times) <= 500 * 31
    assert node.link.forwarder.clear > times[-1] - 2


async def test_what_was_stored_without_being_acknowledged_is_sent_again_and_stored_once() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(2)
        hub.lost = 3
        for n in range(20):
            node.record(*numbered(7, 7 * n))
            await asyncio.sleep(0.7)
        await asyncio.sleep(5)
    assert [r.id for r in hub.runs()] == [f"r{n:06d}" for n in range(140)]


async def test_a_way_that_is_too_narrow_for_a_batch_gets_smaller_ones() -> None:
    """Else it would be tried for ever."""
    hub = memory_hub()
    node = Node(hub, catch_up=500)
    hub.narrow = 40
    async with living(node):
        node.record(*numbered(2000))
        await asyncio.sleep(1200)
        assert [r.id for r in hub.runs()] == [f"r{n:06d}" for n in range(2000)]
        hub.narrow = 2000
        node.record(*numbered(6000, 2000))
        await asyncio.sleep(60)
    assert len(hub.inbox) == 8000
    assert max(hub.batches) > 200


async def test_a_batch_is_no_larger_than_it_may_be_and_others_wait_for_nothing() -> None:
    """Runs of other regions in the same database are passed over, and it is noted how far one looked."""
    hub = memory_hub()
    node = Node(hub)
    node.outbox.runs += [run(n, region="us", slot=None) for n in range(9000)]
    node.outbox.runs += numbered(3)
    async with living(node):
        await asyncio.sleep(8)
    assert len(hub.inbox) == 3
    assert node.outbox.at["eu"] == 9003


async def test_the_hub_restored_from_a_backup_gets_again_what_it_lost() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        node.record(*numbered(100))
        await asyncio.sleep(3)
        hub.inbox = [one for one in hub.inbox if one[2].seq <= 40 * ROOM]
        hub.acked = dict.fromkeys(hub.acked, 40 * ROOM)
        await asyncio.sleep(3)
        assert [r.id for r in hub.runs()] == [f"r{n:06d}" for n in range(100)]


async def test_a_database_of_ours_that_was_restored_is_another_source() -> None:
    """The hub has run 5000 of it, of which it knows nothing: what it records now would be taken for known."""
    hub = memory_hub()
    node = Node(hub)
    node.outbox.runs += numbered(50)
    node.outbox.at["eu"] = 50
    source = await node.outbox.join("eu")
    hub.acked[source.id] = 5000 * ROOM
    async with living(node):
        await asyncio.sleep(2)
        node.record(*numbered(5, 50))
        await asyncio.sleep(2)
    assert [r.id for r in hub.runs()] == [f"r{n:06d}" for n in range(50, 55)]
    assert {name for _, name, _ in hub.inbox} != {source.id}


async def test_what_is_overdue_is_said_at_once_behind_the_runs_before_it_or_never() -> None:
    hub = memory_hub()
    node = Node(hub)
    late = Overdue(check=CheckId("cart"), region="eu", began=START)
    async with living(node):
        await asyncio.sleep(2)
        node.record(*numbered(1))
        node.link.forwarder.late(late)
        node.link.forwarder.late(Overdue(check=CheckId("cart"), region="us", began=START))
        await asyncio.sleep(0.01)
        assert [(row.seq, row.kind) for _, _, row in hub.inbox] == [(ROOM, "run"), (ROOM + 1, "overdue")]
        hub.fail = AWAY
        await asyncio.sleep(6)
        node.link.forwarder.late(late)
        await asyncio.sleep(60)
        hub.fail = None
        node.record(*numbered(1, 1))
        await asyncio.sleep(20)
    assert [row.seq for _, _, row in hub.inbox] == [ROOM, ROOM + 1, 2 * ROOM]


async def test_what_was_told_comes_before_the_runs_that_were_not_handed_over() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(2)
        hub.fail = AWAY
        node.record(*numbered(3))
        attempts = [Attempt(key=f"k{n}", at=START, fate=Fate.SENT) for n in range(120)]
        node.outbox.attempts += [Told(n + 1, CheckId("cart"), attempt) for n, attempt in enumerate(attempts)]
        node.link.forwarder.told()
        await asyncio.sleep(60)
        hub.fail = None
        await asyncio.sleep(20)
    kinds = [row.kind for _, _, row in hub.inbox]
    assert kinds == ["told"] * 100 + ["run"] * 3 + ["told"] * 20
    assert node.outbox.known == 120


async def test_what_is_told_after_an_overdue_run_gets_a_number_of_its_own() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(2)
        node.record(*numbered(1))
        node.link.forwarder.late(Overdue(check=CheckId("cart"), region="eu", began=START))
        await asyncio.sleep(2)
        node.outbox.attempts.append(Told(1, CheckId("cart"), Attempt(key="k", at=START, fate=Fate.SENT)))
        node.link.forwarder.told()
        await asyncio.sleep(2)
        assert node.outbox.at["eu"] == 1, "noted as soon as it was handed over"
    assert [(row.seq, row.kind) for _, _, row in hub.inbox] == [
        (ROOM, "run"),
        (ROOM + 1, "overdue"),
        (ROOM + 2, "told"),
    ]


async def test_nothing_more_is_sent_while_the_own_database_cannot_note_what_was() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(2)
        node.outbox.fail = StoreUnavailable("the disk is full")
        node.record(*numbered(4))
        await asyncio.sleep(20)
        assert hub.inbox == []
        node.outbox.fail = None
        await asyncio.sleep(20)
    assert len(hub.inbox) == 4


async def test_a_store_with_a_tap_tells_what_was_written_and_nothing_else() -> None:
    store, heard = MemoryStore(), list[Record]()
    tap = Tap(store, heard.append)
    record = Record(runs=(failed(1),), alive=START)
    await tap.commit(record)
    store.fail = AWAY
    with pytest.raises(StoreUnavailable):
        await tap.commit(Record(runs=(failed(2),)))
    store.fail = None
    assert heard == [record]
    assert (await tap.restore()).alive == START
    await tap.tidy(START + timedelta(days=1))


Happening = st.sampled_from(["record", "trouble", "away", "back", "lose an answer", "kill", "wait"])


@settings(max_examples=60, deadline=None)
@given(happenings=st.lists(Happening, max_size=25), batch=st.integers(1, 40))
def test_whatever_happens_each_run_is_stored_once_in_its_order(happenings: list[str], batch: int) -> None:
    async def life() -> None:
        hub, outbox = memory_hub(), MemoryOutbox()
        written = 0
        rest = list(happenings)
        while rest:
            node = Node(hub, outbox, catch_up=batch)
            async with living(node):
                while rest and (happening := rest.pop(0)) != "kill":
                    if happening in ("record", "trouble"):
                        made = (
                            numbered(17, written)
                            if happening == "record"
                            else [failed(written, id=RunId(f"r{written:06d}"), slot=None, region="eu")]
                        )
                        node.record(*made)
                        written += len(made)
                    elif happening in ("away", "back"):
                        hub.fail = AWAY if happening == "away" else None
                    elif happening == "lose an answer":
                        hub.lost = 1
                    else:
                        await asyncio.sleep(7)
                await asyncio.sleep(0.3)
        hub.fail, hub.lost = None, 0
        async with living(Node(hub, outbox)):
            await asyncio.sleep(60)
        assert [r.id for r in hub.runs()] == [f"r{n:06d}" for n in range(written)]
        assert all(a < b for a, b in pairwise(row.seq for _, _, row in hub.inbox))

    virtually(life())
