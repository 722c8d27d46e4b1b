"""Where a check stands still: what its coroutine awaits when the deadline strikes."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType
from typing import Any, Final

from probe.worker.causes import Origin


class On(StrEnum):
    """What is waited for: the browser, an answer over HTTP, or something of the check's own."""

    BROWSER = "browser"
    HTTP = "http"
    OWN = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaiting:
    """What a check awaits, in words, and the line of its own code where it does."""

    on: On
    words: str
    line: str


_BROWSER: Final = "/playwright/"
_HTTP: Final = ("/probe/authoring/http", "/probe/net/", "/aiohttp/client")


def awaited(task: asyncio.Task[Any], others: Iterable[asyncio.Task[Any]], origin: Origin) -> Awaiting:
    """What `task` awaits. `others` are tasks it may have started: one of them in the browser counts for all."""
    found = [_of(list(frames(t)), origin) for t in (task, *others) if not t.done()]
    for on in (On.BROWSER, On.HTTP):
        for one in found:
            if one is not None and one.on is on:
                line = one.line or next((f.line for f in found if f is not None and f.line), "")
                return Awaiting(on=on, words=one.words, line=line)
    return found[0] or Awaiting(on=On.OWN, words="something of its own", line="")


def frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """The frames of a suspended task, outermost first, through every coroutine and generator it awaits."""
    awaitable: Any = task.get_coro()
    while awaitable is not None:
        frame = (
            getattr(awaitable, "cr_frame", None)
            or getattr(awaitable, "ag_frame", None)
            or getattr(awaitable, "gi_frame", None)
        )
        if frame is not None:
            yield frame
        awaitable = (
            getattr(awaitable, "cr_await", None)
            or getattr(awaitable, "ag_await", None)
            or getattr(awaitable, "gi_yieldfrom", None)
        )


def _of(chain: list[FrameType], origin: Origin) -> Awaiting | None:
    own = [f for f in chain if origin.owns(f.f_code.co_filename)]
    line = origin.show((own[-1].f_code.co_filename, own[-1].f_lineno)) if own else ""
    browser = next((f for f in chain if _BROWSER in f.f_code.co_filename), None)
    if browser is not None:
        # Playwright has tasks of its own as well: only calls that came through its public face are somebody's.
        if not own and "/playwright/async_api/" not in browser.f_code.co_filename:
            return None
        return Awaiting(on=On.BROWSER, words=_call(browser), line=line)
    if any(part in f.f_code.co_filename for f in chain for part in _HTTP):
        return Awaiting(on=On.HTTP, words="an answer over HTTP", line=line)
    if not own:
        return None
    last = chain[-1]
    words = f"{last.f_code.co_name}()" if last is not own[-1] else "something of its own"
    return Awaiting(on=On.OWN, words=words, line=line)


def _call(frame: FrameType) -> str:
    """The call into Playwright that a frame stands for: `button 'Pay' to click`, `goto https://…`."""
    name = frame.f_code.co_name
    this = frame.f_locals.get("self")
    kind = type(this).__name__
    if kind in ("Locator", "LocatorAssertions"):
        found = re.search(r"selector='(.*)'>", repr(getattr(this, "_actual_locator", this)))
        words = selector_words(found[1]) if found else kind
        return f"{words} to {name.replace('_', ' ').removeprefix('to ')}"
    if isinstance(frame.f_locals.get("url"), str):
        return f"{name} {frame.f_locals['url'].partition('?')[0]}"
    if isinstance(frame.f_locals.get("selector"), str):
        return f"{selector_words(frame.f_locals['selector'])} to {name.replace('_', ' ')}"
    return f"{kind}.{name}()" if this is not None else f"{name}()"


_ENGINE: Final = re.compile(r"^internal:(\w+)=(.*)$", re.DOTALL)
_QUOTED: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")


def selector_words(selector: str) -> str:
    """A selector of Playwright's engine in words.

    >>> selector_words('internal:role=button[name="Pay"i]')
    "button 'Pay'"
    >>> selector_words('#cart >> internal:text="3 items"i >> nth=0')
    "text '3 items' in #cart (first)"
    """
    words: list[str] = []
    which = ""
    for part in selector.split(" >> "):
        if part.startswith("nth="):
            number = part.removeprefix("nth=")
            which = {"0": " (first)", "-1": " (last)"}.get(
                number, f" (number {int(number) + 1})" if number.isdigit() else ""
            )
            continue
        engine = _ENGINE.match(part)
        if engine is None:
            words.append(part)
            continue
        quoted = _QUOTED.search(engine[2])
        text = repr(quoted[1].replace('\\"', '"')) if quoted else engine[2]
        match engine[1]:
            case "role":
                role = engine[2].partition("[")[0]
                words.append(f"{role} {text}" if quoted and "[name=" in engine[2] else role)
            case "label":
                words.append(f"field {text}")
            case "testid":
                words.append(f"test id {text}")
            case "text":
                words.append(f"text {text}")
            case "attr":
                words.append(f"field {text}")
            case _:
                continue
    return (" in ".join(reversed(words)) or selector) + which
