"""`/login`: by a password, at an identity provider, or with a link that this machine has made; and `/logout`."""

import hmac
import logging
from datetime import timedelta
from typing import Final

from aiohttp import web

from probe.core.access import Access, Identity, WebSettings
from probe.errors import StoreUnavailable
from probe.web.access.audit import audit
from probe.web.access.entrance import ENTRANCE
from probe.web.access.oidc import LASTS, Flow, OidcTrouble, begin, finish
from probe.web.access.origin import client_address, host_of, is_same_origin, is_secure, local_path, prefix_of
from probe.web.access.passwords import Busy
from probe.web.access.sessions import (
    BY_LINK,
    BY_OIDC,
    BY_PASSWORD,
    log_in,
    log_out,
    oidc_grounds,
    password_grounds,
    recognise,
    user_of,
)
from probe.web.answers import Form, Refused, form_of
from probe.web.desk import DESK, IDENTITY, prefix
from probe.web.isolation import LOOPBACK
from probe.web.render import page
from probe.web.routes import Route

log = logging.getLogger(__name__)
FLOW: Final = "probe_login"
"""The cookie in which a login at a provider lies that was begun."""
WRONG: Final = "The name or the password is wrong."
"""One sentence for all that can be wrong: which it was is nobody's business."""
UNKNOWN: Final = "somebody unknown"
"""A name that is none may be a password, typed into the wrong field: it is not written down."""


def routes() -> tuple[Route, ...]:
    """All of them are open, but `/logout`."""
    return (
        Route(method="GET", path="/login", handler=show, access=Access.PUBLIC),
        Route(method="POST", path="/login", handler=with_password, access=Access.PUBLIC),
        Route(method="GET", path="/login/link", handler=show_link, access=Access.PUBLIC),
        Route(method="POST", path="/login/link", handler=with_link, access=Access.PUBLIC),
        Route(method="GET", path="/login/oidc", handler=to_provider, access=Access.PUBLIC),
        Route(method="GET", path="/login/oidc/callback", handler=from_provider, access=Access.PUBLIC),
        Route(method="POST", path="/logout", handler=leave, access=Access.VIEWER),
    )


async def show(request: web.Request) -> web.Response:
    """The ways in; whoever is in already goes on."""
    try:
        known = await recognise(request, request.app[ENTRANCE].now()) is not None
    except StoreUnavailable:
        known = False
    wanted = _wanted(request, request.query.get("next", ""))
    return _to(wanted) if known else _ways_in(request, wanted)


async def with_password(request: web.Request) -> web.Response:
    """Log in with a name and a password, of which a few attempts are taken."""
    form = await _form(request)
    entrance, settings = request.app[ENTRANCE], request.app[DESK].settings
    name, password, wanted = (
        form.get("name", "").strip(),
        form.get("password", ""),
        _wanted(request, form.get("next", "")),
    )
    user = user_of(settings, name)
    who = name if user is not None else UNKNOWN
    address = client_address(request, settings)
    wait = entrance.limit.attempt(name, address, entrance.now())
    if wait is not None:
        log.warning("too many logins that failed from %s", address)
        return _ways_in(request, wanted, f"Too many attempts: try again in {_spoken(wait)}.", 429, wait)
    try:
        right = await entrance.passwords.are_right(user, password)
    except Busy:
        return _ways_in(request, wanted, "Too many log in just now: try again in a moment.", 503, timedelta(seconds=5))
    if user is None or not right:
        await audit(request, "log in", BY_PASSWORD, ok=False, who=who)
        return _ways_in(request, wanted, WRONG, 403)
    entrance.limit.succeeded(name, address)
    identity = Identity(name=user.name, access=user.role, by=BY_PASSWORD)
    return await _let_in(request, identity, password_grounds(user), wanted)


async def show_link(request: web.Request) -> web.Response:
    """Where a one-time link leads: its ticket is behind the `#`, so that no log has it, and is posted from here."""
    return page(request, "login_link.html", problem=None)


async def with_link(request: web.Request) -> web.Response:
    """Log in with the ticket of a one-time link."""
    form = await _form(request)
    by = request.app[ENTRANCE].links.use(form.get("ticket", "").strip())
    if by is None:
        await audit(request, "log in", BY_LINK, ok=False, who=UNKNOWN)
        return page(request, "login_link.html", status=403, problem="This link was used already, or is too old.")
    return await _let_in(request, Identity(name=by, access=Access.OPERATOR, by=BY_LINK), "", f"{prefix(request)}/")


