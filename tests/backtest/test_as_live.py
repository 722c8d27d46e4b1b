"""What the daemon decided is what comes out when the runs that it stored are judged again."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from probe.backtest.alert import Alert, Event
from probe.backtest.interchange import MetaLine, run_line
from probe.backtest.loop import EVERY, Played, play
from probe.backtest.read import RecordingReader
from probe.backtest.recording import Recording
from probe.core.check import CheckId, CheckSpec, HttpCall, Source
from probe.core.failure import Failure
from probe.core.rules import Route, Rules, Watched
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why
from probe.core.target import Region
from probe.engine.runner import Job, Watch, jobs_of
from probe.engine.service import Service
from probe.store.memory import MemoryStore
from probe.store.settings import StoreSettings
from tests.simulation.clockwork import VirtualLoop, repeatable
from tests.simulation.world import Hands

REGIONS = ("eu", "us", "ap")
CHECK, PING = CheckId("checkout"), CheckId("ping")
EPOCH = datetime(2026, 11, 24, tzinfo=UTC)
HOURS = 5
SPEC, CONTROL = (
    CheckSpec(
        id=check, kind="http", target="shop", every=timedelta(minutes=1), timeout=timedelta(seconds=20), work=HttpCall(),
        source=Source(file="x", line=1),
    )
    for check in (CHECK, PING)
)  # fmt: skip
RULES = Rules(
    checks={
        CHECK: Watched(
            id=CHECK, target="shop", cause="shop.example", regions=REGIONS, every=SPEC.every, timeout=SPEC.timeout
        )
    },
    controls=dict.fromkeys(REGIONS, PING),
    routes=(Route(channels=()),),
)  # fmt: skip


class Shop:
    """It is down twice, once from a single region alone, and has a stray failure now and then."""

    def __init__(self, seed: int, clock: Hands) -> None:
        self._rand = random.Random(seed)
        self._clock = clock
        self._made = 0

    async def run(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        watch.started(job)
        self._made += 1
        number, started, at = self._made, self._clock.now(), asyncio.get_running_loop().time()
        down = 6000 <= at < 6300 or 9000 <= at < 9900 or (13_000 <= at < 14_500 and job.region.name == "eu")
        share = 1.0 if down else 0.004
        bad = why is not Why.CONTROL and self._rand.random() < share
        seconds = round(self._rand.uniform(0.3, 0.6), 3)
        await asyncio.sleep(seconds)
        run = Run(
            id=RunId(f"{number:06}"),
            check=job.spec.id,
            kind="http",
            target="shop",
            region=job.region.name,
            why=why,
            outcome=Outcome.FAILED if bad else Outcome.PASSED,
            started=started,
            duration=timedelta(seconds=seconds),
            observation=Observation(failures=(Failure.of("status", step="buy"),) if bad else ()),
            slot=slot,
        )
        watch.ended(job, run)
        return run


async def live(seed: int) -> MemoryStore:
    store, clock, stop = MemoryStore(StoreSettings(path=Path())), Hands(EPOCH), asyncio.Event()
    service = Service(store, await store.restore(), RULES, Shop(seed, clock).run, clock, random.Random(seed))
    regions = [Region(name=name) for name in REGIONS]
    service.plan(RULES, jobs_of((SPEC,), regions), jobs_of((CONTROL,), regions))
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run(stop, timedelta(seconds=30)))
        await asyncio.sleep(3600 * HOURS)
        stop.set()
    return store


def again(store: MemoryStore) -> tuple[Recording, Played]:
    reader = RecordingReader()
    start = EPOCH.timestamp()
    reader.take(
        MetaLine(check=CHECK, interval_s=60, regions=REGIONS, timeout_s=20, start=start, end=start + 3600 * HOURS)
    )
    for run in store.runs:
        line = run_line(run)
        if line is not None:
            reader.take(line)
    (recording,) = reader.recordings()
    return recording, play(recording, RULES)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_incidents_at_the_same_times(seed: int) -> None:
    """By the ids of their first runs, to two ticks of the clock, whose phase nobody writes down.

    Hardly a run is asked for that does not find the one that was made.
    """
    with repeatable(seed), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        store = runner.run(live(seed))
    recording, played = again(store)
    opened: dict[str, Alert] = {a.incident: a for a in played.alerts if a.event is Event.OPENED}
    assert list(opened) == [incident.id for incident in store.incidents.values()]
    assert len(opened) >= 3
    for incident in store.incidents.values():
        alert = opened[incident.id]
        assert alert.at == pytest.approx((incident.opened - EPOCH).total_seconds(), abs=2 * EVERY + 1)
        assert (alert.since, alert.cause) == (incident.since, incident.cause)
    made = sum(run.why is Why.CONFIRM for run in store.runs)
    assert played.confirms == pytest.approx(made, rel=0.1)
    assert recording.stood_in <= 0.05 * made
