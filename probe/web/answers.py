"""Answers in JSON, and what is refused: the same shape on the control socket and in the API."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from aiohttp import web

from probe.core.secret import Redactor
from probe.errors import ProbeError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TEXTS: Final = frozenset(
    {
        "application/json",
        "application/atom+xml",
        "image/svg+xml",
        "text/csv",
        "text/event-stream",
        "text/html",
        "text/markdown",
        "text/plain",
    }
)
"""What may hold what a shop has said, or a configuration."""
LARGEST: Final = 64 * 2**10
"""Bytes of a request's body."""


class Refused(Exception):  # noqa: N818  # an answer, named as one
    """What is asked cannot be done; becomes the answer. `what` says why, `hint` how to mend it."""

    def __init__(self, status: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.hint = status, what, hint


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A document as JSON."""
    text = json.dumps(body, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def refusal(status: int, what: str, hint: str = "") -> web.Response:
    """What every refusal looks like."""
    return answer({"ok": False, "error": what, "hint": hint}, status)


async def body_of(request: web.Request, known: set[str]) -> dict[str, Any]:
    """The JSON object that was sent; nothing sent is an empty one."""
    try:
        text = await request.text()
        body = json.loads(text) if text.strip() else {}
    except ValueError as error:  # no text in its charset is one, too
        raise Refused(400, f"the body is not JSON: {error}") from None
    except LookupError:
        raise Refused(400, "the body is in a charset that nobody knows") from None
    if not isinstance(body, dict) or set(body) - known:
        raise Refused(400, f"the body is to be a JSON object of {', '.join(sorted(known)) or 'nothing'}")
    return body


class Form:
    """What was typed into a form: texts by their names. Files are none of ours."""

    def __init__(self, typed: Iterable[tuple[str, object]]) -> None:
        self._typed = [(name, value) for name, value in typed if isinstance(value, str)]

    def get(self, name: str, otherwise: str = "") -> str:
        """The first of a name."""
        return next((value for known, value in self._typed if known == name), otherwise)

    def all(self, name: str) -> list[str]:
        """Every one of a name."""
        return [value for known, value in self._typed if known == name]


async def form_of(request: web.Request) -> Form:
    """The form that was sent. Refused when it cannot be read."""
    try:
        posted = await request.post()
    except (ValueError, LookupError) as error:  # no boundary, no text, a charset that nobody knows
        raise Refused(400, f"the form cannot be read: {error}") from None
    return Form(posted.items())


@web.middleware
async def telling(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What cannot be done is told as JSON."""
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused.status, refused.what, refused.hint)
    except ProbeError as error:  # the store cannot be written now, and the like
        return refusal(503, str(error))


def masking(redactor: Callable[[], Redactor]) -> Any:
    """A middleware that takes secrets out of every answer of text, wherever they came from.

    Files of evidence were cleaned before they were written, and are not text.
    """

    @web.middleware
    async def mask(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if isinstance(answer, web.Response) and answer.content_type in TEXTS and isinstance(answer.body, bytes):
            body = redactor().data(answer.body)
            if body != answer.body:
                answer.body = body
        answer.headers["Server"] = "probe"  # not the versions of what it is made of
        return answer

    return mask
