"""What operators do by the API."""

from datetime import datetime

from aiohttp import web

from probe.core.encode import timestamp
from probe.core.people import NoticeUpdate
from probe.view import documents as d
from probe.view.status import public_notice
from probe.web import acts
from probe.web.answers import Refused, answer
from probe.web.api.answering import mark_row, taken
from probe.web.api.shapes import MarkBody, MuteBody, NoteBody, NoticeBody, RunBody, UpdateBody
from probe.web.asking import moment_of
from probe.web.desk import DESK


async def ack(request: web.Request) -> web.Response:
    """Take care of an incident."""
    await acts.acknowledge(request, request.match_info["id"])
    return answer({"ok": True})


async def mute(request: web.Request) -> web.Response:
    """Deliver nothing about an incident for a time."""
    body = await taken(request, MuteBody)
    until = None if body["until"] is None else moment_of(body["until"], "until")
    await acts.mute(request, request.match_info["id"], until)
    return answer({"ok": True})


async def note(request: web.Request) -> web.Response:
    """Write a note."""
    found = await acts.note(request, request.match_info["id"], (await taken(request, NoteBody))["text"])
    return answer(d.NoteRow(id=found.id, at=timestamp(found.at), by=found.by, text=found.text), 201)


async def run_now(request: web.Request) -> web.Response:
    """Run a check at once."""
    body = await taken(request, RunBody)
    regions = await acts.run_now(request, request.match_info["check"], body.get("regions", []))
    return answer({"ok": True, "regions": sorted(regions)}, 202)


async def mark(request: web.Request) -> web.Response:
    """Put a moment on every graph."""
    body = await taken(request, MarkBody)
    at = moment_of(body["at"], "at") if "at" in body else await _now(request)
    found = await acts.mark(request, body.get("kind", "deploy"), body["text"], at, body.get("checks", []))
    return answer(mark_row(found), 201)


async def tell(request: web.Request) -> web.Response:
    """Tell the public."""
    body, now = await taken(request, NoticeBody), await _now(request)
    ends = body.get("ends")
    notice = await acts.tell(
        request,
        body["title"],
        body["components"],
        moment_of(body["begins"], "begins") if "begins" in body else now,
        NoticeUpdate(at=now, standing=body["standing"], text=body["text"]),
        ends=None if ends is None else moment_of(ends, "ends"),
        incident=body.get("incident"),
    )
    return answer(public_notice(notice), 201)


async def tell_more(request: web.Request) -> web.Response:
    """Say more about a notice."""
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(404, f"there is no notice {text[:40]!r}")
    body, now = await taken(request, UpdateBody), await _now(request)
    update = NoticeUpdate(at=now, standing=body["standing"], text=body["text"])
    return answer(public_notice(await acts.tell_more(request, int(text), update)))


async def _now(request: web.Request) -> datetime:
    return await request.app[DESK].view(lambda sources: sources.now)
