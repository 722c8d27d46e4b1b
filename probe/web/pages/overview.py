"""`/`: everything at a glance."""

import asyncio

from aiohttp import web

from probe.core.access import Access
from probe.web.desk import DESK
from probe.web.glance import glance
from probe.web.render import page
from probe.web.routes import Route


def routes() -> tuple[Route, ...]:
    """The one route of it."""
    return (Route(method="GET", path="/", handler=overview, access=Access.VIEWER),)


async def overview(request: web.Request) -> web.Response:
    """What is broken, for whom, since when, and who has it; then everything else."""
    document = await request.app[DESK].overview()
    return await asyncio.to_thread(page, request, "overview.html", **glance(document))
