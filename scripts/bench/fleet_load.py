"""The agents of a fleet, as the database sees them: each region syncs and delivers once a second. A process of `fleet`.

Runs are made when they are due, as the HTTP prober makes them; asks are answered with a run that passed.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from probe.core.check import CheckId
from probe.core.run import Outcome, Run, RunId, Why
from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub
from probe.fleet.inbox import pack
from scripts.bench.measure import own_cpu
from scripts.bench.store_case import http_run

REGIONS: Final = 20
EVERY: Final = 30
"""Seconds between two runs of a check in a region."""
TOGETHER: Final = 20
"""Checks of one target: they are judged together."""
FAILS: Final = 1 / 5000
BATCH: Final = 500
SYNC: Final = text(
    "SELECT now, asks FROM probe.sync(:region, :node, :node, 'agent', '1', 'v', now(), 0, 0, CAST('{}' AS jsonb))"
)
DELIVER: Final = text(
    "SELECT probe.deliver(:region, :node, :node, 0, CAST(:seqs AS bigint[]), CAST(:kinds AS text[]),"
    " CAST(:checks AS text[]), CAST(:bodies AS bytea[]))"
)


def name(check: int) -> CheckId:
    return CheckId(f"target {check // TOGETHER:04} check {check:05}")


class Agent:
    """The node of one region."""

    def __init__(self, hub: Hub, number: int, checks: int) -> None:
        self.hub = hub
        self.region = f"region-{number:02}"
        self.chance = random.Random(number)
        # Every check has its own second, and its fraction, in each region.
        self.offsets = sorted((self.chance.random() * EVERY, check) for check in range(checks))
        self.seq = 0
        self.asked: list[str] = []
        self.delivered = 0
        self.slowest = 0.0

    def due(self, begin: float, end: float) -> Iterator[Run]:
        """The runs that are due in a span of time, in seconds since 1970."""
        slot = int(begin // EVERY)
        while slot * EVERY < end:
            for offset, check in self.offsets:
                moment = slot * EVERY + offset
                if begin <= moment < end:
                    yield self.made(slot, datetime.fromtimestamp(moment, UTC), check)
            slot += 1

    def made(self, slot: int, due: datetime, check: int) -> Run:
        run = http_run(slot, due, name(check), self.chance)
        if run.outcome is Outcome.FAILED and self.chance.random() > FAILS / 0.005:
            failures: tuple[Any, ...] = ()
            seen = replace(run.observation, failures=failures)
            run = replace(run, outcome=Outcome.PASSED, observation=seen)
        return replace(run, region=self.region)

    def answers(self) -> Iterator[Run]:
        now = datetime.now(UTC)
        for check in self.asked:
            run = self.made(0, now - timedelta(seconds=0.3), 0)
            yield replace(
                run, id=RunId(f"a{run.id}"), check=CheckId(check), why=Why.CONFIRM, slot=None, outcome=Outcome.PASSED
            )
        self.asked = []

    async def sync(self) -> None:
        given = {"region": self.region, "node": f"node {self.region}"}
        with suppress(StoreUnavailable):  # as an agent does: a second later
            async with self.hub.transaction() as connection:
                row = (await connection.execute(SYNC, given)).one()
            self.asked += [ask["check"] for ask in row.asks]

    async def deliver(self, runs: list[Run]) -> None:
        for first in range(0, len(runs), BATCH):
            some = runs[first : first + BATCH]
            given = {
                "region": self.region,
                "node": f"node {self.region}",
                "seqs": list(range(self.seq + 1, self.seq + len(some) + 1)),
                "kinds": ["run"] * len(some),
                "checks": [run.check for run in some],
                "bodies": [pack(run) for run in some],
            }
            self.seq += len(some)
            begun = time.perf_counter()
            await self._send(given)
            self.slowest = max(self.slowest, time.perf_counter() - begun)
            self.delivered += len(some)

    async def _send(self, given: dict[str, Any]) -> None:
        while True:
            try:
                async with self.hub.transaction() as connection:
                    await connection.execute(DELIVER, given)
            except StoreUnavailable as error:
                print(error, file=sys.stderr)
                await asyncio.sleep(1)
            else:
                return


async def live(agent: Agent, seconds: float, stagger: float) -> None:
    """Deliver each second what ended in it."""
    await asyncio.sleep(stagger)
    last = time.time()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        await agent.sync()
        now = time.time()
        await agent.deliver([*agent.due(last - 0.5, now - 0.5), *agent.answers()])
        last = now
        await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - begun)))


async def behind(agent: Agent, hours: float) -> None:
    """Deliver, as fast as it goes, what was run in the last hours."""
    now = time.time()
    step = 60.0
    begin = now - hours * 3600
    while begin < now:
        await agent.deliver(list(agent.due(begin, min(begin + step, now))))
        begin += step


async def main(url: str, checks: int, seconds: float, hours: float) -> dict[str, Any]:
    hubs = [Hub(Secret(url), node=f"load {number}") for number in range(REGIONS // 5)]  # a connection for each region
    agents = [Agent(hubs[number // 5], number, checks) for number in range(REGIONS)]
    begun, used = time.perf_counter(), own_cpu()
    async with asyncio.TaskGroup() as group:
        for number, agent in enumerate(agents):
            work = behind(agent, hours) if hours else live(agent, seconds, number / REGIONS)
            group.create_task(work, name=agent.region)
    took = time.perf_counter() - begun
    for hub in hubs:
        await hub.close()
    return {
        "delivered": sum(agent.delivered for agent in agents),
        "seconds": took,
        "cpu": own_cpu() - used,
        "slowest": max(agent.slowest for agent in agents),
    }


if __name__ == "__main__":
    found = asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(found))
