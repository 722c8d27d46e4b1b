"""The outgoing dead-man's ping: somebody else notices when we fall silent.

A service such as healthchecks.io expects a request every so often, and alerts when it stays away. It is sent only while
we are well, so that a daemon that lives but does not work is noticed too.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import aiohttp

from probe.core.secret import Secret
from probe.net.lookup import SystemResolver

log = logging.getLogger(__name__)

TIMEOUT: Final = timedelta(seconds=10)
"""How long one ping may take."""


async def heartbeat(url: Secret, every: timedelta, healthy: Callable[[], bool], *, within: timedelta = TIMEOUT) -> None:
    """GET `url` at once and then each `every`, while `healthy()`; until cancelled. Each takes no longer than `within`.

    Any 2xx answer will do; redirects are not followed. That it fails, or is held back because we are not healthy, is
    logged once, and once that it works again; the address is in no line. Raises nothing but `CancelledError`.
    """
    loop = asyncio.get_running_loop()
    due, trouble = loop.time(), ""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=SystemResolver(), force_close=True), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        while True:
            was, trouble = (
                trouble,
                "we are not healthy" if not healthy() else await _ping(session, url, within.total_seconds()),
            )
            if trouble and not was:
                log.warning("the heartbeat is not sent: %s", trouble)
            elif was and not trouble:
                log.info("the heartbeat is sent again")
            due = max(due + every.total_seconds(), loop.time())
            await asyncio.sleep(due - loop.time())


async def _ping(session: aiohttp.ClientSession, url: Secret, within: float) -> str:
    """Send one; what went wrong, or `""`. Says nothing that the URL could be read from."""
    try:
        async with asyncio.timeout(within):
            async with session.get(url.reveal(), allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else f"its service answered {answer.status}"
    except TimeoutError:
        return f"no answer within {within:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        said = cause.strerror if isinstance(cause, OSError) else None
        return said or type(error).__name__
