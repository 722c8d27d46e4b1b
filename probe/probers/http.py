"""The HTTP prober: declarative checks (`HttpCall`), in our own process. No user code runs here."""

import asyncio
import logging
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from probe.core.check import CheckSpec, HttpCall
from probe.core.exchange import Exchange
from probe.core.expectation import judge
from probe.core.explain import Party, party_of
from probe.core.failure import CheckFailed, Failure
from probe.core.run import Observation
from probe.core.target import Region
from probe.drill.planter import Planter
from probe.net.host import HostMeter, HostWatch
from probe.net.planted import send
from probe.net.tls import HandshakeGate
from probe.net.wire import Home, Request, Wire
from probe.ports import ProberSettings, RunContext

log = logging.getLogger(__name__)


class HttpProber:
    """Makes one request for each run, each over a connection of its own, and judges the answer.

    What is costly (session, resolver, TLS context) is shared by the runs of a region; nothing that a run leaves behind
    (connection, cookie, name) is.

    >>> async def once(settings, spec, context):
    ...     async with HttpProber(settings) as prober:
    ...         return await prober.probe(spec, context)
    """

    def __init__(self, settings: ProberSettings) -> None:
        self._settings = settings
        self._wires: dict[Region, Wire] = {}
        self._gate = HandshakeGate()

    async def __aenter__(self) -> Self:
        self._watch = HostWatch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._wires:
            await self._wires.popitem()[1].close()

    async def probe(self, spec: CheckSpec, context: RunContext) -> Observation:
        """Run the check once. Returns before `spec.timeout`; network trouble is a failure in the observation."""
        meter = HostMeter(self._watch)
        meter.start()
        exchange: Exchange | None = None
        planter = _planter(context)
        failures: tuple[Failure, ...]
        try:
            exchange = await self._exchange(spec, context, planter)
            failures = judge(_call(spec).expectations, exchange, datetime.now(UTC))
        except CheckFailed as error:
            failures = error.failures
        except Exception as error:  # the port's promise: a bug of ours is a failure of ours, not a crash
            log.exception("the HTTP prober failed on %s", spec.id)
            failures = (Failure.of("internal", f"a bug in probe: {type(error).__name__}: {error}"),)
        return Observation(
            failures=failures,
            exchanges=() if exchange is None else (exchange,),
            host=meter.stop(),
            duration=None if exchange is None else exchange.duration,
            trace_id=context.marks.trace_id,
            drill=None if planter is None else planter.notes(),
        )

    async def _exchange(self, spec: CheckSpec, context: RunContext, planter: Planter | None) -> Exchange:
        deadline = asyncio.get_running_loop().time() + spec.timeout.total_seconds()
        call = _call(spec)
        request = Request(
            method=call.method,
            url=context.target.join(call.path),
            home=Home.of(context.target, context.marks, verify=call.verify_tls),
            headers={name: value.reveal() for name, value in call.headers.items()},
            body=None if call.body is None else call.body.reveal().encode(),
            follow_redirects=call.follow_redirects,
            max_redirects=call.max_redirects,
            max_body=call.max_body,
        )
        return await send(self._wire(context.region), request, planter, deadline=deadline)

    def _wire(self, region: Region) -> Wire:
        wire = self._wires.get(region)
        if wire is None:
            wire = self._wires[region] = Wire(region, gate=self._gate)
        return wire


def _planter(context: RunContext) -> Planter | None:
    """What a drill does with the request."""
    if context.drill is None:
        return None
    target = context.target
    return Planter(drill=context.drill, step=lambda: None, own=lambda url: party_of(url, target) is Party.OWN)


def _call(spec: CheckSpec) -> HttpCall:
    if not isinstance(spec.work, HttpCall):
        raise TypeError(f"check {spec.id} is not a declarative HTTP check")
    return spec.work
