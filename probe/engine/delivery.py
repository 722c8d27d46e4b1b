"""Delivers notifications: each channel apart from the others, from memory, until each has its fate.

The store knows the same: what was announced is pending there until an attempt settles it, so nothing is forgotten when we
are killed, and what was being sent then is sent again with the same key.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from probe.core.incident import IncidentId, Verdict
from probe.core.notification import Attempt, Fate, Message, Notification, Reason
from probe.core.outbox import Bucket, Held
from probe.core.rules import Severity
from probe.engine.channel import Channel, Office
from probe.ports import Clock, Notifier

log = logging.getLogger(__name__)

TIMEOUT: Final = timedelta(seconds=30)
"""How long an attempt may take on a channel for which nothing else is said."""


def _nothing(_channel: str) -> Sequence[Notification]:
    return ()


class Delivery:
    """All channels.

    `settle` takes each attempt, to be written down. `say` takes notifications of our own (a channel is disabled) that are
    to be written down first and then come back through `announce`, so that they are as durable as all others.
    `held` says until when a notification is held back. `open_for` gives the latest notification of each incident that is
    open and was told on a channel, for channels that repeat. `bucket` is the rate cap of each channel.
    """

    def __init__(
        self,
        notifiers: Mapping[str, Notifier],
        settle: Callable[[Attempt], None],
        say: Callable[[Sequence[Notification]], None],
        clock: Clock,
        held: Held,
        rand: random.Random,
        *,
        timeouts: Mapping[str, timedelta] | None = None,
        open_for: Callable[[str], Sequence[Notification]] = _nothing,
        bucket: Bucket | None = None,
    ) -> None:
        self._say = say
        self._clock = clock
        self._bucket = bucket or Bucket()
        self._office = Office(
            settle=settle, held=held, open_for=open_for, disabled=self._disabled, clock=clock, rand=rand
        )
        self._channels: dict[str, Channel] = {}
        self._group: asyncio.TaskGroup | None = None
        self.use(notifiers, timeouts)

    @property
    def disabled(self) -> dict[str, str]:
        """The channels that refuse for good, and what they said."""
        return {name: channel.refusal for name, channel in self._channels.items() if channel.refusal is not None}

    @property
    def pending(self) -> dict[str, int]:
        """How many notifications wait, by channel."""
        return {name: channel.pending for name, channel in self._channels.items()}

    def use(self, notifiers: Mapping[str, Notifier], timeouts: Mapping[str, timedelta] | None = None) -> None:
        """Send through these from now on, after a reload: what is pending stays, what was disabled is tried again.

        What is pending for a channel that is gone is withdrawn.
        """
        for name in [name for name in self._channels if name not in notifiers]:
            self._channels.pop(name).remove()
        for name, notifier in notifiers.items():
            timeout = (timeouts or {}).get(name, TIMEOUT)
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = Channel(name, notifier, timeout, self._bucket, self._office)
                if self._group is not None:
                    self._begin(self._group, channel)
            else:
                channel.notifier, channel.timeout = notifier, timeout
                self.enable(name)

    def announce(
        self,
        notifications: Iterable[Notification],
        tries: Mapping[str, int] | None = None,
        again: Mapping[str, datetime] | None = None,
    ) -> None:
        """Send these, each on its channel. `tries` and `again` are known of those that were pending at the last start."""
        given = tuple(notifications)
        for name in dict.fromkeys(n.channel for n in given):
            ours = tuple(n for n in given if n.channel == name)
            if channel := self._channels.get(name):
                channel.add(ours, tries or {}, again or {})
                continue
            log.warning("%d notifications were withdrawn: no such channel", len(ours), extra={"channel": name})
            for one in ours:
                answer = f"there is no channel {name}"
                self._office.settle(Attempt(key=one.key, at=self._clock.now(), fate=Fate.WITHDRAWN, answer=answer))

    def enable(self, name: str) -> None:
        """Try a disabled channel again, and say so where it was said that it is disabled."""
        channel = self._channels[name]
        if channel.refusal is not None:
            refusal = channel.refusal
            channel.enable()
            self._tell(name, Reason.RESOLVED, refusal)

    def wake(self) -> None:
        """Look again at what is held back: a mute or a window has ended."""
        for channel in self._channels.values():
            channel.wake()

    async def run(self, stop: asyncio.Event, grace: timedelta) -> None:
        """Deliver until `stop`; then send what can be sent at once, and no longer than `grace`.

        An attempt that is cut off has no record: it is made again at the next start.
        """
        try:
            async with (
                asyncio.timeout(None) as limit,
                asyncio.TaskGroup() as group,
            ):
                self._group = group
                for channel in self._channels.values():
                    self._begin(group, channel)
                await stop.wait()
                self._group = None
                for channel in self._channels.values():
                    channel.drain()
                limit.reschedule(asyncio.get_running_loop().time() + grace.total_seconds())
        except TimeoutError:
            log.warning("notifications are left for the next start", extra={"pending": sum(self.pending.values())})
        finally:
            self._group = None

    def _begin(self, group: asyncio.TaskGroup, channel: Channel) -> None:
        group.create_task(channel.run(), name=f"channel {channel.name}")

    def _disabled(self, name: str, refusal: str) -> None:
        log.error("a channel is disabled: %s", refusal, extra={"channel": name})
        self._tell(name, Reason.OPENED, refusal)

    def _tell(self, name: str, reason: Reason, refusal: str) -> None:
        """Say on all other channels that one is disabled, or is tried again."""
        now = self._clock.now()
        over = reason is Reason.RESOLVED
        title = f"Alerts through {name} are tried again" if over else f"No alerts through {name}: it is disabled"
        body = f"What it refused with: {refusal}"
        message = Message(
            title=title,
            body=body if over else f"{body}\nMend channels.{name} in the configuration, then reload.",
            verdict=Verdict.OK if over else Verdict.PROBE_FAULT,
            severity=Severity.TICKET,
            since=now,
            resolved=now if over else None,
            cause=f"channel:{name}",
        )
        self._say(
            tuple(
                Notification(
                    key=f"channel:{name}:{reason}:{now:%Y%m%dT%H%M%S.%f}:{other}",
                    channel=other,
                    incident=IncidentId(f"channel:{name}"),
                    reason=reason,
                    number=int(now.timestamp() * 1_000_000),  # it may be tried, and refuse, twice in a second
                    created=now,
                    message=message,
                )
                for other, channel in self._channels.items()
                if other != name and channel.refusal is None
            )
        )
