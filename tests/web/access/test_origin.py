"""Whom a request comes from, through proxies that may lie."""

import pytest
from aiohttp.test_utils import make_mocked_request

from probe.core.access import WebSettings
from probe.web.access.origin import client_address, host_of, is_same_origin, local_path


def address(peer: str, *said: str, proxies: tuple[str, ...] = ("10.0.0.0/8", "::1")) -> str:
    request = make_mocked_request("GET", "/", headers=[("X-Forwarded-For", line) for line in said])
    return client_address(request.clone(remote=peer), WebSettings(proxies=proxies))


@pytest.mark.parametrize(
    ("peer", "said", "found"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("198.51.100.1",), "192.0.2.1"),  # nobody we trust says so
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("203.0.113.9, 198.51.100.1",), "198.51.100.1"),  # the first is what the client made up
        ("10.0.0.1", ("203.0.113.9", "198.51.100.1, 10.0.0.2"), "198.51.100.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("unknown",), "10.0.0.1"),
        ("10.0.0.1", ("<script>",), "10.0.0.1"),
        ("::1", ("[2001:db8::1]",), "2001:db8::1"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("", ("198.51.100.1",), ""),
    ],
)
def test_the_first_address_that_is_no_proxy_of_ours(peer: str, said: tuple[str, ...], found: str) -> None:
    assert address(peer, *said) == found


def test_without_proxies_nothing_is_believed() -> None:
    assert address("10.0.0.1", "198.51.100.1", proxies=()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("Ops.Example:443", ("ops.example", "ops.example:443")),
        ("[::1]:9464", ("::1", "[::1]:9464")),
        ("ops.example.", ("ops.example", "ops.example.")),
        ("ops.example:port", ("", "")),
        ("a@b", ("", "")),
        ("a/b", ("", "")),
        ("a?b", ("", "")),
        ("[::1", ("", "")),
        ("", ("", "")),
    ],
)
def test_hosts(given: str, found: tuple[str, str]) -> None:
    assert host_of(make_mocked_request("GET", "/", headers={"Host": given})) == found


def test_two_hosts_are_none() -> None:
    headers = [("Host", "localhost"), ("Host", "evil.example")]
    assert host_of(make_mocked_request("GET", "/", headers=headers)) == ("", "")


@pytest.mark.parametrize(
    ("origin", "is_ours"),
    [
        ("https://ops.example", True),
        ("https://ops.example:443", True),
        ("http://ops.example", False),  # not encrypted: anybody on the way
        ("https://ops.example:8443", False),
        ("https://ops.example.evil", False),
        ("http://localhost:9464", True),  # what was asked for itself
        ("http://localhost", False),
        ("https://[::1", False),
        ("file://localhost:9464", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str, is_ours: bool) -> None:
    request = make_mocked_request("POST", "/", headers={"Host": "localhost:9464", "Origin": origin})
    assert is_same_origin(request, WebSettings(url="https://ops.example/probe")) is is_ours


def test_long_and_strange_paths_are_not_followed() -> None:
    for text in ("/" + "x" * 2000, "/a\tb", "/a\\b", "", "a", "//a", "/\\a"):
        assert local_path(text, "/else") == "/else"
    assert local_path("/a?b=c%20d", "/") == "/a?b=c%20d"
