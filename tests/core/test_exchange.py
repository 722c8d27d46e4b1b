"""What one request saw."""

import pytest

from probe.core.exchange import Phases, Tls
from tests.core.builders import certificate, exchange, tls


def test_phases_add_up() -> None:
    """Phases that did not happen count as nothing."""
    assert Phases(connect=0.5, ttfb=0.25).total == 0.75
    assert Phases().total == 0


def test_the_last_hop_speaks() -> None:
    """Phases, TLS and address are the last hop's."""
    seen = exchange(tls=tls(10))
    assert seen.phases is seen.hops[-1].phases
    assert seen.tls is seen.hops[-1].tls
    assert seen.final_url == "https://shop.example/cart?x=1"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=ISO-8859-1", b"caf\xe9", "café"),
        ('text/html; charset="utf-8"', "café".encode(), "café"),
        ("text/html; boundary=x", "café".encode(), "café"),
        ("text/html; charset=klingon", "café".encode(), "café"),
        ("text/html; charset=", b"a", "a"),
        (None, b"\xff\xfea", "\ufffd\ufffda"),
    ],
)
def test_text(content_type: str | None, body: bytes, text: str) -> None:
    """The charset of the content type decides; what cannot be decoded is replaced, never raised."""
    headers = () if content_type is None else (("content-type", content_type),)
    assert exchange(headers=headers, body=body).text == text


def test_size_survives_the_body() -> None:
    """The size is counted once and kept."""
    assert exchange(body=b"12345").size == 5
    assert exchange(body=b"", size=5).size == 5


def test_header() -> None:
    """Names are case-insensitive; a missing header is not an empty one."""
    assert exchange().header("SET-cookie") == "a=1, b=2"
    assert exchange().header("etag") is None


def test_chains() -> None:
    """Only the verified chain counts for expiry; the leaf is named from what there is."""
    nothing = Tls(version="TLSv1.3", cipher="x", presented=(), verified=())
    assert (nothing.leaf, nothing.expires) == (None, None)
    unverified = Tls(version="TLSv1.3", cipher="x", presented=(certificate(5),), verified=())
    assert unverified.leaf == certificate(5)
    assert unverified.expires is None
    assert tls(9, 3).expires == certificate(3).not_after
