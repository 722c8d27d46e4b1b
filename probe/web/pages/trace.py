"""`/runs/{run}/trace`: the way to the trace viewer. `/trace/…`: the viewer itself, on its own origin (probe/web/isolation.py)."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from aiohttp import web

from probe.core.access import Access
from probe.view.documents import RunDocument
from probe.view.run import run as run_document
from probe.view.sources import Sources
from probe.web.answers import Refused
from probe.web.desk import DESK, identity
from probe.web.isolation import isolated_origin
from probe.web.pages.evidence import read_evidence
from probe.web.render import page
from probe.web.routes import Route
from probe.web.tickets import LIFE, Admitted, Tickets
from probe.web.viewer import ISOLATED, PAGE, Viewer, find_viewer

KIND: Final = "trace"
FILE: Final[Mapping[str, str]] = {
    **ISOLATED,
    "Content-Type": "application/zip",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store",
}


def routes() -> tuple[Route, ...]:
    """The page that leads to the viewer, and the viewer: its files are no secret, the traces open with a ticket."""
    traces = Traces(Tickets())
    return (
        Route(method="GET", path="/runs/{run}/trace", handler=traces.explain, access=Access.VIEWER),
        Route(method="GET", path="/trace/artifact/{ticket}", handler=traces.artifact, access=Access.PUBLIC),
        Route(method="GET", path="/trace/{name:.+}", handler=traces.file, access=Access.PUBLIC),
    )


class Traces:
    """The handlers, with the tickets that one gives and the other takes."""

    def __init__(self, tickets: Tickets, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._tickets = tickets
        self._clock = clock

    async def explain(self, request: web.Request) -> web.StreamResponse:
        """Where the trace of a run can be looked at; or why not, and what to do instead."""
        named, desk = request.match_info["run"], request.app[DESK]
        operator = identity(request).access.allows(Access.OPERATOR)
        document = await desk.view(lambda sources: _document(sources, named, restricted=operator))
        name, why = trace_of(document, identity(request).access)
        origin = isolated_origin(request.host, desk.settings)
        viewer = await asyncio.to_thread(find_viewer)
        if why is None and viewer is None:
            why = "viewer"
        if why is None and origin is None:
            why = "origin"
        address = None
        if why is None and name is not None and origin is not None:
            ticket = self._tickets.issue(Admitted(run=named, name=name), self._clock())
            address = viewer_address(origin, ticket)
        return page(
            request,
            "trace.html",
            document=document,
            address=address,
            origin=origin,
            why=why,
            name=name,
            minutes=int(LIFE.total_seconds() // 60),
        )

    async def artifact(self, request: web.Request) -> web.StreamResponse:
        """The trace that a ticket opens."""
        desk = request.app[DESK]
        admitted = self._tickets.redeem(request.match_info["ticket"], self._clock())
        if admitted is None:
            raise web.HTTPNotFound(text="this ticket has ended: open the trace from its run again\n", headers=ISOLATED)
        # Whoever got the ticket was allowed to see it.
        body = await desk.view(lambda sources: read_evidence(sources, admitted.run, admitted.name, Access.OPERATOR))
        return web.Response(body=body, headers=FILE)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file of the viewer."""
        viewer = await asyncio.to_thread(find_viewer)
        return await answer_file(viewer, request.match_info["name"])


async def answer_file(viewer: Viewer | None, name: str) -> web.Response:
    """A file of the viewer as an answer; 404 where there is none."""
    found = None if viewer is None else await asyncio.to_thread(viewer.file, name)
    if found is None:
        return web.Response(status=404, text="there is no such file\n", headers=ISOLATED)
    return web.Response(body=found.body, headers=found.headers)


def viewer_address(origin: str, ticket: str) -> str:
    """Where the viewer shows the trace that a ticket opens."""
    return f"{origin}/trace/{PAGE}?trace={quote(f'{origin}/trace/artifact/{ticket}', safe='')}"


def trace_of(document: RunDocument, access: Access) -> tuple[str | None, str | None]:
    """The file with the trace of a run, and why it cannot be shown: `none gone restricted`, or `None`: it can."""
    rows = [row for row in document["evidence"] if row["kind"] == KIND]
    if not rows:
        return None, "none"
    row = next((row for row in rows if row["available"]), rows[0])
    if row["restricted"] and not access.allows(Access.OPERATOR):
        return row["name"], "restricted"
    return row["name"], None if row["available"] else "gone"


def _document(sources: Sources, id: str, *, restricted: bool) -> RunDocument:
    document = run_document(sources, id, restricted=restricted)
    if document is None:
        raise Refused(404, f"there is no run {id!r}", "runs are forgotten when they are older than they are kept for")
    return document
