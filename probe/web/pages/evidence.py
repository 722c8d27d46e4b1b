"""`/runs/{run}/evidence/{name}`: a file of evidence. Whatever is in it came from a shop, so it is only ever shown or saved, never run."""

from typing import Final

from aiohttp import web

from probe.core.access import Access
from probe.view.evidence import type_of
from probe.view.sources import Sources
from probe.web.answers import Refused
from probe.web.desk import DESK, identity
from probe.web.routes import Route

TEXTS: Final = frozenset({"application/json", "text/plain; charset=utf-8"})
SHOWN: Final = TEXTS | {"image/png", "image/jpeg"}
"""Content types that a browser may show; everything else it saves."""
HEADERS: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=3600",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def routes() -> tuple[Route, ...]:
    """The files of evidence."""
    return (Route(method="GET", path="/runs/{run}/evidence/{name}", handler=evidence, access=Access.VIEWER),)


async def evidence(request: web.Request) -> web.StreamResponse:
    """A file of a run, with a content type of ours."""
    run, name, access = request.match_info["run"], request.match_info["name"], identity(request).access
    body = await request.app[DESK].view(lambda sources: read_evidence(sources, run, name, access))
    kind = type_of(name)
    headers = {
        **HEADERS,
        "Content-Type": kind if kind in SHOWN or kind == "application/zip" else "application/octet-stream",
    }
    if kind not in SHOWN:
        headers["Content-Disposition"] = f'attachment; filename="{_saved_as(run, name)}"'
    return web.Response(body=body, headers=headers)


def read_evidence(sources: Sources, id: str, name: str, access: Access) -> bytes:
    """A file of evidence, for one who may see so much. Refused when there is none of that name, or it is for operators. Blocks."""
    run = sources.reader.run(id)
    if run is None:
        raise Refused(404, f"there is no run {id!r}", "runs are forgotten when they are older than they are kept for")
    if run.check in sources.restricted and not access.allows(Access.OPERATOR):
        raise Refused(403, f"evidence of {run.check!r} is for operators", "ask one of them, or log in as one")
    body = sources.evidence.read(run, name)
    if body is None:
        raise Refused(
            404, f"run {id!r} has no evidence {name!r} (any more)", "docs/evidence.md says what is kept, and how long"
        )
    # It was redacted when it was made; a newer configuration may know more secrets.
    return sources.redactor.data(body) if type_of(name) in TEXTS else body


def _saved_as(run: str, name: str) -> str:
    """A name for the file that tells where it belongs, of nothing but plain characters."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in f"{run}-{name}")