async def to_provider(request: web.Request) -> web.Response:
    """Begin to log in at the identity provider."""
    settings, wanted = request.app[DESK].settings, _wanted(request, request.query.get("next", ""))
    if settings.oidc is None:
        raise Refused(404, "there is no identity provider", "configure one: [web.oidc]")
    try:
        address, flow = await begin(settings.oidc, _back(settings), wanted, request.app[ENTRANCE].now())
    except (OidcTrouble, TimeoutError) as error:
        log.warning(
            "the identity provider %s cannot be used: %s", settings.oidc.issuer, str(error) or "it did not answer"
        )
        return _ways_in(request, wanted, "The identity provider cannot be used now; the daemon's log says why.", 502)
    answer = _to(address)
    answer.set_cookie(
        FLOW,
        flow.sealed(settings.oidc),
        path=_flow_path(settings),
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=is_secure(settings),
    )
    return answer


async def from_provider(request: web.Request) -> web.Response:
    """End it: whoever comes back with the provider's word, in the browser in which it began, is in."""
    settings, now = request.app[DESK].settings, request.app[ENTRANCE].now()
    oidc = settings.oidc
    if oidc is None:
        raise Refused(404, "there is no identity provider", "configure one: [web.oidc]")
    flow = Flow.opened(request.cookies.get(FLOW, ""), oidc, now)
    wanted = flow.next if flow is not None else f"{prefix(request)}/"
    try:
        if flow is None or not hmac.compare_digest(request.query.get("state", "").encode(), flow.state.encode()):
            raise OidcTrouble("it was not begun in this browser, or too long ago")
        if "code" not in request.query:
            raise OidcTrouble(f"the provider said: {request.query.get('error', 'nothing')[:100]}")
        known = await finish(oidc, _back(settings), flow, request.query["code"], now)
    except (OidcTrouble, TimeoutError) as error:
        log.warning("nobody was logged in by %s: %s", oidc.issuer, str(error) or "it did not answer")
        await audit(request, "log in", BY_OIDC, ok=False, who=UNKNOWN)
        theirs = not isinstance(error, OidcTrouble) or error.theirs
        answer = _ways_in(
            request,
            wanted,
            "The identity provider cannot be used now; the daemon's log says why."
            if theirs
            else "The identity provider does not let you in here. Try again, or ask whoever runs this probe: its log says why.",
            502 if theirs else 403,
        )
    else:
        identity = Identity(name=known.name, access=known.access, by=BY_OIDC)
        answer = await _let_in(request, identity, oidc_grounds(oidc, known.values), wanted)
    answer.del_cookie(FLOW, path=_flow_path(settings), secure=is_secure(settings), httponly=True, samesite="Lax")
    return answer


async def leave(request: web.Request) -> web.Response:
    """Log out: the session ends where it is stored."""
    answer = _to(f"{prefix(request)}/login")
    await log_out(request, answer)
    await audit(request, "log out")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


async def _let_in(request: web.Request, identity: Identity, grounds: str, wanted: str) -> web.Response:
    answer = _to(wanted)
    await log_in(request, answer, identity, grounds, request.app[ENTRANCE].now())
    request[IDENTITY] = identity
    await audit(request, "log in", identity.by)
    return answer


async def _form(request: web.Request) -> Form:
    """What was typed. A form that another site sent is refused: it would log somebody in as somebody else."""
    if not is_same_origin(request, request.app[DESK].settings):
        raise Refused(403, "another site sent this form", "if it was one of ours, set [web] url to the address in use")
    return await form_of(request)


def _ways_in(
    request: web.Request, wanted: str, problem: str | None = None, status: int = 200, wait: timedelta | None = None
) -> web.Response:
    settings = request.app[DESK].settings
    name, _ = host_of(request)
    answer = page(
        request,
        "login.html",
        status=status,
        problem=problem,
        next=wanted,
        passwords=bool(settings.users),
        provider=settings.oidc is not None,
        is_readable=not is_secure(settings) and name not in LOOPBACK and not name.endswith(".localhost"),
    )
    if wait is not None:
        answer.headers["Retry-After"] = str(int(wait.total_seconds()) + 1)
    return answer


def _wanted(request: web.Request, next: str) -> str:
    """Where to go on: below our prefix, wherever somebody came from."""
    front = prefix(request)
    asked = local_path(next, "/")
    return asked if front and (asked == front or asked.startswith((f"{front}/", f"{front}?"))) else f"{front}{asked}"


def _to(address: str) -> web.Response:
    return web.Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})


def _back(settings: WebSettings) -> str:
    return f"{settings.url}/login/oidc/callback"


def _flow_path(settings: WebSettings) -> str:
    return f"{prefix_of(settings)}/login/oidc"


def _spoken(wait: timedelta) -> str:
    minutes = -(-int(wait.total_seconds()) // 60)
    return "a minute" if minutes <= 1 else f"{minutes} minutes"
