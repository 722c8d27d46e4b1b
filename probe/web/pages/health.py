"""`/healthz`, `/readyz` and `/metrics`: whether the daemon does its work, is up, and how it is."""

from aiohttp import web

from probe.core.access import Access
from probe.web.answers import answer
from probe.web.ports import Health
from probe.web.routes import Route


def routes(daemon: Health) -> tuple[Route, ...]:
    """Of the pages, and of the control socket."""

    async def healthy(request: web.Request) -> web.Response:
        return _verdict(request, daemon.healthy(), daemon.concern())

    async def ready(request: web.Request) -> web.Response:
        return _verdict(request, None if daemon.ready() else "it is starting or stopping")

    async def metrics(_request: web.Request) -> web.Response:
        lines = [f"# TYPE {name} gauge\n{name} {value:g}\n" for name, value in daemon.gauges().items()]
        return web.Response(text="".join(lines), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    return (
        Route(method="GET", path="/healthz", handler=healthy, access=Access.PUBLIC),
        Route(method="GET", path="/readyz", handler=ready, access=Access.PUBLIC),
        Route(method="GET", path="/metrics", handler=metrics, access=Access.VIEWER),
    )


def _verdict(request: web.Request, reason: str | None, concern: str | None = None) -> web.Response:
    """200 without a reason, 503 with one: as JSON for those who accept it, else as a line. A concern changes nothing."""
    status = 200 if reason is None else 503
    headers = {"Cache-Control": "no-store"}
    if "json" in request.headers.get("Accept", ""):
        return answer({"ok": reason is None, "reason": reason, "concern": concern}, status, headers)
    said = (reason or "ok") + (f"; {concern}" if concern else "")
    return web.Response(text=f"{said}\n", status=status, headers=headers)
