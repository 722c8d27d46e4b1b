"""The link of a node, on virtual time: it hears, is heard, gets over absences, and nothing of it holds up a run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from probe.core.check import CheckId
from probe.core.run import Outcome, Why
from probe.core.state import Ask
from probe.errors import StoreUnavailable
from probe.fleet.calls import Wanted
from probe.fleet.link import ALONE, Absence
from probe.testing import VirtualClock
from tests.fleet.nodes import AWAY, START, MemoryHub, MemoryOutbox, Node
from tests.store.builders import failed, run

pytestmark = pytest.mark.looptime(noop_cycles=1)


@asynccontextmanager
async def living(*nodes: Node) -> AsyncIterator[None]:
    """The nodes live for the time of the context, and then are killed."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(node.live(), name=f"node {n}") for n, node in enumerate(nodes)]
        await asyncio.sleep(0.001)
        yield
        for task in tasks:
            task.cancel()


def memory_hub() -> MemoryHub:
    return MemoryHub(VirtualClock(START))


def connected(node: Node) -> bool:
    return node.link.connected


def since(node: Node) -> datetime | None:
    return node.link.cut_since


async def test_a_node_says_every_second_that_it_lives() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(10.5)
        assert connected(node)
        assert node.link.away == 0
    assert len(hub.syncs) == pytest.approx(11, abs=1)
    assert hub.said["a"].config == "c0"


async def test_asks_and_the_configuration_are_passed_on_and_a_hint_makes_it_call_at_once() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(1.3)
        hub.asks = [
            ("eu", Wanted(CheckId("cart"), "confirm")),
            ("eu", Wanted(CheckId("x"), "dance")),
            ("us", Wanted(CheckId("y"), "confirm")),
        ]
        hub.config = "c1"
        node.link.hurry()
        await asyncio.sleep(0.01)
        assert node.asked == [Ask(check=CheckId("cart"), region="eu", why=Why.CONFIRM)]
        assert node.configs == ["c1"]


async def test_the_skew_is_the_median_and_a_jump_of_the_clock_is_taken_over_at_once() -> None:
    hub = memory_hub()
    hub.delay = 0.4
    node = Node(hub)
    hub.clock = node.clock
    async with living(node):
        await asyncio.sleep(10)
        assert node.link.skew == pytest.approx(0.0, abs=1e-6)
        node.clock.jump(30)
        await asyncio.sleep(3)
        assert node.link.skew == pytest.approx(30.0, abs=1e-6)
        assert hub.said["a"].skew == pytest.approx(30.0, abs=1e-6)
        node.clock.jump(-3600)
        await asyncio.sleep(3)
        assert node.link.skew == pytest.approx(-3570.0, abs=1e-6)
        assert connected(node), "how long nobody answers is no matter of the wall clock"


@pytest.mark.parametrize("hangs", [True, False])
async def test_an_absence_is_noticed_waited_out_and_made_up_for(hangs: bool) -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(5)
        hub.fail, hub.hangs = (None, True) if hangs else (AWAY, False)
        began = len(hub.syncs)
        node.record(*(run(n, region="eu") for n in range(3)))
        await asyncio.sleep(8)
        assert not connected(node)
        assert node.link.trouble is not None
        assert since(node) == pytest.approx(node.clock.now() - timedelta(seconds=8), abs=timedelta(seconds=1))
        await asyncio.sleep(ALONE)
        assert 14 < node.link.away < 19
        assert node.link.forwarder.queue == 3
        await asyncio.sleep(600)
        gaps = [b - a for a, b in pairwise(hub.syncs[began:])]
        assert min(gaps[6:]) >= 2.5, "longer and longer"
        assert max(gaps) <= 5 + 5, "and well within the shortest `stale_after`"
        assert 610 < node.link.away < 620
        hub.fail, hub.hangs = None, False
        await asyncio.sleep(51)
        assert connected(node)
        assert since(node) is None
        assert [r.id for r in hub.runs()] == ["run-0", "run-1", "run-2"]


async def test_a_node_that_was_stopped_has_not_been_cut_off() -> None:
    """SIGSTOP: the monotonic clock goes on, and nothing else. The call that was under way has timed out."""
    time = 0.0
    absence = Absence(lambda: time)
    absence.look()
    absence.end()
    for _ in range(10):
        time += 1
        absence.look()
    time += 60
    absence.look()
    assert absence.seconds == 0
    absence.begin(60.0)
    assert absence.seconds <= 5
    time += 3600
    absence.look()
    assert absence.seconds <= 6.5
    time += 1
    absence.look()
    assert absence.seconds <= 7.5
    absence.end()
    assert absence.seconds == 0


