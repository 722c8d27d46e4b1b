"""The table of the API's routes: who may ask for what, and what its description says of it."""

from typing import Any, Final

from aiohttp import web

from probe.core.access import Access
from probe.core.run import Outcome
from probe.view import documents as d
from probe.web.api import act, read
from probe.web.api.answering import answered
from probe.web.api.shapes import (
    Asked,
    Checks,
    Done,
    MarkBody,
    Marks,
    MuteBody,
    NoteBody,
    NoticeBody,
    Notices,
    Objectives,
    RunBody,
    UpdateBody,
)
from probe.web.desk import prefix
from probe.web.live import events
from probe.web.openapi import description
from probe.web.pages.evidence import evidence
from probe.web.routes import Param, Route

ROOT: Final = "/api/v1"

STRING: Final[dict[str, object]] = {"type": "string", "maxLength": 300}
FROM: Final = Param(name="from", schema=STRING, about="a moment (RFC 3339), or so long before `to`, such as 7d")
TO: Final = Param(name="to", schema={"type": "string", "maxLength": 64}, about="a moment; without it: now")
LIMIT: Final = Param(name="limit", schema={"type": "integer", "minimum": 1, "maximum": 1000}, about="rows at once")
CURSOR: Final = Param(name="cursor", schema=STRING, about="`next` of the page before")
CHECK: Final = Param(name="check", schema=STRING, about="the id of a check")
REGION: Final = Param(name="region", schema=STRING, about="the name of a region")
OUTCOME: Final = Param(
    name="outcome", schema={"type": "string", "enum": [o.value for o in Outcome]}, about="how it ended"
)
STEP: Final = Param(name="step", schema=STRING, about="the step that did not pass")
KIND: Final = Param(name="kind", schema=STRING, about="the kind of the failure that decided")
LAYER: Final = Param(name="layer", schema=STRING, about="the layer of the failure that decided")
OPEN: Final = Param(name="open", schema={"type": "boolean"}, about="only those that are open")


def routes() -> tuple[Route, ...]:
    """All of it."""
    see, do = Access.VIEWER, Access.OPERATOR
    filters = (CHECK, REGION, OUTCOME, STEP, KIND, LAYER, FROM, TO, CURSOR, LIMIT)
    table: tuple[tuple[str, str, Any, Access, str, type | None, dict[str, Any]], ...] = (
        ("GET", "/overview", read.overview, see, "Everything at a glance.", d.Overview, {}),
        ("GET", "/checks", read.checks, see, "All checks.", Checks, {}),
        ("GET", "/checks/{check}", read.journey, see, "A check over time.", d.Journey, {"params": (FROM, TO, REGION)}),
        ("POST", "/checks/{check}/run", act.run_now, do, "Run a check at once.", Asked, {"takes": RunBody, "status": 202}),
        ("GET", "/runs", read.runs, see, "Runs, newest first.", d.RunPage, {"params": filters}),
        ("GET", "/runs/{run}", read.run, see, "A run with everything that was seen.", d.RunDocument, {}),
        ("GET", "/runs/{run}/evidence/{name}", evidence, see, "A file of evidence.", None, {}),
        ("GET", "/incidents", read.incidents, see, "Incidents, newest first.", d.IncidentPage, {"params": (OPEN, CURSOR, LIMIT)}),
        ("GET", "/incidents/{id}", read.incident, see, "An incident with everything.", d.IncidentDocument, {}),
        ("GET", "/incidents/{id}/bundle", read.bundle, see, "An incident to hand to someone without access (zip).", None, {}),
        ("POST", "/incidents/{id}/ack", act.ack, do, "Take care of an incident.", Done, {}),
        ("POST", "/incidents/{id}/mute", act.mute, do, "Deliver nothing about an incident for a time.", Done, {"takes": MuteBody}),
        ("POST", "/incidents/{id}/notes", act.note, do, "Write a note.", d.NoteRow, {"takes": NoteBody, "status": 201}),
        ("GET", "/objectives", read.objectives, see, "How the objectives stand.", Objectives, {}),
        ("GET", "/reports/slo/{month}", read.slo, see, "The objectives of a month.", d.SloReport, {}),
        ("GET", "/marks", read.marks, see, "Deploys and other moments.", Marks, {"params": (FROM, TO, CHECK)}),
        ("POST", "/marks", act.mark, do, "Put a moment on every graph.", d.MarkRow, {"takes": MarkBody, "status": 201}),
        ("GET", "/status", read.status, Access.PUBLIC, "What the public sees.", d.StatusDocument, {}),
        ("GET", "/notices", read.notices, see, "What the public was told.", Notices, {}),
        ("POST", "/notices", act.tell, do, "Tell the public.", d.PublicNotice, {"takes": NoticeBody, "status": 201}),
        ("POST", "/notices/{number}", act.tell_more, do, "Say more about a notice.", d.PublicNotice, {"takes": UpdateBody}),
        ("GET", "/audit", read.audit, do, "Who did what.", d.AuditPage, {"params": (CURSOR, LIMIT)}),
        ("GET", "/events", events, see, "Changes of the overview, as server-sent events.", None, {}),
    )  # fmt: skip  # a table
    described = tuple(
        Route(method=method, path=ROOT + path, handler=handler, access=access, about=about, answers=answers, **more)
        for method, path, handler, access, about, answers, more in table
    )

    async def openapi(request: web.Request) -> web.Response:
        return answered(request, description(described, prefix(request)))

    return (*described, Route(method="GET", path=f"{ROOT}/openapi.json", handler=openapi, access=see))
