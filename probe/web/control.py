"""Control: what the commands ask of the daemon, on a socket that its owner alone may open."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from probe import __version__
from probe.core.check import CheckId
from probe.core.diagnostic import Severity, did_you_mean
from probe.core.encode import SCHEMA
from probe.core.fault import FaultKind
from probe.core.incident import IncidentId
from probe.web.access.links import Links, login_link
from probe.web.answers import LARGEST, Refused, answer, body_of, masking, telling
from probe.web.pages import health
from probe.web.ports import Daemon

LONGEST_NAME: Final = 200
"""Characters of the name of whoever acts."""


def control_app(daemon: Daemon, links: Links) -> web.Application:
    """The health pages, and `/status`, `/reload`, `/run`, `/drill`, `/incidents/{id}/ack`, `/incidents/{id}/mute` and
    `/login-link`, which lets its owner into the pages.
    """
    app = web.Application(middlewares=[masking(lambda: daemon.redactor), telling], client_max_size=LARGEST)
    app.router.add_routes([web.route(route.method, route.path, route.handler) for route in health.routes(daemon)])
    control = _Control(daemon)
    app.add_routes(
        [
            web.get("/status", control.status),
            web.post("/reload", control.reload),
            web.post("/run", control.run),
            web.post("/drill", control.drill),
            web.get("/drill", control.drilled),
            web.post("/incidents/{id}/ack", control.acknowledge),
            web.post("/incidents/{id}/mute", control.mute),
            web.post("/login-link", login_link(links, lambda: daemon.known().web)),
        ]
    )
    return app


class _Control:
    """The handlers of the control socket."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def status(self, _request: web.Request) -> web.Response:
        live = self._daemon.status()
        reason = self._daemon.healthy()
        return answer(
            {
                "schema": SCHEMA,
                "probe": __version__,
                "ready": self._daemon.ready(),
                "healthy": reason is None,
                "reason": reason,
                **live,
            }
        )

    async def reload(self, _request: web.Request) -> web.Response:
        found = await self._daemon.reload()
        wrong = any(d.severity is Severity.ERROR for d in found)
        diagnostics = [
            {"severity": d.severity.value, "file": d.file, "line": d.line, "key": d.key, "what": d.what, "hint": d.hint}
            for d in found
        ]
        return answer({"ok": not wrong, "diagnostics": diagnostics}, 422 if wrong else 200)

    async def acknowledge(self, request: web.Request) -> web.Response:
        by = _name(await body_of(request, {"by"}))
        await self._incident(request, lambda incident: self._daemon.acknowledge(incident, by))
        return answer({"ok": True})

    async def mute(self, request: web.Request) -> web.Response:
        body = await body_of(request, {"until", "by"})
        by = _name(body)
        until = _moment(body.get("until"))
        await self._incident(request, lambda incident: self._daemon.mute(incident, until, by))
        return answer({"ok": True})

    async def run(self, request: web.Request) -> web.Response:
        body = await body_of(request, {"check", "regions"})
        check, regions = body.get("check"), body.get("regions", [])
        if not isinstance(check, str) or not isinstance(regions, list) or not all(isinstance(r, str) for r in regions):
            raise Refused(400, 'say {"check": ID, "regions": [NAME, ...]}; no regions: from all')
        places = self._daemon.places()
        known = places.get(CheckId(check))
        if known is None:
            raise Refused(404, f"there is no check {check!r}", did_you_mean(check, places))
        for region in regions:
            if region not in known:
                raise Refused(404, f"{check!r} does not run from {region!r}", did_you_mean(region, known))
        await self._daemon.ask(CheckId(check), tuple(dict.fromkeys(regions)))
        return answer({"ok": True, "regions": sorted(set(regions) or known)}, 202)

    async def drill(self, request: web.Request) -> web.Response:
        body = await body_of(request, {"check", "fault"})
        check, named = body.get("check"), body.get("fault", FaultKind.SERVER_ERROR.value)
        if not isinstance(check, str) or not isinstance(named, str):
            raise Refused(400, 'say {"check": ID, "fault": NAME}')
        try:
            self._daemon.drills.begin(CheckId(check), FaultKind(named))
        except KeyError:
            raise Refused(404, f"there is no check {check!r}", did_you_mean(check, self._daemon.places())) from None
        except ValueError:
            raise Refused(
                404, f"there is no fault {named!r}", did_you_mean(named, [kind.value for kind in FaultKind])
            ) from None
        return answer({"ok": True}, 202)

    async def drilled(self, _request: web.Request) -> web.Response:
        return answer({"drill": self._daemon.drills.report})

    async def _incident(self, request: web.Request, act: Callable[[IncidentId], Awaitable[None]]) -> None:
        named = request.match_info["id"]
        try:
            await act(IncidentId(named))
        except KeyError:
            known = self._daemon.open_incidents()
            hint = did_you_mean(named, known) if known else "none is open"
            raise Refused(404, f"there is no open incident {named!r}", hint) from None


def _name(body: dict[str, Any]) -> str:
    by = body.get("by")
    if not isinstance(by, str) or not 0 < len(by.strip()) <= LONGEST_NAME:
        raise Refused(400, f'"by" is to be a name of at most {LONGEST_NAME} characters')
    return " ".join(by.split())


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(400, '"until" is to be a time with its offset, such as 2026-11-23T05:00:00Z, or null')
    return moment