async def test_trouble_is_handed_over_at_once_and_the_rest_within_a_second() -> None:
    hub = memory_hub()
    node = Node(hub)
    async with living(node):
        await asyncio.sleep(3.4)
        node.record(run(1, region="eu"))
        await asyncio.sleep(0.01)
        assert hub.inbox == []
        await asyncio.sleep(1.0)
        assert len(hub.inbox) == 1
        node.record(failed(2, region="eu"))
        await asyncio.sleep(0.01)
        assert [r.outcome for r in hub.runs()] == [Outcome.PASSED, Outcome.FAILED]


async def test_two_nodes_share_and_one_that_is_missed_is_told() -> None:
    hub = memory_hub()
    a, b = Node(hub, name="a"), Node(hub, name="b")
    checks = [CheckId(f"check {n}") for n in range(100)]
    async with living(a):
        assert all(a.link.is_mine(check) for check in checks)
        assert a.link.covered() is None
        async with living(b):
            await asyncio.sleep(2)
            owned = [(a.link.is_mine(check), b.link.is_mine(check)) for check in checks]
            assert set(owned) == {(True, False), (False, True)}
            assert a.link.covered() == a.clock.now()
        await asyncio.sleep(9)
        assert a.gone == []
        await asyncio.sleep(3)
        assert a.gone == [pytest.approx(a.clock.now() - timedelta(seconds=12), abs=timedelta(seconds=3))]
        assert all(a.link.is_mine(check) for check in checks)
        known = a.link.covered()
        assert known is not None
        assert timedelta(seconds=1) < a.clock.now() - known < timedelta(seconds=4), "the hub counts it for 10 s more"
    # It is known after a restart, too: until when others ran what we did not.
    again = Node(hub, a.outbox, "a")
    hub.fail = AWAY
    async with living(again):
        assert again.link.covered() == a.outbox.shares["eu"]
        assert all(again.link.is_mine(check) for check in checks), "nobody is known to live"


async def test_what_a_node_cannot_write_down_others_run() -> None:
    """It is heard, but does not count as one that probes: alone, its region falls silent."""
    hub = memory_hub()
    a, b = Node(hub, name="a"), Node(hub, name="b")
    checks = [CheckId(f"check {n}") for n in range(100)]
    async with living(a, b):
        await asyncio.sleep(2)
        assert not all(b.link.is_mine(check) for check in checks)
        a.well = False
        await asyncio.sleep(2)
        assert connected(a)
        assert hub.said["a"].role == "evaluate"
        assert all(b.link.is_mine(check) for check in checks)
        a.well = True
        await asyncio.sleep(2)
        assert not all(b.link.is_mine(check) for check in checks)


async def test_a_full_disk_is_no_absence_of_the_hub() -> None:
    """That the region is shared cannot be noted: the hub answers all the same."""
    hub = memory_hub()
    a, b = Node(hub, name="a"), Node(hub, name="b")
    async with living(a, b):
        await asyncio.sleep(2)
        a.outbox.fail = StoreUnavailable("the disk is full")
        for _ in range(30):
            await asyncio.sleep(1)
            assert (a.link.trouble, a.link.away) == (None, 0)


async def test_whoever_is_cut_off_runs_everything() -> None:
    hub = memory_hub()
    a, b = Node(hub, name="a"), Node(hub, name="b")
    checks = [CheckId(f"check {n}") for n in range(100)]
    async with living(a, b):
        await asyncio.sleep(3)
        hub.fail = AWAY
        await asyncio.sleep(8)
        assert not all(a.link.is_mine(check) for check in checks)
        await asyncio.sleep(5)
        assert all(a.link.is_mine(check) and b.link.is_mine(check) for check in checks)
        hub.fail = None
        await asyncio.sleep(16)
        assert not any(a.link.is_mine(check) and b.link.is_mine(check) for check in checks)


async def test_a_bug_on_the_way_does_not_end_the_link(caplog: pytest.LogCaptureFixture) -> None:
    hub = memory_hub()
    node = Node(hub, MemoryOutbox())
    async with living(node):
        await asyncio.sleep(2)
        hub.fail = KeyError("x")  # type: ignore[assignment]  # a bug, on purpose
        node.record(failed(1, region="eu"))
        await asyncio.sleep(10)
        assert "KeyError" in (node.link.trouble or "")
        hub.fail = None
        await asyncio.sleep(20)
        assert connected(node)
        assert len(hub.runs()) == 1
    assert "was not heard" in caplog.text
