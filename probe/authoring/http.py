"""`t.http`: the HTTP client of check authors."""

import asyncio
import json as json_format
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

from probe.authoring.findings import Findings
from probe.authoring.response import Duration, Response, ResponseExpectation, seconds
from probe.core.exchange import Exchange
from probe.core.failure import CheckFailed
from probe.core.secret import Secret, without_credentials
from probe.core.target import Region, Target
from probe.ports import Marks

if TYPE_CHECKING:
    from aiohttp import CookieJar

    from probe.drill.planter import Planter
    from probe.net.wire import Home, Wire

__all__ = ["Cookies", "HttpClient", "Response", "ResponseExpectation", "expect_response"]

Value = str | int | float | bool | Secret
Fields = Mapping[str, Value | Sequence[Value]] | Sequence[tuple[str, Value]]

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_BODY: Final = 10 * 2**20
"""Bytes of a decompressed body that are read unless a request says otherwise."""


class HttpClient:
    """Requests to the target: a cookie jar and kept connections for one run.

    Paths are joined to the target's URL; absolute URLs may lead elsewhere, but the target's headers, its client
    certificate and the marks of a synthetic request go to its own origin only. `deadline` is the loop's time at which
    the run ends: no request lasts longer.

    >>> async def log_in(t):
    ...     page = await t.http.get("/login")
    ...     token = page.headers["x-csrf-token"]
    ...     await t.http.post("/login", data={"user": t.secrets["user"], "csrf": token})
    ...     (await t.http.get("/account")).expect(status=200, body="Orders")

    A request that gets no answer raises `CheckFailed` that says why; a status of 400 or 500 does not raise: expect it.
    """

    def __init__(self, target: Target, region: Region, marks: Marks, findings: Findings, *, deadline: float) -> None:
        self._target = target
        self._region = region
        self._marks = marks
        self._findings = findings
        self._deadline = deadline
        self._opened: tuple[Wire, Home, CookieJar] | None = None
        self.planter: Planter | None = None
        """What a drill does with the requests; `None`: they simply go."""
        self.exchanges: list[Exchange] = []
        """Every answer of the run so far, in order, without the bodies."""

    async def get(self, url: str, **options: Any) -> Response:
        """`request("GET", …)`."""
        return await self.request("GET", url, **options)

    async def head(self, url: str, **options: Any) -> Response:
        """`request("HEAD", …)`."""
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Any) -> Response:
        """`request("OPTIONS", …)`."""
        return await self.request("OPTIONS", url, **options)

    async def post(self, url: str, **options: Any) -> Response:
        """`request("POST", …)`."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Any) -> Response:
        """`request("PUT", …)`."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Any) -> Response:
        """`request("PATCH", …)`."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Any) -> Response:
        """`request("DELETE", …)`."""
        return await self.request("DELETE", url, **options)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Fields | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        json: Any = None,
        data: Fields | None = None,
        content: str | bytes | None = None,
        timeout: Duration | None = None,  # noqa: ASYNC109  # becomes part of the one deadline
        follow_redirects: bool = True,
        max_redirects: int = 10,
        max_body: int = MAX_BODY,
    ) -> Response:
        """Send a request and read the answer in whole.

        `params` are added to the query; one of `json` (any data), `data` (a form) and `content` (as it is) is the body.
        `timeout` is `"2s"` or seconds, never more than what is left of the run; `max_body` is bytes. Raises what was
        collected by earlier expectations first, `CheckFailed` when there is no complete answer, and `ValueError` or
        `TypeError` for a request that makes no sense.
        """
        self._findings.raise_if_any()
        # Not at the top: aiohttp costs 0.2 s, and most of what imports this module makes no request.
        from probe.net.planted import send
        from probe.net.wire import Request

        body, content_type = _body(json, data, content)
        sent = {name: value.reveal() if isinstance(value, Secret) else value for name, value in (headers or {}).items()}
        if content_type and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = content_type
        wire, home, _ = self._open()
        request = Request(
            method=method,
            url=self._address(url, params),
            home=home,
            headers=sent,
            body=body,
            follow_redirects=follow_redirects,
            max_redirects=max_redirects,
            max_body=max_body,
        )
        deadline = self._deadline
        if timeout is not None:
            deadline = min(deadline, asyncio.get_running_loop().time() + seconds(timeout))
        try:
            exchange = await send(wire, request, self.planter, deadline=deadline)
        except CheckFailed as failed:
            raise CheckFailed(*(f.at(self._findings.step) for f in failed.failures)) from failed
        self.exchanges.append(replace(exchange, body=b""))
        return Response(exchange, self._findings)

    @property
    def cookies(self) -> "Cookies":
        """The cookies that go to the target: read, set and delete them like a dictionary."""
        _, _, jar = self._open()
        return Cookies(jar, self._target.url)

    def prepare(self) -> None:
        """Import and build what the first request needs, so that its time is the target's alone."""
        self._open()

    async def close(self) -> None:
        """Close every connection. A later request opens anew, with the cookies gone."""
        if self._opened is not None:
            wire, self._opened = self._opened[0], None
            await wire.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self) -> "tuple[Wire, Home, CookieJar]":
        if self._opened is None:
            from aiohttp import CookieJar

            from probe.net.wire import Home, Wire

            home = Home.of(self._target, self._marks)
            # `unsafe`: cookies of IP addresses too, as browsers keep them. Values go back as they came, unquoted; and
            # browsers take a loopback host for secure, whatever its scheme.
            secure = [self._target.url] if self._target.host in _LOOPBACK else None
            jar = CookieJar(unsafe=True, quote_cookie=False, treat_as_secure_origin=secure)
            self._opened = Wire(self._region, keep_alive=True, cookies=jar), home, jar
        return self._opened

    def _address(self, url: str, params: Fields | None) -> str:
        if not isinstance(url, str):
            raise TypeError(f"a URL is a text, not {url!r}")
        if urlsplit(url).scheme not in ("", "http", "https"):
            shown = without_credentials(url).partition("?")[0]
            raise ValueError(
                f"{shown!r} cannot be asked: write a path such as /cart, or an absolute URL that begins with http:// or https://"
            )
        address = self._target.join(url)
        if not params:
            return address
        parts = urlsplit(address)
        return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, _encoded(params))))))


