"""The control prober: asks what needs nothing of any target, all at once, to tell our own trouble from the shop's."""

import asyncio
import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from probe.core.check import Anchors, CheckSpec
from probe.core.exchange import Exchange
from probe.core.failure import CheckFailed, Failure
from probe.core.run import Observation, Step, StepOutcome
from probe.core.target import Region
from probe.net.address import parse_address
from probe.net.dial import Dialer
from probe.net.echo import Echo
from probe.net.failures import Situation, stalled
from probe.net.host import HostMeter, HostWatch
from probe.net.trace import Trace
from probe.net.wire import Home, Request, Wire
from probe.ports import ProberSettings, RunContext

log = logging.getLogger(__name__)

ECHO: Final = "TLS with ourselves"
"""The name of the step that shows that this host is fit to measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one anchor had to say: `failure` when nothing that counts."""

    seconds: float
    failure: Failure | None = None
    exchange: Exchange | None = None


class ControlProber:
    """Asks all anchors of a region at once, through its own way out, and ourselves over loopback.

    Passes as soon as one anchor has answered (those that have not by then are skipped), and fails with the trouble of the
    first when none has within the timeout: each has a step that says what became of it. When not even TLS with
    ourselves works, the run is errored: it is this host.
    """

    def __init__(self, settings: ProberSettings, *, loopback: str = "127.0.0.1") -> None:
        self._echo = Echo(settings.scratch, loopback)
        self._ways: dict[Region, tuple[Dialer, Wire]] = {}

    async def __aenter__(self) -> Self:
        self._watch = HostWatch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._ways:
            await self._ways.popitem()[1][1].close()

    async def probe(self, spec: CheckSpec, context: RunContext) -> Observation:
        """Run the control once. Returns before `spec.timeout`."""
        meter = HostMeter(self._watch)
        meter.start()
        try:
            names = _anchors(spec).names
            answers = await self._sample(names, spec.timeout.total_seconds(), context)
        except Exception as error:  # the port's promise: a bug of ours is a failure of ours, not a crash
            log.exception("the control prober failed on %s", spec.id)
            failure = Failure.of("internal", f"a bug in probe: {type(error).__name__}: {error}")
            return Observation(failures=(failure,), host=meter.stop(), trace_id=context.marks.trace_id)
        echo = answers[ECHO]
        outside = [answer for name in names if (answer := answers.get(name)) is not None]
        failed = [answer.failure for answer in outside if answer.failure is not None]
        wrong = [echo.failure] if echo is not None and echo.failure is not None else []
        if not wrong and len(failed) == len(names):
            wrong = failed[:1]
        return Observation(
            failures=tuple(wrong),
            steps=tuple(_step(name, answers.get(name)) for name in (*names, ECHO)),
            exchanges=tuple(answer.exchange for answer in outside if answer.exchange is not None),
            host=meter.stop(),
            duration=max((a.seconds for a in answers.values() if a is not None), default=None),
            trace_id=context.marks.trace_id,
        )

    async def _sample(self, names: tuple[str, ...], seconds: float, context: RunContext) -> dict[str, _Answer | None]:
        """The answers by name, until one of them is good or all are there, and that of ourselves; `None`: not awaited."""
        async with asyncio.TaskGroup() as group:
            ourselves = group.create_task(self._ask_ourselves(seconds), name=f"control: {ECHO}")
            tasks = {
                name: group.create_task(self._ask(name, seconds, context), name=f"control: {name}") for name in names
            }
            pending = set(tasks.values())
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result().failure is None for task in done):
                    break
            for task in pending:
                task.cancel()
            echo = await ourselves
        return {ECHO: echo, **{name: None if task.cancelled() else task.result() for name, task in tasks.items()}}

    async def _ask_ourselves(self, seconds: float) -> _Answer:
        try:
            return _Answer(seconds=await self._echo.ask(seconds))
        except CheckFailed as error:
            return _Answer(seconds=0.0, failure=error.failures[0])

    async def _ask(self, name: str, seconds: float, context: RunContext) -> _Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        exchange = None
        try:
            if name.startswith("dns:"):
                await self._resolve(name.removeprefix("dns:"), seconds, context.region)
            else:
                exchange = await self._fetch(name, began + seconds, context)
                if exchange.status >= 500:
                    words = f"{exchange.url} answered {exchange.status}"
                    raise CheckFailed(Failure.of("status", words, expected="below 500", actual=str(exchange.status)))
        except CheckFailed as error:
            return _Answer(seconds=loop.time() - began, failure=error.failures[0], exchange=exchange)
        return _Answer(seconds=loop.time() - began, exchange=exchange)

    async def _fetch(self, url: str, deadline: float, context: RunContext) -> Exchange:
        home = Home(origin=parse_address(url).origin, user_agent=context.marks.user_agent)
        return await self._way(context.region)[1].send(Request(url=url, home=home), deadline=deadline)

    async def _resolve(self, name: str, seconds: float, region: Region) -> None:
        trace = Trace()
        try:
            async with asyncio.timeout(seconds):
                await self._way(region)[0].resolve(name, trace)
        except TimeoutError as error:
            at = Situation(stage=trace.stage, peer=name, limit=seconds, resolver_answers=trace.resolver_answers)
            raise CheckFailed(stalled(at)) from error

    def _way(self, region: Region) -> tuple[Dialer, Wire]:
        way = self._ways.get(region)
        if way is None:
            dialer = Dialer(region)
            way = self._ways[region] = dialer, Wire(region, dialer=dialer)
        return way


def _step(name: str, answer: _Answer | None) -> Step:
    if answer is None:
        return Step(name=name, outcome=StepOutcome.SKIPPED)
    if answer.failure is None:
        return Step(name=name, outcome=StepOutcome.PASSED, start=0.0, duration=answer.seconds)
    outcome = StepOutcome.ERRORED if answer.failure.ours else StepOutcome.FAILED
    return Step(name=name, outcome=outcome, start=0.0, duration=answer.seconds, failure=answer.failure)


def _anchors(spec: CheckSpec) -> Anchors:
    if not isinstance(spec.work, Anchors):
        raise TypeError(f"check {spec.id} has no anchors")
    return spec.work
