"""The types of values in a config: what each accepts, and the words for what it does not."""

import ipaddress
import re
import warnings
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, NoReturn
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Strict
from pydantic_core import PydanticCustomError

from probe.core.diagnostic import did_you_mean
from probe.core.duration import parse_duration

WRONG: Final = "wrong"
"""The pydantic error type of our own validators; its context holds what `wrong` was given."""
VALUE: Final = "\0"
"""Stands in a message for the value: quoted later, when it is known whether it may be shown."""


def wrong(what: str, hint: str = "", *, detail: str = "") -> NoReturn:
    """Refuse a value. `detail` may quote from it, and is left out where the value may not be shown."""
    raise PydanticCustomError(WRONG, "{what}", {"what": what, "hint": hint, "detail": detail})


def type_name(value: object) -> str:
    """What TOML (and Python) people call the type of a value."""
    for kind, name in (
        (bool, "a boolean"),
        (str, "a string"),
        (int, "a number"),
        (float, "a number"),
        (dict, "a table"),
        (list | tuple, "a list"),
    ):
        if isinstance(value, kind):
            return name
    return "nothing" if value is None else f"a {type(value).__name__}"


def _text(value: object, like: str) -> str:
    if not isinstance(value, str):
        wrong(f"{VALUE} is {type_name(value)}", f"write a string, such as {like}")
    return value


# --- durations, sizes ---------------------------------------------------------------------------------------------


def duration(value: object) -> timedelta:
    """The duration that a value says, longer than zero."""
    if isinstance(value, timedelta):
        found = value
    else:
        text = _text(value, '"45s"')
        try:
            found = parse_duration(text)
        except ValueError as error:
            what, _, hint = str(error).removeprefix(repr(text)).partition(": ")
            wrong(f"{VALUE}{what}", hint)
    if found <= timedelta(0):
        wrong(f"{VALUE} is not longer than zero")
    return found


Duration = Annotated[timedelta, BeforeValidator(duration)]
"""A duration with its unit: `"500ms"`, `"45s"`, `"1m30s"`. Longer than zero."""

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)")
_SIZES: Final = {"B": 1, "KB": 10**3, "KIB": 2**10, "MB": 10**6, "MIB": 2**20, "GB": 10**9, "GIB": 2**30}


