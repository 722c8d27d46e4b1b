"""What visitors of the status page reported lately, beside what is usual: one more signal for operators."""

from datetime import timedelta
from typing import Final

from probe.core.reports import SPAN, WEEKS, Level, comparable, level
from probe.view.documents import VisitorsRow
from probe.view.sources import Sources

BACK: Final = timedelta(weeks=WEEKS, hours=2)


def visitors(sources: Sources) -> list[VisitorsRow]:
    """The parts of the shop of which anybody reported trouble in the last ten minutes, the most unusual first."""
    page, now = sources.status_page, sources.now
    found: list[tuple[Level, VisitorsRow]] = []
    for component in page.components if page.reports else ():
        count = sources.people.reports(component.slug, now - SPAN, now + timedelta(minutes=1))
        if not count:
            continue
        hours = sources.people.reports_by_hour(component.slug, now - BACK, now - SPAN)
        seen = level(count, comparable(hours, now))
        row = VisitorsRow(
            component=component.slug,
            name=component.name,
            count=count,
            usual=round(seen.usual, 3),
            unusual=seen.unusual,
            since=(now - SPAN).replace(microsecond=0, tzinfo=None).isoformat() + "Z",
        )
        found.append((seen, row))
    return sources.redactor.structure([row for _, row in sorted(found, key=lambda pair: pair[0].chance)])
