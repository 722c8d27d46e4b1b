"""Documents as answers, with an `ETag`, and bodies as they were sent."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from probe.core.encode import timestamp
from probe.core.people import Mark
from probe.view.documents import MarkRow
from probe.view.sources import Sources
from probe.web.answers import Refused
from probe.web.desk import DESK
from probe.web.openapi import decoder
from probe.web.render import ASIDE


def answered(request: web.Request, document: Mapping[str, Any]) -> web.Response:
    """A document, or that it is still what the client has: `now` does not count."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
    same = text if "now" not in document else json.dumps({k: v for k, v in document.items() if k != "now"})
    tag = f'"{hashlib.blake2b(same.encode("utf-8", "replace"), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in [part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")]:
        return web.Response(status=304, headers=headers)
    response = web.Response(text=text, headers=headers, content_type="application/json", zlib_executor_size=ASIDE)
    response.enable_compression()
    return response


async def viewed(request: web.Request, make: Callable[[Sources], Any], missing: str = "") -> web.Response:
    """The document that is made; 404 with the words of `missing` where there is none."""
    try:
        document = await request.app[DESK].view(make)
    except ValueError as error:  # a cursor that is none
        raise Refused(400, str(error)) from None
    if document is None:
        raise Refused(404, missing)
    return answered(request, document)


async def taken(request: web.Request, shape: type) -> Any:
    """What was sent, if it is of that shape."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise Refused(422, "the body is to be JSON (Content-Type: application/json)")
    try:
        return decoder(shape).decode(await request.read() or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(422 if isinstance(error, msgspec.ValidationError) else 400, f"the body: {error}") from None


def mark_row(mark: Mark) -> MarkRow:
    """A mark as a document shows it."""
    return MarkRow(kind=mark.kind, at=timestamp(mark.at), until=None, text=mark.text, incident=None)
