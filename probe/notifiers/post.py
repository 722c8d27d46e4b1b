"""One POST of JSON to somebody else's server, and what its answer means for whoever wants to deliver."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from probe import __version__
from probe.core.secret import Redactor
from probe.errors import NotifyError, ProbeError
from probe.net.lookup import SystemResolver
from probe.notifiers.hide import origin
from probe.notifiers.text import one_line

AGAIN: Final = frozenset({408, 425, 429})
"""Answers below 500 that mean "later"; any other from 400 to 499 means "never"."""
MOVED: Final = frozenset({301, 308})
"""Redirects for good."""
LONGEST_WAIT: Final = timedelta(hours=1)
"""What a service asks us to wait is honoured up to here: a slip of its clock must not silence an alert for days."""
BODY_SECONDS: Final = 2.0
"""How long the text of an answer is waited for: the status, which came before it, has decided already."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


class Poster:
    """Posts JSON: a connection for each request, no cookies, no proxies of the environment, no redirects.

    A kept connection would be closed by the other side between two alerts, and the next one lost on it.
    """

    def __init__(self, timeout: timedelta) -> None:
        self._seconds = timeout.total_seconds()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0, resolver=SystemResolver(), use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers={"User-Agent": f"probe/{__version__}", "Accept-Encoding": "identity"},
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], hide: Redactor) -> str:
        """Status and beginning of the answer, if it is 2xx; otherwise, and for no answer, `NotifyError`.

        `hide` masks whatever of the answer comes out, here or in the error.
        """
        try:
            # Encoded as it is written: so that a service that repeats it repeats what is known to be secret.
            async with self._session.post(
                URL(url, encoded=True),
                data=body,
                headers={"Content-Type": "application/json", **headers},
                allow_redirects=False,
            ) as response:
                said = one_line(hide.text(await _beginning(response)))
        except TimeoutError:
            raise NotifyError(f"no answer within {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            words = one_line(hide.text(str(error)))
            # `from None`: the library's own error carries the whole URL, and a traceback would show it
            raise NotifyError(f"no answer: {words or type(error).__name__}") from None
        answer = f"{response.status} {one_line(hide.text(response.reason or ''))}".strip()
        return _judged(response, f"{answer}: {said}" if said else answer, hide)


def usable(url: str, kind: str, channel: str) -> str:
    """`url` if it can be posted to; `ProbeError`, which does not show it, if not."""
    try:
        good = url.partition("://")[0].lower() in {"http", "https"} and bool(URL(url).host)
    except ValueError:
        good = False
    if not good:
        raise ProbeError(f"channel {channel!r}: its url cannot be used: {kind} wants http://… or https://…")
    return url


def _judged(response: aiohttp.ClientResponse, answer: str, hide: Redactor) -> str:
    status = response.status
    if 200 <= status < 300:
        return answer
    if 300 <= status < 400:
        to = response.headers.get("Location", "")
        where = f" (to {one_line(hide.text(origin(to)))})" if "://" in to else ""
        raise NotifyError(f"{answer}; redirects are not followed{where}: set the final url", permanent=status in MOVED)
    if status < 500 and status not in AGAIN:
        raise NotifyError(answer, permanent=True)
    raise NotifyError(answer, retry_after=retry_after(response.headers.get("Retry-After"), datetime.now(UTC)))


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a `Retry-After` header means at `now`: seconds, or a date; `None` for nothing that can be read.

    >>> retry_after("120", now)
    datetime.timedelta(seconds=120)
    """
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(timedelta(seconds=min(int(value), 10**6)), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(aware - now, timedelta()), LONGEST_WAIT)


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The beginning of an answer's text, as far as it comes."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return (await response.content.read(4096)).decode(errors="replace")
    except (aiohttp.ClientError, OSError, TimeoutError):
        return ""
