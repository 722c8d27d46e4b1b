"""Every slot ends in exactly one run, on time, whatever runs and clocks do. On virtual time."""

import asyncio
import random
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.run import Outcome, Run, Slot, Why
from probe.core.schedule import NEVER, schedule_of
from probe.core.state import Ask
from probe.engine.runner import Job, Watch
from probe.engine.scheduler import Scheduler
from probe.testing import VirtualClock
from tests.engine.scheduled import EACH_MINUTE, GRACE, START, World, assert_tiled, job
from tests.engine.virtual import virtually

pytestmark = pytest.mark.looptime(noop_cycles=1)


async def test_slots_are_exactly_an_interval_apart() -> None:
    """An hour of a minute's check: 60 runs, each at its due, however long each takes."""
    world, rand = World(lambda _: rand.uniform(0, 59)), random.Random(1)
    check = job()
    async with world.alive(check):
        await asyncio.sleep(3600)
    due = schedule_of(check.spec, "home")
    assert [r.slot and r.slot.due for r in world.rows] == [due.following(START, n + 1) for n in range(60)]
    assert [b - a for a, b in pairwise(world.times())] == pytest.approx([60.0] * 59, abs=1e-3)
    assert max(r.lag for r in world.rows) < 1e-3
    assert_tiled(world.rows)


async def test_a_run_that_overruns_misses_slots_and_the_newest_runs_late() -> None:
    """150 s for each run of a minute's check: between two runs one row says which slots were missed; the grid holds."""
    world = World(lambda _: 150.0)
    async with world.alive(job(cron=EACH_MINUTE)) as scheduler:
        await asyncio.sleep(600)
        assert scheduler.missed == sum(count for _, count in world.slots(Outcome.MISSED)) == 4
    # Slot 0 runs for 2.5 intervals, slot 2 begins half an interval late and runs until slot 5 is due.
    assert world.slots()[:5] == [(0, 1), (1, 1), (2, 1), (3, 2), (5, 1)]
    assert [round(r.lag) for r in world.rows[:5]] == [0, 0, 30, 0, 0]
    assert_tiled(world.rows)


async def test_waiting_for_room_is_lag() -> None:
    """With room for one run at a time the others are late, and say how much."""
    world = World(lambda _: 20.0, network=1)
    async with world.alive(job(cron=EACH_MINUTE), job("b", cron=EACH_MINUTE), job("c", cron=EACH_MINUTE)) as scheduler:
        await asyncio.sleep(35)
        assert (scheduler.running, scheduler.waiting) == (1, 2)
        await asyncio.sleep(50)
    assert [round(r.lag) for r in world.rows[:3]] == [0, 20, 40]


async def test_asked_runs_come_at_once_and_once() -> None:
    """What is asked for while the check runs comes right after it, once for each reason; strangers are not run."""
    world = World(lambda _: 5.0)
    here, free = job(), job("free", every=timedelta(hours=5))
    async with world.alive(here, free) as scheduler:
        while not world.busy:
            await asyncio.sleep(0.1)
        asks = [Ask(check=CheckId(name), region="home", why=Why.CONFIRM) for name in ("cart", "cart", "free", "nobody")]
        scheduler.ask(asks)
        await asyncio.sleep(12)
    assert [(r.check, r.why, r.slot is None) for r in world.rows] == [
        ("cart", Why.SCHEDULED, False),
        ("free", Why.CONFIRM, True),
        ("cart", Why.CONFIRM, True),
    ]
    assert world.times()[2] == pytest.approx(world.times()[0] + 5, abs=0.01)


async def test_a_slot_waits_for_an_extra_run_but_not_for_a_row_of_them() -> None:
    """A slot that comes due during an extra run is run after it, late, and before further extra runs."""
    world = World(lambda _: 25.0)
    async with world.alive(job(cron=EACH_MINUTE)) as scheduler:
        await asyncio.sleep(15)
        for why in (Why.CONFIRM, Why.MANUAL, Why.CONTROL):
            scheduler.ask([Ask(check=CheckId("cart"), region="home", why=why)])
        await asyncio.sleep(90)
    assert [r.why for r in world.rows[:3]] == [Why.CONFIRM, Why.SCHEDULED, Why.MANUAL]
    assert round(world.rows[1].lag) == 10


