"""`/objectives`: all promises as they stand. `/objectives/{month}`: how a month was kept, as a page and as CSV."""

import asyncio
import re
from datetime import datetime
from typing import Final

from aiohttp import web

from probe.core.access import Access
from probe.view.documents import SloReport
from probe.view.objectives import objectives as objective_rows
from probe.view.slo_render import csv_of
from probe.view.slo_report import slo_report
from probe.view.sources import Sources
from probe.web.answers import Refused
from probe.web.desk import DESK
from probe.web.render import page
from probe.web.routes import Route

MONTH: Final = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")
SHOWN: Final = 12
"""Months that are linked, the present one first."""


def routes() -> tuple[Route, ...]:
    """The promises, and their reports."""
    return (
        Route(method="GET", path="/objectives", handler=objectives, access=Access.VIEWER),
        Route(method="GET", path="/objectives/{month}.csv", handler=month_csv, access=Access.VIEWER),
        Route(method="GET", path="/objectives/{month}", handler=month, access=Access.VIEWER),
    )


async def objectives(request: web.Request) -> web.StreamResponse:
    """All promises as they stand."""
    rows, now = await request.app[DESK].view(lambda sources: (objective_rows(sources), sources.now))
    return page(request, "objectives.html", rows=rows, months=months_before(now, SHOWN))


async def month(request: web.Request) -> web.StreamResponse:
    """The report of a month."""
    named = _month(request)
    report = await request.app[DESK].view(lambda sources: _report(sources, named))
    before, after = around(named)
    return await asyncio.to_thread(page, request, "slo_month.html", report=report, before=before, after=after)


async def month_csv(request: web.Request) -> web.StreamResponse:
    """The same as CSV."""
    named = _month(request)
    text = await request.app[DESK].view(lambda sources: csv_of(_report(sources, named)))
    headers = {"Content-Disposition": f'attachment; filename="slo-{named}.csv"', "X-Content-Type-Options": "nosniff"}
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)


def _report(sources: Sources, month: str) -> SloReport:
    try:
        return slo_report(sources, month)
    except ValueError as error:  # a month that is still to come
        raise Refused(404, str(error), "the months that there are, are on /objectives") from None


def months_before(now: datetime, count: int) -> list[str]:
    """So many months, the present one first.

    >>> months_before(datetime(2026, 2, 1), 3)
    ['2026-02', '2026-01', '2025-12']
    """
    last = now.year * 12 + now.month - 1
    return [_named(last - n) for n in range(count)]


def around(month: str) -> tuple[str, str]:
    """The month before, and the month after.

    >>> around("2026-12")
    ('2026-11', '2027-01')
    """
    year, number = month.split("-")
    this = int(year) * 12 + int(number) - 1
    return _named(this - 1), _named(this + 1)


def _named(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"


def _month(request: web.Request) -> str:
    named = request.match_info["month"]
    if MONTH.fullmatch(named) is None:
        raise Refused(404, f"there is no month {named[:40]!r}", "say it as 2026-11")
    return named
