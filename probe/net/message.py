"""A request as bytes, and the head of its answer."""

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import StreamReader
from aiohttp.http_parser import RawResponseMessage
from multidict import CIMultiDict

from probe.net.connector import Protocol

LONGEST_HEADER: Final = 64 * 1024
"""Bytes of one header line: browsers take more than aiohttp's 8 KB, and so do customers."""
MOST_HEADERS: Final = 512
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS: Final = re.compile("[\r\n\0]")
_WITH_A_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def request_bytes(method: str, target: str, headers: CIMultiDict[str], body: bytes | None) -> bytes:
    """The request on the wire. `ValueError` for a method that is none, and for a line break in a header."""
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} is not an HTTP method")
    if body is not None or method in _WITH_A_BODY:
        headers["Content-Length"] = str(len(body or b""))
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        if _BREAKS.search(value) or not _METHOD.fullmatch(name):
            raise ValueError(f"header {name!r} is not one line of a name and a text")
        lines.append(f"{name}: {value}")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head + body if body else head


async def answer_to(protocol: Protocol, request: bytes, method: str) -> tuple[RawResponseMessage, StreamReader]:
    """Send a request; the head of its final answer, and the body to come. Interim answers (1xx) are passed over."""
    protocol.set_response_params(
        skip_payload=method == "HEAD",
        read_until_eof=True,
        auto_decompress=False,
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
        max_headers=MOST_HEADERS,
    )
    transport = protocol.transport
    if transport is None:  # closed by the peer since it was made or taken
        raise ConnectionResetError("the connection is closed")
    transport.write(request)
    while True:
        message, payload = await protocol.read()
        if message.code >= 200 or message.code == 101:
            return message, payload


def with_cookies(headers: CIMultiDict[str], cookies: Mapping[str, str]) -> None:
    """Add cookies to those that the request brings itself, which win."""
    if not cookies:
        return
    own = headers.get("Cookie", "")
    brought = {pair.partition("=")[0].strip() for pair in own.split(";")}
    added = [f"{name}={value}" for name, value in cookies.items() if name not in brought]
    headers["Cookie"] = "; ".join(filter(None, (own, *added)))
