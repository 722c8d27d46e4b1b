"""What a redirect asks for (RFC 9110 section 15.4), and what of a request may follow it to a foreign origin. Pure."""

from collections.abc import Mapping
from typing import Final

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

# What tells nothing about the customer or the shop; everything else stays at the origin it was meant for.
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "content-type", "pragma", "range", "user-agent"}
)
_ABOUT_THE_BODY: Final = frozenset({"content-type", "content-length", "content-encoding", "content-language"})


def method_after(status: int, method: str) -> str:
    """The method of the next request.

    >>> method_after(303, "PUT"), method_after(302, "POST"), method_after(302, "PUT"), method_after(307, "POST")
    ('GET', 'GET', 'PUT', 'POST')
    """
    if status == 303 and method != "HEAD":
        return "GET"
    if status in (301, 302) and method == "POST":
        return "GET"
    return method


def without_body_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that remain when the body is dropped."""
    return {name: value for name, value in headers.items() if name.lower() not in _ABOUT_THE_BODY}


def harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may go to another origin than the one they were meant for."""
    return {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
