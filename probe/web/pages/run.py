"""`/runs/{run}`: everything that was seen in a run, the reason first."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from probe.core.access import Access
from probe.core.encode import timestamp
from probe.view.documents import RunDocument
from probe.view.run import run as run_document
from probe.web.answers import Refused
from probe.web.desk import DESK, identity
from probe.web.pages import run_facts as facts
from probe.web.render import page
from probe.web.routes import Route
from probe.web.waterfall import MOST, step_bars, waterfall

AROUND: Final = timedelta(minutes=30)
"""How much of the journey before and after a run is shown by the link to it."""
ALL: Final = 2000
"""Requests that are drawn when all are asked for."""


def routes() -> tuple[Route, ...]:
    """The page of a run."""
    return (Route(method="GET", path="/runs/{run}", handler=run, access=Access.VIEWER),)


async def run(request: web.Request) -> web.StreamResponse:
    """A run, from its document."""
    named = request.match_info["run"]
    operator = identity(request).access.allows(Access.OPERATOR)
    document = await request.app[DESK].view(lambda sources: run_document(sources, named, restricted=operator))
    if document is None:
        raise Refused(
            404, f"there is no run {named!r}", "runs are forgotten when they are older than they are kept for"
        )
    most = ALL if request.query.get("requests") == "all" else MOST
    return await asyncio.to_thread(answer_run, request, document, most)


def answer_run(request: web.Request, document: RunDocument, most: int) -> web.Response:
    """The page of a document. Takes some milliseconds of a processor: for a thread."""
    values = {**shown(document, identity(request).access), "water": waterfall(document["requests"], most)}
    return page(request, "run.html", **values)


def shown(document: RunDocument, access: Access) -> dict[str, Any]:
    """What the templates of a run need, made of its document."""
    seen = document["run"]
    started = datetime.fromisoformat(seen["started"])
    ended = started + timedelta(seconds=seen["duration"])
    return {
        "document": document,
        "run": seen,
        "operator": access.allows(Access.OPERATOR),
        "screenshot": facts.picture(document, "screenshot", access),
        "reference": facts.picture(document, "reference", access),
        "changes": facts.changes(document["compared"]),
        "steps": (steps := facts.listed_steps(seen["steps"])),
        "bars": step_bars(steps, seen["duration"]),
        "chains": facts.chains(seen),
        "names": facts.named(seen),
        "ways": facts.ways(seen),
        "around": (timestamp(started - AROUND), timestamp(ended + AROUND)),
    }
