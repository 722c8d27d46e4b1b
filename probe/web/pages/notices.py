"""`/notices`: what is told to the public, by operators."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from aiohttp import web

from probe.core.access import Access
from probe.core.notices import PLANNED, SUFFERED, is_maintenance, read_draft, read_update
from probe.core.people import Notice
from probe.view.sources import Sources
from probe.view.status import DAYS, public_notice
from probe.view.visitors import visitors
from probe.web import acts
from probe.web.answers import Refused, form_of
from probe.web.desk import DESK, prefix
from probe.web.render import page
from probe.web.routes import Route

WORDS: Final = {
    "investigating": "we look into it",
    "identified": "we know the cause",
    "monitoring": "we watch whether it holds",
    "resolved": "it is over",
    "scheduled": "planned",
    "in_progress": "under way",
    "completed": "it is over",
}
"""How a notice stands, for whoever chooses."""
EMPTY: Final = {"title": "", "components": (), "standing": "", "text": "", "begins": "", "ends": "", "incident": ""}


def routes() -> tuple[Route, ...]:
    """The page, and its forms."""
    operator = Access.OPERATOR
    return (
        Route(method="GET", path="/notices", handler=show, access=operator),
        Route(method="POST", path="/notices", handler=tell, access=operator),
        Route(method="POST", path="/notices/{id}", handler=tell_more, access=operator),
    )


async def show(request: web.Request) -> web.StreamResponse:
    """What was told, what can be told, and what visitors report. `?incident=ID` fills in what an incident says."""
    return await _page(request, incident=request.query.get("incident", ""))


async def tell(request: web.Request) -> web.StreamResponse:
    """Tell the public of something new."""
    form = await form_of(request)
    fields = {name: form.get(name) for name in EMPTY} | {"components": form.all("component")}
    slugs = [component.slug for component in request.app[DESK].status_page.components]
    now = await request.app[DESK].view(lambda sources: sources.now)
    draft = read_draft(fields, slugs, now)
    if isinstance(draft, tuple):
        return await _page(request, fields=fields, mistakes=draft)
    await acts.tell(
        request,
        draft.title,
        draft.components,
        draft.begins,
        draft.update,
        ends=draft.ends,
        incident=draft.incident,
    )
    return _back(request)


async def tell_more(request: web.Request) -> web.StreamResponse:
    """Say more about a notice."""
    named = request.match_info["id"]
    number = int(named) if named.isascii() and named.isdigit() and len(named) < 19 else 0
    notice = await request.app[DESK].people(lambda people: people.notice(number))
    if notice is None:
        raise Refused(404, f"there is no notice {named[:40]!r}", "load the page of the notices again")
    form = await form_of(request)
    now = await request.app[DESK].view(lambda sources: sources.now)
    update = read_update({name: form.get(name) for name in ("standing", "text")}, notice, now)
    if isinstance(update, tuple):
        return await _page(request, mistakes=update)
    await acts.tell_more(request, number, update)
    return _back(request)


async def _page(
    request: web.Request, *, incident: str = "", fields: Mapping[str, object] = EMPTY, mistakes: tuple[str, ...] = ()
) -> web.Response:
    shown = await request.app[DESK].view(lambda sources: _shown(sources, incident, fields))
    return page(request, "notices.html", status=422 if mistakes else 200, mistakes=mistakes, words=WORDS, **shown)


def _shown(sources: Sources, incident: str, fields: Mapping[str, object]) -> dict[str, Any]:
    told = sources.people.notices(sources.now - timedelta(days=DAYS))
    rows = [{**public_notice(notice, sources.now), "further": _further(notice)} for notice in told]
    return {
        "now": sources.now,
        "components": sources.status_page.components,
        "names": {component.slug: component.name for component in sources.status_page.components},
        "notices": [row for row in rows if row["standing"] not in ("resolved", "completed")],
        "past": [row for row in rows if row["standing"] in ("resolved", "completed")],
        "visitors": visitors(sources),
        "fields": _of_incident(sources, incident) if incident else fields,
        "suffered": [standing.value for standing in SUFFERED],
        "planned": [standing.value for standing in PLANNED],
    }


def _further(notice: Notice) -> list[str]:
    return [standing.value for standing in (PLANNED if is_maintenance(notice) else SUFFERED)]


def _of_incident(sources: Sources, id: str) -> dict[str, object]:
    """What an incident says for a new notice: the parts that it is about, and since when. The words are the operator's."""
    story = sources.reader.incident(id)
    if story is None:
        raise Refused(404, f"there is no incident {id!r}", "tell of something else on /notices")
    hit = [c for c in sources.status_page.components if any(check in story.incident.members for check in c.checks)]
    return {
        **EMPTY,
        "title": f"Problems with {', '.join(c.name for c in hit)}" if hit else "",
        "components": [component.slug for component in hit],
        "standing": "investigating",
        "begins": f"{story.incident.since:%Y-%m-%dT%H:%M}",
        "incident": id,
    }


def _back(request: web.Request) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{prefix(request)}/notices"})