async def test_checks_that_only_run_when_asked_for() -> None:
    """A control check has no slots."""
    world, control = World(), job("control")
    async with world.alive() as scheduler:
        scheduler.plan([], unscheduled=[control])
        await asyncio.sleep(600)
        scheduler.ask([Ask(check=CheckId("control"), region="home", why=Why.CONTROL)])
        await asyncio.sleep(5)
    assert [(r.why, r.slot) for r in world.rows] == [(Why.CONTROL, None)]


@pytest.mark.parametrize("seconds", [2.0, 3600.0, 86400.0 * 400])
async def test_a_jump_forward_or_a_suspend_runs_once(seconds: float) -> None:
    """What was jumped over is one missed row and one late run; then the grid of the new wall time."""
    world, check = World(), job()
    async with world.alive(check):
        await asyncio.sleep(300)
        before = len(world.rows)
        world.clock.jump(seconds)
        await asyncio.sleep(300)
    jumped = world.rows[before:]
    assert len([r for r in jumped if r.outcome is Outcome.MISSED]) == (seconds > 60)
    assert sum(r.outcome is Outcome.PASSED for r in jumped) in (5, 6)
    passed = [r for r in world.rows if r.outcome is Outcome.PASSED]
    assert all(abs((r.started - r.slot.due).total_seconds() - r.lag) < 1.1 for r in passed if r.slot)
    assert all(r.lag < 1.1 for r in passed[-4:])
    assert_tiled(world.rows)


@pytest.mark.parametrize("moment", [300.0, 315.0, 330.0, 345.0])
@pytest.mark.parametrize("seconds", [1.5, 20.0, 35.0, 59.0, 61.0, 3600.0, 86400.0 * 400])
async def test_a_jump_back_neither_repeats_nor_waits(seconds: float, moment: float) -> None:
    """The next run comes within one and a half interval, half to two after the last; numbers go on, on the new grid."""
    world, check = World(), job()
    async with world.alive(check):
        await asyncio.sleep(moment)
        world.clock.jump(-seconds)
        await asyncio.sleep(600)
    assert min(at for at in world.times() if at > moment) - moment < 91
    gaps = [b - a for a, b in pairwise(world.times())]
    assert all(29 < gap < 120 for gap in gaps)
    assert sum(abs(gap - 60) > 1 for gap in gaps) <= 1
    assert all(r.outcome is Outcome.PASSED and r.lag < 1.1 for r in world.rows)
    assert_tiled(world.rows)


async def test_small_steps_of_the_clock_are_followed() -> None:
    """A clock that loses a little each minute does not pull the schedule away from the wall."""
    world = World()
    async with world.alive(job()):
        for _ in range(60):
            await asyncio.sleep(60)
            world.clock.jump(-0.2)
    assert all(abs((r.started - r.slot.due).total_seconds()) < 1.3 for r in world.rows if r.slot)
    assert_tiled(world.rows)


async def test_a_stop_lets_runs_end_and_aborts_what_does_not() -> None:
    """Within the grace a run ends by itself, after it the run is `aborted`; what waits for it is aborted too."""
    world = World(lambda s: 3.0 if s.id == "quick" else 10**6)
    jobs = [job(name, cron=EACH_MINUTE) for name in ("quick", "stuck")]
    loop = asyncio.get_running_loop()
    async with world.alive(*jobs):
        await asyncio.sleep(241)
        stopped = loop.time()
    assert loop.time() - stopped == pytest.approx(GRACE.total_seconds(), abs=0.1)
    ends = [(r.check, r.outcome, r.slot and r.slot.count) for r in world.rows[-3:]]
    assert ends == [
        ("quick", Outcome.PASSED, 1),
        ("stuck", Outcome.ABORTED, 1),
        ("stuck", Outcome.ABORTED, 3),
    ]
    assert_tiled(world.rows)


async def test_a_slot_that_comes_due_within_the_grace() -> None:
    """It is not begun any more, and has its row."""
    world = World(lambda _: 10**6)
    async with world.alive(job("late", cron=EACH_MINUTE), job("stuck", cron="0 0 1 1 *")) as scheduler:
        scheduler.ask([Ask(check=CheckId("stuck"), region="home", why=Why.MANUAL)])
        await asyncio.sleep(28)  # two seconds before the minute
    assert [(r.check, r.outcome, r.slot and r.slot.number) for r in world.rows] == [
        ("stuck", Outcome.ABORTED, None),
        ("late", Outcome.ABORTED, 0),
    ]


