"""Values that must never be shown, and the redactor that takes them out of everything that is."""

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from operator import is_
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, get_args, get_type_hints
from urllib.parse import quote, quote_plus, unquote, urlsplit, urlunsplit

MASK: Final = "***"
"""What stands where a secret stood."""

SHORTEST: Final = 4
"""Values shorter than this are not looked for in outputs: replacing every "a" would ruin the output and hide nothing."""

SECRET_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-csrf-token"}
)
"""Header names (lower case) whose values are never written anywhere, whatever they hold."""

T = TypeVar("T")


class Secret:
    """A string that shows itself only when asked by name.

    `str()`, `repr()`, f-strings and pickling into a log all give `***`.

    >>> password = Secret("hunter2")
    >>> f"{password} {password!r}"
    "*** Secret('***')"
    >>> password.reveal()
    'hunter2'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the moment of use only."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def encodings(value: str) -> frozenset[bytes]:
    """Every form in which `value` may turn up in an output: JSON, URL, form, HTML, base64 at each alignment.

    And as a header is read, whose bytes count as Latin-1: `é` comes as `Ã©`.

    Forms shorter than `SHORTEST` bytes are left out.
    """
    raw = value.encode()
    texts = {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value),
        quote(value, safe=""),
        quote(value, safe="").replace("%20", "+"),
        quote_plus(value),
        html.escape(value),
        html.escape(value, quote=False),
        html.escape(value).replace("&#x27;", "&#39;"),
        _templated(value),
        value.replace('"', '""'),  # a cell of CSV
        repr(value)[1:-1],
    }
    misread = raw.decode("latin-1")
    texts |= {
        misread,
        html.escape(misread),
        _templated(misread),
        json.dumps(misread)[1:-1],
        json.dumps(misread, ensure_ascii=False)[1:-1],
    }
    texts |= {re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in texts}
    texts |= {json.dumps(text)[1:-1] for text in texts}
    forms = {text.encode() for text in texts}
    # Inside longer base64 (such as `Basic user:password`) a value starts at any of three alignments;
    # the first and last characters mix with the neighbours' bits and are left alone.
    for shift, skipped in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * shift + raw)
        whole = encoded[skipped : (shift + len(raw)) * 8 // 6]
        if len(whole) >= 2 * SHORTEST:
            forms |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return frozenset(form for form in forms if len(form) >= SHORTEST)


class Redactor:
    """Takes known secrets out of text, bytes and whole frozen structures.

    >>> Redactor([Secret("hunter2")]).text("POST /login?p=hunter2")
    'POST /login?p=***'
    """

    __slots__ = ("_bytes", "_text", "values")

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self.values: tuple[str, ...] = tuple(
            sorted({s.reveal() for s in secrets if len(s.reveal()) >= SHORTEST}, key=lambda v: (-len(v), v))
        )
        forms = sorted({form for value in self.values for form in encodings(value)}, key=lambda f: (-len(f), f))
        self._bytes = re.compile(b"|".join(map(re.escape, forms))) if forms else None
        self._text = re.compile("|".join(re.escape(form.decode()) for form in forms)) if forms else None

    def text(self, text: str) -> str:
        """`text` with every known secret, in any of its encodings, and the credentials of any URL masked.

        Half a character, which a script of a shop can make, becomes a question mark: nothing could print or send it.
        """
        if not text.isascii():
            text = _whole(text)
        if self._text is not None and self._text.search(text):
            text = self._text.sub(MASK, text)
        return _CREDENTIALS.sub(rf"\1{MASK}@", text) if "@" in text and "://" in text else text

    def data(self, data: bytes) -> bytes:
        """The same for bytes."""
        if self._bytes is not None:
            data = self._bytes.sub(MASK.encode(), data)
        return _CREDENTIALS_BYTES.sub(rb"\1" + MASK.encode() + b"@", data) if b"@" in data and b"://" in data else data

    def structure(self, value: T) -> T:
        """The same for everything inside a (nested, frozen) structure of dataclasses, mappings, tuples and lists.

        What holds no secret comes back as the very same object.
        """
        return self._walk(value)  # type: ignore[no-any-return]  # the walk keeps the type of what it is given

    def _walk(self, value: Any) -> Any:
        kind = type(value)
        if kind in _TEXTLESS or isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple | list):
            walked = [self._walk(item) for item in value]
            make = getattr(kind, "_make", kind)  # a named tuple takes its items one by one
            return value if all(map(is_, walked, value)) else make(walked)
        if is_dataclass(kind):
            changed = {}
            for name in _field_names(kind):
                before = getattr(value, name)
                after = self._walk(before)
                if after is not before:
                    changed[name] = after
            return replace(value, **changed) if changed else value
        if isinstance(value, Mapping):
            return {self._walk(k): self._walk(v) for k, v in value.items()}
        return self.data(value) if isinstance(value, bytes) else value


def _templated(text: str) -> str:
    """A text as our own templates write it."""
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


_PLAIN: Final = (int, float, Enum, datetime, timedelta)
_TEXTLESS: Final = frozenset({NoneType, bool, int, float, datetime, timedelta})


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass that could hold text, by their types: the others need no look at each run."""
    hints = get_type_hints(kind)
    return tuple(f.name for f in fields(kind) if f.init and not _is_textless(hints[f.name]))


def _is_textless(hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return all(map(_is_textless, get_args(hint)))
    if not isinstance(hint, type):
        return False
    return issubclass(hint, (*_PLAIN, NoneType)) or (is_dataclass(hint) and not _field_names(hint))


# user:password@ or token@ in a URL. The user part may not hold "/", so that an "@" in a path or query is left alone.
_CREDENTIALS: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@\"'<>?#]+@", re.IGNORECASE)
_CREDENTIALS_BYTES: Final = re.compile(_CREDENTIALS.pattern.encode(), re.IGNORECASE)


def url_secrets(url: str) -> tuple[Secret, ...]:
    """The password of a URL, as written and as decoded: nothing when it has none.

    >>> [s.reveal() for s in url_secrets("socks5://probe:p%40ss@egress:1080")]
    ['p%40ss', 'p@ss']
    """
    password = urlsplit(url).password
    return tuple(Secret(form) for form in dict.fromkeys((password, unquote(password)))) if password else ()


def without_credentials(url: str) -> str:
    """`url` as it may be shown: the user and password left out.

    >>> without_credentials("https://ada:pw@shop.example/a?b=1")
    'https://shop.example/a?b=1'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
