"""Asks again about a name that the browser could not resolve: Chromium says the same of a dead resolver and a dead name."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from probe.core.failure import CheckFailed, Failure
from probe.net.resolve import Resolver, SystemResolver
from probe.net.trace import Trace

LIMIT: Final = 1.2
"""Seconds for the second look: it is taken out of the time for clean-up."""


async def why_not_resolved(failure: Failure, resolver: Resolver | None = None) -> Failure | None:
    """The reason of the system's resolver, when it is not just that the name does not exist; `None` when it is."""
    parts = urlsplit(failure.url or "")
    if not parts.hostname:
        return None
    trace = Trace()
    try:
        async with asyncio.timeout(LIMIT):
            await (resolver or SystemResolver()).resolve(parts.hostname, parts.port or 443, 0, trace)
    except CheckFailed as failed:
        reason = failed.failures[0].at(failure.step)
        return None if reason.kind == "name_not_found" else reason
    except TimeoutError:
        return Failure.of(
            "dns_timeout", f"{parts.hostname} was not resolved in time", step=failure.step, url=failure.url
        )
    return None
