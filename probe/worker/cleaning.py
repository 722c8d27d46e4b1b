"""Takes out of HAR files and traces what is told by its name: cookies, secret headers, password fields, tokens in addresses.

The redactor takes out what the configuration knows. These are values that the shop gave, or that the check typed.
"""

import json
import re
from typing import Any, Final

from probe.core.secret import MASK, SECRET_HEADERS
from probe.core.sensitive import is_sensitive, without_sensitive

_VALUES: Final = ("value", "__playwright_value_")
"""Attributes of a field in a snapshot that hold what was typed into it."""
_TYPED: Final = ("value", "text")
"""Parameters of an action that hold what it typed."""
_WORD: Final = re.compile(r"[\w-]+")
_SECRET_FIELDS: Final = ("current-password", "new-password", "one-time-code", "cc-number", "cc-csc")
"""Values of `autocomplete` that say that a field holds a secret."""

_TAG: Final = re.compile(r"<input\b[^<>]{1,4000}>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")

OURS: Final = "/*probe*/ "
"""What a script of ours that is run in a page begins with: such a call is no part of the journey, nor of its trace."""

SECRET_INPUTS: Final = ", ".join(
    ("input[type=password i]", *(f'input[autocomplete~="{word}" i]' for word in _SECRET_FIELDS))
)
"""The fields whose contents no picture and no snapshot shows, as a CSS selector."""


def cleaned(value: Any) -> Any:
    """A decoded HAR or line of a trace with these values masked, wherever they stand.

    >>> cleaned({"headers": [{"name": "Cookie", "value": "sid=1"}, {"name": "A", "value": "b"}]})
    {'headers': [{'name': 'Cookie', 'value': '***'}, {'name': 'A', 'value': 'b'}]}
    """
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, list):
        return _masked_field(value) if _is_secret_field(value) else [cleaned(item) for item in value]
    if not isinstance(value, dict):
        return value
    name = value.get("name")
    if isinstance(name, str) and "value" in value and (name.lower() in SECRET_HEADERS or is_sensitive(name)):
        return {**value, "value": MASK}
    return {key: _member(key, item) for key, item in value.items()}


def _member(key: str, item: Any) -> Any:
    if key == "cookies" and isinstance(item, list):
        return [{**c, "value": MASK} if isinstance(c, dict) and "value" in c else c for c in item]
    if isinstance(item, str) and (key.lower() in SECRET_HEADERS or is_sensitive(key)):
        return MASK
    return cleaned(item)


def _clean_text(text: str) -> str:
    """An address, a body, a piece of a page: without what is sensitive by its name, and without what fields hold."""
    return without_sensitive(_TAG.sub(_clean_tag, text) if "<" in text else text)


def _clean_tag(found: re.Match[str]) -> str:
    attributes = {a[1].lower(): a[2] or a[3] or a[4] or "" for a in _ATTRIBUTE.finditer(found[0])}
    if not attributes.get("value") or not _holds_secret(attributes):
        return found[0]
    return _ATTRIBUTE.sub(lambda a: f'value="{MASK}"' if a[1].lower() == "value" else a[0], found[0])


def _is_secret_field(node: list[Any]) -> bool:
    """Whether this is a field for a password, as a trace's snapshot of the page has it: its tag, its attributes."""
    if len(node) < 2 or not isinstance(node[1], dict) or not isinstance(node[0], str) or node[0].upper() != "INPUT":
        return False
    return _holds_secret({str(key).lower(): str(text) for key, text in node[1].items()})


def _holds_secret(attributes: dict[str, str]) -> bool:
    """Whether a field with these attributes (names in lower case) is for a password, or something as good."""
    said = {key: text.lower() for key, text in attributes.items()}
    return (
        said.get("type") == "password"
        or not set(_SECRET_FIELDS).isdisjoint(said.get("autocomplete", "").split())
        or any(is_sensitive(said.get(key, "")) for key in ("name", "id"))
    )


def _masked_field(node: list[Any]) -> list[Any]:
    attributes = {key: MASK if key in _VALUES and text else text for key, text in node[1].items()}
    return [node[0], attributes, *node[2:]]


def cleaned_lines(data: bytes) -> bytes:
    """JSON lines with `cleaned` applied to each; a line that is no JSON is left out.

    So are the masks of our own pictures: they are expressions that find every secret, and spell it as no redactor knows it.
    What was typed into a field whose selector tells of a password is masked in the action and in its log. Calls of our own
    are left out: what they read of the page is nobody's.
    """
    lines = []
    typed: dict[str, str] = {}
    ours: set[str] = set()
    for line in data.splitlines():
        try:
            decoded = json.loads(line)
        except ValueError:
            continue
        if isinstance(decoded, dict):
            if _is_ours(decoded, ours):
                continue
            _clean_action(decoded, typed)
        text = json.dumps(cleaned(decoded), separators=(",", ":"), ensure_ascii=False)
        lines.append(text.encode("utf-8", "replace"))  # half a character, which a script of a page can make, is none
    return b"\n".join(lines) + b"\n"


def _is_ours(event: dict[str, Any], ours: set[str]) -> bool:
    """Whether a line belongs to a call of ours; `ours` remembers which these are."""
    call, params = event.get("callId"), event.get("params")
    if isinstance(params, dict) and str(params.get("expression", "")).startswith(OURS):
        ours.add(str(call))
    return call is not None and str(call) in ours


def _clean_action(event: dict[str, Any], typed: dict[str, str]) -> None:
    """Mask what an action typed into a secret field; `typed` remembers it by call, for the lines of its log."""
    call, params, message = str(event.get("callId")), event.get("params"), event.get("message")
    if isinstance(params, dict):
        params.pop("mask", None)
        if any(map(is_sensitive, _WORD.findall(str(params.get("selector", ""))))):
            for key in _TYPED:
                if isinstance(params.get(key), str) and params[key]:
                    typed[call], params[key] = params[key], MASK
    elif isinstance(message, str) and call in typed:
        event["message"] = message.replace(typed[call], MASK)


def cleaned_body(name: str, data: bytes) -> bytes:
    """A body of a request or an answer, as a file of a trace: form and JSON without what is sensitive by its name."""
    if not name.endswith(_TEXTS):
        return data
    # Latin-1 gives back every byte as it was; the names that are looked for are ASCII.
    return _clean_text(data.decode("latin-1")).encode("latin-1")


_TEXTS: Final = (".dat", ".txt", ".json", ".html", ".xml")
