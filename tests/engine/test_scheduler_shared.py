"""Slots that are another node's: no run and no row here, and none is run by nobody. On virtual time."""

import asyncio
from datetime import timedelta

import pytest

from probe.core.check import CheckId
from probe.core.run import Why
from probe.core.state import Ask
from probe.engine.scheduler import Scheduler
from tests.engine.scheduled import EACH_MINUTE, GRACE, START, World, assert_tiled, job

pytestmark = pytest.mark.looptime(noop_cycles=1)


async def test_slots_of_another_node_get_no_run_and_no_row_and_no_number_is_given_twice() -> None:
    world, mine = World(), True
    async with world.alive(job(cron=EACH_MINUTE)) as scheduler:
        scheduler.mine = lambda _job: mine
        await asyncio.sleep(120)
        mine = False
        await asyncio.sleep(600)
        assert scheduler.missed == 0
        assert len(world.rows) == 2
        mine = True
        await asyncio.sleep(120)
        mine = False
        await asyncio.sleep(30)
    assert world.slots() == [(0, 1), (1, 1), (12, 1), (13, 1)]
    assert [r.slot.due.minute for r in world.rows if r.slot] == [1, 2, 13, 14]


async def test_what_was_asked_for_is_run_whosever_the_slots_are() -> None:
    world = World()
    async with world.alive(job()) as scheduler:
        scheduler.mine = lambda _job: False
        scheduler.ask([Ask(check=CheckId("cart"), region="home", why=Why.CONFIRM)])
        await asyncio.sleep(300)
    assert [(r.why, r.slot) for r in world.rows] == [(Why.CONFIRM, None)]


async def test_slots_that_came_due_together_while_they_were_not_ours_are_left_together() -> None:
    """A machine that was suspended for ten minutes: the others have run them."""
    world = World()
    async with world.alive(job(cron=EACH_MINUTE)) as scheduler:
        scheduler.mine = lambda _job: False
        await asyncio.sleep(40)
        world.clock.jump(600)
        await asyncio.sleep(10)
        scheduler.take_over(world.clock.now() - timedelta(seconds=600))
        await asyncio.sleep(10)
        assert world.rows == []
        scheduler.mine = lambda _job: True
        scheduler.take_over(world.clock.now() - timedelta(seconds=60))
        await asyncio.sleep(5)
        scheduler.take_over(world.clock.now() - timedelta(seconds=60))
        await asyncio.sleep(5)
    assert world.slots() == [(10, 1)], "the newest of them, once"


async def test_a_slot_that_comes_due_behind_one_of_ours_that_waits_goes_with_it() -> None:
    """So that one row can stand for both, with numbers that fit."""
    world, mine = World(lambda _: 150.0), True
    async with world.alive(job(cron=EACH_MINUTE)) as scheduler:
        scheduler.mine = lambda _job: mine
        await asyncio.sleep(100)  # slot 0 runs, slot 1 waits
        mine = False
        await asyncio.sleep(60)  # slot 2 comes due
        mine = True
        await asyncio.sleep(30)
    assert_tiled(world.rows)
    assert {r.slot.number: r.slot.due.minute for r in world.rows if r.slot} == {0: 1, 1: 2, 2: 3}


async def test_a_slot_that_was_left_too_long_ago_is_not_run_any_more() -> None:
    world, mine = World(), False
    async with world.alive(job(cron=EACH_MINUTE)) as scheduler:
        scheduler.mine = lambda _job: mine
        await asyncio.sleep(45)
        mine = True
        scheduler.take_over(world.clock.now() - timedelta(seconds=10))
        await asyncio.sleep(5)
        assert world.rows == []
        await asyncio.sleep(60)
    assert world.slots() == [(1, 1)]


@pytest.mark.parametrize(
    ("covered", "rows"), [(None, [(1, 9)]), (300, [(6, 4)]), (600, []), (9999, []), (-60, [(1, 9)])]
)
async def test_an_absence_that_others_covered_is_not_missed(covered: float | None, rows: list[tuple[int, int]]) -> None:
    """Ten minutes after its last row: what other nodes ran meanwhile has no row here, and keeps its numbers."""
    world = World()
    check = job(cron=EACH_MINUTE)
    async with world.alive(check):
        await asyncio.sleep(40)
    assert world.slots() == [(0, 1)]
    world.clock.jump(565)
    until = None if covered is None else {"home": START + timedelta(seconds=40 + covered)}
    scheduler = Scheduler(lambda *_, **__: asyncio.sleep(0), world.rows.append, world.clock)  # type: ignore[arg-type]  # it never runs
    scheduler.plan([check], world.last(), START + timedelta(seconds=41), covered=until)
    missed = [(r.slot.number, r.slot.count) for r in world.rows[1:] if r.slot]
    assert sum(count for _, count in missed) == sum(count for _, count in rows)
    assert [number + count for number, count in missed] == [number + count for number, count in rows]
    world.rows.clear()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(scheduler.run(stop, GRACE), name="scheduler")
        stop.set()
    assert world.rows == []
