"""What the API shows: each document as it is."""

import re
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from probe.core.access import Access
from probe.core.encode import timestamp
from probe.core.run import Outcome
from probe.view import documents as d
from probe.view.bundle import bundle as view_bundle
from probe.view.incident import incident as view_incident
from probe.view.incidents import incidents as view_incidents
from probe.view.journey import journey as view_journey
from probe.view.objectives import objectives as view_objectives
from probe.view.run import run as view_run
from probe.view.runs import runs as view_runs
from probe.view.slo_report import slo_report
from probe.view.sources import Sources
from probe.view.status import public_notice
from probe.web.answers import Refused
from probe.web.api.answering import answered, mark_row, viewed
from probe.web.api.shapes import CheckRef
from probe.web.asking import limit_of, period_of, word_of
from probe.web.desk import DESK, identity
from probe.web.newest import newest

DAY: Final = timedelta(days=1)
MONTH: Final = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")


async def overview(request: web.Request) -> web.Response:
    """Everything at a glance."""
    return answered(request, await request.app[DESK].overview())


async def checks(request: web.Request) -> web.Response:
    """All checks."""
    known = request.app[DESK].daemon.known()
    rows = [
        CheckRef(
            check=check,
            description=known.checks[check].description if check in known.checks else watched.promise,
            target=watched.target,
            kind=known.checks[check].kind if check in known.checks else "",
            regions=list(watched.regions),
            tags=list(watched.tags),
        )
        for check, watched in sorted(known.rules.checks.items())
    ]
    return answered(request, known.redactor.structure({"checks": rows}))


async def journey(request: web.Request) -> web.Response:
    """A check over time."""
    check, region = request.match_info["check"], word_of(request, "region")

    def make(sources: Sources) -> Any:
        start, end = period_of(request, sources.now, default=DAY)
        return view_journey(sources, check, start, end, region)

    there = f" in a region {region!r}" if region else ""
    return await viewed(request, make, f"there is no check {check!r}{there}")


async def runs(request: web.Request) -> web.Response:
    """Runs, newest first."""
    limit = limit_of(request)
    outcome = word_of(request, "outcome")
    if outcome is not None and outcome not in set(Outcome):
        raise Refused(400, f'"outcome" is to be one of {", ".join(Outcome)}')

    def make(sources: Sources) -> Any:
        start, end = _span(request, sources.now)
        names = ("check", "region", "outcome", "step", "kind", "layer", "cursor")
        return view_runs(sources, **{n: word_of(request, n) for n in names}, start=start, end=end, limit=limit)

    return await viewed(request, make)


def _span(request: web.Request, now: datetime) -> tuple[datetime | None, datetime | None]:
    if not request.query.get("from") and not request.query.get("to"):
        return None, None
    return period_of(request, now, default=DAY)


async def run(request: web.Request) -> web.Response:
    """A run with everything that was seen."""
    named = request.match_info["run"]
    return await viewed(
        request,
        lambda sources: view_run(sources, named, restricted=_restricted(request)),
        f"there is no run {named!r} (any more)",
    )


async def incidents(request: web.Request) -> web.Response:
    """Incidents, newest first."""
    limit, cursor = limit_of(request, default=50), word_of(request, "cursor")
    wanted = word_of(request, "open") or "false"
    if wanted not in ("true", "false"):
        raise Refused(400, '"open" is to be true or false')
    return await viewed(request, lambda s: view_incidents(s, open_only=wanted == "true", cursor=cursor, limit=limit))


async def incident(request: web.Request) -> web.Response:
    """An incident with everything."""
    named = request.match_info["id"]
    return await viewed(
        request,
        lambda sources: view_incident(sources, named, restricted=_restricted(request)),
        f"there is no incident {named!r}",
    )


async def bundle(request: web.Request) -> web.Response:
    """An incident to hand to someone without access."""
    named, restricted = request.match_info["id"], _restricted(request)
    found = await request.app[DESK].view(lambda sources: view_bundle(sources, named, restricted=restricted))
    if found is None:
        raise Refused(404, f"there is no incident {named!r}")
    headers = {"Content-Disposition": f'attachment; filename="incident-{named}.zip"'}
    return web.Response(body=found, content_type="application/zip", headers=headers)


async def objectives(request: web.Request) -> web.Response:
    """How the objectives stand."""
    return await viewed(request, lambda sources: {"objectives": view_objectives(sources)})


async def slo(request: web.Request) -> web.Response:
    """The objectives of a month."""
    month = request.match_info["month"]
    if MONTH.fullmatch(month) is None:
        raise Refused(400, "the month is to be said as 2026-11")
    return await viewed(request, lambda sources: slo_report(sources, month))


async def status(request: web.Request) -> web.Response:
    """What the public sees."""
    if not request.app[DESK].status_page.components:
        raise Refused(404, "there is no status page", "add [[status_page.component]] to the configuration")
    return answered(request, (await newest(request.app[DESK])).document)


async def notices(request: web.Request) -> web.Response:
    """What the public was told."""

    def make(sources: Sources) -> Any:
        found = sources.people.notices(sources.now - timedelta(days=90))
        return {"notices": [public_notice(notice) for notice in found]}

    return await viewed(request, make)


async def marks(request: web.Request) -> web.Response:
    """Deploys and other moments."""
    check = word_of(request, "check")

    def make(sources: Sources) -> Any:
        start, end = period_of(request, sources.now, default=timedelta(days=30))
        return {"marks": [mark_row(m) for m in sources.people.marks(start, end, check)]}

    return await viewed(request, make)


async def audit(request: web.Request) -> web.Response:
    """Who did what."""
    limit, cursor = limit_of(request), word_of(request, "cursor")

    def make(sources: Sources) -> Any:
        lines, more = sources.people.audited(limit=limit, before=cursor)
        rows = [
            d.AuditRow(
                at=timestamp(line.at),
                who=line.who,
                what=line.what,
                object=line.object,
                address=line.address,
                ok=line.ok,
            )
            for line in lines
        ]
        return {"lines": rows, "next": more}

    return await viewed(request, make)


def _restricted(request: web.Request) -> bool:
    """Whether whoever asks sees evidence that is for operators."""
    return identity(request).access.allows(Access.OPERATOR)
