"""`/runs`: runs by what they are about, newest first."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from probe.core.access import Access
from probe.core.run import Outcome
from probe.view.documents import RunPage
from probe.view.runs import runs as view_runs
from probe.view.sources import Sources
from probe.web.answers import Refused
from probe.web.asking import limit_of, period_of, word_of
from probe.web.desk import DESK
from probe.web.render import page
from probe.web.routes import Route

DAY: Final = timedelta(days=1)
FILTERS: Final = ("check", "region", "outcome", "step", "kind", "layer")


def routes() -> tuple[Route, ...]:
    """The one route of it."""
    return (Route(method="GET", path="/runs", handler=runs, access=Access.VIEWER),)


async def runs(request: web.Request) -> web.Response:
    """A list with its filters, and the way on."""
    limit, cursor = limit_of(request), word_of(request, "cursor")
    filters = {name: word_of(request, name) for name in FILTERS}
    if filters["outcome"] is not None and filters["outcome"] not in set(Outcome):
        raise Refused(400, f'"outcome" is to be one of {", ".join(Outcome)}')
    timed = bool(request.query.get("from") or request.query.get("to"))

    def make(sources: Sources) -> tuple[datetime, RunPage]:
        start, end = period_of(request, sources.now, default=DAY) if timed else (None, None)
        try:
            return sources.now, view_runs(sources, **filters, start=start, end=end, cursor=cursor, limit=limit)
        except ValueError as error:
            raise Refused(400, str(error), "go back to the first page") from None

    now, document = await request.app[DESK].view(make)
    places = request.app[DESK].daemon.places()
    return await asyncio.to_thread(
        page,
        request,
        "runs.html",
        now=now,
        runs=document["runs"],
        next=document["next"],
        filters=filters,
        start=request.query.get("from", ""),
        end=request.query.get("to", ""),
        later=cursor is not None,
        outcomes=list(Outcome),
        checks=sorted(places),
        regions=sorted({region for known in places.values() for region in known}),
    )
