"""One evaluator of a fleet, without a daemon around it. A process of `fleet`: ends when its standard input does."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from probe.core.rules import Objective, Route, Rules, Watched
from probe.core.run import Run
from probe.core.secret import Secret
from probe.core.shards import split
from probe.core.state import Change
from probe.fleet.evaluator import Evaluator
from probe.fleet.hub import Hub
from scripts.bench.fleet_load import EVERY, REGIONS, TOGETHER, name
from scripts.bench.measure import own_cpu

VERSION = "bench"


def rules(checks: int) -> Rules:
    """So many checks, twenty of a target, with an objective for each target."""
    regions = tuple(f"region-{number:02}" for number in range(REGIONS))
    watched = [
        Watched(
            id=name(check),
            target=f"target {check // TOGETHER}",
            cause=f"shop-{check // TOGETHER}.example",
            regions=regions,
            every=timedelta(seconds=EVERY),
            timeout=timedelta(seconds=10),
        )
        for check in range(checks)
    ]
    objectives = [
        Objective(name=f"o{first}", checks=frozenset(w.id for w in watched[first : first + TOGETHER]), target=0.999)
        for first in range(0, checks, TOGETHER)
    ]
    return Rules(
        checks={w.id: w for w in watched},
        objectives={o.name: o for o in objectives},
        routes=(Route(channels=("oncall",)),),
    )


async def main(url: str, checks: int, node: str) -> dict[str, Any]:
    lags: list[tuple[float, float]] = []
    waits: list[tuple[float, float]] = []
    stop = asyncio.Event()

    def watch(run: Run | None, change: Change) -> None:  # noqa: ARG001  # what a watcher is told
        if run is not None and run.slot is not None:
            lags.append((time.time(), (datetime.now(UTC) - run.started - run.duration).total_seconds()))

    hub = Hub(Secret(url), node=node)
    evaluator = Evaluator(
        hub, split(rules(checks)), VERSION, node, stale_after=timedelta(seconds=45), outdated=lambda: None, watch=watch
    )
    turn = evaluator.turn

    async def timed() -> bool:
        busy = await turn()
        if busy:
            waits.append((time.time(), evaluator.lag.total_seconds()))
        return busy

    evaluator.turn = timed  # type: ignore[method-assign]  # to see what each transaction found
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, stop.set)
    begun = own_cpu()
    await evaluator.run(stop)
    used = own_cpu() - begun
    await hub.close()
    return {
        "judged": evaluator.judged,
        "refused": sum(evaluator.refused.values()),
        "cpu": used,
        "lags": lags,
        "waits": waits,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))))
