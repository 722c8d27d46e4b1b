"""Prometheus's Alertmanager, API v2: every instance is told, again and again for as long as an incident is open."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from probe.core.notification import Notification, Reason
from probe.core.rules import Severity
from probe.core.secret import Redactor
from probe.errors import NotifyError, ProbeError
from probe.notifiers.hide import hiding, origin
from probe.notifiers.post import Poster, SystemClock, usable
from probe.ports import ChannelSettings, Clock

REPEAT: Final = timedelta(seconds=60)
"""How often open incidents are told again."""
ENDS: Final = 4 * REPEAT
"""An alert that is not told again for this long is over: Prometheus's own rule, four times its interval."""


class AlertmanagerNotifier:
    """Posts each incident as an alert to every instance of a cluster; one that took it is enough.

    An alert's labels are its identity, so they hold only what stays: `alertname`, `incident`, `cause`, and `severity`,
    by which Alertmanagers route. The verdict and all else are annotations. An incident that becomes more severe is a
    second alert, on purpose: it goes to somebody else. The first is ended with it.

    >>> async def tell(settings, redactor, notification):
    ...     async with AlertmanagerNotifier(settings, redactor) as alertmanager:
    ...         return await alertmanager.send(notification)
    """

    repeat: timedelta | None = REPEAT

    def __init__(self, settings: ChannelSettings, redactor: Redactor, *, clock: Clock | None = None) -> None:
        if not settings.urls:
            raise ProbeError(f"channel {settings.name!r}: alertmanager wants the url of each instance")
        urls = [usable(url.reveal(), "alertmanager", settings.name) for url in settings.urls]
        self._instances = [(url, origin(url)) for url in urls]
        self._hide = redactor
        for url, shown in self._instances:
            self._hide = hiding(self._hide, url, shown)
        self._clock = clock or SystemClock()
        self._poster = Poster(settings.timeout)
        self._severities: dict[str, Severity] = {}
        """Of the incidents that are open, as they were told last."""

    async def __aenter__(self) -> Self:
        await self._poster.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._poster.__aexit__(kind, error, trace)

    async def send(self, notification: Notification) -> str:
        """Tell every instance."""
        return await self._tell((notification,))

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        """Tell several in one request: Alertmanager has its own way of making one message of them."""
        return await self._tell(notifications)

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        """Tell that these are still open."""
        return await self._tell(notifications) if notifications else ""

    async def _tell(self, notifications: Sequence[Notification]) -> str:
        now = self._clock.now()
        latest = {n.incident: n for n in notifications}.values()  # of an opening and its resolution, the resolution
        data = json.dumps([alert for n in latest for alert in self._alerts(n, now)]).encode()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._post(url, data), name=f"alertmanager {shown}") for url, shown in self._instances
            ]
        answers = [task.result() for task in tasks]
        words = "; ".join(f"{shown}: {answer}" for (_, shown), answer in zip(self._instances, answers, strict=True))
        errors = [answer for answer in answers if isinstance(answer, NotifyError)]
        if len(errors) == len(answers):
            waits = [error.retry_after for error in errors if error.retry_after is not None]
            raise NotifyError(
                words, permanent=all(error.permanent for error in errors), retry_after=min(waits, default=None)
            )
        self._remember(latest)
        return words

    async def _post(self, url: str, data: bytes) -> str | NotifyError:
        try:
            return await self._poster.post(f"{url.rstrip('/')}/api/v2/alerts", data, {}, self._hide)
        except NotifyError as error:
            return error

    def _remember(self, notifications: Iterable[Notification]) -> None:
        for n in notifications:
            if n.reason is Reason.RESOLVED:
                self._severities.pop(n.incident, None)
            elif n.reason is not Reason.TEST:
                self._severities[n.incident] = n.message.severity

    def _alerts(self, notification: Notification, now: datetime) -> list[dict[str, Any]]:
        """The alert, and the end of the one that the incident was before it became more, or less, severe."""
        severity = notification.message.severity
        ends = now + ENDS
        if notification.reason is Reason.RESOLVED:
            ends = notification.message.resolved or now
        before = self._severities.get(notification.incident, severity)
        alerts = [_alert(notification, severity, ends)]
        return alerts if before is severity else [*alerts, _alert(notification, before, now)]


def _name(notification: Notification) -> str:
    if notification.reason is Reason.TEST:
        return "ProbeTest"
    return "ProbeDrill" if notification.message.drill else "ProbeIncident"


def _alert(notification: Notification, severity: Severity, ends: datetime) -> dict[str, Any]:
    message = notification.message
    annotations = {
        "summary": message.title,
        "description": message.body,
        "verdict": message.verdict,
        "checks": ", ".join(message.checks),
        "targets": ", ".join(message.targets),
        "regions": ", ".join(message.regions),
        "step": message.step,
        "expected": message.expected,
        "seen": message.seen,
        "evidence": message.evidence,
        "reproduce": message.reproduce,
    }
    return {
        "labels": {
            "alertname": _name(notification),
            "incident": notification.incident,
            "cause": message.cause or "unknown",  # Alertmanager drops a label that is empty
            "severity": severity,
            **({"drill": "true"} if message.drill else {}),
        },
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": message.since.isoformat(),
        "endsAt": max(ends, message.since).isoformat(),
        **({"generatorURL": message.page} if message.page else {}),
    }
