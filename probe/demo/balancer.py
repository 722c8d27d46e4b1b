"""The load balancer: strictly round robin over the app workers, per request, without health checks."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from probe.demo.ports import LOOPBACK
from probe.demo.web import SHUTDOWN

TIMEOUT: Final = 60.0
"""Seconds an app worker may take. Longer than a customer's patience, as such settings are."""

_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length")
)


class Balancer:
    """Passes requests on. One rotation for http and https, so three requests always meet all three workers."""

    def __init__(self, workers: Sequence[int]) -> None:
        self._rotation = cycle(workers)
        self._client: aiohttp.ClientSession | None = None

    def runner(self) -> web.BaseRunner:
        """What serves it."""
        return web.ServerRunner(
            web.Server(self._pass_on, access_log=None, handler_cancellation=True),
            shutdown_timeout=SHUTDOWN,
        )

    async def start(self) -> None:
        """Open the pool of connections to the workers."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            auto_decompress=False,
        )

    async def stop(self) -> None:
        """Close the pool."""
        if self._client is not None:
            await self._client.close()

    async def _pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._client is not None
        port = next(self._rotation)
        headers = _passed(request.headers)
        headers["X-Forwarded-For"] = request.remote or LOOPBACK
        headers["X-Forwarded-Proto"] = "https" if request.secure else "http"
        try:
            async with self._client.request(
                request.method,
                f"http://{LOOPBACK}:{port}{request.raw_path}",
                headers=headers,
                data=await request.read() or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            ) as answer:
                return web.Response(status=answer.status, headers=_passed(answer.headers), body=await answer.read())
        except TimeoutError:
            return web.Response(status=504, text="504 Gateway Timeout\n")
        except (aiohttp.ClientError, ConnectionError):
            return web.Response(status=502, text="502 Bad Gateway\n")


def _passed(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in _HOP_BY_HOP:
        kept.popall(name, None)
    return kept
