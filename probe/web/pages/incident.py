"""`/incidents/{id}`: what is broken, for whom, since when and why; what operators do about it; and what can be taken along."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from aiohttp import web

from probe.core.access import Access
from probe.view.bundle import bundle as view_bundle
from probe.view.documents import IncidentDocument
from probe.view.incident import incident as incident_document
from probe.view.report import POLICY, incident_report, pictures_of
from probe.view.sources import Sources
from probe.web import acts
from probe.web.answers import Refused, form_of
from probe.web.asking import moment_of
from probe.web.desk import DESK, identity, prefix
from probe.web.pages.run import shown
from probe.web.render import address, page
from probe.web.routes import Route

MUTES: Final = {"1h": timedelta(hours=1), "4h": timedelta(hours=4)}
MORNING: Final = time(8)
"""When one is awake again (UTC): what "until tomorrow" means."""


def routes() -> tuple[Route, ...]:
    """The page, its files and its forms."""
    one = "/incidents/{id}"
    return (
        Route(method="GET", path=one, handler=incident, access=Access.VIEWER),
        Route(method="GET", path=f"{one}/report.md", handler=report_markdown, access=Access.VIEWER),
        Route(method="GET", path=f"{one}/report.html", handler=report_html, access=Access.VIEWER),
        Route(method="GET", path=f"{one}/bundle.zip", handler=bundle, access=Access.VIEWER),
        Route(method="POST", path=f"{one}/ack", handler=acknowledge, access=Access.OPERATOR),
        Route(method="POST", path=f"{one}/mute", handler=mute, access=Access.OPERATOR),
        Route(method="POST", path=f"{one}/notes", handler=note, access=Access.OPERATOR),
    )


async def incident(request: web.Request) -> web.StreamResponse:
    """An incident, from its document."""
    named = request.match_info["id"]
    operator = identity(request).access.allows(Access.OPERATOR)
    document = await request.app[DESK].view(lambda sources: _document(sources, named, restricted=operator))
    return await asyncio.to_thread(answer_incident, request, document)


def answer_incident(request: web.Request, document: IncidentDocument) -> web.Response:
    """The page of a document. Takes some milliseconds of a processor: for a thread."""
    first, access = document["first_run"], identity(request).access
    until = document["incident"]["muted_until"]
    values: dict[str, Any] = {"screenshot": None, "reference": None, "changes": (), "traced": False}
    if first is not None:
        traced = any(row["kind"] == "trace" and row["available"] for row in first["evidence"])
        values |= {**shown(first, access), "traced": traced}
    values |= {
        "document": document,
        "incident": document["incident"],
        "cause": document["cause_words"],
        "first": first,
        "muted": until is not None and datetime.fromisoformat(until) > datetime.fromisoformat(document["now"]),
        "operator": access.allows(Access.OPERATOR),
    }
    return page(request, "incident.html", now=document["now"], **values)


async def report_markdown(request: web.Request) -> web.StreamResponse:
    """The draft of a post-mortem, to be written on."""
    named, operator = request.match_info["id"], identity(request).access.allows(Access.OPERATOR)
    text = await request.app[DESK].view(lambda s: incident_report(_document(s, named, restricted=operator), "md", {}))
    headers = {**_saved(f"incident-{named}.md"), "X-Content-Type-Options": "nosniff"}
    return web.Response(text=text, content_type="text/markdown", charset="utf-8", headers=headers)


async def report_html(request: web.Request) -> web.StreamResponse:
    """The same as one page with its pictures, to be read and printed."""
    named, operator = request.match_info["id"], identity(request).access.allows(Access.OPERATOR)

    def make(sources: Sources) -> str:
        document = _document(sources, named, restricted=operator)
        return incident_report(document, "html", pictures_of(sources, document, restricted=operator))

    text = await request.app[DESK].view(make)
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)


async def bundle(request: web.Request) -> web.StreamResponse:
    """Everything in one file, for somebody without access."""
    named, operator = request.match_info["id"], identity(request).access.allows(Access.OPERATOR)
    body = await request.app[DESK].view(lambda sources: view_bundle(sources, named, restricted=operator))
    if body is None:
        raise _no_such(named)
    return web.Response(body=body, content_type="application/zip", headers=_saved(f"incident-{named}.zip"))


async def acknowledge(request: web.Request) -> web.StreamResponse:
    """Somebody takes care of it."""
    await acts.acknowledge(request, request.match_info["id"])
    return _back(request, "")


async def mute(request: web.Request) -> web.StreamResponse:
    """Nothing is sent about it for a time, or again."""
    form = await form_of(request)
    now = await request.app[DESK].view(lambda sources: sources.now)
    until = mute_until(form.get("for"), form.get("until"), now)
    await acts.mute(request, request.match_info["id"], until)
    return _back(request, "")


async def note(request: web.Request) -> web.StreamResponse:
    """A note of an operator."""
    form = await form_of(request)
    await acts.note(request, request.match_info["id"], form.get("text"))
    return _back(request, "#notes")


def mute_until(how: str, until: str, now: datetime) -> datetime | None:
    """What was chosen in the form: `1h 4h tomorrow off`, or `until` a moment; `None`: speak again. Refuses everything else.

    >>> mute_until("tomorrow", "", datetime(2026, 11, 24, 23, 0, tzinfo=UTC)).isoformat()
    '2026-11-25T08:00:00+00:00'
    """
    if how == "off":
        return None
    if how == "tomorrow":
        return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), MORNING, tzinfo=UTC)
    if how in MUTES:
        return now + MUTES[how]
    if how != "until" or not until:
        raise Refused(422, "it is not said until when", "choose one of the times, or write a date and a time (UTC)")
    return moment_of(until, "until")


def _document(sources: Sources, id: str, *, restricted: bool) -> IncidentDocument:
    document = incident_document(sources, id, restricted=restricted)
    if document is None:
        raise _no_such(id)
    return document


def _no_such(id: str) -> Refused:
    return Refused(404, f"there is no incident {id!r}", "/incidents lists them all")


def _back(request: web.Request, anchor: str) -> web.Response:
    """To the page of the incident: 303, so that a reload does not do it again."""
    where = address(prefix(request), "incidents/" + request.match_info["id"], {})
    return web.Response(status=303, headers={"Location": where + anchor})


def _saved(name: str) -> dict[str, str]:
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in name)
    return {"Content-Disposition": f'attachment; filename="{plain}"'}
