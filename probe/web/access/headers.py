"""What every answer says to a browser, unless its handler has said otherwise."""

from typing import Final

from aiohttp import web

from probe.web.access.origin import is_secure
from probe.web.desk import DESK
from probe.web.render import POLICY

ALWAYS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TRANSPORT: Final = "max-age=31536000"
PUBLIC: Final[web.RequestKey[bool]] = web.RequestKey("public", bool)
"""What the gate has set in a request that anybody may make: only then may an answer be kept by whoever likes."""


async def add_headers(request: web.Request, answer: web.StreamResponse) -> None:
    """Before the first byte of every answer, streams and refusals among them: `app.on_response_prepare`."""
    for name, value in ALWAYS.items():
        answer.headers.setdefault(name, value)
    answer.headers["Server"] = "probe"  # not the versions of what it is made of
    if not request.get(PUBLIC, False):
        answer.headers.setdefault("Cache-Control", "no-store")
    if is_secure(request.app[DESK].settings):
        answer.headers.setdefault("Strict-Transport-Security", TRANSPORT)
