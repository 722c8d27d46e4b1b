"""The two applications: health pages for whoever asks, and control for whoever may open the socket."""

import json
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
from probe.errors import ProbeError
from probe.web.ports import Daemon, Health

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST: Final = 64 * 2**10
"""Bytes of a request's body."""
LONGEST_NAME: Final = 200
"""Characters of the name of whoever acts."""


def health_app(daemon: Health) -> web.Application:
    """`/healthz`, `/readyz`, `/metrics` and a line that says so: nothing that changes anything."""
    app = web.Application(middlewares=[_masking(daemon)], client_max_size=LARGEST)
    _add_health(app, daemon)
    return app


def control_app(daemon: Daemon) -> web.Application:
    """The same, and `/status`, `/reload`, `/run`, `/incidents/{id}/ack` and `/incidents/{id}/mute`."""
    app = web.Application(middlewares=[_masking(daemon), _telling], client_max_size=LARGEST)
    _add_health(app, daemon)
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
        ]
    )
    return app


def _add_health(app: web.Application, daemon: Health) -> None:
    async def front(_request: web.Request) -> web.Response:
        return web.Response(
            text=f"probe {__version__}: /healthz says whether it works, /readyz whether it is up, /metrics how it is\n"
        )

    async def healthy(request: web.Request) -> web.Response:
        return _verdict(request, daemon.healthy(), daemon.concern())

    async def ready(request: web.Request) -> web.Response:
        return _verdict(request, None if daemon.ready() else "it is starting or stopping")

    async def metrics(_request: web.Request) -> web.Response:
        lines = [f"# TYPE {name} gauge\n{name} {value:g}\n" for name, value in daemon.gauges().items()]
        return web.Response(text="".join(lines), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app.add_routes(
        [
            web.get("/", front),
            web.get("/healthz", healthy),
            web.get("/readyz", ready),
            web.get("/metrics", metrics),
        ]
    )


def _verdict(request: web.Request, reason: str | None, concern: str | None = None) -> web.Response:
    """200 without a reason, 503 with one: as JSON for those who accept it, else as a line. A concern changes nothing."""
    status = 200 if reason is None else 503
    headers = {"Cache-Control": "no-store"}
    if "json" in request.headers.get("Accept", ""):
        return _answer({"ok": reason is None, "reason": reason, "concern": concern}, status, headers)
    said = (reason or "ok") + (f"; {concern}" if concern else "")
    return web.Response(text=f"{said}\n", status=status, headers=headers)


class _Control:
    """The handlers of the control socket."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def status(self, _request: web.Request) -> web.Response:
        live = self._daemon.status()
        reason = self._daemon.healthy()
        return _answer(
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
        return _answer({"ok": not wrong, "diagnostics": diagnostics}, 422 if wrong else 200)

    async def acknowledge(self, request: web.Request) -> web.Response:
        by = _name(await _body(request, {"by"}))
        await self._incident(request, lambda incident: self._daemon.acknowledge(incident, by))
        return _answer({"ok": True})

    async def mute(self, request: web.Request) -> web.Response:
        body = await _body(request, {"until", "by"})
        by = _name(body)
        until = _moment(body.get("until"))
        await self._incident(request, lambda incident: self._daemon.mute(incident, until, by))
        return _answer({"ok": True})

    async def run(self, request: web.Request) -> web.Response:
        body = await _body(request, {"check", "regions"})
        check, regions = body.get("check"), body.get("regions", [])
        if not isinstance(check, str) or not isinstance(regions, list) or not all(isinstance(r, str) for r in regions):
            raise _Refused(400, 'say {"check": ID, "regions": [NAME, ...]}; no regions: from all')
        places = self._daemon.places()
        known = places.get(CheckId(check))
        if known is None:
            raise _Refused(404, f"there is no check {check!r}", did_you_mean(check, places))
        for region in regions:
            if region not in known:
                raise _Refused(404, f"{check!r} does not run from {region!r}", did_you_mean(region, known))
        await self._daemon.ask(CheckId(check), tuple(dict.fromkeys(regions)))
        return _answer({"ok": True, "regions": sorted(set(regions) or known)}, 202)

    async def drill(self, request: web.Request) -> web.Response:
        body = await _body(request, {"check", "fault"})
        check, named = body.get("check"), body.get("fault", FaultKind.SERVER_ERROR.value)
        if not isinstance(check, str) or not isinstance(named, str):
            raise _Refused(400, 'say {"check": ID, "fault": NAME}')
        try:
            self._daemon.drills.begin(CheckId(check), FaultKind(named))
        except KeyError:
            raise _Refused(404, f"there is no check {check!r}", did_you_mean(check, self._daemon.places())) from None
        except ValueError:
            raise _Refused(
                404, f"there is no fault {named!r}", did_you_mean(named, [kind.value for kind in FaultKind])
            ) from None
        return _answer({"ok": True}, 202)

    async def drilled(self, _request: web.Request) -> web.Response:
        return _answer({"drill": self._daemon.drills.report})

    async def _incident(self, request: web.Request, act: Callable[[IncidentId], Awaitable[None]]) -> None:
        named = request.match_info["id"]
        try:
            await act(IncidentId(named))
        except KeyError:
            known = self._daemon.open_incidents()
            hint = did_you_mean(named, known) if known else "none is open"
            raise _Refused(404, f"there is no open incident {named!r}", hint) from None


class _Refused(Exception):  # noqa: N818  # an answer, named as one
    """What is asked cannot be done; becomes the answer."""

    def __init__(self, status: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.hint = status, what, hint


async def _body(request: web.Request, known: set[str]) -> dict[str, Any]:
    """The JSON object that was sent; nothing sent is an empty one."""
    text = await request.text()
    try:
        body = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise _Refused(400, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict) or set(body) - known:
        raise _Refused(400, f"the body is to be a JSON object of {', '.join(sorted(known))}")
    return body


def _name(body: dict[str, Any]) -> str:
    by = body.get("by")
    if not isinstance(by, str) or not 0 < len(by.strip()) <= LONGEST_NAME:
        raise _Refused(400, f'"by" is to be a name of at most {LONGEST_NAME} characters')
    return " ".join(by.split())


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Refused(400, '"until" is to be a time with its offset, such as 2026-11-23T05:00:00Z, or null')
    return moment


def _answer(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = json.dumps(body, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


@web.middleware
async def _telling(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What cannot be done is told as JSON."""
    try:
        return await handler(request)
    except _Refused as refused:
        return _answer({"ok": False, "error": refused.what, "hint": refused.hint}, refused.status)
    except ProbeError as error:  # the store cannot be written now, and the like
        return _answer({"ok": False, "error": str(error), "hint": ""}, 503)


def _masking(daemon: Health) -> Any:
    """A middleware that takes secrets out of every answer, wherever they came from."""

    @web.middleware
    async def mask(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        answer.headers["Server"] = "probe"  # not the versions of what it is made of
        if isinstance(answer, web.Response) and answer.text is not None:
            answer.text = daemon.redactor.text(answer.text)
        return answer

    return mask
