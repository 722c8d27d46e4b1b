"""A signed POST of documented JSON to an address of the user's own: docs/webhook.md."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from probe.core.notification import Notification
from probe.core.secret import Redactor
from probe.errors import ProbeError
from probe.notifiers.hide import hiding, origin
from probe.notifiers.post import Poster, SystemClock, usable
from probe.notifiers.text import digest, digest_key
from probe.ports import ChannelSettings, Clock

SCHEMA: Final = 1
"""Version of the JSON: a change that would break a reader makes it 2; fields may be added."""


class WebhookNotifier:
    """Posts notifications as JSON, with their key in `Idempotency-Key`, signed if the channel has a `key`.

    >>> async def tell(settings, redactor, notification):
    ...     async with WebhookNotifier(settings, redactor) as webhook:
    ...         return await webhook.send(notification)
    """

    repeat: timedelta | None = None

    def __init__(self, settings: ChannelSettings, redactor: Redactor, *, clock: Clock | None = None) -> None:
        if len(settings.urls) != 1:
            raise ProbeError(f"channel {settings.name!r}: webhook wants one url, not {len(settings.urls)}")
        self._settings = settings
        self._url = usable(settings.urls[0].reveal(), "webhook", settings.name)
        self._clock = clock or SystemClock()
        self._poster = Poster(settings.timeout)
        self._hide = hiding(redactor, self._url, origin(self._url), *([settings.key] if settings.key else []))

    async def __aenter__(self) -> Self:
        await self._poster.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._poster.__aexit__(kind, error, trace)

    async def send(self, notification: Notification) -> str:
        """Post it."""
        message = notification.message
        return await self._post((notification,), message.title, message.body, notification.key)

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        """Post several in one request."""
        return await self._post(notifications, *digest(notifications), digest_key(notifications))

    async def refresh(self, notifications: Sequence[Notification]) -> str:  # noqa: ARG002  # the port's shape
        """Nothing: what was said once stays said."""
        return ""

    async def _post(self, notifications: Sequence[Notification], title: str, body: str, key: str) -> str:
        data = json.dumps(
            {
                "schema": SCHEMA,
                "key": key,
                "channel": self._settings.name,
                "title": title,
                "body": body,
                "notifications": [as_json(n) for n in notifications],
            }
        ).encode()
        headers = {"Idempotency-Key": key}
        if self._settings.key is not None:
            stamp = int(self._clock.now().timestamp())
            headers["X-Probe-Signature"] = signature(self._settings.key.reveal(), stamp, data)
        return await self._poster.post(self._url, data, headers, self._hide)


def signature(key: str, stamp: int, body: bytes) -> str:
    """The value of `X-Probe-Signature`: when it was sent (seconds since 1970), and the HMAC of that and the body.

    >>> signature("k", 1764000000, b"{}")[:17]
    't=1764000000,v1=7'
    """
    return f"t={stamp},v1={hmac.new(key.encode(), f'{stamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


def as_json(notification: Notification) -> dict[str, Any]:
    """A notification in the words of docs/webhook.md."""
    message = notification.message
    return {
        "key": notification.key,
        "incident": notification.incident,
        "reason": notification.reason,
        "drill": message.drill,
        "number": notification.number,
        "created": _time(notification.created),
        "title": message.title,
        "body": message.body,
        "verdict": message.verdict,
        "severity": message.severity,
        "since": _time(message.since),
        "resolved": None if message.resolved is None else _time(message.resolved),
        "checks": list(message.checks),
        "targets": list(message.targets),
        "regions": list(message.regions),
        "step": message.step,
        "cause": message.cause,
        "expected": message.expected,
        "seen": message.seen,
        "evidence": message.evidence or None,
        "reproduce": message.reproduce,
        "page": message.page or None,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
