"""Every service that Apprise knows, by the URL that Apprise documents for it."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from probe.core.notification import Notification, Reason
from probe.core.rules import Severity
from probe.core.secret import Redactor
from probe.errors import NotifyError, ProbeError
from probe.net.threads import Threads
from probe.notifiers.hide import hiding
from probe.notifiers.services import KEEPERS, Letter
from probe.notifiers.text import digest, digest_key, one_line
from probe.ports import ChannelSettings

if TYPE_CHECKING:
    from probe.notifiers.apprise_service import Service

MOST: Final = 4
"""Messages of one channel on their way at a time. Further ones wait, within their timeout: a service that hangs costs
this many threads, not one for each message."""


class AppriseNotifier:
    """Sends by Apprise, whose blocking calls run in threads of this channel's own.

    A thread cannot be stopped: a message whose time is up is given up here, and may yet arrive. So does a repetition of
    it, with the same key.

    >>> async def tell(settings, redactor, notification):
    ...     async with AppriseNotifier(settings, redactor) as slack:
    ...         return await slack.send(notification)
    """

    repeat: timedelta | None = None

    def __init__(self, settings: ChannelSettings, redactor: Redactor) -> None:
        if len(settings.urls) != 1:
            raise ProbeError(f"channel {settings.name!r}: apprise wants one url, not {len(settings.urls)}")
        self._name = settings.name
        self._url = settings.urls[0].reveal()
        self._seconds = settings.timeout.total_seconds()
        self._redactor = redactor
        self._threads = Threads()
        self._places = asyncio.Semaphore(MOST)
        self._idle: deque[Service] = deque()
        self._closed = False

    async def __aenter__(self) -> Self:
        # In a thread: Apprise imports its 180 services at the first URL, a second and 45 MB.
        self._idle.append(await self._threads.run(self._open))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await self._threads.run(self._close_idle)

    async def send(self, notification: Notification) -> str:
        """Send it, with its picture where the service takes one."""
        return await self._send([_letter(notification)])

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        """Send several as one message; one by one to a service that keeps incidents itself."""
        return await self._send([_letter(n) for n in notifications], _digest(notifications))

    async def refresh(self, notifications: Sequence[Notification]) -> str:  # noqa: ARG002  # the port's shape
        """Nothing: what was said once stays said."""
        return ""

    async def _send(self, letters: Sequence[Letter], together: Letter | None = None) -> str:
        loop = asyncio.get_running_loop()

        def work() -> str:
            try:
                return self._deliver(letters, together)
            finally:
                with suppress(RuntimeError):  # the loop ended meanwhile
                    loop.call_soon_threadsafe(self._places.release)

        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
                return await self._threads.run(work)
        except TimeoutError:
            raise NotifyError(f"no answer within {self._seconds:g} s") from None
        except NotifyError:
            raise
        except Exception as error:  # noqa: BLE001  # the port's promise, whatever one of 180 plugins raises
            words = hiding(self._redactor, self._url, "").text(f"{type(error).__name__}: {error}")
            raise NotifyError(one_line(words)) from None

    # What follows runs in threads.

    def _open(self) -> "Service":
        from probe.notifiers.apprise_service import Service

        return Service(self._url, self._name, self._seconds, self._redactor)

    def _deliver(self, letters: Sequence[Letter], together: Letter | None) -> str:
        try:
            service = self._idle.pop()  # whoever has it has it alone
        except IndexError:
            service = self._open()
        try:
            if service.kind in KEEPERS:
                letters = [*letters, *(replace(letter, ends=True) for letter in letters if letter.tries)]
            elif together is not None:
                letters = [together]
            return "; ".join(dict.fromkeys(service.say(letter) for letter in letters))
        finally:
            self._idle.append(service)
            if self._closed:
                self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):  # none is left
            while True:
                self._idle.pop().close()


def _letter(notification: Notification) -> Letter:
    message = notification.message
    return Letter(
        title=message.title,
        body=message.body,
        kind=_kind((notification,)),
        key=notification.key,
        incident=notification.incident,
        ends=notification.reason is Reason.RESOLVED,
        tries=notification.reason is Reason.TEST,
        picture=message.picture,
    )


def _digest(notifications: Sequence[Notification]) -> Letter:
    title, body = digest(notifications)
    return Letter(title=title, body=body, kind=_kind(notifications), key=digest_key(notifications))


def _kind(notifications: Sequence[Notification]) -> str:
    """Apprise's word for the worst of them."""
    bad = [n for n in notifications if n.reason not in {Reason.RESOLVED, Reason.TEST}]
    if bad:
        return "failure" if any(n.message.severity is Severity.PAGE for n in bad) else "warning"
    return "success" if any(n.reason is Reason.RESOLVED for n in notifications) else "info"
