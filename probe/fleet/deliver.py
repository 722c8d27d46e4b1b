"""Delivers for a whole fleet: whoever has the lease tells people what is in the outbox, and writes down what became of it.

The lease only saves work. When two deliver for a while, people may be told twice, with one key; nobody is told less.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import text

from probe.core.hold import hold, standing
from probe.core.incident import IncidentId
from probe.core.notification import Attempt, Notification
from probe.core.rules import Rules
from probe.core.state import State
from probe.engine.delivery import Delivery
from probe.errors import StoreUnavailable
from probe.fleet.books import Books
from probe.fleet.hub import Hub
from probe.fleet.lease import RENEW, Lease, keep
from probe.fleet.pending import read_outbox
from probe.ports import Clock, Notifier

log = logging.getLogger(__name__)

LEASE: Final = "delivery"
POLL: Final = 1.0
"""Seconds between two looks into the outbox, unless somebody says that there is something."""
BROKEN: Final = 15.0
"""Seconds until it is tried again after what nobody has thought of."""
SKEW: Final = timedelta(seconds=2)
"""By how much our clock must be off the database's for us to go by that."""

_CURRENT: Final = text(
    "SELECT clock_timestamp() AS now, EXISTS (SELECT FROM probe.shards WHERE version = :version) AS current"
)


@dataclass(slots=True)
class _Means:
    """By what it is delivered."""

    rules: Rules
    version: str
    notifiers: Mapping[str, Notifier]
    timeouts: Mapping[str, timedelta]


@dataclass(slots=True)
class _Outlook:
    """What was seen in the hub when it was looked at last. `known` are the notifications that were announced since we deliver."""

    known: set[str] = field(default_factory=set)
    muted: dict[IncidentId, datetime] = field(default_factory=dict)
    state: State = field(default_factory=State)


class HubClock:
    """The database's clock, as far as ours is off it. Implements `Clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The present moment."""
        return self._clock.now() - self._ahead

    def ours(self) -> datetime:
        """The present moment by our own clock."""
        return self._clock.now()

    def measured(self, theirs: datetime, before: datetime) -> None:
        """It was `theirs` at the database some time between `before` by ours and now."""
        ahead = before + (self._clock.now() - before) / 2 - theirs
        self._ahead = ahead if abs(ahead) > SKEW else timedelta(0)