def parse_size(text: str) -> int:
    """The number of bytes that `text` says; `ValueError` for anything else.

    >>> parse_size("800MiB"), parse_size("1.5kB")
    (838860800, 1500)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or len(found[1]) > 18:
        raise ValueError(f"{text!r} is not a size")
    return round(float(found[1]) * _SIZES[found[2].upper()])


def size(value: object, *, smallest: int = 1) -> int:
    """The number of bytes that a value says: at least one, or none as well."""
    hint = 'write a number and a unit (B kB KiB MB MiB GB GiB), such as "800MiB"'
    if isinstance(value, bool) or not isinstance(value, int | str):
        wrong(f"{VALUE} is {type_name(value)}", hint)
    try:
        found = value if isinstance(value, int) else parse_size(value)
    except ValueError:
        wrong(f"{VALUE} is not a size", hint)
    if found < smallest:
        wrong(f"{VALUE} is {'negative' if smallest == 0 else 'not larger than zero'}")
    return found


Size = Annotated[int, BeforeValidator(size)]
"""A number of bytes with its unit, `"800MiB"`; a plain number is bytes. Larger than zero."""

Count = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]


def at_least(smallest: int, largest: int | None = None) -> AfterValidator:
    """Numbers from `smallest` (to `largest`)."""

    def judge(value: int) -> int:
        if value < smallest or (largest is not None and value > largest):
            wrong(f"{VALUE} is not {f'at least {smallest}' if largest is None else f'from {smallest} to {largest}'}")
        return value

    return AfterValidator(judge)


# --- words --------------------------------------------------------------------------------------------------------


def one_of(value: object, words: Iterable[str], noun: str) -> str:
    """`value`, which is one of some words."""
    words = list(map(str, words))
    listed = f"write one of {', '.join(f'{chr(34)}{word}{chr(34)}' for word in words)}"
    if not isinstance(value, str):
        wrong(f"{VALUE} is not a {noun}", listed)
    if value not in words:
        near = did_you_mean(value, words)
        wrong(f"{VALUE} is not a {noun}", near if near.startswith("did") else listed)
    return value


def choice(kind: type[StrEnum] | tuple[str, ...], noun: str) -> BeforeValidator:
    """One of some words."""
    if isinstance(kind, tuple):
        return BeforeValidator(lambda value: one_of(value, kind, noun))
    return BeforeValidator(lambda value: kind(one_of(value, list(kind), noun)))


def _matching(pattern: str, what: str, hint: str, longest: int = 100) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def judge(value: str) -> str:
        if not compiled.fullmatch(value):
            wrong(f"{VALUE} {what}", hint)
        if len(value) > longest:
            wrong(f"{VALUE} is longer than {longest} characters")
        return value

    return judge


ID_HINT: Final = "use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_'"
_id = _matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "cannot be an id", ID_HINT)
Id = Annotated[str, AfterValidator(_id)]
"""What names a check, a region or a target in files, headers, labels and on the command line."""
Text = Annotated[str, AfterValidator(_matching(r"(?s)\s*\S.*", "is empty", "write something", 1000))]
HeaderName = Annotated[
    str, AfterValidator(_matching(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "is not a header name", 'such as "x-api-key"'))
]
HeaderValue = Annotated[
    str, AfterValidator(_matching(r"[^\r\n\0]*", "cannot be sent", "a header has no line breaks", 16384))
]
Method = Annotated[str, AfterValidator(_matching(r"[A-Z]{1,20}", "is not a method", 'such as "GET" or "POST"'))]


def _many(value: object) -> object:
    return [value] if isinstance(value, str) else value


OneOrMore = BeforeValidator(_many)
"""A string stands for a list of one."""


# --- addresses ----------------------------------------------------------------------------------------------------

_HOST: Final = re.compile(r"[^\s/\\?#@\[\]<>\"'`^{|}\x00-\x20\x7f]+")


def web_address(value: str, schemes: tuple[str, ...], example: str) -> None:
    """Refuse what is no URL of one of some schemes."""
    if re.search(r"[\s\x00-\x1f\x7f]", value):
        wrong(f"{VALUE} is not a URL: it holds white space")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        # Only these texts: others quote the value.
        wrong(
            f"{VALUE} is not a URL: its {'port' if 'ort' in str(error) else 'host'} is malformed", f"such as {example}"
        )
    if "://" not in value:
        guess = f"{schemes[-1] if schemes[0] == 'http' and len(schemes) == 2 else schemes[0]}://"
        wrong(f"{VALUE} is not a URL: it has no scheme", f"write {guess}…, such as {example}")
    if parts.scheme not in schemes:
        near = did_you_mean(parts.scheme, schemes)
        wrong(
            f"{VALUE} has an unknown scheme",
            near if near.startswith("did") else f"write {' or '.join(s + '://' for s in schemes)}",
        )
    if not parts.hostname or not (_HOST.fullmatch(parts.hostname) or "[" in parts.netloc) or ".." in parts.hostname:
        wrong(
            f"{VALUE} is not a URL: {'its host is malformed' if parts.hostname else 'it has no host'}",
            f"such as {example}",
        )
    if port == 0:
        wrong(f"{VALUE} is not a URL: no server listens on port 0")


def target_url(value: str) -> str:
    """An `http(s)://` address without query and fragment; a `PydanticCustomError` of type `WRONG` for anything else."""
    web_address(value, ("http", "https"), '"https://shop.example"')
    parts = urlsplit(value)
    if parts.query or parts.fragment:
        wrong(f"{VALUE} has a query or a fragment", "write these into the path of each check")
    return value


def _proxy(value: str) -> str:
    example = '"socks5://egress:1080"'
    web_address(value, ("http", "socks5", "socks5h"), example)
    if urlsplit(value).port is None:
        wrong(f"{VALUE} has no port", f"such as {example}")
    return value


def _ip(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        wrong(f"{VALUE} is not an IP address", 'such as "192.0.2.10"')
    return value


def _nameserver(value: str) -> str:
    found = re.fullmatch(r"\[(?P<v6>[^\]]+)\](?::(?P<port6>\d+))?|(?P<v4>[^:]+)(?::(?P<port4>\d+))?", value)
    host, port = (found["v6"] or found["v4"], found["port6"] or found["port4"]) if found else (value, None)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        wrong(
            f"{VALUE} is not the address of a name server",
            'write an IP address, with a port if it is not 53: "192.0.2.53:5353"',
        )
    if port is not None and not 0 < int(port[:6]) < 65536:
        wrong(f"{VALUE} has a port that is not from 1 to 65535")
    return value


TargetUrl = Annotated[str, AfterValidator(target_url)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
IpAddress = Annotated[str, AfterValidator(_ip)]
NameServer = Annotated[str, AfterValidator(_nameserver)]


def _path_on_target(value: str) -> str:
    if re.search(r"[\s\x00-\x1f\x7f]", value):
        wrong(f"{VALUE} holds white space", "write %20 for a space")
    if "://" in value.partition("?")[0]:
        web_address(value, ("http", "https"), '"/cart"')
    return value


Path = Annotated[str, AfterValidator(_path_on_target)]
"""A path on the target, or an absolute `http(s)://` address."""


# --- patterns -----------------------------------------------------------------------------------------------------


def _regex(value: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        place = f" at character {error.pos + 1}" if isinstance(error, re.error) and error.pos is not None else ""
        reason = error.msg if isinstance(error, re.error) else str(error)
        wrong(f"{VALUE} is not a regular expression", detail=f": {reason}{place}")
    return value


def _json_path(value: str) -> str:
    from jsonpath import JSONPathError, compile  # noqa: A004  # 40 ms, for configs that have one

    hint = 'such as "$.items[0].sku"'
    if not value.startswith("$"):
        wrong(f"{VALUE} is not a JSON path: it does not begin with $", hint)
    try:
        compile(value)
    except (JSONPathError, ValueError, RecursionError):
        wrong(f"{VALUE} is not a JSON path", hint)
    return value


Regex = Annotated[str, AfterValidator(_regex)]
JsonPath = Annotated[str, AfterValidator(_json_path)]


def _statuses(value: object) -> tuple[int, ...]:
    statuses = value if isinstance(value, list | tuple) else [value]
    hint = "write a number such as 200, or a list such as [200, 204]"
    if not statuses:
        wrong("the list of statuses is empty", hint)
    for status in statuses:
        if isinstance(status, bool) or not isinstance(status, int):
            wrong(f"{VALUE} is not a status", hint)
        if not 100 <= status <= 599:
            wrong(f"{VALUE} is not a status: they go from 100 to 599")
    return tuple(statuses)


Statuses = Annotated[tuple[int, ...], BeforeValidator(_statuses)]
