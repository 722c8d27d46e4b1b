"""Our marks and the target's headers, put onto the target's own requests only.

`extra_http_headers` would send them to every third party too: their servers would ask for a CORS preflight, and the
target's credentials would leak. A route in Playwright stops every request and switches the cache off (+31 % CPU,
perf.md). So the page's own `Fetch` domain is asked to stop just documents and calls to the target's origin.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

_RESOURCES: Final = ("Document", "XHR", "Fetch")


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as the `Origin` header writes it.

    >>> origin_of("https://ada:pw@Shop.example/cart")
    'https://shop.example'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


async def mark_requests(page: "Page", origin: str, headers: Mapping[str, str]) -> "CDPSession":
    """From now on, the page's documents and calls to `origin` carry `headers`; local files are refused. Gives its session.

    Each redirect is a request of its own: one that leads to another origin does not carry them along.
    """
    from playwright.async_api import Error

    session = await page.context.new_cdp_session(page)
    pattern = origin.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?") + "/*"
    added = {name.lower(): value for name, value in headers.items()}

    async def paused(event: dict[str, Any]) -> None:
        request = event["request"]
        answer: dict[str, Any] = {"requestId": event["requestId"]}
        command = "Fetch.continueRequest"
        if request["url"].startswith("file:"):
            command = "Fetch.failRequest"
            answer["errorReason"] = "BlockedByClient"
        elif _is_own(request, origin):
            kept = [{"name": k, "value": str(v)} for k, v in request["headers"].items() if k.lower() not in added]
            answer["headers"] = kept + [{"name": k, "value": v} for k, v in added.items()]
        try:
            await session.send(command, answer)
        except Error:
            return  # the page is gone, or no longer wants the answer

    session.on("Fetch.requestPaused", paused)
    patterns: list[dict[str, str]] = [{"urlPattern": "file://*"}]
    if added:
        patterns += [{"urlPattern": pattern, "resourceType": resource} for resource in _RESOURCES]
    await session.send("Fetch.enable", {"patterns": patterns})
    return session


def _is_own(request: Mapping[str, Any], origin: str) -> bool:
    """Whether the request is the target's own: to its origin, and not a foreign page's call (that would preflight)."""
    asking = next((v for k, v in request["headers"].items() if k.lower() == "origin"), None)
    return origin_of(request["url"]) == origin and asking in (None, "null", origin)
