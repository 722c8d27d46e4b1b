"""The status page: what customers may read. Nothing of ours is in it: no check, no address, no region, no message."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from probe.core import notices, uptime
from probe.core.check import CheckId
from probe.core.drilled import is_drill
from probe.core.incident import Incident
from probe.core.maintenance import covering
from probe.core.people import Notice, Standing
from probe.core.rules import Rules
from probe.core.state import State
from probe.core.status_page import Component
from probe.core.verdict import status as verdict_on
from probe.store.public import Public, read_public
from probe.store.rollup import DAY
from probe.view import documents
from probe.view.sources import Sources

DAYS: Final = 90
"""Days of history, today among them."""
GONE: Final = timedelta(minutes=2)
"""How long after its last sign of life, beyond the interval of the most frequent check, a daemon that answers nobody is gone."""


def status_document(sources: Sources) -> documents.StatusDocument:
    """What the public sees now. Raises `StoreUnavailable`."""
    page, now = sources.status_page, sources.now
    since = first_day(now)
    checks = {check for component in page.components for check in component.checks}
    told = sources.people.notices(since)
    known = sources.reader.read(lambda connection: read_public(connection, checks, since, now))
    gone = is_gone(sources, known.alive)
    covered = {
        slug: notice.begins for notice in reversed(told) if notices.covers(notice, now) for slug in notice.components
    }
    components = [
        _component(component, known, sources.rules, now, gone=gone, covered=covered.get(component.slug))
        for component in page.components
    ]
    slugs = {component.slug for component in page.components}
    public = [public_notice(notice, now, slugs) for notice in told]
    document = documents.StatusDocument(
        title=page.title,
        now=_text(now),
        state=uptime.worst([component["state"] for component in components]),
        components=components,
        notices=sorted((n for n in public if n["standing"] not in _OVER), key=lambda n: n["standing"] == _PLANNED),
        past=[notice for notice in public if notice["standing"] in _OVER],
        reports=page.reports,
    )
    return sources.redactor.structure(document)


def first_day(now: datetime) -> datetime:
    """When the history begins."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=DAYS - 1)


def is_gone(sources: Sources, alive: datetime | None) -> bool:
    """Whether nobody watches: no daemon answers that is well, and what was written down last is old."""
    if sources.live is not None and sources.live.get("healthy", True):
        return False
    patience = min((watched.every for watched in sources.rules.checks.values()), default=timedelta())
    return alive is None or sources.now - alive > GONE + patience


def unknown(document: documents.StatusDocument, now: datetime) -> documents.StatusDocument:
    """The same page when nothing can be read any more: what was known of the present is no longer."""
    components = [
        documents.PublicComponent(**{**component, "state": uptime.UNKNOWN, "since": document["now"]})
        for component in document["components"]
    ]
    return documents.StatusDocument(
        **{**document, "now": _text(now), "state": uptime.UNKNOWN, "components": components}
    )


_PLANNED: Final = Standing.SCHEDULED.value
_OVER: Final = frozenset(standing.value for standing in Standing if standing.over)


def _component(
    component: Component, known: Public, rules: Rules, now: datetime, *, gone: bool, covered: datetime | None
) -> documents.PublicComponent:
    state, since = _present(component, known, rules, now, gone=gone, covered=covered)
    days = _history(component, known, now)
    counts = [day for check in component.checks for day in known.days.get(check, ())]
    good, bad = sum(day.good for day in counts), sum(day.bad for day in counts)
    return documents.PublicComponent(
        slug=component.slug,
        name=component.name,
        description=component.description,
        state=state,
        since=None if since is None else _text(since),
        uptime=good / (good + bad) if good + bad else None,
        days=days,
    )


def _present(
    component: Component, known: Public, rules: Rules, now: datetime, *, gone: bool, covered: datetime | None
) -> tuple[str, datetime | None]:
    """The state of a part of the shop, and since when it is in that, where this is known."""
    if gone:
        return uptime.UNKNOWN, known.alive
    if covered is not None:
        return uptime.MAINTENANCE, covered
    states = {check: _of_check(CheckId(check), known.state, rules, now) for check in component.checks}
    # What is planned outweighs only what is well, or not known: trouble beside it is trouble.
    state = uptime.worst(states.values())
    if state == uptime.UNKNOWN and uptime.MAINTENANCE in states.values():
        state = uptime.MAINTENANCE
    bad = [
        member.since
        for incident in known.state.incidents.values()
        for check, member in incident.members.items()
        if state in (uptime.DOWN, uptime.DEGRADED)
        and states.get(check) == state
        and member.recovered is None
        and not is_drill(incident.cause)
    ]
    return state, min(bad, default=None)


def _of_check(check: CheckId, state: State, rules: Rules, now: datetime) -> str:
    watched = rules.watched(check)
    if watched is None:
        return uptime.UNKNOWN
    if covering(rules.windows, watched, now) is not None:
        return uptime.MAINTENANCE
    return uptime.told(verdict_on(state.checks.get(check), watched, state.regions, now))


def _history(component: Component, known: Public, now: datetime) -> list[documents.Day]:
    counts: dict[int, tuple[int, int]] = {}
    for check in component.checks:
        for day in known.days.get(check, ()):
            good, bad = counts.get(day.start, (0, 0))
            counts[day.start] = (good + day.good, bad + day.bad)
    suffered = _suffered(component.checks, known.incidents, now)
    first = int(first_day(now).timestamp())
    found = []
    for start in range(first, first + DAYS * DAY, DAY):
        state, share = uptime.of_day(*counts.get(start, (0, 0)), suffered.get(start, ()))
        found.append(documents.Day(day=_date(start).isoformat(), state=state, uptime=share))
    return found


def _suffered(checks: Sequence[str], incidents: Iterable[Incident], now: datetime) -> dict[int, set[str]]:
    """The beginnings of days on which incidents affected any of the checks, and how."""
    found: dict[int, set[str]] = {}
    for incident in incidents:
        state = uptime.told(incident.verdict)
        for check, member in incident.members.items():
            if check not in checks or state == uptime.UNKNOWN:
                continue
            end = (member.recovered or incident.resolved or now).timestamp()
            start = int(member.since.timestamp())
            for day in range(start - start % DAY, int(end) + 1, DAY):
                found.setdefault(day, set()).add(state)
    return found


def public_notice(
    notice: Notice, now: datetime | None = None, slugs: Collection[str] | None = None
) -> documents.PublicNotice:
    """A notice as the public reads it: as it stands at `now` (`None`: as was said last), about those parts that there are."""
    return documents.PublicNotice(
        id=notice.id,
        kind="maintenance" if notices.is_maintenance(notice) else "incident",
        title=notice.title,
        standing=(notice.standing if now is None else notices.standing_at(notice, now)).value,
        components=[slug for slug in notice.components if slugs is None or slug in slugs],
        begins=_text(notice.begins),
        ends=None if notice.ends is None else _text(notice.ends),
        updates=[
            documents.PublicUpdate(at=_text(update.at), standing=update.standing.value, text=update.text)
            for update in notice.updates
        ],
    )


def _date(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _text(moment: datetime) -> str:
    """RFC 3339, to the second: nobody outside needs more, and less of ours is told."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
