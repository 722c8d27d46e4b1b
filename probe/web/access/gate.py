"""The gate: before every route, it finds out who asks, and whether they may. What is in no table does not exist."""

import hmac
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from probe.core.access import Access, WebSettings
from probe.errors import StoreUnavailable
from probe.web.access.audit import audit
from probe.web.access.entrance import ENTRANCE, Entrance
from probe.web.access.headers import PUBLIC, add_headers
from probe.web.access.origin import host_of, is_ours, is_same_origin, prefix_of
from probe.web.access.sessions import identity_of, recognise, sent_bearer
from probe.web.answers import Handler, Refused, form_of, refusal
from probe.web.desk import CSRF, DESK, IDENTITY, PREFIX
from probe.web.isolation import INSIDE, is_isolated
from probe.web.routes import Route

log = logging.getLogger(__name__)
SAFE: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
"""Methods that change nothing."""
ALWAYS: Final = frozenset({"/healthz", "/readyz"})
"""Asked by address, by load balancers and orchestrators, under whatever name."""
FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
API: Final = "/api/"
PUBLISHED: Final = "/status"
"""How the paths of the public page begin."""
STREAM: Final = "/events"
"""How the paths of streams end."""

Middleware = Any
"""What `web.middleware` gives: aiohttp has no name for it."""

Table = Mapping[web.AbstractRoute, Route]


def guard(app: web.Application, routes: Iterable[Route], entrance: Entrance) -> Table:
    """Serve these routes and no others, each behind its door; gives them by what the router knows them as.

    Sets the headers of every answer. Middlewares that are in the application already stay outside of the gate: one of
    them is to make an answer of `Refused`. What is asked with GET may be asked with HEAD, but for streams.
    """
    table: dict[web.AbstractRoute, Route] = {}
    for route in routes:
        table[app.router.add_route(route.method, route.path, route.handler)] = route
        if route.method == hdrs.METH_GET and not route.path.endswith(STREAM):
            table[app.router.add_route(hdrs.METH_HEAD, route.path, route.handler)] = route
    app[ENTRANCE] = entrance
    app.middlewares.append(_gate(table))
    app.on_response_prepare.append(add_headers)
    return table


def _gate(table: Table) -> Middleware:
    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        settings = request.app[DESK].settings
        request[PREFIX] = prefix_of(settings)
        request[IDENTITY] = None
        request[CSRF] = ""
        outer, (request, handler) = request, await _below_prefix(request, handler)
        route = table.get(request.match_info.route)
        if route is None or route.path not in ALWAYS:
            _judge_host(request, settings, route)
        if route is not None and route.access is Access.PUBLIC:
            outer[PUBLIC] = request[PUBLIC] = True
            return await handler(request)
        try:
            await _identify(request, settings, Access.VIEWER if route is None else route.access)
        except _Stranger as stranger:
            return _closed(request, stranger.why)
        finally:
            outer[IDENTITY] = request[IDENTITY]  # an error page is made outside
            outer[CSRF] = request[CSRF]
        return await handler(request)

    return gate


class _Stranger(Exception):  # noqa: N818  # whoever asks, named as such
    """Nobody knows who asks."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def _below_prefix(request: web.Request, handler: Handler) -> tuple[web.Request, Handler]:
    """The request as if there were no prefix, and who handles it: a reverse proxy may have taken the prefix off, or not."""
    front, asked = request[PREFIX], request.rel_url.raw_path
    if not front or not (asked == front or asked.startswith(f"{front}/")):
        return request, handler
    rest = asked.removeprefix(front) or "/"
    inner = request.clone(rel_url=request.rel_url.with_path(rest, encoded=True, keep_query=True))
    match = await request.app.router.resolve(inner)
    match.add_app(request.app)
    match.freeze()
    inner._match_info = match  # as aiohttp's application does, which has no other way to route anew
    return inner, match.handler


def _judge_host(request: web.Request, settings: WebSettings, route: Route | None) -> None:
    """Only what is meant for us, and on each of our origins only what belongs there."""
    name, whole = host_of(request)
    if not (is_ours(name, settings, request.app[ENTRANCE].listen) or _is_published(request, name, route)):
        raise Refused(
            421,
            f"nothing is served under the name {name[:100]!r}" if name else "the request says no host that it is for",
            "use an address, or set [web] url to the one that people use",
        )
    if is_isolated(whole, settings) != (route is not None and route.path.startswith(INSIDE)):
        raise Refused(404, "there is nothing here")


def _is_published(request: web.Request, name: str, route: Route | None) -> bool:
    """Whether it is the public page that is asked for, under the name at which that is published."""
    url = request.app[DESK].status_page.url
    return url is not None and route is not None and route.path.startswith(PUBLISHED) and urlsplit(url).hostname == name


async def _identify(request: web.Request, settings: WebSettings, wanted: Access) -> None:
    """Find out who asks, and whether they may. `_Stranger`: nobody known. `Refused`: they may not."""
    session = None
    sent = sent_bearer(request)
    if sent is not None:
        who = identity_of(sent, settings)
        if who is None:
            raise _Stranger("the token is none of ours")
    else:
        try:
            session = await recognise(request, request.app[ENTRANCE].now())
        except StoreUnavailable as error:
            log.error(  # noqa: TRY400  # trouble of the store, told by its words
                "nobody can be recognised: %s", error
            )
            raise Refused(
                503, "who is logged in cannot be looked up now", "the daemon's log says why; a token works"
            ) from error
        if session is None:
            raise _Stranger("log in, or send a token")
        who = session.identity
        request[CSRF] = session.csrf
    request[IDENTITY] = who
    why = None
    if not who.access.allows(wanted):
        why = f"this is for those who may act ({wanted.value}); you may look ({who.access.value})"
    elif session is not None and request.method not in SAFE:
        why = await _forged(request, settings, session.csrf)
    if why is not None:
        if request.method not in SAFE:
            await audit(request, request.method.lower(), request.path, ok=False)
        raise Refused(403, *why.split("; ", 1))


async def _forged(request: web.Request, settings: WebSettings, csrf: str) -> str | None:
    """Why a request that changes something does not come from a page that we gave to this session; `None`: it does."""
    if not is_same_origin(request, settings):
        return "another site sent this; if it was one of ours, set [web] url to the address that people use"
    sent = request.headers.get(HEADER)
    if sent is None and request.content_type in FORMS:
        sent = (await form_of(request)).get(FIELD) or None
    if sent is None:
        return f"it lacks the session's word; send it as the header {HEADER}, or as the field {FIELD} of a form"
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), csrf.encode()):
        return "the page is older than your session; load it again and do it once more"
    return None


def _closed(request: web.Request, why: str) -> web.Response:
    """To the login with whoever looks at pages; programs are told. An answer, so that nothing outside makes another of it."""
    reads = request.method in SAFE
    if "text/html" in request.headers.get("Accept", "") and not request.path.startswith(API):
        asked = f"?next={quote(request.path_qs, safe='/')}" if reads and request.path_qs != "/" else ""
        return web.Response(status=303, headers={"Location": f"{request[PREFIX]}/login{asked}"})
    answer = refusal(401, "nobody known asks", why)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="probe"'
    return answer
