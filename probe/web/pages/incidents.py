"""`/incidents`: what was wrong, newest first."""

import asyncio
from datetime import datetime

from aiohttp import web

from probe.core.access import Access
from probe.view.documents import IncidentPage
from probe.view.incidents import incidents as view_incidents
from probe.view.sources import Sources
from probe.web.answers import Refused
from probe.web.asking import limit_of, word_of
from probe.web.desk import DESK
from probe.web.render import page
from probe.web.routes import Route


def routes() -> tuple[Route, ...]:
    """The one route of it."""
    return (Route(method="GET", path="/incidents", handler=incidents, access=Access.VIEWER),)


async def incidents(request: web.Request) -> web.Response:
    """A list, and the way on; `open=true`: of those that are not over."""
    limit, cursor, only = limit_of(request, default=50), word_of(request, "cursor"), word_of(request, "open") == "true"

    def make(sources: Sources) -> tuple[datetime, IncidentPage]:
        try:
            return sources.now, view_incidents(sources, open_only=only, cursor=cursor, limit=limit)
        except ValueError as error:
            raise Refused(400, str(error), "go back to the first page") from None

    now, document = await request.app[DESK].view(make)
    return await asyncio.to_thread(
        page,
        request,
        "incidents.html",
        now=now,
        incidents=document["incidents"],
        next=document["next"],
        open_only=only,
        later=cursor is not None,
    )
