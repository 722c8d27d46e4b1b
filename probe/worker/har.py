"""A HAR file made of what the listeners heard: no bodies, nothing asked of the browser, so it outlives the browser."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from probe import __version__
from probe.worker.observer import Seen

_PHASES = (("dns", "domainLookupStart", "domainLookupEnd"), ("connect", "connectStart", "connectEnd"))


def har_of(requests: Iterable[Seen], now: float) -> dict[str, Any]:
    """The HAR 1.2 of these requests, as they were heard; `now` is `time.monotonic()`, for those still open."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "probe", "version": __version__},
            "pages": [],
            "entries": [_entry(seen, now) for seen in requests],
        }
    }


def _entry(seen: Seen, now: float) -> dict[str, Any]:
    request, response = seen.request, seen.response
    timing: dict[str, Any] = dict(request.timing)
    headers = {} if response is None else response.headers
    return {
        "startedDateTime": datetime.fromtimestamp(seen.wall, UTC).isoformat(timespec="milliseconds"),
        "time": ((seen.ended or now) - seen.began) * 1000,
        "request": {
            "method": seen.method,
            "url": seen.url,
            "httpVersion": "",
            "headers": _named(request.headers),
            "queryString": [{"name": k, "value": v} for k, v in parse_qsl(urlsplit(seen.url).query)],
            "cookies": [],
            "headersSize": -1,
            "bodySize": -1,
        },
        "response": {
            "status": seen.status or 0,
            "statusText": "" if response is None else response.status_text,
            "httpVersion": "",
            "headers": _named(headers),
            "cookies": [],
            "content": {"size": -1, "mimeType": headers.get("content-type", "")},
            "redirectURL": headers.get("location", ""),
            "headersSize": -1,
            "bodySize": -1,
            **({} if seen.error is None else {"_failureText": seen.error}),
        },
        "cache": {},
        "timings": _timings(timing),
        "_resourceType": seen.resource,
        "_step": seen.step,
    }


def _timings(timing: dict[str, Any]) -> dict[str, float]:
    def span(start: str, end: str) -> float:
        a, b = timing.get(start, -1), timing.get(end, -1)
        return b - a if a >= 0 and b >= 0 else -1

    return {
        "blocked": -1,
        **{name: span(start, end) for name, start, end in _PHASES},
        "ssl": span("secureConnectionStart", "connectEnd"),
        "send": 0,
        "wait": max(0.0, span("requestStart", "responseStart")),
        "receive": max(0.0, span("responseStart", "responseEnd")),
    }


def _named(headers: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]
