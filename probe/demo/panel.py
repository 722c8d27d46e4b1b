"""The fault panel: a page and a small JSON API, on a listener of its own that no fault touches."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from probe.demo.errors import UnknownFaultError
from probe.demo.ports import LOOPBACK
from probe.demo.web import app_runner

if TYPE_CHECKING:
    from probe.demo.faults import FaultState
    from probe.demo.shop import Shop

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Read at import: reading a file has no place in an event loop.
_PAGE: Final = files("probe.demo.pages").joinpath("panel.html").read_text(encoding="utf-8")
_HOSTS: Final = frozenset({LOOPBACK, "localhost"})
_CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"


class Panel:
    """Serves the panel of one shop."""

    def __init__(self, shop: "Shop") -> None:
        self._shop = shop

    def runner(self) -> web.BaseRunner:
        """What serves it."""
        app = web.Application(middlewares=[_same_origin], client_max_size=4096)
        app.router.add_get("/", self._index)
        app.router.add_get("/api/faults", self._faults)
        app.router.add_delete("/api/faults", self._clear)
        app.router.add_put("/api/faults/{name}", self._set)
        app.router.add_get("/api/shop", self._about)
        return app_runner(app)

    async def _index(self, _request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": _CSP, "Cache-Control": "no-store"}
        return web.Response(text=_PAGE, content_type="text/html", headers=headers)

    async def _faults(self, _request: web.Request) -> web.Response:
        return _json({"faults": [_shown(state) for state in self._shop.faults]})

    async def _clear(self, request: web.Request) -> web.Response:
        await self._shop.clear_faults()
        return await self._faults(request)

    async def _set(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return _json({"error": "send Content-Type: application/json"}, status=415)
        try:
            wanted = json.loads(await request.read())["on"]
        except (ValueError, KeyError, TypeError, RecursionError):
            wanted = None
        if not isinstance(wanted, bool):
            return _json({"error": 'send {"on": true} or {"on": false}'}, status=400)
        name = request.match_info["name"]
        try:
            await self._shop.set_fault(name, wanted)
        except UnknownFaultError as error:
            return _json({"error": error.message}, status=404)
        return _json(next(_shown(state) for state in self._shop.faults if state.name == name))

    async def _about(self, _request: web.Request) -> web.Response:
        urls = {key: str(value) for key, value in asdict(self._shop.urls).items()}
        nameserver, ca = urls.pop("nameserver"), urls.pop("ca")
        ports = {key: urlsplit(url).port for key, url in urls.items() if not key.startswith("named")}
        ports["dns"] = int(nameserver.rpartition(":")[2])
        return _json(
            {"urls": urls, "ports": ports, "nameserver": nameserver, "ca": ca, "services": await self._shop.services()}
        )


@web.middleware
async def _same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only the panel itself and programs on this machine: no web page elsewhere may break the shop.

    The Host header guards against a foreign name that resolves to loopback, Origin and Sec-Fetch-Site against
    requests that another page sends. Ports count: another service on this machine is another origin.
    """
    host = urlsplit(f"//{request.host}").hostname
    origin = request.headers.get("Origin")
    foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and request.method != "GET"
    if host not in _HOSTS or foreign or (origin is not None and origin != f"http://{request.host}"):
        return _json({"error": "the fault panel answers only itself and programs on this machine"}, status=403)
    return await handler(request)


def _shown(state: "FaultState") -> dict[str, object]:
    return {**asdict(state.fault), "on": state.on}


def _json(data: object, *, status: int = 200) -> web.Response:
    return web.json_response(data, status=status, headers={"Cache-Control": "no-store"})