async def test_a_stop_in_the_very_moment_of_a_due() -> None:
    """Without any grace, what has only just begun has its row, too."""
    world = World(lambda _: 10**6, network=1)
    jobs = [job(str(i), cron=EACH_MINUTE) for i in range(3)]
    stop = asyncio.Event()
    rows: list[Run] = []

    async def run(job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        stop.set()
        await asyncio.sleep(10**6)
        raise AssertionError

    scheduler = Scheduler(run, rows.append, world.clock)
    scheduler.plan(jobs)
    await scheduler.run(stop, timedelta(0))
    assert sorted((r.check, r.outcome, r.slot and r.slot.number) for r in rows) == [
        (name, Outcome.ABORTED, 0) for name in "012"
    ]


async def test_a_bug_makes_an_errored_row_and_ends_nothing() -> None:
    """Whoever makes the runs may raise: that is one errored row, and the schedule goes on."""
    rows: list[Run] = []

    async def run(job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        raise RuntimeError("kaput")

    scheduler, stop = Scheduler(run, rows.append, VirtualClock()), asyncio.Event()
    scheduler.plan([job()])
    async with asyncio.TaskGroup() as group:
        group.create_task(scheduler.run(stop, GRACE), name="daemon")
        await asyncio.sleep(180)
        stop.set()
    assert [r.outcome for r in rows] == [Outcome.ERRORED] * 3
    assert rows[0].failure is not None
    assert rows[0].failure.message == "RuntimeError while the run was made: kaput"
    assert_tiled(rows)


async def test_killed_daemons_leave_no_gap() -> None:
    """At the next start what was due while we lived is aborted, what came due while we were dead is missed, in one row each."""
    world, check = World(lambda _: 10**6), job(cron=EACH_MINUTE)
    async with world.alive(check, kill=True):  # never ended anything: there is no row, and nothing to go on from
        await asyncio.sleep(60)
    assert world.rows == []
    world.takes = lambda _: 1.0
    async with world.alive(check, kill=True):
        await asyncio.sleep(60)
        world.takes = lambda _: 10**6
        await asyncio.sleep(120)
        alive = world.clock.now()
    world.takes = lambda _: 1.0
    await asyncio.sleep(180)
    async with world.alive(check, alive=alive):
        await asyncio.sleep(35)
    assert [(r.outcome, r.slot and (r.slot.number, r.slot.count)) for r in world.rows] == [
        (Outcome.PASSED, (0, 1)),
        (Outcome.ABORTED, (1, 2)),
        (Outcome.MISSED, (3, 3)),
        (Outcome.PASSED, (6, 1)),
    ]
    missed = world.rows[2]
    assert missed.slot is not None
    assert (missed.started, missed.duration, missed.lag) == (missed.slot.due, timedelta(0), 0)


async def test_started_with_the_clock_set_back() -> None:
    """The last row lies in the future: nothing was missed, and the next run comes within an interval."""
    world = World()
    async with world.alive(job()):
        await asyncio.sleep(120)
    world.clock.jump(-7200)
    async with world.alive(job(), alive=world.clock.now() + timedelta(hours=2)):
        await asyncio.sleep(60)
    assert world.slots() == [(0, 1), (1, 1), (2, 1)]


async def test_a_reload_leaves_alone_what_did_not_change() -> None:
    """Same check: same slots and numbers. Another interval: numbers go on. Removed: ends. Added: begins."""
    world = World(lambda _: 30.0)
    async with world.alive(job("same"), job("other"), job("gone", cron=EACH_MINUTE)) as scheduler:
        await asyncio.sleep(121)  # until 31 s after the minute
        assert "gone" not in world.busy
        await asyncio.sleep(40)
        assert "gone" in world.busy
        scheduler.plan([job("same"), job("other", timedelta(seconds=120)), job("new")])
        await asyncio.sleep(240)
        by_name = {name: [r for r in world.rows if r.check == name] for name in ("same", "other", "gone", "new")}
        gaps = [b - a for a, b in pairwise(at for name, at in world.begun if name == "same")]
        assert gaps == pytest.approx([60.0] * len(gaps), abs=1e-3)
        assert len(gaps) >= 5
        assert [r.outcome for r in by_name["gone"]] == [Outcome.PASSED] * 3
        assert len(by_name["other"]) in (4, 5)
        assert len(by_name["new"]) in (3, 4)
        assert_tiled(world.rows)


async def test_a_check_that_comes_back_goes_on_with_its_numbers() -> None:
    """Also when its last run is still going on: never two at a time; what was due meanwhile was missed."""
    world, check = World(lambda _: 100.0), job(cron=EACH_MINUTE)
    async with world.alive(check) as scheduler:
        await asyncio.sleep(61)
        scheduler.plan([])
        await asyncio.sleep(30)
        scheduler.plan([job(cron=EACH_MINUTE)])
        await asyncio.sleep(100)
        scheduler.plan([])
        await asyncio.sleep(600)
        assert world.slots() == [(0, 1), (1, 1), (2, 1)]
        scheduler.plan([check], world.last())
        assert world.slots()[-1] == (3, 10)
        await asyncio.sleep(30)
        scheduler.plan([])
        await asyncio.sleep(200)
        scheduler.plan([check])
        await asyncio.sleep(60)
    assert_tiled(world.rows)


async def test_a_gone_check_whose_slots_waited() -> None:
    """Slots that waited for the run of a check that was removed were missed."""
    world = World(lambda _: 150.0)
    async with world.alive(job(cron=EACH_MINUTE)) as scheduler:
        await asyncio.sleep(160)
        scheduler.plan([])
        await asyncio.sleep(100)
        assert world.slots(Outcome.MISSED) == [(1, 2)]
        assert (scheduler.running, scheduler.waiting) == (0, 0)


async def test_it_ticks_every_second() -> None:
    """Others see that it lives, also when nothing is due."""
    world, loop = World(), asyncio.get_running_loop()
    async with world.alive(job(every=timedelta(days=1))) as scheduler:
        for _ in range(20):
            await asyncio.sleep(0.7)
            assert loop.time() - scheduler.ticked <= 1.0


async def test_a_cron_check_that_is_never_due_harms_nobody() -> None:
    """It waits for ever."""
    world = World()
    async with world.alive(job("never", cron="0 0 */30 2 1#5"), job()):
        await asyncio.sleep(120)
    assert {r.check for r in world.rows} == {"cart"}
    assert schedule_of(job(cron="0 0 */30 2 1#5").spec, "home").first(world.clock.now()) == NEVER


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_life_of_a_daemon(seed: int) -> None:
    """Random runs, little room, jumps, suspends, reloads, stops and kills: slots tile, runs keep apart, lag is true."""
    virtually(_any_life(random.Random(seed)))


async def _any_life(rand: random.Random) -> None:
    world = World(lambda _: rand.choice([0.1, 1.0, 20.0, 70.0, 400.0]), network=rand.randint(1, 5))
    intervals = [timedelta(seconds=s) for s in (30, 60, 301)]

    def jobs() -> list[Job]:
        found = [job(f"c{i}", rand.choice(intervals) if rand.random() < 0.2 else intervals[i % 3]) for i in range(4)]
        return [*found, job("c4", timedelta(hours=1), cron="*/7 * * * *")]

    alive: datetime | None = None
    for _life in range(rand.randint(1, 4)):
        async with world.alive(*jobs(), alive=alive, kill=rand.random() < 0.5) as scheduler:
            for _ in range(rand.randint(1, 12)):
                await asyncio.sleep(rand.choice([0.5, 10, 61, 400]))
                match rand.randint(0, 5):
                    case 0:
                        world.clock.jump(rand.choice([-4000, -61, -2, 1.5, 90, 4000]))
                    case 1:
                        scheduler.ask([Ask(check=CheckId(f"c{i}"), region="home", why=Why.CONFIRM) for i in range(3)])
                    case 2:
                        scheduler.plan(rand.sample(jobs(), 4), world.last())
                assert scheduler.running <= world.network
            alive = world.clock.now()
        await asyncio.sleep(rand.choice([1, 100, 5000]))
    assert_tiled(world.rows)
    assert len({r.id for r in world.rows}) == len(world.rows)
    assert all(r.outcome in (Outcome.MISSED, Outcome.ABORTED) for r in world.rows if r.slot and r.slot.count > 1)
    assert not [r.failure for r in world.rows if r.outcome is Outcome.ERRORED]
