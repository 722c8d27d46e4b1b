"""Other companies the shop depends on: who takes the money, who serves the pictures, who counts the visitors."""

import secrets
from typing import Final

from aiohttp import web

from probe.demo.hold import Hold
from probe.demo.pictures import picture
from probe.demo.web import app_runner

DECLINED_CARD: Final = "4000000000000002"
SLOW_CHARGE: Final = 20.0

_ANALYTICS: Final = """\
(function () {
  var seen = { page: location.pathname, at: Date.now(), events: [] };
  window.metrics = { track: function (name) { seen.events.push(name); } };
  addEventListener("load", function () { window.metrics.track("load"); });
})();
"""


class Payment:
    """The payment provider: `POST /charge` with a card and an amount."""

    def __init__(self) -> None:
        self._slow = False
        self._hold = Hold()

    def set(self, *, slow: bool) -> None:
        """Whether a charge takes longer than anybody waits."""
        if self._slow and not slow:
            self._hold.release()
        self._slow = slow

    def runner(self) -> web.BaseRunner:
        """What serves it."""
        app = web.Application()
        app.router.add_post("/charge", self._charge)
        return app_runner(app)

    async def _charge(self, request: web.Request) -> web.Response:
        try:
            card = str((await request.json())["card"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "a charge needs a card"}, status=400)
        if self._slow:
            await self._hold.wait(SLOW_CHARGE)
        if card == DECLINED_CARD:
            return web.json_response({"state": "declined"}, status=402)
        return web.json_response({"state": "charged", "charge": f"ch_{secrets.token_hex(6)}"}, status=201)


class Cdn:
    """The content delivery network: `/img/SKU.svg`."""

    def __init__(self) -> None:
        self.missing = False

    def runner(self) -> web.BaseRunner:
        """What serves it."""
        app = web.Application()
        app.router.add_get("/img/{sku}.svg", self._image)
        return app_runner(app)

    async def _image(self, request: web.Request) -> web.Response:
        svg = None if self.missing else picture(request.match_info["sku"])
        if svg is None:
            return web.Response(status=404, text="404 Not Found\n", headers={"Cache-Control": "no-store"})
        # A minute's caching would hide a lost image from a browser that keeps its cache.
        return web.Response(text=svg, content_type="image/svg+xml", headers={"Cache-Control": "no-cache"})


class ThirdParty:
    """The analytics host: one script, in the head of every page."""

    def __init__(self) -> None:
        self._hanging = False
        self._hold = Hold()

    def set(self, *, hanging: bool) -> None:
        """Whether it accepts connections and says nothing."""
        if self._hanging and not hanging:
            self._hold.release()
        self._hanging = hanging

    def runner(self) -> web.BaseRunner:
        """What serves it."""
        app = web.Application()
        app.router.add_get("/analytics.js", self._script)
        return app_runner(app)

    async def _script(self, _request: web.Request) -> web.Response:
        if self._hanging:
            await self._hold.wait(None)
        headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        return web.Response(text=_ANALYTICS, content_type="text/javascript", headers=headers)
