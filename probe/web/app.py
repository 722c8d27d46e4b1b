"""The application: every page, the API and the public page, behind one gate."""

import logging
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from probe.errors import ProbeError
from probe.web import live
from probe.web.access.entrance import Entrance
from probe.web.access.gate import guard
from probe.web.access.headers import PUBLIC
from probe.web.answers import LARGEST, Handler, Refused, masking, refusal
from probe.web.api import table
from probe.web.desk import DESK, Desk
from probe.web.guests import Guests
from probe.web.pages import (
    audit,
    evidence,
    health,
    incident,
    incidents,
    journey,
    login,
    marks,
    notices,
    objectives,
    overview,
    run,
    runs,
    static,
    status,
    trace,
)
from probe.web.render import page
from probe.web.routes import Route

log = logging.getLogger(__name__)

MODULES: Final = (
    overview,
    live,
    journey,
    runs,
    run,
    evidence,
    trace,
    incidents,
    incident,
    objectives,
    marks,
    notices,
    audit,
    login,
    status,
    static,
    table,
)
"""Each has its table of routes: all that is served is in one of them."""


_MEANWHILE: Final = "Probing and alerts go on: `probe status` tells more."
_CUT: Final = (
    "Probing goes on. What is found meanwhile is kept, and judged and told when the fleet's database answers again."
)


def pages_app(
    desk: Desk, entrance: Entrance, guests: Guests | None = None
) -> tuple[web.Application, Mapping[web.AbstractRoute, Route]]:
    """The application, and its routes by what the router knows them as."""
    app = web.Application(middlewares=[masking(lambda: desk.daemon.redactor), _told], client_max_size=LARGEST)
    app[DESK] = desk
    live.install(app)
    (guests or Guests()).install(app)
    routes = [*health.routes(desk.daemon), *(route for module in MODULES for route in module.routes())]
    return app, guard(app, routes, entrance)


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What cannot be done is told: as a page to whoever reads pages, else as JSON."""
    try:
        return await handler(request)
    except Refused as refused:
        return _tell(request, refused.status, refused.what, refused.hint)
    except ProbeError as error:  # the store cannot be read or written now, and the like
        if request.get(PUBLIC, False):
            log.warning("%s cannot be shown: %s", request.path, error)
            return _tell(request, 503, "this cannot be shown just now", "Try again in a moment.")
        return _tell(
            request, 503, str(error), _MEANWHILE if request.app[DESK].daemon.status()["fleet"] is None else _CUT
        )
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _tell(request, error.status, (error.text or error.reason).strip(), "")
    except Exception:
        log.exception("a page could not be made: %s %s", request.method, request.path)
        return _tell(request, 500, "this is a bug of probe's", "Its log says more. Probing and alerts go on.")


def _tell(request: web.Request, status: int, what: str, hint: str) -> web.StreamResponse:
    if "text/html" in request.headers.get("Accept", "") and "/api/" not in request.path:
        said = what[:1].upper() + what[1:]
        return page(request, "error.html", status=status, what=said, hint=hint[:1].upper() + hint[1:])
    return refusal(status, what, hint)
