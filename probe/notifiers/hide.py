"""The address of a channel is a secret: whoever knows it may write there. So no part of it is ever shown."""

import re
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from probe.core.secret import SHORTEST, Redactor, Secret

TOKEN: Final = 8
"""A part of an address that is this long is taken for a secret, whatever it is; shorter ones are words and numbers."""


def hiding(redactor: Redactor, url: str, shown: str, *more: Secret) -> Redactor:
    """A redactor that knows, besides `more` and what `redactor` knows, the secret parts of `url`, in any encoding.

    Services repeat them in their answers, and libraries in their errors, seldom as the whole URL. `shown` is what may
    be seen of it: its host and its short words are left as they are.

    >>> hide = hiding(Redactor(), "https://hooks.example/services/T0CANARY", "https://hooks.example/services")
    >>> hide.text("hooks.example: no such path: /services/T0CANARY")
    'hooks.example: no such path: /services/***'
    """
    open_ = _parts(shown)
    kept = {_host(shown), ""}
    secret = {part for part in _parts(url) if len(part) >= TOKEN or part not in open_} - kept
    secret = {part for part in secret if part.lower() not in kept and len(part) >= SHORTEST}
    return Redactor((*more, *map(Secret, (*redactor.values, url, *secret))))


def origin(url: str) -> str:
    """Scheme, host and port of a URL: what may be said of it.

    >>> origin("https://ada:pw@am.example:9093/prefix?token=x")
    'https://am.example:9093'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _parts(url: str) -> set[str]:
    """What stands between the punctuation of a URL, as written and as decoded."""
    pieces = re.split(r"[/@:?&=#;,]+", url.partition("://")[2])
    return {form for piece in pieces for form in (piece, unquote_plus(piece))}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
