"""Two nodes in one region: each slot is run once, and when one dies the other has its checks within one interval."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.run import Run, Slot, Why
from probe.core.target import Region
from probe.engine.runner import Job, Watch
from probe.engine.scheduler import Scheduler
from probe.fleet.assignment import is_mine, owner
from tests.core.builders import spec
from tests.fleet.nodes import AWAY, MemoryHub, Node
from tests.fleet.test_link import memory_hub
from tests.store.builders import run

NAMES = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)
CHECKS = [CheckId(f"check {n}") for n in range(400)]


@given(nodes=NAMES)
def test_every_check_has_one_owner_whoever_is_asked(nodes: list[str]) -> None:
    for check in CHECKS[:20]:
        assert sum(is_mine(check, node, nodes) for node in nodes) == 1
        assert owner(check, tuple(nodes)) == owner(check, tuple(reversed(nodes)))


@given(nodes=NAMES)
def test_a_node_that_goes_moves_only_its_own_checks(nodes: list[str]) -> None:
    before = {check: owner(check, tuple(nodes)) for check in CHECKS[:40]}
    rest = tuple(nodes[1:])
    for check, node in before.items():
        assert node == nodes[0] or owner(check, rest) == node


def test_the_shares_are_even() -> None:
    shares = Counter(owner(check, ("a", "b", "c", "d")) for check in CHECKS)
    assert min(shares.values()) > 70


def test_a_node_that_is_not_known_to_live_runs_everything() -> None:
    assert all(is_mine(check, "c", ("a", "b")) for check in CHECKS)
    assert owner(CHECKS[0], ()) is None


# --- with schedulers, on virtual time ---------------------------------------------------------------------------------


class Probing:
    """A node with a scheduler, whose runs take a moment."""

    def __init__(self, hub: MemoryHub, name: str, jobs: list[Job], ran: list[tuple[float, str, str]]) -> None:
        self.node = Node(hub, name=name)
        self.name = name
        self.jobs = jobs
        self.ran = ran
        self.rows: list[Run] = []
        self.scheduler = Scheduler(self._run, self.rows.append, self.node.clock)
        self.scheduler.mine = lambda job: self.node.link.is_mine(job.spec.id)

    async def _run(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        self.ran.append((asyncio.get_running_loop().time(), job.spec.id, self.name))
        await asyncio.sleep(0.3)
        return run(0, check=job.spec.id, slot=slot, why=why)

    async def live(self) -> None:
        await self.node.link.greet()
        self.scheduler.plan(self.jobs)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.node.link.run(), name="link")
            group.create_task(self.scheduler.run(asyncio.Event(), timedelta(seconds=1)), name="scheduler")
            group.create_task(self._hear(), name="ears")

    async def _hear(self) -> None:
        while True:
            while self.node.gone:
                self.scheduler.take_over(self.node.gone.pop())
            await asyncio.sleep(0.01)


@asynccontextmanager
async def alive(probing: Probing) -> AsyncIterator[None]:
    """The node lives for the time of the context, and then is killed."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(probing.live(), name=probing.name)
        yield
        task.cancel()


def jobs_every(seconds: float) -> list[Job]:
    every = timedelta(seconds=seconds)
    return [Job(spec(id=CheckId(f"check {n}"), every=every, timeout=every / 2), Region(name="eu")) for n in range(20)]


@pytest.mark.looptime(noop_cycles=1)
@pytest.mark.parametrize("every", [15.0, 60.0])
async def test_when_a_node_dies_its_checks_are_taken_over_within_one_interval(every: float) -> None:
    hub, ran, jobs = memory_hub(), list[tuple[float, str, str]](), jobs_every(every)
    a, b = Probing(hub, "a", jobs, ran), Probing(hub, "b", jobs, ran)
    async with alive(a):
        async with alive(b):
            await asyncio.sleep(2 * every + 3)
            died = asyncio.get_running_loop().time()
        await asyncio.sleep(2 * every + 15)
    times: dict[str, list[float]] = {}
    for at, check, _ in ran:
        times.setdefault(check, []).append(at)
    gaps = {check: max(y - x for x, y in pairwise(of)) for check, of in times.items()}
    assert max(gaps.values()) <= every + 12.5, (
        "no check waited longer than for its next slot, and for the death to be known"
    )
    assert {name for at, _, name in ran if at > died} == {"a"}
    late = [of for of in times.values() if any(died < at for at in of)]
    for of in late:
        first = min(at for at in of if at > died)
        last = max(at for at in of if at <= died)
        assert first - last <= every + 12.5
        assert first - died <= every
    both = Counter((check, round(at / every)) for at, check, _ in ran if 5 < at < died)
    assert max(both.values()) == 1, "while both lived each slot was run once"
    assert not [row for row in (*a.rows, *b.rows) if row.outcome.value == "missed"]


@pytest.mark.looptime(noop_cycles=1)
async def test_while_the_hub_is_away_both_run_everything_and_afterwards_share_again() -> None:
    hub, ran, jobs = memory_hub(), list[tuple[float, str, str]](), jobs_every(30)
    a, b = Probing(hub, "a", jobs, ran), Probing(hub, "b", jobs, ran)
    async with alive(a), alive(b):
        await asyncio.sleep(65)
        hub.fail = AWAY
        await asyncio.sleep(120)
        hub.fail = None
        await asyncio.sleep(120)
    assert sum(at < 60 for at, _, _ in ran) == pytest.approx(40, abs=2)
    assert sum(90 <= at < 180 for at, _, _ in ran) == 120, "twice each: nobody knows whether the other lives"
    assert sum(210 <= at < 300 for at, _, _ in ran) == 60
    assert len({(check, round(at)) for at, check, _ in ran if 210 <= at < 300}) == 60
