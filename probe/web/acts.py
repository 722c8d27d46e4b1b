"""What operators do: the same for the forms of the pages and for the API. Each is written into the record of who did what."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from aiohttp import web

from probe.core.check import CheckId
from probe.core.diagnostic import did_you_mean
from probe.core.incident import IncidentId
from probe.core.people import Mark, Note, Notice, NoticeUpdate
from probe.web.access.audit import audit
from probe.web.answers import Refused
from probe.web.desk import DESK, identity, only_probes

LONGEST_NOTE: Final = 10_000
LONGEST_TEXT: Final = 500
"""Characters of a mark's text, and of a notice's title."""
KIND: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


async def acknowledge(request: web.Request, id: str) -> None:
    """Somebody takes care of an incident."""
    _where_it_is_kept(request)
    desk, who = request.app[DESK], identity(request)
    await _of_an_open_one(request, id, lambda incident: desk.daemon.acknowledge(incident, who.name))
    await audit(request, "acknowledge", id)


async def mute(request: web.Request, id: str, until: datetime | None) -> None:
    """Deliver nothing about an incident until then; `None`: deliver again. Refuses a moment that is over."""
    _where_it_is_kept(request)
    desk, who = request.app[DESK], identity(request)
    if until is not None and until <= await desk.view(lambda sources: sources.now):
        raise Refused(422, f"{until:%Y-%m-%d %H:%M} UTC is over already", "choose a time that is still to come")
    await _of_an_open_one(request, id, lambda incident: desk.daemon.mute(incident, until, who.name))
    await audit(request, "unmute" if until is None else f"mute until {until:%Y-%m-%d %H:%M} UTC", id)


async def note(request: web.Request, id: str, text: str) -> Note:
    """Write a note about an incident, open or not."""
    _where_it_is_kept(request)
    desk, who, said = request.app[DESK], identity(request), _said(request, text, LONGEST_NOTE)
    if await desk.view(lambda sources: sources.reader.incident(id)) is None:
        raise Refused(404, f"there is no incident {id!r}")
    now = await desk.view(lambda sources: sources.now)
    found = await desk.people(lambda people: people.add_note(id, now, who.name, said))
    await audit(request, "note", id)
    return found


async def run_now(request: web.Request, check: str, regions: Sequence[str]) -> tuple[str, ...]:
    """Run a check at once, from these of its regions (none: from all); gives those that were asked."""
    daemon = request.app[DESK].daemon
    known = places(daemon.places(), check, regions)
    chosen = tuple(dict.fromkeys(regions))
    await daemon.ask(CheckId(check), chosen)
    await audit(request, f"run from {', '.join(chosen) or 'all regions'}", check)
    return chosen or tuple(known)


async def mark(request: web.Request, kind: str, text: str, at: datetime, checks: Sequence[str]) -> Mark:
    """Put a moment on every graph, such as a deploy."""
    _where_it_is_kept(request)
    desk, who = request.app[DESK], identity(request)
    if KIND.fullmatch(kind) is None:
        raise Refused(422, '"kind" is to be a word of at most 32 small letters, digits, - and _, such as deploy')
    said = _said(request, text, LONGEST_TEXT)
    for check in checks:
        places(desk.daemon.places(), check, ())
    found = await desk.people(lambda people: people.add_mark(at, kind, said, who.name, checks))
    await audit(request, f"mark {kind}", said)
    return found


async def tell(
    request: web.Request,
    title: str,
    components: Sequence[str],
    begins: datetime,
    update: NoticeUpdate,
    *,
    ends: datetime | None,
    incident: str | None,
) -> Notice:
    """Tell the public of an incident, or of a maintenance."""
    _where_it_is_kept(request)
    desk = request.app[DESK]
    known = [component.slug for component in desk.status_page.components]
    for slug in components:
        if slug not in known:
            raise Refused(422, f"the status page has no component {slug!r}", did_you_mean(slug, known))
    if ends is not None and ends <= begins:
        raise Refused(422, "it is to end after it begins")
    said = _said(request, title, LONGEST_TEXT)
    update = replace(update, text=_said(request, update.text, LONGEST_NOTE))
    found = await desk.people(
        lambda people: people.add_notice(said, components, begins, update, ends=ends, incident=incident)
    )
    await audit(request, "notice", str(found.id))
    return found


async def tell_more(request: web.Request, id: int, update: NoticeUpdate) -> Notice:
    """Say more about a notice."""
    _where_it_is_kept(request)
    update = replace(update, text=_said(request, update.text, LONGEST_NOTE))
    found = await request.app[DESK].people(lambda people: people.update_notice(id, update))
    if found is None:
        raise Refused(404, f"there is no notice {id}")
    await audit(request, f"notice {update.standing.value}", str(id))
    return found


def places(known: Mapping[CheckId, Collection[str]], check: str, regions: Sequence[str]) -> Collection[str]:
    """From where a check runs; refuses a check that is none, and regions it does not run from."""
    found = known.get(CheckId(check))
    if found is None:
        raise Refused(404, f"there is no check {check!r}", did_you_mean(check, known))
    for region in regions:
        if region not in found:
            raise Refused(404, f"{check!r} does not run from {region!r}", did_you_mean(region, found))
    return found


def _where_it_is_kept(request: web.Request) -> None:
    """Refuses what is said to an agent of a fleet: nobody who looks at the fleet would ever see it."""
    if only_probes(request.app[DESK]):
        raise Refused(
            409, "this node only probes for a fleet", "say it to one that judges: `probe fleet status` names them"
        )


async def _of_an_open_one(request: web.Request, id: str, act: Callable[[IncidentId], Awaitable[None]]) -> None:
    try:
        await act(IncidentId(id))
    except KeyError:
        known = request.app[DESK].daemon.open_incidents()
        hint = did_you_mean(id, known) if known else "none is open"
        raise Refused(404, f"there is no open incident {id!r}", hint) from None


def _said(request: web.Request, text: str, longest: int) -> str:
    """What an operator wrote, without the secrets that they may have pasted: it is kept, and some of it is for everybody."""
    said: str = request.app[DESK].daemon.redactor.text(text.strip())
    if not 0 < len(said) <= longest:
        raise Refused(422, f"the text is to have between 1 and {longest} characters")
    return said
