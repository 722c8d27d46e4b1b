"""`POST /marks`: a moment for every graph, such as a deploy, from a form."""

from aiohttp import web

from probe.core.access import Access
from probe.web import acts
from probe.web.answers import form_of
from probe.web.asking import moment_of
from probe.web.desk import DESK, prefix
from probe.web.render import address
from probe.web.routes import Route


def routes() -> tuple[Route, ...]:
    """The form's."""
    return (Route(method="POST", path="/marks", handler=mark, access=Access.OPERATOR),)


async def mark(request: web.Request) -> web.StreamResponse:
    """Put it there: `kind` (none: a deploy), `text`, `at` (none: now) and `check` (again for more; none: all). Back to where it shows."""
    form = await form_of(request)
    kind, text, at = (form.get(name).strip() for name in ("kind", "text", "at"))
    checks = [check for check in form.all("check") if check]
    moment = moment_of(at, "at") if at else await request.app[DESK].view(lambda sources: sources.now)
    await acts.mark(request, kind or "deploy", text, moment, checks)
    where = "checks/" + checks[0] if len(checks) == 1 else ""
    return web.Response(status=303, headers={"Location": address(prefix(request), where, {})})
