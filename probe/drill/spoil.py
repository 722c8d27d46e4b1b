"""Spoils answers: a wrong text, a wrong price, a script that throws. What cannot be spoilt comes back as it was."""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from probe.core.fault import Answer, FaultKind

WRONG: Final = "Something else"
"""What stands in place of a text."""
THROW: Final = 'throw new Error("planted by a drill");\n'

_MARKUP: Final = re.compile(
    r"(<script\b.*?</script\s*>|<style\b.*?</style\s*>|<!--.*?-->|<[^>]*>)", re.DOTALL | re.IGNORECASE
)
_HEADING: Final = re.compile(r"(<h([1-3])\b[^>]*>)(.*?)(</h\2\s*>)", re.DOTALL | re.IGNORECASE)
_SCRIPT: Final = re.compile(r"(<script\b([^>]*)>)(.*?</script\s*>)", re.DOTALL | re.IGNORECASE)
_NO_SCRIPT: Final = re.compile(
    r"\bsrc\s*=|\btype\s*=\s*[\"']?(?!text/javascript|application/javascript|module)\w", re.IGNORECASE
)
_AMOUNT: Final = r"\d{1,3}(?:[., ’']\d{3})+[.,]\d{2}|\d+[.,]\d{2}"
_PRICE: Final = re.compile(
    rf"(?<![\d.,:])(?:{_AMOUNT})(?![\d:]|[.,]\d)|(?<=[€$£])\s?\d+|(?<=EUR )\d+|(?<=USD )\d+|(?<=GBP )\d+"
)
_MONEY: Final = re.compile(r"price|amount|total|cost|sum|cents", re.IGNORECASE)


def spoilt(kind: FaultKind, answer: Answer) -> Answer:
    """The answer with a wrong text, a wrong price, or with scripts that throw, by what kind of fault it is.

    >>> page = Answer(status=200, headers=(("content-type", "text/html"),), body=b"<h1>Kettle</h1><p>EUR 42.00</p>")
    >>> spoilt(FaultKind.WRONG_PRICE, page).body, spoilt(FaultKind.WRONG_TEXT, page).body
    (b'<h1>Kettle</h1><p>EUR 52.00</p>', b'<h1>Something else</h1><p>EUR 42.00</p>')
    """
    text = answer.body.decode("utf-8", "surrogateescape")
    body = _spoilt(kind, text, answer.content_type).encode("utf-8", "surrogateescape")
    return Answer(status=answer.status, headers=answer.headers, body=body)


def can_spoil(kind: FaultKind, answer: Answer | None) -> bool:
    """Whether there is something in it to be spoilt."""
    return answer is not None and spoilt(kind, answer).body != answer.body


def prices_in(answer: Answer) -> tuple[str, ...]:
    """The prices that a page shows, or the data holds, each once."""
    text = answer.body.decode("utf-8", "surrogateescape")
    found: list[str] = []

    def note(price: str) -> str:
        found.append(price.strip())
        return price

    _wrong_price(text, answer.content_type, note)
    return tuple(dict.fromkeys(found))


def _spoilt(kind: FaultKind, text: str, content_type: str) -> str:
    match kind:
        case FaultKind.WRONG_PRICE:
            return _wrong_price(text, content_type, _bump)
        case FaultKind.WRONG_TEXT:
            return _wrong_text(text, content_type)
        case FaultKind.SCRIPT_ERROR:
            return _throwing(text, content_type)
        case _:
            return text


def _wrong_price(text: str, content_type: str, change: Callable[[str], str]) -> str:
    if "json" in content_type:

        def priced(value: Any, key: str) -> Any:
            if isinstance(value, str):
                return change(value) if _PRICE.fullmatch(value) else value
            if isinstance(value, int | float) and not isinstance(value, bool) and _MONEY.search(key):
                return json.loads(change(json.dumps(value)))
            return value

        return _json(text, priced)
    if "html" not in content_type:
        return text
    parts = _MARKUP.split(text)
    parts[::2] = [_PRICE.sub(lambda found: change(found[0]), part) for part in parts[::2]]
    return "".join(parts)


def _bump(price: str) -> str:
    """Another price of the same form: its first digit goes up by one."""
    return re.sub(r"\d", lambda digit: str(int(digit[0]) % 9 + 1), price, count=1)


def _wrong_text(text: str, content_type: str) -> str:
    if "json" in content_type:
        return _json(text, lambda value, _: WRONG if isinstance(value, str) and re.search(r"[^\W\d]", value) else value)
    if "html" in content_type:
        return _HEADING.sub(lambda found: f"{found[1]}{WRONG}{found[4]}", text, count=1)
    return WRONG if content_type.startswith("text/plain") and text.strip() else text


def _throwing(text: str, content_type: str) -> str:
    if "javascript" in content_type:
        return THROW + text
    if "html" not in content_type:
        return text
    return _SCRIPT.sub(lambda found: found[0] if _NO_SCRIPT.search(found[2]) else f"{found[1]}{THROW}{found[3]}", text)


def _json(text: str, change: Callable[[Any, str], Any]) -> str:
    def walk(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: walk(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [walk(item, key) for item in value]
        return change(value, key)

    try:
        before = json.loads(text)
    except ValueError:
        return text
    after = walk(before, "")
    return text if after == before else json.dumps(after, ensure_ascii=False)
