"""`/status`: what anybody may read, and where visitors say that they have the problem, too. No cookie is set or read."""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from probe.core.access import Access
from probe.errors import StoreUnavailable
from probe.view.status_render import status_css, word_html
from probe.web.access.origin import client_address, is_same_origin
from probe.web.answers import Refused, form_of
from probe.web.desk import DESK, prefix
from probe.web.limits import Allowed, VisitorLimits
from probe.web.newest import File, newest
from probe.web.routes import Route

CACHE: Final = "public, max-age=30, stale-if-error=86400"
"""Whoever keeps it may show it for half a minute, and for a day when we are gone: it says of which time it is."""
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Nothing runs, nothing comes from elsewhere."""
ELSEWHERE: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Badges, the feed and the JSON are for the pages of others."""
FILES: Final = ("feed.atom", "status.json", "badge.svg")
"""What there is beside the page and the badges of its parts."""
COMPRESSED: Final = 2048
"""Bytes from which a file is worth compressing."""


def routes() -> tuple[Route, ...]:
    """The public page, its files, and the reports of visitors."""
    page = StatusPages()
    public = Access.PUBLIC
    return (
        Route(method="GET", path="/status", handler=page.show, access=public),
        Route(method="GET", path="/status/", handler=page.show, access=public),
        Route(method="GET", path="/status/thanks", handler=page.thanks, access=public),
        Route(method="GET", path="/status/status.css", handler=page.css, access=public),
        *(Route(method="GET", path=f"/status/{name}", handler=page.file, access=public) for name in FILES),
        Route(method="GET", path="/status/badge/{slug}.svg", handler=page.badge, access=public),
        Route(method="POST", path="/status/report", handler=page.report, access=public),
    )


class StatusPages:
    """The handlers, and what they remember of visitors for an hour."""

    def __init__(self) -> None:
        self._limits = VisitorLimits()
        css = status_css()
        self._css = File(css, "text/css", hashlib.blake2b(css, digest_size=12).hexdigest())

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The page."""
        return await self._answer(request, "index.html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The feed, the document as JSON, the badge of the whole."""
        return await self._answer(request, request.path.rpartition("/")[2])

    async def badge(self, request: web.Request) -> web.StreamResponse:
        """The badge of a part."""
        return await self._answer(request, f"badge/{request.match_info['slug']}.svg")

    async def css(self, request: web.Request) -> web.StreamResponse:
        """What it looks like."""
        return _sent(request, self._css)

    async def thanks(self, request: web.Request) -> web.StreamResponse:
        """What a visitor reads who has reported."""
        return _word(request, 200, "Thank you", "We know now that you have this problem, too.")

    async def report(self, request: web.Request) -> web.StreamResponse:
        """A visitor has a problem with a part of the shop."""
        desk = request.app[DESK]
        page = desk.status_page
        if not page.components or not page.reports:
            return _word(request, 404, "Nothing is reported here", "This status page takes no reports.")
        if not _from_the_page(request):
            return _word(request, 403, "This was not counted", "Report with the buttons of the status page itself.")
        try:
            component = (await form_of(request)).get("component")
        except Refused:  # a form that is none
            component = None
        if component not in {part.slug for part in page.components}:
            return _word(request, 404, "This was not counted", "There is no such part; load the status page again.")
        address = client_address(request, desk.settings)
        allowed = self._limits.judge(address, str(component), asyncio.get_running_loop().time())
        if allowed is Allowed.REFUSED:
            text = "Many reports came from your network lately; they have been counted."
            return _word(request, 429, "Thank you, that is enough", text, {"Retry-After": "3600"})
        if allowed is Allowed.COUNT:
            try:
                await desk.people(lambda people: people.report(str(component), datetime.now(UTC)))
            except StoreUnavailable:
                text = "It could not be written down just now. Please try again in a few minutes."
                return _word(request, 503, "This was not counted", text, {"Retry-After": "60"})
        return web.Response(
            status=303, headers={"Location": f"{prefix(request)}/status/thanks", "Cache-Control": "no-store"}
        )

    async def _answer(self, request: web.Request, name: str) -> web.StreamResponse:
        desk = request.app[DESK]
        if not desk.status_page.components:
            text = "There is no status page here. It is made of [[status_page.component]] in the configuration."
            return _word(request, 404, "No status page", text)
        try:
            found = (await newest(desk)).files.get(name)
        except StoreUnavailable:
            text = "Nothing can be said at the moment: our monitoring itself is disturbed. Please try again soon."
            return _word(request, 503, "Unknown", text, {"Retry-After": "30"})
        if found is None:
            return _word(request, 404, "Not here", "There is no such part of the status page.")
        return _sent(request, found)


def _sent(request: web.Request, file: File) -> web.Response:
    """A file, or that it is still the one which the client has."""
    headers = {"Cache-Control": CACHE, "ETag": f'W/"{file.tag}"', "Content-Security-Policy": POLICY}
    headers |= {"Vary": "Accept-Encoding"}
    if file.kind not in ("text/html", "text/css"):
        headers |= ELSEWHERE
    if any(tag.value in (file.tag, "*") for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    answer = web.Response(body=file.body, headers={**headers, "Content-Type": f"{file.kind}; charset=utf-8"})
    if len(file.body) > COMPRESSED:
        answer.enable_compression()
    return answer


def _from_the_page(request: web.Request) -> bool:
    """Whether the browser says that a page of ours sent it. Every browser of today says so."""
    if "Origin" not in request.headers:
        return request.headers.get("Sec-Fetch-Site") in ("same-origin", "none")
    return is_same_origin(request, request.app[DESK].settings)


def _word(
    request: web.Request, status: int, heading: str, text: str, more: dict[str, str] | None = None
) -> web.Response:
    """A page of a few words."""
    front, page = prefix(request), request.app[DESK].status_page
    body = word_html(
        title=page.title,
        heading=heading,
        text=text,
        base=f"{front}/status/",
        back=f"{front}/status" if page.components else None,
    )
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY, **(more or {})}
    return web.Response(status=status, text=body, content_type="text/html", headers=headers)
