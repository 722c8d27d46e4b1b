"""All links of a node: each of its regions has its own, and they come and go with the configuration."""

import asyncio
import random
from dataclasses import replace

import pytest

from probe.core.check import CheckId
from probe.core.evaluate import Overdue
from probe.core.notification import Attempt, Fate
from probe.core.target import Region
from probe.engine.runner import Job
from probe.fleet.links import Links
from probe.fleet.outbox import Told
from probe.ports import Record
from probe.testing import VirtualClock
from tests.core.builders import spec
from tests.fleet.nodes import AWAY, START, MemoryHub, MemoryOutbox, ears, link_settings
from tests.fleet.test_link import memory_hub
from tests.store.builders import failed, run

pytestmark = pytest.mark.looptime(noop_cycles=1)


def links_of(hub: MemoryHub, outbox: MemoryOutbox, *regions: str, name: str = "a") -> Links:
    return Links(hub, outbox, link_settings(name), regions, ears(), VirtualClock(START), random.Random(1))


def record(links: Links, outbox: MemoryOutbox, given: Record) -> None:
    outbox.runs += given.runs
    outbox.attempts += [Told(len(outbox.attempts) + 1, CheckId("cart"), one) for one in given.attempts]
    links.recorded(given)


async def test_each_region_is_forwarded_as_a_source_of_its_own_and_one_of_them_tells() -> None:
    hub, outbox = memory_hub(), MemoryOutbox()
    links = links_of(hub, outbox, "eu", "us")
    assert await links.greet()
    async with asyncio.TaskGroup() as group:
        asked = asyncio.Event()
        task = group.create_task(links.run(asked), name="links")
        await asyncio.sleep(2.5)
        attempt = Attempt(key="k", at=START, fate=Fate.SENT)
        record(links, outbox, Record(runs=(failed(1), failed(2, region="us"), run(3)), attempts=(attempt,)))
        links.late(Overdue(check=CheckId("cart"), region="us", began=START))
        links.late(Overdue(check=CheckId("cart"), region="nowhere", began=START))
        await asyncio.sleep(2)
        calls = len(hub.syncs)
        asked.set()
        await asyncio.sleep(0.001)
        assert len(hub.syncs) == calls + 2
        assert links.queue == 0
        assert links.position == 3
        assert links.clear > 3
        assert links.away == 0
        task.cancel()
    by_source: dict[str, list[str]] = {}
    for _, source, row in hub.inbox:
        by_source.setdefault(source, []).append(row.kind)
    assert sorted(by_source.values()) == [["run", "overdue"], ["told", "run", "run"]]
    assert set(hub.said) == {"a", "a/us"}


async def test_slots_are_shared_by_region() -> None:
    hub, outbox = memory_hub(), MemoryOutbox()
    links, other = links_of(hub, outbox, "eu", "us"), links_of(hub, MemoryOutbox(), "eu", name="b")
    await other.greet()
    await links.greet()
    jobs = [Job(spec(id=CheckId(f"check {n}")), Region(name="eu")) for n in range(40)]
    assert {links.is_mine(job) for job in jobs} == {True, False}
    assert all(links.is_mine(replace(job, region=Region(name="us"))) for job in jobs)
    assert all(links.is_mine(replace(job, region=Region(name="elsewhere"))) for job in jobs)
    assert set(links.covered()) == {"eu"}


async def test_whoever_stops_says_so_and_the_others_take_over_at_once() -> None:
    hub = memory_hub()
    links, other = links_of(hub, MemoryOutbox(), "eu", "us"), links_of(hub, MemoryOutbox(), "eu", name="b")
    async with asyncio.TaskGroup() as group:
        tasks = []
        for each in (links, other):
            await each.greet()
            tasks.append(group.create_task(each.run(asyncio.Event()), name="links"))
        await asyncio.sleep(3)
        assert set(other.home.nodes) == {"a", "b"}
        tasks[0].cancel()
        await links.leave()
        await asyncio.sleep(1.1)
        assert set(other.home.nodes) == {"b"}
        tasks[1].cancel()
        hub.fail = AWAY
        await other.leave()


async def test_regions_come_and_go_with_a_reload(caplog: pytest.LogCaptureFixture) -> None:
    hub, outbox = memory_hub(), MemoryOutbox()
    links = links_of(hub, outbox, "eu", "us")
    await links.greet()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(links.run(asyncio.Event()), name="links")
        await asyncio.sleep(2)
        outbox.left = 3
        await links.use(["asia"])
        assert "3 runs of regions" in caplog.text
        record(links, outbox, Record(runs=(run(1), run(2, region="asia"), run(3, region="us"))))
        await asyncio.sleep(3)
        assert sorted(one.id for one in hub.runs()) == ["run-1", "run-2"]
        hub.fail = AWAY
        await links.use(["asia", "us"])
        hub.fail = None
        record(links, outbox, Record(runs=(run(4, region="us"),)))
        await asyncio.sleep(10)
        assert "run-4" in {one.id for one in hub.runs()}
        task.cancel()
    calls = len(hub.syncs)
    await links.use(["eu"])
    await asyncio.sleep(10)
    assert len(hub.syncs) == calls