class Cookies(MutableMapping[str, str]):
    """The cookies that would go to the target's URL, by name."""

    __slots__ = ("_jar", "_url")

    def __init__(self, jar: "CookieJar", url: str) -> None:
        from yarl import URL

        self._jar = jar
        self._url = URL(url)

    def __getitem__(self, name: str) -> str:
        return self._jar.filter_cookies(self._url)[name].value

    def __setitem__(self, name: str, value: str) -> None:
        self._jar.update_cookies({name: value}, self._url)

    def __delitem__(self, name: str) -> None:
        self[name]  # KeyError when there is none
        host = self._url.host
        self._jar.clear(lambda cookie: cookie.key == name and _covers(cookie["domain"], host))

    def __iter__(self) -> Iterator[str]:
        return iter(self._jar.filter_cookies(self._url))

    def __len__(self) -> int:
        return len(self._jar.filter_cookies(self._url))

    def __repr__(self) -> str:
        return f"<cookies: {', '.join(sorted(self)) or 'none'}>"  # names only: values are secret


def _covers(domain: str, host: str | None) -> bool:
    return host is not None and (host == domain or host.endswith(f".{domain}"))


def _body(json: Any, data: Fields | None, content: str | bytes | None) -> tuple[bytes | None, str]:
    """The body and its content type."""
    if sum(part is not None for part in (json, data, content)) > 1:
        raise TypeError("a request has one body: json=, data= (a form) or content=")
    if json is not None:
        return json_format.dumps(json, ensure_ascii=False, default=_revealed).encode(), "application/json"
    if data is not None:
        form: Any = data  # what is given need not be what is annotated
        if isinstance(form, str | bytes):
            raise TypeError("data= is a form, such as {'user': 'ada'}; give text or bytes as content=")
        return _encoded(data).encode(), "application/x-www-form-urlencoded"
    if content is not None:
        return (content.encode(), "text/plain; charset=utf-8") if isinstance(content, str) else (content, "")
    return None, ""


def _encoded(fields: Fields) -> str:
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    flat: list[tuple[str, str]] = []
    for name, value in pairs:
        values: Any = value if isinstance(value, list | tuple) else (value,)
        flat += ((name, _text(one)) for one in values)
    return urlencode(flat)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.reveal() if isinstance(value, Secret) else str(value)


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is not data that JSON can hold")


def expect_response(response: Response, message: str | None = None) -> ResponseExpectation:
    """What `expect(response)` gives: the chain of `response.expect()`. `message` is put before what fails."""
    return response.expect(message=message)
