"""What a region does by itself about its own judgement: nothing while the fleet judges, its best while it is cut off.

Implements `probe.engine.service.Gate`. While the hub answers, asks and notifications of the local fold are not acted on:
the fleet's are. After `ALONE` without an answer the region confirms its own suspicions, and tells what it finds on the
channels that it may use by itself, if there are any. What was told is written down like every attempt, and handed over to
the hub (link.py), which then does not tell the same key again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from probe.core.incident import IncidentId
from probe.core.notification import Attempt, Fate, Notification, Reason
from probe.core.state import Ask
from probe.ports import Clock

log = logging.getLogger(__name__)

ALONE: Final = 15.0
"""Seconds without an answer of the hub after which a region acts by itself."""
LOOK: Final = 1.0
"""Seconds between two looks at what is held."""


class Standing(Protocol):
    """How the node stands with the hub (`Links`)."""

    @property
    def away(self) -> float:
        """Seconds for which the hub has not answered; 0 while it does."""
        ...

    @property
    def clear(self) -> float:
        """The loop's time until which everything that was recorded is known to be with the hub."""
        ...


@dataclass(frozen=True, slots=True)
class _Held:
    at: float
    notification: Notification


class FastPath:
    """The gate of a node. To be made inside the running loop.

    `channels` are those on which this region may tell by itself, `told` the incidents of which it has already told.
    `deliver` sends, `settle` writes down what became of a notification.
    """

    def __init__(
        self,
        standing: Standing,
        channels: Collection[str],
        told: Iterable[IncidentId],
        deliver: Callable[[Sequence[Notification]], None],
        settle: Callable[[Attempt], None],
        clock: Clock,
    ) -> None:
        self.channels = frozenset(channels)
        self._standing = standing
        self._told = set(told)
        self._deliver = deliver
        self._settle = settle
        self._clock = clock
        self._time = asyncio.get_running_loop().time
        self._held: deque[_Held] = deque()

    @property
    def alone(self) -> bool:
        """Whether the region acts by itself."""
        return self._standing.away >= ALONE

    @property
    def held(self) -> int:
        """How many notifications wait until it is known whether the fleet knows what they are about."""
        return len(self._held)

    def asks(self, asks: Sequence[Ask]) -> Sequence[Ask]:
        """All of them, or none."""
        return asks if self.alone else ()

    def tell(self, notifications: Sequence[Notification]) -> Sequence[Notification]:
        """Those that this region tells now. The others are held until the hub has what they come from, or is lost."""
        now = self._time()
        said = []
        for notification in notifications:
            if self._is_ours(notification):
                said.append(notification)
            else:
                self._held.append(_Held(now, notification))
        return said

    async def run(self) -> None:
        """Look at what is held until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.look()

    def look(self) -> None:
        """Settle what the fleet knows as well; tell what it cannot."""
        waiting, self._held = self._held, deque()
        said: list[Notification] = []
        for one in waiting:
            if self._is_ours(one.notification):
                said.append(one.notification)
            elif self._standing.away == 0 and one.at < self._standing.clear:
                self._withdraw(one.notification, "the fleet judges this")
            elif self.alone:
                self._withdraw(one.notification, "this region tells nothing of it by itself")
            else:
                self._held.append(one)
        if said:
            self._deliver(said)

    def _is_ours(self, notification: Notification) -> bool:
        """Whether it is told from here: what begins while we are alone, and how it goes on with what we have told."""
        if notification.channel not in self.channels:
            return False
        if notification.incident in self._told:
            return self.alone or notification.reason is Reason.RESOLVED
        if not self.alone or notification.reason not in (Reason.OPENED, Reason.ESCALATED):
            return False
        self._told.add(notification.incident)
        return True

    def _withdraw(self, notification: Notification, why: str) -> None:
        now = self._clock.now()
        self._settle(Attempt(key=notification.key, at=now, fate=Fate.WITHDRAWN, answer=why))
