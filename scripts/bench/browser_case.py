"""One browser case: the same journey through the demo shop by a `bare` Playwright script, or by `probe`."""

import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from probe.core.target import BrowserKind
from scripts.bench.measure import tree_cpu, tree_memory

JOURNEY = Path(__file__).with_name("journey.py")


@dataclass
class Seen:
    """What the counted journeys took: seconds of wall time, and of each step."""

    walls: list[float] = field(default_factory=list)
    steps: list[list[float]] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


async def bare(shop: str, count: int, _: str, at_a_time: int) -> dict[str, Any]:
    """The floor: one browser, a fresh context for each journey, nothing looked at."""
    from playwright.async_api import async_playwright

    from probe.worker.browser import find_browser
    from scripts.bench.journey import walk

    executable = find_browser(BrowserKind.HEADLESS_SHELL)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable.path, args=list(executable.flags), chromium_sandbox=executable.sandbox
        )

        async def once(seen: Seen) -> None:
            begun = time.perf_counter()
            context = await browser.new_context()
            marks = [begun]

            async def mark() -> None:
                marks.append(time.perf_counter())

            await walk(await context.new_page(), shop, mark)
            await context.close()
            seen.walls.append(time.perf_counter() - begun)
            seen.steps.append([b - a for a, b in itertools.pairwise(marks)])

        return await measured(once, count, at_a_time)


async def probe(shop: str, count: int, evidence: str, at_a_time: int) -> dict[str, Any]:
    """The whole way of a run: runner, supervisor, worker, journey with steps, observation."""
    from probe.core.check import CheckId, CheckSpec, Function, Source
    from probe.core.run import Outcome
    from probe.core.secret import Redactor
    from probe.core.target import BrowserSettings, Evidence, Region, Target
    from probe.engine.runner import Job, Plan, open_runner
    from probe.ports import ProberSettings
    from probe.probers.function import FunctionProber

    spec = CheckSpec(
        id=CheckId("bench"),
        kind="browser",
        target="shop",
        every=timedelta(minutes=5),
        timeout=timedelta(seconds=60),
        source=Source(file=str(JOURNEY), line=1),
        work=Function(file=str(JOURNEY), name="buy", browser=BrowserKind.HEADLESS_SHELL, root=str(JOURNEY.parent)),
        evidence={"off": Evidence.nothing, "default": Evidence, "full": Evidence.everything}[evidence](),
    )
    with TemporaryDirectory(prefix="pb-") as scratch:
        plan = Plan(
            targets={"shop": Target(name="shop", url=shop)},
            redactor=Redactor(),
            user_agent="probe/bench",
            marker_header="x-synthetic-check",
            evidence=Path(scratch) / "evidence",
            network=4,
            browser=at_a_time,
        )
        settings = ProberSettings(
            browser=BrowserSettings(workers=at_a_time, recycle_after_runs=10**6), scratch=Path(scratch) / "s"
        )
        settings.scratch.mkdir()
        async with open_runner(plan, lambda _: FunctionProber(settings)) as runner:
            job = Job(spec, Region(name="local"))

            async def once(seen: Seen) -> None:
                begun = time.perf_counter()
                run = await runner.run(job)
                assert run.outcome is Outcome.PASSED, run.failure
                seen.walls.append(time.perf_counter() - begun)
                seen.steps.append([step.duration or 0 for step in run.observation.steps])

            return await measured(once, count, at_a_time)


async def measured(once: Callable[[Seen], Awaitable[None]], count: int, at_a_time: int) -> dict[str, Any]:
    """CPU seconds a journey, memory, and times; after one journey a worker that is not counted."""

    async def several(number: int, seen: Seen) -> None:
        for _ in range(number):
            await once(seen)

    seen, before = Seen(), 0.0
    for number in (1, count // at_a_time):
        seen, before = Seen(), tree_cpu()
        async with asyncio.TaskGroup() as group:
            for index in range(at_a_time):
                group.create_task(several(number, seen), name=f"bench {index}")
    return {
        "cpu": (tree_cpu() - before) / len(seen.walls),
        "memory": tree_memory(),
        "wall": statistics.median(seen.walls),
        "steps": [statistics.median(times) for times in zip(*seen.steps, strict=True)],
    }


if __name__ == "__main__":
    which, shop, count, evidence, at_a_time = sys.argv[1:6]
    result = asyncio.run({"bare": bare, "probe": probe}[which](shop, int(count), evidence, int(at_a_time)))
    print(json.dumps(result))