class FleetDelivery:
    """One of those who may deliver. It delivers by the rules of one version, and nothing while the fleet has another.

    `pending` and `disabled` are as the engine's, and empty while somebody else delivers.
    """

    def __init__(self, hub: Hub, node: str, clock: Clock, rand: random.Random, *, lease: Lease | None = None) -> None:
        self.heard: Callable[[Attempt], object] = lambda _attempt: None
        """Told of each attempt to notify, beside the database."""
        self._hub = hub
        self._clock = HubClock(clock)
        self._rand = rand
        self._lease = lease or Lease(hub, LEASE, f"{node} {uuid4().hex[:8]}")
        self._books = Books(hub)
        self._means = _Means(Rules(), "", {}, {})
        self._delivery: Delivery | None = None
        self._outlook = _Outlook()
        self._trouble: str | None = None

    @property
    def delivers(self) -> bool:
        """Whether it is us who deliver now."""
        return self._delivery is not None

    @property
    def pending(self) -> dict[str, int]:
        """How many notifications wait, by channel."""
        return {} if self._delivery is None else self._delivery.pending

    @property
    def disabled(self) -> dict[str, str]:
        """The channels that refuse for good, and what they said."""
        return {} if self._delivery is None else self._delivery.disabled

    def use(
        self,
        rules: Rules,
        version: str,
        notifiers: Mapping[str, Notifier],
        timeouts: Mapping[str, timedelta] | None = None,
    ) -> None:
        """Deliver by these rules, and through these channels, from now on."""
        self._means = _Means(rules, version, notifiers, timeouts or {})
        if self._delivery is not None:
            self._delivery.use(self._gated(), self._means.timeouts)
            self._delivery.wake()

    async def run(self, stop: asyncio.Event, grace: timedelta) -> None:
        """Deliver while the lease is ours, until `stop`; then send what can be sent at once, for no longer than `grace`."""
        told = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._books.run(told, grace.total_seconds()), name="books of deliveries")
            stopped = group.create_task(stop.wait(), name="stop of deliveries")
            while not stop.is_set():
                wait = RENEW
                try:
                    if await self._is_current() and await self._lease.acquire():
                        await self._tenure(stopped, grace)
                        continue
                except StoreUnavailable as error:
                    self._in_trouble(error)
                except Exception:  # a bug here must not end the node, which goes on probing and judging
                    log.exception("deliveries broke off")
                    wait = BROKEN
                await asyncio.wait([stopped], timeout=wait)
            told.set()

    async def _tenure(self, stopped: "asyncio.Task[Any]", grace: timedelta) -> None:
        """Deliver as long as we have the lease."""
        log.info("this node delivers now", extra={"epoch": self._lease.epoch})
        self._outlook = _Outlook()
        told = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(keep(self._lease), name="keep the lease")
            feeding = group.create_task(self._feed(), name="feed deliveries")
            ends = {keeping, feeding, stopped}
            self._delivery = Delivery(
                self._gated(),
                self._settle,
                self._books.say,
                self._clock,
                self._held,
                self._rand,
                timeouts=self._means.timeouts,
                open_for=self._standing,
            )
            sending = group.create_task(self._delivery.run(told, grace), name="delivery")
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if stopped.done():
                    told.set()
                    await asyncio.wait({keeping, sending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._delivery = None
                for task in (keeping, feeding, sending):
                    task.cancel()
        await self._leave()

    async def _leave(self) -> None:
        """Let another one deliver; first what we did is written down, if that takes no longer than the lease."""
        log.info("this node does not deliver any more")
        try:
            async with asyncio.timeout(self._lease.left):
                await self._books.written()
                await self._lease.release()
        except (TimeoutError, StoreUnavailable):
            log.info("the lease of deliveries ends by itself")

    # --- what there is to say --------------------------------------------------------------------------------------

    async def _is_current(self) -> bool:
        """Whether the fleet goes by our rules."""
        async with self._hub.transaction() as connection:
            return bool((await connection.execute(_CURRENT, {"version": self._means.version})).one().current)

    async def _feed(self) -> None:
        """Announce what is pending in the hub, until the fleet goes by other rules than ours."""
        await self._books.written()  # else we would not know what we did ourselves, when we delivered before
        async with self._hub.listen("probe_outbox") as heard:
            while True:
                heard.clear()
                try:
                    if not await self._look():
                        return
                    self._in_trouble(None)
                except StoreUnavailable as error:
                    self._in_trouble(error)
                except Exception:  # one row that cannot be read must not silence the others for good
                    log.exception("the outbox cannot be read")
                alarm = asyncio.get_running_loop().call_later(POLL, heard.set)
                await heard.wait()
                alarm.cancel()

    async def _look(self) -> bool:
        """Look at the outbox, and at what holds it back. Whether the fleet still goes by our rules."""
        before, means, delivery, outlook = self._clock.ours(), self._means, self._delivery, self._outlook
        repeats = any(notifier.repeat is not None for notifier in means.notifiers.values())
        async with self._hub.transaction() as connection:
            seen = (await connection.execute(_CURRENT, {"version": means.version})).one()
            self._clock.measured(seen.now, before)
            if not seen.current:
                return self._means is not means  # they came while we asked
            known = outlook.known | self._books.keys
            found = await connection.run_sync(read_outbox, known, means.rules if repeats else None)
        if delivery is None:
            return True
        muted = {i.id: i.muted_until for i in found.incidents if i.muted_until is not None}
        if muted != outlook.muted:
            outlook.muted = muted
            delivery.wake()
        outlook.state = found.state
        outlook.known = (outlook.known & found.pending) | found.read
        delivery.announce(found.fresh, found.tries, found.again)
        return True

    # --- what keeps it back ----------------------------------------------------------------------------------------

    def _settle(self, attempt: Attempt) -> None:
        self._books.settle(attempt)
        self.heard(attempt)

    def _held(self, notification: Notification) -> datetime | None:
        return hold(notification, self._means.rules, self._outlook.muted, self._clock.now())

    def _standing(self, channel: str) -> tuple[Notification, ...]:
        if not self._lease.held:
            return ()
        return standing(self._outlook.state, self._means.rules, channel, self._clock.now())

    def _gated(self) -> dict[str, Notifier]:
        return {name: _Gated(notifier, self._lease) for name, notifier in self._means.notifiers.items()}

    def _in_trouble(self, error: StoreUnavailable | None) -> None:
        if error is not None and self._trouble is None:
            log.error("it is not known what is to be delivered: %s", error)
        elif error is None and self._trouble is not None:
            log.warning("it is known again what is to be delivered")
        self._trouble = None if error is None else str(error)


class _Gated:
    """A notifier that sends only while the lease is ours. Implements `Notifier`.

    We may have been stopped for any time between two steps: whether it is still ours is asked last.
    """

    def __init__(self, notifier: Notifier, lease: Lease) -> None:
        self.repeat = notifier.repeat
        self._notifier = notifier
        self._lease = lease

    async def send(self, notification: Notification) -> str:
        await self._pass()
        return await self._notifier.send(notification)

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        await self._pass()
        return await self._notifier.send_digest(notifications)

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        await self._pass()
        return await self._notifier.refresh(notifications)

    async def _pass(self) -> None:
        if not self._lease.held:
            await asyncio.Event().wait()  # whoever holds us is ended in a moment
