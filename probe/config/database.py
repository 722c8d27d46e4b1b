"""The URL of a fleet's database, judged where it is written: what is wrong with it, and whether it is safe to use."""

import ipaddress
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from probe.config.fields import VALUE, wrong
from probe.core.diagnostic import did_you_mean

SCHEMES: Final = ("postgresql", "postgres")
MODES: Final = ("disable", "prefer", "require", "verify-ca", "verify-full")
"""What `sslmode` may be, from no TLS at all to a certificate that is checked with its name."""
VERIFIED: Final = "verify-full"
FILES: Final = ("sslrootcert", "sslcert", "sslkey")
KEYS: Final = ("sslmode", *FILES, "target_session_attrs", "host", "application_name", "connect_timeout")
"""The parameters that are understood; others would be lost without a word."""
WRITABLE: Final = ("read-write", "primary", "any")

_FORM: Final = "write postgresql://<user>:<password>@<host>/<database>?sslmode=verify-full"
_ESCAPES: Final = "write special characters of the password as %XX: @ is %40, / is %2F, : is %3A, # is %23"


def is_database(url: str) -> bool:
    """Whether `url` means PostgreSQL, and so a fleet.

    >>> is_database("postgres://db/probe"), is_database("sqlite")
    (True, False)
    """
    return url.partition("://")[0] in SCHEMES and "://" in url


def store_url(value: str) -> str:
    """`"sqlite"`, or the URL of a database; a `PydanticCustomError` of type `WRONG` that never quotes a URL."""
    if value == "sqlite":
        return value
    if not is_database(value):
        near = value.partition(":")[0] in SCHEMES
        wrong(f"{VALUE} is not {'a URL' if near else 'a store'}", _FORM if near else f'write "sqlite", or {_FORM[6:]}')
    try:
        parts = urlsplit(value)
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        wrong("the URL of the database cannot be read", _ESCAPES)
    if parts.fragment or "/" in parts.path.removeprefix("/"):
        wrong("the URL of the database cannot be read", _ESCAPES)
    asked = dict(given)
    _judge_place(parts.netloc, asked.get("host", ""))
    _judge_parameters(asked)
    if asked.get("sslmode") == VERIFIED and any(host.startswith("/") for host, _ in _hosts(value)):
        wrong("a Unix socket has no certificate to verify", "leave sslmode out")
    return value


def _judge_place(netloc: str, elsewhere: str) -> None:
    credentials, _, places = netloc.rpartition("@")
    if not credentials.partition(":")[0]:
        wrong("the URL of the database names no user", _FORM)
    for place in (elsewhere or places).split(","):
        host, port = _host_and_port(place)
        if not host:
            wrong("the URL of the database names no host", _FORM)
        if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            wrong("a port of the database is not from 1 to 65535", _ESCAPES)


def _judge_parameters(asked: dict[str, str]) -> None:
    for name, value in asked.items():
        if name not in KEYS:
            wrong(
                f"the URL of the database has the parameter {name[:40]!r}, which is not known", did_you_mean(name, KEYS)
            )
        if name in FILES and not value:
            wrong(f"{name} names no file", f"write {name}=/etc/probe/{name}.pem, or leave it out")
    if (mode := asked.get("sslmode", MODES[0])) not in MODES:
        near = did_you_mean(mode, MODES)
        wrong("there is no such sslmode", near if near.startswith("did") else f"write one of {', '.join(MODES)}")
    if asked.get("target_session_attrs", WRITABLE[0]) not in WRITABLE:
        wrong("target_session_attrs asks for a server that takes no writes", "write target_session_attrs=read-write")
    if "sslkey" in asked and "sslcert" not in asked:
        wrong("there is an sslkey, and no sslcert that it belongs to", "name both")


def _host_and_port(place: str) -> tuple[str, str]:
    """Of `host`, `host:port`, `[v6]:port`; the folder of a Unix socket is a host without port."""
    if place.startswith(("/", "%2F", "%2f")):
        return place.replace("%2F", "/").replace("%2f", "/"), ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = place.partition(":")
    return host, port


def _hosts(url: str) -> list[tuple[str, str]]:
    parts = urlsplit(url)
    places = dict(parse_qsl(parts.query)).get("host") or parts.netloc.rpartition("@")[2]
    return [_host_and_port(place) for place in places.split(",")]


def is_trusted(url: str) -> bool:
    """Whether it is sure that it is the database that answers: verified by certificate and name, or on this machine.

    >>> is_trusted("postgresql://ann@db.example/probe"), is_trusted("postgresql://ann@127.0.0.1/probe")
    (False, True)
    """
    if dict(parse_qsl(urlsplit(url).query)).get("sslmode") == VERIFIED:
        return True
    return all(host == "localhost" or host.startswith("/") or _is_loopback(host) for host, _ in _hosts(url))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
