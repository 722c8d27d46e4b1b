"""`/checks/{check}`: a check over time."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from aiohttp import web

from probe.core.access import Access
from probe.view.documents import Journey
from probe.view.journey import journey as view_journey
from probe.view.sources import Sources
from probe.web.acts import run_now
from probe.web.answers import Refused, form_of
from probe.web.asking import period_of, word_of
from probe.web.desk import DESK, prefix
from probe.web.journeys import burndown, by_region, charts, shade
from probe.web.render import address, page
from probe.web.routes import Route
from probe.web.words import rfc3339

DAY: Final = timedelta(days=1)
PERIODS: Final = ("1h", "6h", "24h", "7d", "30d")


def routes() -> tuple[Route, ...]:
    """The page, and its button."""
    return (
        Route(method="GET", path="/checks/{check}", handler=journey, access=Access.VIEWER),
        Route(method="POST", path="/checks/{check}/run", handler=again, access=Access.OPERATOR),
    )


async def journey(request: web.Request) -> web.Response:
    """Steps, percentiles, outcomes, vitals, budgets and failures of a stretch of time; every number leads to its runs."""
    check, region = request.match_info["check"], word_of(request, "region")

    def make(sources: Sources) -> tuple[datetime, Journey | None]:
        start, end = period_of(request, sources.now, default=DAY)
        return sources.now, view_journey(sources, check, start, end, region)

    now, document = await request.app[DESK].view(make)
    if document is None:
        raise Refused(
            404,
            f"there is no check {check[:200]!r}" + (f" in a region {region[:200]!r}" if region else ""),
            "it may have been renamed or taken out: see the overview",
        )
    return await asyncio.to_thread(_page, request, document, now, region)


async def again(request: web.Request) -> web.Response:
    """Run it now, from the regions that were ticked; then back to its page."""
    check = request.match_info["check"]
    form = await form_of(request)
    await run_now(request, check, form.all("region"))
    raise web.HTTPSeeOther(address(prefix(request), f"checks/{_quoted(check)}", {"asked": 1}))


def _page(request: web.Request, document: Journey, now: datetime, region: str | None) -> web.Response:
    front = prefix(request)
    link = _links(front, document["check"], region)
    asked = request.query.get("from", "24h")
    return page(
        request,
        "journey.html",
        j=document,
        now=now,
        region=region,
        asked=asked if asked in PERIODS and not request.query.get("to") else "",
        started="asked" in request.query,
        periods=PERIODS,
        charts=charts(document, region, link),
        burndowns=[(burn, burndown(burn)) for burn in document["budgets"]],
        waterfall=by_region(document),
        shade=shade,
        span={"from_": rfc3339(document["period"]["start"]), "to": rfc3339(document["period"]["end"])},
        total={name: sum(c[name] for c in document["columns"] if c["region"] == (region or "")) for name in _COUNTS},
    )


_COUNTS: Final = ("passed", "failed", "errored", "missed")


def _links(front: str, check: str, region: str | None) -> Callable[..., str]:
    """Addresses of what is behind a number: `link(run)`, or `link(start, end, **more)`."""

    def link(start: datetime | str, end: datetime | None = None, **more: object) -> str:
        if isinstance(start, str):
            return address(front, f"runs/{_quoted(start)}", {})
        query = {"check": check, "region": region, "from": rfc3339(start), "to": rfc3339(end or start), **more}
        return address(front, "runs", query)

    return link


def _quoted(text: str) -> str:
    return quote(text, safe="")
