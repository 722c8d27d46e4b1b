"""The types of values in `[evidence]` that no other table has: what pictures hide, and how often good ones are taken."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from probe.config.fields import VALUE, duration, wrong

OFF: Final = timedelta(0)
"""Stands for `"off"`, where nothing given means something else."""

_HINT: Final = 'write a CSS selector, such as ".card-number" or "#account [data-private]"'
_PAIRS: Final = {")": "(", "]": "["}
_OTHER_ENGINE: Final = re.compile(r"//|\.\.|[a-z_-]+(?::[a-z-]+)?=")
_COMBINATORS: Final = ">+~"


def _reference(value: object) -> timedelta:
    if value == "off":
        return OFF
    try:
        return duration(value)
    except PydanticCustomError as error:
        context = error.context or {}
        wrong(context["what"], f'{context["hint"] or "write a duration"}, or "off"')


Reference = Annotated[timedelta, BeforeValidator(_reference)]
"""A duration, or `"off"`."""


def _selector(value: str) -> str:
    text = value.strip()
    if not text:
        wrong(f"{VALUE} is empty", _HINT)
    if len(text) > 1000:
        wrong(f"{VALUE} is longer than 1000 characters")
    if _OTHER_ENGINE.match(text) or ">>" in text:
        wrong(f"{VALUE} is no CSS selector", _HINT)
    why = _fault(text)
    if why:
        wrong(f"{VALUE} is no CSS selector: {why}", _HINT)
    return text


def _fault(text: str) -> str:
    """What is wrong with a CSS selector, as far as it can be seen without a browser; empty: nothing is."""
    bare = re.sub(r"\\.", "x", text, flags=re.DOTALL)
    bare = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "x", bare)
    odd = re.search(r"/\*|[\"'{};@\n\\]", bare)
    if odd:
        return f"{odd[0]!r} has no place in it"
    opened: list[str] = []
    outside = ""
    for sign in bare:
        if sign in _PAIRS.values():
            outside += "" if opened else "x"
            opened.append(sign)
        elif sign in _PAIRS:
            if not opened or opened.pop() != _PAIRS[sign]:
                return f"{sign!r} closes nothing"
        elif not opened:
            outside += sign
    if opened:
        return f"{opened[-1]!r} is never closed"
    for part in outside.split(","):
        stripped = part.strip()
        if not stripped:
            return "there is nothing beside a comma"
        if stripped[0] in _COMBINATORS or stripped[-1] in _COMBINATORS + ".#:":
            return f"{stripped!r} is not whole"
    return ""


Selector = Annotated[str, AfterValidator(_selector)]
"""A CSS selector, as far as can be seen without a browser: one that turns out to be none means that there is no picture."""
