"""Who is shopping: a signed cookie that names a cart in the database, so that any worker can serve anybody."""

import hashlib
import hmac
import secrets
import time
from typing import Final

from aiohttp import web

COOKIE: Final = "shop_session"
MAX_AGE: Final = 24 * 3600


def current(request: web.Request, secret: str) -> str | None:
    """The session of a request. A cookie that is forged, garbled or too old counts as none."""
    parts = request.cookies.get(COOKIE, "").split(".")
    if len(parts) != 3:
        return None
    name, issued, signature = parts
    if not hmac.compare_digest(_signature(name, issued, secret).encode(), signature.encode()):
        return None
    # Signed, so `issued` is a number that this shop wrote.
    return name if time.time() - int(issued) < MAX_AGE else None


def begin() -> str:
    """A new session."""
    return secrets.token_hex(12)


def remember(response: web.Response, session: str, secret: str) -> None:
    """Give the customer the cookie of `session`."""
    issued = str(int(time.time()))
    value = f"{session}.{issued}.{_signature(session, issued, secret)}"
    # Not `secure`: the shop is served over http and https, and cookies do not know ports.
    response.set_cookie(COOKIE, value, max_age=MAX_AGE, httponly=True, samesite="Lax")


def _signature(name: str, issued: str, secret: str) -> str:
    return hmac.new(secret.encode(), f"{name}.{issued}".encode(), hashlib.sha256).hexdigest()
