"""Where a request comes from, and which of our addresses it came to."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from probe.core.access import WebSettings

LOOPBACK: Final = ("localhost", ".localhost")


def prefix_of(settings: WebSettings) -> str:
    """What every address begins with.

    >>> prefix_of(WebSettings(url="https://ops.example/probe/")), prefix_of(WebSettings())
    ('/probe', '')
    """
    return urlsplit(settings.url).path.rstrip("/") if settings.url else ""


def is_secure(settings: WebSettings) -> bool:
    """Whether people reach the pages by HTTPS."""
    return settings.url is not None and settings.url.startswith("https:")


def host_of(request: web.Request) -> tuple[str, str]:
    """The name and the whole of the `Host` that was asked for, in small letters; two `""`: it is none.

    The name of `[::1]:9464` is `::1`.
    """
    given = request.headers.getall("Host", [])
    whole = given[0].strip().lower() if len(given) == 1 else ""
    try:
        parts = urlsplit(f"//{whole}")
        name = parts.hostname or ""
        _ = parts.port  # a ValueError, when it is none
    except ValueError:
        return "", ""
    strange = parts.path or parts.query or parts.fragment or "@" in whole
    return ("", "") if strange else (name.rstrip("."), whole)


def is_ours(name: str, settings: WebSettings, listen: str | None) -> bool:
    """Whether a request for a host of that name is meant for us.

    Names that others own could be made to lead here (DNS rebinding): then a page of theirs would count as ours. An
    address cannot; nor can names that always mean this machine.
    """
    if not name:
        return False
    ours = {urlsplit(url).hostname for url in (settings.url, settings.trace_url) if url}
    if name in ours or name == listen or name == LOOPBACK[0] or name.endswith(LOOPBACK[1]):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_same_origin(request: web.Request, settings: WebSettings) -> bool:
    """Whether a page of ours sent it, as far as the browser says so. One that says nothing is not told apart."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    if parts.scheme not in ("http", "https"):
        return False  # "null" among them
    if settings.url is not None:
        wanted = urlsplit(settings.url)
        if parts.scheme == wanted.scheme and parts.netloc in _spellings(wanted.netloc.lower(), wanted.scheme):
            return True
    return parts.netloc == host_of(request)[1] != ""


def client_address(request: web.Request, settings: WebSettings) -> str:
    """Who asks, behind the proxies that we trust: what those say is followed back to the first that is none of them."""
    found = request.remote or ""
    said = [part.strip() for line in request.headers.getall("X-Forwarded-For", []) for part in line.split(",")]
    networks = [ip_network(proxy, strict=False) for proxy in settings.proxies]
    while said and _within(found, networks):
        before = said.pop()
        try:
            found = str(ip_address(before.strip("[]")))
        except ValueError:
            return found  # whatever that proxy said, it was no address
    return found


def local_path(text: str, otherwise: str) -> str:
    """Where to go after the login: a path of ours, and nothing that leads a browser elsewhere.

    >>> local_path("/runs?check=a", "/"), local_path("//evil.example", "/"), local_path("https://evil.example", "/")
    ('/runs?check=a', '/', '/')
    """
    plain = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if plain and text.isprintable() and "\\" not in text and len(text) <= 2000 else otherwise


def _within(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return any((mapped or parsed) in network for network in networks)


def _spellings(netloc: str, scheme: str) -> tuple[str, ...]:
    """A host with and without the port that goes without saying."""
    usual = ":443" if scheme == "https" else ":80"
    return (netloc, netloc.removesuffix(usual), f"{netloc.removesuffix(usual)}{usual}")
