"""The notifiers of the configured channels: opened, kept over a reload where nothing has changed, and closed."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from probe.core.notification import Notification
from probe.core.secret import Redactor
from probe.errors import NotifyError, ProbeError
from probe.ports import ChannelSettings, Notifier, NotifierFactory
from probe.registry import load

log = logging.getLogger(__name__)


_Held = tuple[ChannelSettings, Notifier, asyncio.Event]
"""What a notifier was made from, the notifier, and the end of its time."""


class Channels:
    """Holds one notifier for each channel. Each lives in a task of its own, so that it can go while the others stay."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._open: dict[str, _Held] = {}

    async def adopt(self, wanted: Mapping[str, ChannelSettings], redactor: Redactor) -> dict[str, Notifier]:
        """Open what is new or has changed, then close what is gone; the notifiers by name. What they replace works until then.

        A channel whose settings cannot be used has one that refuses everything: so that it is disabled, and said to
        be so on the others, as soon as it has something to say.
        """
        kept = {name: held for name, held in self._open.items() if wanted.get(name) == held[0]}
        fresh: dict[str, _Held] = {}
        try:
            for name, settings in wanted.items():
                if name not in kept:
                    fresh[name] = await self._opened(settings, redactor)
        except BaseException:  # we are stopped on the way
            _let_go(fresh.values())
            raise
        _let_go(held for name, held in self._open.items() if name not in kept)
        self._open = {**kept, **fresh}
        return {name: notifier for name, (_, notifier, _) in self._open.items()}

    async def _opened(self, settings: ChannelSettings, redactor: Redactor) -> _Held:
        ready: asyncio.Future[Notifier] = asyncio.get_running_loop().create_future()
        gone = asyncio.Event()
        self._group.create_task(_hold(settings, redactor, ready, gone), name=f"notifier {settings.name}")
        try:
            return settings, await ready, gone
        except ProbeError as error:
            log.error("channel %s cannot be used: %s", settings.name, error)  # noqa: TRY400  # a mistake of the user's
            return settings, Refusing(str(error)), gone
        except BaseException:  # we are stopped, perhaps in the very moment in which it was handed over
            gone.set()
            raise

    def close(self) -> None:
        """Close all of them."""
        _let_go(self._open.values())
        self._open.clear()


def _let_go(held: Iterable[_Held]) -> None:
    for _, _, gone in held:
        gone.set()


class Refusing:
    """A notifier of a channel that cannot be used, for a reason."""

    repeat: timedelta | None = None

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def send(self, notification: Notification) -> str:  # noqa: ARG002  # the port's shape
        """Refuse, for good."""
        raise NotifyError(self._reason, permanent=True)

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        """Refuse, for good."""
        return await self.send(notifications[0])

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        """Refuse, for good."""
        return await self.send(notifications[0])


async def _hold(
    settings: ChannelSettings, redactor: Redactor, ready: "asyncio.Future[Notifier]", gone: asyncio.Event
) -> None:
    """Keep a notifier open until it is gone; what is wrong with its settings goes to `ready`."""
    try:
        factory: NotifierFactory = await asyncio.to_thread(load, "probe.notifiers", settings.kind)
        async with factory(settings, redactor) as notifier:
            if not ready.done():  # somebody waits for it still
                ready.set_result(notifier)
                await gone.wait()
    except ProbeError as error:
        if ready.done():
            raise
        ready.set_exception(error)
