"""The types of values that the daemon's tables have: shares, windows, times, addresses to listen at and to send to."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator

from probe.config.database import store_url
from probe.config.fields import VALUE, Duration, duration, size, type_name, web_address, wrong
from probe.core.cron import zone_of
from probe.core.diagnostic import did_you_mean
from probe.core.rules import Calendar


def _share(inside: Callable[[float], bool], limits: str, example: str) -> BeforeValidator:
    def judge(value: object) -> float:
        hint = f'write a share with its unit, such as "{example}"'
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            wrong(f"{VALUE} is {type_name(value)}", hint)
        if isinstance(value, str):
            found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,15})?)\s*%\s*", value)
            if found is None:
                wrong(f"{VALUE} is not a share", hint)
            value = float(Decimal(found[1]) / 100)  # 99.9 / 100 is 0.9990000000000001
        if not inside(value):
            wrong(f"{VALUE} is not {limits}", hint)
        return float(value)

    return BeforeValidator(judge)


Promise = Annotated[float, _share(lambda share: 0 < share < 1, "more than 0% and less than 100%", "99.9%")]
"""A share that leaves room for failure, as `"99.9%"` or `0.999`."""
Share = Annotated[float, _share(lambda share: 0 <= share <= 1, "from 0% to 100%", "90%")]
"""A share, as `"90%"` or `0.9`."""

_SHORTEST: Final = timedelta(days=1)
_LONGEST: Final = timedelta(days=365)


def _window(value: object) -> timedelta | Calendar:
    words = ", ".join(f'"{word}"' for word in Calendar)
    hint = f'write a duration such as "30d", or one of {words}'
    if isinstance(value, Calendar):
        return value
    if isinstance(value, str):
        if value in list(Calendar):
            return Calendar(value)
        if not re.match(r"\s*\d", value):
            near = did_you_mean(value, map(str, Calendar))
            wrong(f"{VALUE} is not a window", near if near.startswith("did") else hint)
    span = duration(value)
    if not _SHORTEST <= span <= _LONGEST:
        wrong(f"{VALUE} is not from 1d to 365d", hint)
    return span


ObjectiveWindow = Annotated[timedelta | Calendar, BeforeValidator(_window)]
"""What an objective is counted over: a rolling `"30d"`, or a calendar's `"week"`, `"month"`, `"quarter"`."""

Amount = Annotated[int, BeforeValidator(lambda value: size(value, smallest=0))]
"""A number of bytes with its unit, `"32MiB"`. May be zero."""


# --- times --------------------------------------------------------------------------------------------------------


def _cron(value: str) -> str:
    hint = 'write minute, hour, day of the month, month and day of the week, such as "*/5 9-17 * * mon-fri"'
    if (count := len(value.split())) != 5:
        wrong(f"{VALUE} has {count} {'field' if count == 1 else 'fields'}, not five", hint)
    try:
        CronSim(value, datetime(2027, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        wrong(f"{VALUE} is not a cron expression: {str(error).lower()}", hint)
    return value


def _timezone(value: str) -> str:
    try:
        zone_of(value)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; "Europe" is a folder
        near = did_you_mean(value, available_timezones())
        wrong(f"there is no time zone {VALUE}", near if near.startswith("did") else 'such as "Europe/Amsterdam"')
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        kind = "a date" if isinstance(value, date) else type_name(value)
        wrong(f"{VALUE} is {kind}", "write a date and a time, without quotes, such as 2026-12-01T22:00:00+01:00")
    return value


CronText = Annotated[str, AfterValidator(_cron)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A date and time of TOML, with an offset or without."""


# --- addresses ----------------------------------------------------------------------------------------------------


def http_url(value: str) -> str:
    """An `http(s)://` address, with a query if need be."""
    web_address(value, ("http", "https"), '"https://alerts.example/hook"')
    return value


def _channel_url(value: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", value):
        wrong(
            f"{VALUE} is not a URL",
            'such as "slack://…" or "mailto://…": https://github.com/caronc/apprise/wiki lists them',
        )
    return value


def listen_address(value: str) -> tuple[str, int] | None:
    """Host and port of `"127.0.0.1:9464"` or `"[::1]:9464"`; `None` for `"off"`.

    >>> listen_address("[::1]:0")
    ('::1', 0)
    """
    if value == "off":
        return None
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_.-]+)):(?P<port>\d{1,5})", value)
    if found is None:
        wrong(f"{VALUE} is not an address to listen at", 'write host and port, "127.0.0.1:9464", or "off"')
    port = int(found["port"])
    if port > 65535:
        wrong(f"{VALUE} has a port that is not from 0 to 65535")
    return found["v6"] or found["host"], port


def _listen(value: str) -> str:
    listen_address(value)
    return value


def _anchor(value: str) -> str:
    if not value.startswith("dns:"):
        return http_url(value)
    name = value.removeprefix("dns:")
    if not re.fullmatch(r"(?=.{1,253}$)([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?", name):
        wrong(f"{VALUE} is not a name to be resolved", 'such as "dns:example.org"')
    return value


def _evidence_place(value: str) -> str:
    words = ("database", "off")
    if value not in words and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s?#]*)?", value):
        near = did_you_mean(value, words)
        hint = 'write "database", "off", or the bucket, "s3://bucket/prefix"'
        wrong(f"{VALUE} is no place for evidence", near if near.startswith("did") else hint)
    return value


def _stale_after(value: timedelta) -> timedelta:
    if value < SHORTEST_SILENCE:
        wrong(f"{VALUE} is shorter than 15s", "a region that is just restarted must not be said to be silent")
    return value


SHORTEST_SILENCE: Final = timedelta(seconds=15)

HttpUrl = Annotated[str, AfterValidator(http_url)]
ChannelUrl = Annotated[str, AfterValidator(_channel_url)]
Listen = Annotated[str, AfterValidator(_listen)]
Anchor = Annotated[str, AfterValidator(_anchor)]
"""What shows that a network works: an `http(s)://` address, or a name to be resolved, `dns:NAME`."""
StoreUrl = Annotated[str, AfterValidator(store_url)]
EvidencePlace = Annotated[str, AfterValidator(_evidence_place)]
Patience = Annotated[Duration, AfterValidator(_stale_after)]
"""A duration without a word after which a region is silent."""
