"""What every exception and every stuck stage means: tables."""

import errno
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import BadStatusLine, ContentLengthError, TransferEncodingError

from probe.core.failure import CheckFailed, Failure
from probe.net.dial import connect_failure, error_numbers, has_route
from probe.net.failures import Situation, explain, stalled
from probe.net.trace import Stage, Trace

AT = Situation(stage=Stage.WAIT, peer="shop.example:443", limit=2.0)
KEY = ConnectionKey("shop.example", 443, True, True, None, None, None)


def _because(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        pytest.param("status", CheckFailed(Failure.of("status")), id="ours"),
        pytest.param("no_response", TimeoutError(), id="deadline"),
        pytest.param("closed_early", aiohttp.ServerDisconnectedError(), id="disconnected"),
        pytest.param("connection_reset", aiohttp.ClientOSError(errno.ECONNRESET, "reset"), id="reset"),
        pytest.param("connection_reset", BrokenPipeError(errno.EPIPE, "pipe"), id="pipe"),
        pytest.param("connection_reset", aiohttp.ClientConnectionResetError("lost"), id="lost"),
        pytest.param("connection_reset", aiohttp.ClientConnectionError("lost"), id="lost otherwise"),
        pytest.param("no_response", OSError(errno.ETIMEDOUT, "late"), id="timed out by the kernel"),
        pytest.param("http_protocol", BadStatusLine("x"), id="status line"),
        pytest.param("bad_redirect", aiohttp.InvalidURL("x"), id="url"),
        pytest.param(
            "incomplete_body",
            _because(aiohttp.ClientPayloadError("x"), ContentLengthError("Not enough data")),
            id="short",
        ),
        pytest.param(
            "incomplete_body", _because(aiohttp.ClientPayloadError("x"), ConnectionResetError("reset")), id="reset body"
        ),
        pytest.param(
            "http_protocol", _because(aiohttp.ClientPayloadError("x"), TransferEncodingError("chunk size")), id="chunk"
        ),
        pytest.param(
            "client_certificate_refused",
            _because(aiohttp.ClientOSError(1, "x"), _tls("TLSV13_ALERT_CERTIFICATE_REQUIRED")),
            id="alert",
        ),
        pytest.param("internal", RuntimeError("?"), id="a bug"),
    ],
)
def test_exceptions(kind: str, error: BaseException) -> None:
    """Each exception has its kind."""
    assert explain(error, AT).kind == kind


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        (Stage.START, "host_starved"),
        (Stage.DNS, "dns_timeout"),
        (Stage.PROXY, "egress_failed"),
        (Stage.CONNECT, "connect_timeout"),
        (Stage.QUEUE, "host_starved"),
        (Stage.TLS, "tls_timeout"),
        (Stage.WAIT, "no_response"),
        (Stage.HEAD, "no_response"),
        (Stage.BODY, "slow_body"),
    ],
)
def test_stages(stage: Stage, kind: str) -> None:
    """A deadline is explained by where it struck, and says how long there was."""
    failure = stalled(Situation(stage=stage, peer="shop.example:443", limit=2.0, proxy="our proxy"))
    assert failure.kind == kind
    assert "2 s" in failure.message
    assert {s.value for s in Stage} == {"start", "dns", "proxy", "connect", "queue", "tls", "wait", "head", "body"}


def test_a_deadline_while_our_resolver_is_dead() -> None:
    """The name is not to blame."""
    at = Situation(stage=Stage.DNS, peer="shop.example:443", limit=2.0, resolver_answers=False)
    assert stalled(at).kind == "resolver_dead"


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ([errno.ECONNREFUSED], "refused"),
        ([errno.ENETUNREACH, errno.ECONNREFUSED], "refused"),
        ([errno.EADDRNOTAVAIL, errno.ECONNREFUSED], "refused"),
        ([errno.ECONNRESET], "connection_reset"),
        ([errno.ETIMEDOUT, errno.EHOSTUNREACH], "connect_timeout"),
        ([errno.EHOSTUNREACH], "unreachable"),
        ([errno.EMFILE], "host_starved"),
        ([errno.EADDRNOTAVAIL], "no_network"),
        ([errno.EACCES], "egress_failed"),
        ([errno.EIO], "unreachable"),
        ([], "unreachable"),
    ],
)
def test_error_numbers(numbers: list[int], kind: str) -> None:
    """What a failed connect means; of several addresses the most telling counts."""
    assert connect_failure(numbers, "shop.example:443").kind == kind


def test_error_numbers_that_depend() -> None:
    """A route or none, a source address or none."""
    assert connect_failure([errno.ENETUNREACH], "x:1", routed=True).kind == "unreachable"
    assert connect_failure([errno.ENETUNREACH], "x:1", routed=False).kind == "no_network"
    assert connect_failure([errno.EADDRNOTAVAIL], "x:1", source="192.0.2.1").kind == "egress_failed"
    assert error_numbers(OSError("no number")) == frozenset()
    assert has_route({2, 10}) in (True, False)


def test_a_hint_at_our_client_certificate() -> None:
    """In TLS 1.3 a server may refuse it by hanging up after the handshake."""
    at = Situation(stage=Stage.WAIT, peer="shop.example:443", limit=2.0, certificate=True)
    for error in (aiohttp.ServerDisconnectedError(), ConnectionResetError(errno.ECONNRESET, "reset")):
        assert "client certificate" in explain(error, at).message
        assert "client certificate" not in explain(error, AT).message


def test_phases_that_did_not_happen() -> None:
    """A trace that got nowhere has no phases."""
    assert Trace().phases(None).total == 0
