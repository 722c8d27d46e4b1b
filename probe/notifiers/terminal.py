"""Writes to the terminal: for `probe demo`, and for trying out."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from probe.core.notification import Notification, Reason
from probe.core.secret import Redactor
from probe.errors import NotifyError
from probe.net.threads import threads
from probe.notifiers.text import digest
from probe.ports import ChannelSettings

RED: Final = "\x1b[1;31m"
GREEN: Final = "\x1b[1;32m"
PLAIN: Final = "\x1b[0m"


class TerminalNotifier:
    """Prints title and body to stdout: the title in colour on a terminal, plain text in a pipe.

    >>> async def tell(settings, redactor, notification):
    ...     async with TerminalNotifier(settings, redactor) as terminal:
    ...         return await terminal.send(notification)
    """

    repeat: timedelta | None = None

    def __init__(self, settings: ChannelSettings, redactor: Redactor) -> None:
        self._seconds = settings.timeout.total_seconds()
        self._redactor = redactor

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was opened."""

    async def send(self, notification: Notification) -> str:
        """Print it."""
        colour = GREEN if notification.reason is Reason.RESOLVED else RED
        return await self._print(notification.message.title, notification.message.body, colour)

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        """Print one line for each."""
        good = all(n.reason is Reason.RESOLVED for n in notifications)
        return await self._print(*digest(notifications), GREEN if good else RED)

    async def refresh(self, notifications: Sequence[Notification]) -> str:  # noqa: ARG002  # the port's shape
        """Nothing: what was printed is still there."""
        return ""

    async def _print(self, title: str, body: str, colour: str) -> str:
        title, body = (_harmless(self._redactor.text(text)) for text in (title, body))
        try:
            async with asyncio.timeout(self._seconds):  # whoever reads the pipe may have stopped reading
                await threads.run(_write, title, body, colour)
        except TimeoutError:
            raise NotifyError(f"stdout took nothing within {self._seconds:g} s") from None
        except (OSError, ValueError) as error:  # ValueError: it is closed
            raise NotifyError(f"stdout cannot be written: {error}", permanent=True) from None
        return "printed"


def _write(title: str, body: str, colour: str) -> None:
    """Title, body indented below it, at once: two writers do not mix their lines."""
    head = f"{colour}{title}{PLAIN}" if sys.stdout.isatty() else title
    sys.stdout.write("\n".join((head, *(f"  {line}".rstrip() for line in body.splitlines()), "")))
    sys.stdout.flush()


def _harmless(text: str) -> str:
    """Without control characters: what a broken shop answered must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
