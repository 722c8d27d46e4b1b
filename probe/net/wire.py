"""One request with all its redirects, within one deadline: an `Exchange`, or the failure that says what happened."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from multidict import CIMultiDict

from probe.core.exchange import Exchange, Hop
from probe.core.failure import CheckFailed, Failure
from probe.core.secret import without_credentials
from probe.core.target import Region, Target
from probe.net.address import Address, follow, parse_address
from probe.net.body import ACCEPT_ENCODING, Body, read_into
from probe.net.connector import Connector
from probe.net.dial import Dialer
from probe.net.failures import Situation, explain
from probe.net.message import answer_to, request_bytes, with_cookies
from probe.net.proxy import answer_of_proxy
from probe.net.redirect import REDIRECTS, harmless, method_after, without_body_headers
from probe.net.tls import HandshakeGate, TlsFiles, context_for
from probe.net.trace import Stage, Trace
from probe.ports import Marks

IDLE: Final = 1.5
"""Seconds that a kept connection may rest: below what any common server allows, so that none closes as we ask."""
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_FOREIGN: Final = TlsFiles()
_TROUBLE: Final = (CheckFailed, TimeoutError, OSError, aiohttp.ClientError, HttpProcessingError)


class ExchangeFailed(CheckFailed):
    """A request that got no complete answer. `hops` are the redirects that were answered before."""

    def __init__(self, failure: Failure, hops: tuple[Hop, ...]) -> None:
        super().__init__(failure)
        self.hops = hops


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The target's own origin, and what is sent to it only: headers, and the client certificate in `tls`."""

    origin: str
    user_agent: str
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    tls: TlsFiles = _FOREIGN

    @classmethod
    def of(cls, target: Target, marks: Marks, *, verify: bool = True) -> "Home":
        """The home that a target is; `ValueError` for a URL that cannot be asked."""
        return cls(
            origin=parse_address(target.url).origin,
            user_agent=marks.user_agent,
            headers={**{k: v.reveal() for k, v in target.headers.items()}, **marks.headers},
            tls=TlsFiles(ca=target.ca, certificate=target.client_certificate, key=target.client_key, verify=verify),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `headers` are for the origin of `url`; only harmless ones follow a redirect to another."""

    url: str
    home: Home
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    body: bytes | None = None
    follow_redirects: bool = True
    max_redirects: int = 10
    max_body: int = 10 * 2**20


@dataclass(slots=True)
class _State:
    """What `send` has so far; read when it fails."""

    address: Address
    method: str
    body: bytes | None
    trace: Trace
    hops: list[Hop] = field(default_factory=list)
    received: Body | None = None
    waited: float = 0.0


class Wire:
    """Sends requests as one region does. Open it once, use it for many runs.

    >>> async def ask(region, home):
    ...     async with Wire(region) as wire:
    ...         request = Request(url="https://shop.example/", home=home)
    ...         return await wire.send(request, deadline=asyncio.get_running_loop().time() + 10)

    Without `keep_alive` every request and every hop has a connection of its own. `cookies` is the jar, if there is
    one; `gate` limits the handshakes at a time.
    """

    def __init__(
        self,
        region: Region,
        *,
        keep_alive: bool = False,
        cookies: aiohttp.abc.AbstractCookieJar | None = None,
        gate: HandshakeGate | None = None,
        dialer: Dialer | None = None,
    ) -> None:
        self._dialer = dialer or Dialer(region)
        self._connector = Connector(self._dialer, keep_alive=IDLE if keep_alive else None, gate=gate)
        self._cookies = cookies

    async def send(self, request: Request, *, deadline: float) -> Exchange:
        """The answer, complete, before `deadline` (the loop's time); `ExchangeFailed` otherwise.

        `ValueError` when the URL cannot be asked at all.
        """
        state = _State(parse_address(request.url), request.method.upper(), request.body, Trace())
        limit = deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._follow(request, state)
        except _TROUBLE as error:
            trace = state.trace
            situation = Situation(
                stage=trace.stage,
                peer=state.address.origin.partition("://")[2],
                limit=limit,
                resolver_answers=trace.resolver_answers,
                proxy=None if self._dialer.proxy is None else str(self._dialer.proxy),
                received=state.received.wire_size if state.received else 0,
                certificate=request.home.tls.certificate is not None and state.address.secure,
            )
            failure = explain(error, situation)
            path = state.address.url.raw_path
            shown = replace(failure, message=f"{state.method} {path}: {failure.message}", url=state.address.shown)
            raise ExchangeFailed(shown, tuple(state.hops)) from error

    async def close(self) -> None:
        """Close every connection, at once."""
        self._connector.close()
        await asyncio.sleep(0)  # the transports close in the loop's next round

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _follow(self, request: Request, state: _State) -> Exchange:
        started = datetime.now(UTC)
        began = time.perf_counter()
        first = state.address
        headers = request.headers
        while True:
            own = headers if state.address.origin == first.origin else harmless(headers)
            read = False
            try:
                answer, content = await self._ask(request, state, own, first)
                location = answer.headers.get("Location")
                if request.follow_redirects and answer.code in REDIRECTS and location is not None:
                    read = content.at_eof()
                    state.hops.append(_hop(state, answer, location, None))
                    headers = self._turn(request, state, answer.code, location, headers)
                    continue
                body = await self._read(request, state, answer, content)
                end = time.perf_counter()
                read = not answer.should_close
            finally:
                protocol = state.trace.protocol
                if protocol is not None:
                    state.trace.protocol = None  # the two know each other: only the garbage collector would part them
                    self._connector.release(protocol, reusable=read)
            state.hops.append(_hop(state, answer, location, end))
            return Exchange(
                method=request.method.upper(),
                url=first.text,
                status=answer.code,
                reason=answer.reason,
                headers=_headers(answer),
                body=body,
                hops=tuple(state.hops),
                duration=end - began - state.waited,
                started=started,
                wire_size=state.received.wire_size if state.received else 0,
            )

    async def _ask(
        self, request: Request, state: _State, own: Mapping[str, str], first: Address
    ) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        """One request, up to the head of its answer."""
        address, home = state.address, request.home
        headers = CIMultiDict[str]()
        headers["Host"] = address.netloc
        headers["User-Agent"] = home.user_agent
        headers["Accept"] = "*/*"
        headers["Accept-Encoding"] = ACCEPT_ENCODING
        if not self._connector.keeps:
            headers["Connection"] = "close"
        at_home = address.origin == home.origin
        if at_home:
            headers.update(home.headers)
        headers.update(own)
        credentials = address.credentials or (first.credentials if address.origin == first.origin else None)
        if credentials and "Authorization" not in headers:
            headers["Authorization"] = aiohttp.encode_basic_auth(*credentials)
        if self._cookies is not None:
            with_cookies(headers, {n: c.coded_value for n, c in self._cookies.filter_cookies(address.url).items()})
        proxy = self._dialer.proxy
        if proxy is not None and (address.secure or not proxy.is_http):
            proxy = None  # it is spoken to by the dialer
        if proxy is not None and proxy.authorization:
            headers["Proxy-Authorization"] = proxy.authorization
        target = address.url.raw_path_qs if proxy is None else address.text
        asked = request_bytes(state.method, target, headers, state.body)
        context = None
        if address.secure:
            context = await context_for(
                home.tls if at_home else _FOREIGN if home.tls.verify else replace(_FOREIGN, verify=False)
            )
        answer, content = await self._answer(state, asked, context)
        if self._cookies is not None and (set_cookies := answer.headers.getall("Set-Cookie", ())):
            self._cookies.update_cookies_from_headers(set_cookies, address.url)
        if proxy is not None:
            squid = answer.headers.get("X-Squid-Error", "")
            if answer.code == 407 or squid.startswith(("ERR_DNS_FAIL", "ERR_CONNECT_FAIL")):
                raise CheckFailed(answer_of_proxy(answer.code, squid, address.netloc, str(proxy)))
        return answer, content

    async def _answer(
        self, state: _State, asked: bytes, context: ssl.SSLContext | None
    ) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        while True:
            state.trace = trace = Trace()
            protocol = await self._connector.connect(state.address, context, trace)
            try:
                found = await answer_to(protocol, asked, state.method)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError):
                # A kept connection that the server closed as we asked says nothing about the target: ask anew.
                if not trace.reused or trace.first is not None or state.method not in _IDEMPOTENT:
                    raise
                trace.protocol = None
                self._connector.release(protocol, reusable=False)
                continue
            trace.stage = Stage.BODY
            state.waited += trace.waited
            return found

    def _turn(
        self, request: Request, state: _State, status: int, location: str, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Point the state at where a redirect leads; the headers that go on."""
        try:
            address = parse_address(follow(state.address, location))
        except ValueError as error:
            raise CheckFailed(Failure.of("bad_redirect", f"redirected to what cannot be followed: {error}")) from error
        if len(state.hops) > request.max_redirects:
            again = address.shown in (hop.url.partition("?")[0] for hop in state.hops)
            how = f"in a circle, back to {address.shown}" if again else f"on to {address.shown}"
            raise CheckFailed(
                Failure.of(
                    "too_many_redirects",
                    f"redirected {len(state.hops)} times, {how}",
                    expected=f"at most {request.max_redirects} redirects",
                    actual=f"{len(state.hops)} and more",
                )
            )
        method = method_after(status, state.method)
        if method != state.method:
            state.method, state.body = method, None
            headers = without_body_headers(headers)
        state.address = address
        return headers

    async def _read(
        self, request: Request, state: _State, answer: RawResponseMessage, content: aiohttp.StreamReader
    ) -> bytes:
        own_encoding = any(name.lower() == "accept-encoding" for name in request.headers)
        body = Body(answer.headers.get("Content-Encoding", ""), request.max_body, decode=not own_encoding)
        state.received = body
        await read_into(body, content)
        protocol = state.trace.protocol
        # A body without a length ends with its connection: aiohttp takes a reset for the end.
        delimited = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
        if not delimited and protocol is not None and protocol.lost is not None:
            raise aiohttp.ClientPayloadError(str(protocol.lost)) from protocol.lost
        return body.end()


def _hop(state: _State, answer: RawResponseMessage, location: str | None, end: float | None) -> Hop:
    trace = state.trace
    return Hop(
        method=state.method,
        url=state.address.text,
        status=answer.code,
        phases=trace.phases(end),
        address=trace.address,
        location=None if location is None else without_credentials(location),
        tls=trace.tls,
        answers=trace.answers,
    )


def _headers(answer: RawResponseMessage) -> tuple[tuple[str, str], ...]:
    """The headers as text: bytes that are no UTF-8 are read as Latin-1, the old rule of HTTP."""
    return tuple((str(name), value if value.isascii() else _readable(value)) for name, value in answer.headers.items())


def _readable(value: str) -> str:
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
