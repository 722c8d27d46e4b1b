"""URLs: fit for the wire, and fit to be shown."""

import doctest

import pytest

from probe.net import address, dial, host, redirect, resolve
from probe.net.address import follow, parse_address


@pytest.mark.parametrize("module", [address, dial, host, redirect, resolve], ids=lambda m: m.__name__)
def test_examples(module: object) -> None:
    """The examples in the docstrings are true."""
    found = doctest.testmod(module)  # type: ignore[arg-type]  # a module
    assert (found.attempted > 0, found.failed) == (True, 0)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTP://Shop.Example", "http://shop.example/"),
        ("https://shop.example:443/a%2Fb?x=%7E&y=ü#top", "https://shop.example/a%2Fb?x=%7E&y=%C3%BC"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("https://u:p@shop.example/", "https://shop.example/"),
    ],
)
def test_what_goes_on_the_wire(text: str, url: str) -> None:
    """Only what is illegal is escaped; what is escaped already stays as it is."""
    assert str(parse_address(text).url) == url


@pytest.mark.parametrize(
    "text",
    [
        "/cart",
        "shop.example",
        "ftp://x/",
        "http://",
        "http://a b/",
        "http://x:99999/",
        "http://127.1/",
        "http://2130706433/",
    ],
)
def test_what_cannot_be_asked(text: str) -> None:
    """It is told, without what may be secret."""
    with pytest.raises(ValueError, match=r"http or https|cannot|asked"):
        parse_address(text)
    with pytest.raises(ValueError, match="URL") as raised:
        parse_address("gopher://ada:hunter2@shop.example/?token=s3cret")
    assert "hunter2" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_origin_and_credentials() -> None:
    """The origin has its port, credentials are decoded."""
    known = parse_address("https://ada:p%40ss@shop.example/?q=1")
    assert (known.origin, known.credentials) == ("https://shop.example:443", ("ada", "p@ss"))
    assert known.shown == "https://shop.example/"
    assert "p%40ss" not in str(known.url)


def test_following() -> None:
    """Relative to what was asked; spaces around a location are ignored."""
    base = parse_address("https://shop.example/a/b?x=1")
    assert follow(base, " ../c ") == "https://shop.example/c"
    assert follow(base, "?y") == "https://shop.example/a/b?y"
    assert follow(base, "//other.example/x") == "https://other.example/x"
