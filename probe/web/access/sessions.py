"""Who asks: by the cookie of a session, or by a program's token. What is configured now decides, for each request anew."""

import hmac
import json
import logging
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from aiohttp import web

from probe.core.access import Access, Identity, Oidc, User, WebSettings
from probe.errors import StoreUnavailable
from probe.store.people import People, Session
from probe.web.access.entrance import ENTRANCE
from probe.web.access.origin import is_secure, prefix_of
from probe.web.desk import DESK

log = logging.getLogger(__name__)
NAME: Final = "probe_session"
BY_PASSWORD: Final = "password"  # noqa: S105  # a word for a way in
BY_OIDC: Final = "oidc"
BY_LINK: Final = "link"
BY_TOKEN: Final = "token"  # noqa: S105  # a word for a way in
MOST_KEPT: Final = 100
"""Sessions that are kept in memory when they cannot be stored: then the oldest ends."""
LONGEST: Final = 200
"""Characters that a token of ours in a cookie never has."""


def cookie_name(settings: WebSettings) -> str:
    """The name of the cookie: `__Host-` has the browser make sure that no other host has set it."""
    return f"__Host-{NAME}" if is_secure(settings) and not prefix_of(settings) else NAME


def sent_token(request: web.Request, settings: WebSettings) -> str | None:
    """What the cookie of the session holds; `None`: there is none."""
    token = request.cookies.get(cookie_name(settings), "")
    return token if 0 < len(token) <= LONGEST else None


async def recognise(request: web.Request, now: datetime) -> Session | None:
    """Whose session a request belongs to; `None`: nobody's, or one that has ended. `StoreUnavailable`: nobody knows now."""
    desk = request.app[DESK]
    settings = desk.settings
    token = sent_token(request, settings)
    if token is None:
        return None
    kept, key = request.app[ENTRANCE].kept, sha256(token.encode()).hexdigest()
    if (mine := kept.get(key)) is not None:
        if not holds(mine, settings, now):
            del kept[key]
            return None
        kept[key] = replace(mine, seen=now)
        return mine

    def look(people: People) -> Session | None:
        found = people.session(token, now)
        if found is not None and not holds(found, settings, now):
            people.end_session(token)
            return None
        return found

    return await desk.people(look)


def holds(session: Session, settings: WebSettings, now: datetime) -> bool:
    """Whether a session is still worth something: it is young, was used, and who it is has the same right as then."""
    if now - session.began > settings.session or now - session.seen > settings.idle:
        return False
    who = session.identity
    if who.by == BY_LINK:
        return True
    if who.by == BY_PASSWORD:
        user = user_of(settings, who.name)
        return user is not None and (user.role, password_grounds(user)) == (who.access, session.grounds)
    if who.by == BY_OIDC and settings.oidc is not None:
        issuer, values = _read_grounds(session.grounds)
        return issuer == issued_by(settings.oidc) and role_of(settings.oidc, values) is who.access
    return False


def user_of(settings: WebSettings, name: str) -> User | None:
    """The user of that name."""
    return next((user for user in settings.users if user.name == name), None)


def password_grounds(user: User) -> str:
    """What a session rests on that a password began: with another password it ends."""
    return sha256(user.password.reveal().encode()).hexdigest()


def oidc_grounds(oidc: Oidc, values: tuple[str, ...]) -> str:
    """What a session rests on that a provider's word began: the provider, and what it said that counts here."""
    counting = sorted({*values} & {*oidc.viewers, *oidc.operators})
    return json.dumps([issued_by(oidc), counting])


def issued_by(oidc: Oidc) -> str:
    """Whose word it is, and about what."""
    return f"{oidc.issuer} {oidc.client_id} {oidc.claim}"


def role_of(oidc: Oidc, values: tuple[str, ...]) -> Access | None:
    """What somebody may whose claim has these values; `None`: nothing.

    >>> from probe.core.secret import Secret
    >>> oidc = Oidc(issuer="i", client_id="c", client_secret=Secret("s"), viewers=("a", "b"), operators=("b",))
    >>> role_of(oidc, ("b",)), role_of(oidc, ("c",))
    (<Access.OPERATOR: 'operator'>, None)
    """
    if any(value in oidc.operators for value in values):
        return Access.OPERATOR
    return Access.VIEWER if any(value in oidc.viewers for value in values) else None


def sent_bearer(request: web.Request) -> str | None:
    """The token in `Authorization: Bearer …`; `None`: there is none, perhaps something of a reverse proxy's."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def identity_of(sent: str, settings: WebSettings) -> Identity | None:
    """Whose token that is; `None`: nobody's. All are compared, in a time that tells nothing of them."""
    given = _digest(sent)
    found = [token for token in settings.tokens if hmac.compare_digest(_digest(token.secret.reveal()), given)]
    return Identity(name=found[0].name, access=found[0].role, by=BY_TOKEN) if found else None


async def log_in(
    request: web.Request, answer: web.StreamResponse, identity: Identity, grounds: str, now: datetime
) -> None:
    """Begin a session, and end the one that was: what somebody else may have planted is worth nothing afterwards.

    When it cannot be stored, it lasts as long as this process does.
    """
    desk = request.app[DESK]
    settings = desk.settings
    token, before = token_urlsafe(32), sent_token(request, settings)
    session = Session(identity=identity, csrf=token_urlsafe(32), began=now, seen=now, grounds=grounds)

    def begin(people: People) -> None:
        if before is not None:
            people.end_session(before)
        people.begin_session(token, session)

    try:
        await desk.people(begin)
    except StoreUnavailable as error:
        log.warning("the session of %s is kept in memory only: %s", identity.name, error)
        kept = request.app[ENTRANCE].kept
        while len(kept) >= MOST_KEPT:
            del kept[next(iter(kept))]
        kept[sha256(token.encode()).hexdigest()] = session
    answer.set_cookie(
        cookie_name(settings),
        token,
        path=prefix_of(settings) or "/",
        max_age=int(settings.session.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=is_secure(settings),
    )


async def log_out(request: web.Request, answer: web.StreamResponse) -> None:
    """End the session that a request belongs to, here and in the browser."""
    desk = request.app[DESK]
    settings = desk.settings
    token = sent_token(request, settings)
    if token is not None and request.app[ENTRANCE].kept.pop(sha256(token.encode()).hexdigest(), None) is None:
        await desk.people(lambda people: people.end_session(token))
    answer.del_cookie(
        cookie_name(settings),
        path=prefix_of(settings) or "/",
        secure=is_secure(settings),
        httponly=True,
        samesite="Lax",
    )


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _read_grounds(text: str) -> tuple[str, tuple[str, ...]]:
    try:
        issuer, values = json.loads(text)
        return str(issuer), tuple(values)
    except (ValueError, TypeError):
        return "", ()
