"""An HTTP request of a drill: noted, met by a fault, or answered from memory, on its way to the wire."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from probe.core.duration import format_duration
from probe.core.exchange import Exchange, Hop, Phases
from probe.core.failure import Failure
from probe.core.fault import Answer, Fault, FaultKind
from probe.drill.planter import SAFE, Planter
from probe.drill.spoil import spoilt
from probe.net.address import parse_address
from probe.net.wire import ExchangeFailed, Request, Wire

RESOURCE: Final = "http"


async def send(wire: Wire, request: Request, planter: Planter | None, *, deadline: float) -> Exchange:
    """`wire.send(request)`, as the drill has it; plainly so without one."""
    if planter is None:
        return await wire.send(request, deadline=deadline)
    method = request.method.upper()
    ruling = planter.rule(method, request.url)
    fault, step, begun = ruling.fault, planter.step(), asyncio.get_running_loop().time()
    if ruling.strayed or (fault is not None and fault.kind in (FaultKind.REFUSED, FaultKind.BLOCKED)):
        raise _failed(request, "refused", f"{_peer(request)} refuses connections")
    if fault is not None:
        await _wait(request, fault, begun, deadline)
        if fault.answer is not None and method not in SAFE:
            return _exchange(request, fault.answer, fault.seconds)
    if ruling.replay is not None:
        exchange = _exchange(request, ruling.replay, 0.0)
    else:
        exchange = await wire.send(request, deadline=deadline)
    answer = Answer(status=exchange.status, headers=exchange.headers, body=exchange.body)
    planter.note(step, method, request.url, RESOURCE, answer)
    if fault is None:
        return exchange
    later = exchange.duration + asyncio.get_running_loop().time() - begun if fault.seconds else exchange.duration
    given = fault.answer or spoilt(fault.kind, answer)  # over the connection, and with the certificate, that there is
    return replace(
        exchange, status=given.status, headers=given.headers, body=given.body, size=len(given.body), duration=later
    )


async def _wait(request: Request, fault: Fault, begun: float, deadline: float) -> None:
    """What a slow or a hanging answer takes; `ExchangeFailed` when the deadline comes first."""
    until = begun + fault.seconds if fault.kind is not FaultKind.HANGING else float("inf")
    if until < deadline:
        await asyncio.sleep(max(0.0, until - asyncio.get_running_loop().time()))
        return
    await asyncio.sleep(max(0.0, deadline - asyncio.get_running_loop().time()))
    limit = format_duration(deadline - begun)
    raise _failed(request, "no_response", f"{_peer(request)} did not answer within {limit}")


def _failed(request: Request, kind: str, words: str) -> ExchangeFailed:
    address = parse_address(request.url)
    message = f"{request.method.upper()} {address.url.raw_path}: {words}"
    return ExchangeFailed(replace(Failure.of(kind, message), url=address.shown), ())


def _peer(request: Request) -> str:
    return parse_address(request.url).origin.partition("://")[2]


def _exchange(request: Request, answer: Answer, seconds: float) -> Exchange:
    method, address = request.method.upper(), parse_address(request.url)
    hop = Hop(method=method, url=address.text, status=answer.status, phases=Phases(ttfb=seconds, transfer=0.0))
    return Exchange(
        method=method,
        url=address.text,
        status=answer.status,
        reason="",
        headers=answer.headers,
        body=answer.body,
        hops=(hop,),
        duration=seconds,
        started=datetime.now(UTC),
        wire_size=len(answer.body),
    )
