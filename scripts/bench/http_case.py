"""One HTTP case: `probe` (the declarative prober behind the runner) or `bare` (an aiohttp loop with the same check)."""

import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.bench.measure import own_cpu

AT_A_TIME = 4
WARM_UP = 100


async def bare(url: str, ca: str, count: int) -> float:
    """The floor: a new connection each, status and body checked, nothing else known afterwards."""
    import aiohttp

    context = ssl.create_default_context(cafile=ca)
    connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=context)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def once() -> None:
            async with session.get(url, timeout=aiohttp.ClientTimeout(total=10)) as answer:
                body = await answer.read()
                assert answer.status == 200 and b"OK-MARKER-42" in body  # noqa: PT018  # one check, as cheap as can be

        return await measured(once, count)


async def probe(url: str, ca: str, count: int) -> float:
    """The whole way of a run: runner, prober, phases, certificates, expectations, redaction."""
    from probe.core.check import CheckId, CheckSpec, HttpCall, Source
    from probe.core.expectation import Expectation, Op, Subject
    from probe.core.run import Outcome
    from probe.core.secret import Redactor, Secret
    from probe.core.target import BrowserSettings, Region, Target
    from probe.engine.runner import Job, Plan, open_runner
    from probe.ports import ProberSettings
    from probe.probers.http import HttpProber

    spec = CheckSpec(
        id=CheckId("bench"),
        kind="http",
        target="bench",
        every=timedelta(minutes=1),
        timeout=timedelta(seconds=10),
        source=Source(file="bench", line=1),
        work=HttpCall(
            expectations=(
                Expectation(subject=Subject.STATUS, op=Op.EQUALS, value=200),
                Expectation(subject=Subject.BODY, op=Op.HAS, value="OK-MARKER-42"),
            )
        ),
    )
    plan = Plan(
        targets={"bench": Target(name="bench", url=url, ca=ca if url.startswith("https") else None)},
        redactor=Redactor([Secret("a planted secret"), Secret("hunter22")]),
        user_agent="probe/bench",
        marker_header="x-synthetic-check",
        evidence=None,
        network=AT_A_TIME,
        browser=1,
    )
    with TemporaryDirectory() as scratch:
        settings = ProberSettings(browser=BrowserSettings(), scratch=Path(scratch))
        async with open_runner(plan, lambda _: HttpProber(settings)) as runner:
            job = Job(spec, Region(name="local"))

            async def once() -> None:
                run = await runner.run(job)
                assert run.outcome is Outcome.PASSED, run.failure

            return await measured(once, count)


async def measured(once: Callable[[], Awaitable[None]], count: int) -> float:
    """Milliseconds of processor time for each of `count` calls, `AT_A_TIME` at a time."""

    async def several(number: int) -> None:
        for _ in range(number):
            await once()

    for number in (WARM_UP, count):
        before = own_cpu()
        async with asyncio.TaskGroup() as group:
            for index in range(AT_A_TIME):
                group.create_task(several(number // AT_A_TIME), name=f"bench {index}")
    return (own_cpu() - before) * 1000 / count


if __name__ == "__main__":
    which, url, ca, count = sys.argv[1:5]
    with contextlib.suppress(KeyboardInterrupt):
        print(json.dumps({"ms": asyncio.run({"bare": bare, "probe": probe}[which](url, ca, int(count)))}))
