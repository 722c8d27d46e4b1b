"""What an exception on the wire, or a deadline that struck, means. Pure."""

import errno
import re
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from probe.core.duration import format_duration
from probe.core.failure import CheckFailed, Failure
from probe.net.dial import connect_failure, error_numbers
from probe.net.tls import ssl_error_in, tls_failure
from probe.net.trace import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What was going on when it happened. `limit` is the seconds that the request had; `peer` is `host:port`."""

    stage: Stage
    peer: str
    limit: float
    resolver_answers: bool | None = None
    proxy: str | None = None
    received: int = 0
    """Bytes of the body that had arrived."""
    certificate: bool = False
    """Whether we showed a client certificate: in TLS 1.3 it is refused after the handshake, and some just hang up."""


def explain(error: BaseException, at: Situation) -> Failure:
    """The failure that an exception of aiohttp, asyncio or ours means."""
    if isinstance(error, CheckFailed):
        return error.failures[0]
    if isinstance(error, TimeoutError):
        return stalled(at)
    tls = ssl_error_in(error)
    if tls is not None:
        return tls_failure(tls, at.peer)
    if isinstance(error, aiohttp.ClientPayloadError):
        return _broken_body(error, at)
    hint = " (it may have refused our client certificate)" if at.certificate and at.stage is Stage.WAIT else ""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Failure.of("closed_early", f"{at.peer} closed the connection without an answer{hint}")
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        return Failure.of("http_protocol", f"{at.peer} does not answer in valid HTTP: {_first_line(error.message)}")
    if isinstance(error, aiohttp.InvalidURL):
        return Failure.of("bad_redirect", "this address cannot be asked")
    if isinstance(error, OSError):
        numbers = error_numbers(error)
        if numbers & {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED} or isinstance(error, ConnectionError):
            return Failure.of("connection_reset", f"{at.peer} reset the connection{hint}")
        return connect_failure(numbers, at.peer)
    if isinstance(error, aiohttp.ClientConnectionError):
        return Failure.of("connection_reset", f"the connection to {at.peer} was lost")
    return Failure.of("internal", f"a bug in probe: {type(error).__name__}: {error}")


def _broken_body(error: aiohttp.ClientPayloadError, at: Situation) -> Failure:
    inner: BaseException = error.__cause__ or error
    said = f"{error} {inner!r}"
    got = f"after {at.received} bytes of the body"
    if "reset" in said.lower():
        return Failure.of("incomplete_body", f"{at.peer} reset the connection {got}")
    if "ContentLength" in said or "Not enough data" in said or "not completed" in said:
        return Failure.of("incomplete_body", f"{at.peer} broke off {got}")
    return Failure.of("http_protocol", f"the body that {at.peer} sends is not valid HTTP: {_first_line(str(inner))}")


def stalled(at: Situation) -> Failure:
    """What a deadline means that struck at this stage."""
    after = f"within {format_duration(at.limit)}"
    match at.stage:
        case Stage.DNS if at.resolver_answers is False:
            return Failure.of(
                "resolver_dead", f"our own name server does not answer; {at.peer} was not resolved {after}"
            )
        case Stage.DNS:
            return Failure.of("dns_timeout", f"the name of {at.peer} was not resolved {after}")
        case Stage.PROXY:
            return Failure.of("egress_failed", f"{at.proxy} did not answer {after}")
        case Stage.CONNECT:
            return Failure.of("connect_timeout", f"no connection to {at.peer} {after}")
        case Stage.START | Stage.QUEUE:
            return Failure.of("host_starved", f"our own turn to ask {at.peer} did not come {after}")
        case Stage.TLS:
            return Failure.of("tls_timeout", f"the TLS handshake with {at.peer} did not end {after}")
        case Stage.WAIT:
            return Failure.of("no_response", f"{at.peer} did not answer {after}")
        case Stage.HEAD:
            return Failure.of(
                "no_response", f"{at.peer} began to answer, but the head of the answer did not end {after}"
            )
        case Stage.BODY:
            return Failure.of("slow_body", f"the body from {at.peer} did not end {after}: {at.received} bytes had come")


_SPACE: Final = re.compile(r"\s+")


def _first_line(text: str) -> str:
    """The first sentence of a parser's message: the rest quotes bytes of the answer."""
    return _SPACE.sub(" ", text.strip().partition("\n")[0])[:120].rstrip(": ") or "it cannot be parsed"
