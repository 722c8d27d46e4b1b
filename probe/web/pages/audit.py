"""`/audit`: who did what, for operators."""

from aiohttp import web

from probe.core.access import Access
from probe.web.answers import Refused
from probe.web.desk import DESK
from probe.web.render import page
from probe.web.routes import Route

LINES = 100


def routes() -> tuple[Route, ...]:
    """The one page."""
    return (Route(method="GET", path="/audit", handler=show, access=Access.OPERATOR),)


async def show(request: web.Request) -> web.Response:
    """The newest lines, or those before a cursor."""
    before = request.query.get("cursor") or None
    try:
        lines, older = await request.app[DESK].people(lambda people: people.audited(limit=LINES, before=before))
    except ValueError as error:
        raise Refused(400, str(error)) from None
    return page(request, "audit.html", lines=lines, older=older)
