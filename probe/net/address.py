"""URLs: joined, made fit for the wire without changing what they say, and shown without what is private."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from yarl import URL

from probe.net.resolve import literal

PORTS: Final = {"http": 80, "https": 443}
# Everything RFC 3986 allows, and "%": what is already escaped stays as it is (signed URLs break otherwise).
_PATH: Final = "%/:?#[]@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One http(s) URL taken apart: as yarl has it, and as text. `host` is without brackets. `netloc` is host and port for the wire. `origin` is scheme, host and port; `shown` has no credentials, query or fragment."""

    url: URL
    text: str
    host: str
    port: int
    netloc: str
    origin: str
    shown: str
    credentials: tuple[str, str] | None = None

    @property
    def secure(self) -> bool:
        """Whether it is https."""
        return self.url.scheme == "https"


@lru_cache(maxsize=1024)  # the same few addresses run after run
def parse_address(text: str) -> Address:
    """An absolute http or https URL; `ValueError` that tells what is wrong, without the credentials.

    >>> a = parse_address("https://ada:pw@Shop.example/a b?q=%7E1#x")
    >>> str(a.url), a.origin, a.shown
    ('https://shop.example/a%20b?q=%7E1', 'https://shop.example:443', 'https://shop.example/a%20b')
    """
    parts = urlsplit(text.strip())
    scheme = parts.scheme.lower()
    if scheme not in PORTS:
        raise ValueError(f"{_safe(text)!r} is not an http or https URL")
    try:
        host, port = parts.hostname, parts.port
        if not host or any(c <= " " or c in '/\\<>"' for c in host):
            raise ValueError("no host name")
        if host.rpartition(".")[2].isdigit() and literal(host, 0) is None:
            raise ValueError("a host that ends in a number must be a full IPv4 address")
        raw_host = host if host.isascii() else URL.build(scheme=scheme, host=host).raw_host
    except ValueError as error:
        raise ValueError(f"{_safe(text)!r} is not a URL that can be asked: {error}") from None
    bracketed = f"[{raw_host}]" if ":" in (raw_host or "") else raw_host
    port = port if port is not None else PORTS[scheme]
    netloc = bracketed if port == PORTS[scheme] else f"{bracketed}:{port}"
    path = quote(parts.path, safe=_PATH) or "/"
    query = f"?{quote(parts.query, safe=_PATH)}" if parts.query else ""
    url = URL(f"{scheme}://{netloc}{path}{query}", encoded=True)
    return Address(
        url=url,
        text=str(url),
        host=raw_host or "",
        port=port,
        netloc=netloc or "",
        origin=f"{scheme}://{bracketed}:{port}",
        shown=f"{scheme}://{netloc}{path}",
        credentials=(unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
    )


def follow(base: Address, location: str) -> str:
    """Where `location`, absolute or relative, leads from `base`. Like browsers, spaces around it are ignored."""
    return urljoin(base.text, location.strip())


def _safe(text: str) -> str:
    """A URL, possibly malformed, without anything that could be a credential or a query."""
    return text.rpartition("@")[2].partition("?")[0][:200]
