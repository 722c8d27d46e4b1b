"""What the daemon does, over ports alone: run on schedule, record and judge, deliver. Knows no file, process or signal."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from probe.core.evaluate import Acknowledge, Mute, Overdue
from probe.core.hold import hold, standing
from probe.core.incident import IncidentId
from probe.core.ledger import FINE
from probe.core.notification import Attempt, Notification
from probe.core.rules import Rules
from probe.core.run import Run
from probe.core.state import Ask, Change
from probe.core.verdict import late_after
from probe.engine.delivery import Delivery
from probe.engine.narrate import narrate
from probe.engine.overdue import Timekeeper
from probe.engine.recorder import Recorder
from probe.engine.runner import Job
from probe.engine.scheduler import RunOne, Scheduler
from probe.errors import StoreUnavailable
from probe.ports import Clock, Notifier, Restored, Store

FAREWELL: Final = timedelta(seconds=10)
"""How long, after the last run has ended, alerts that are due are still tried, and what is left is written."""


class Gate(Protocol):
    """What stands between judgement and what is done about it: in a node of a fleet, the fleet decides."""

    def asks(self, asks: Sequence[Ask]) -> Sequence[Ask]:
        """Those that are to be run."""
        ...

    def tell(self, notifications: Sequence[Notification]) -> Sequence[Notification]:
        """Those that are to be delivered now; the gate sees to it that the others are settled."""
        ...


class _Open:
    """Everything passes."""

    def asks(self, asks: Sequence[Ask]) -> Sequence[Ask]:
        return asks

    def tell(self, notifications: Sequence[Notification]) -> Sequence[Notification]:
        return notifications


class Service:
    """Scheduler, recorder and delivery, wired. To be made inside the running loop. `watch` is told of each change."""

    def __init__(
        self,
        store: Store,
        restored: Restored,
        rules: Rules,
        run: RunOne,
        clock: Clock,
        rand: random.Random,
        *,
        watch: Callable[[Run | None, Change], None] = narrate,
    ) -> None:
        self.state = restored.state
        self.heard: Callable[[Attempt], object] = lambda _attempt: None
        """Told of each attempt to notify, beside the store."""
        self.late: Callable[[Overdue], object] = lambda _overdue: None
        """Told of each run that is overdue, beside judgement."""
        self.gate: Gate = _Open()
        self._clock = clock
        self._muted: dict[IncidentId, datetime] = {
            incident.id: incident.muted_until
            for incident in restored.state.incidents.values()
            if incident.muted_until is not None
        }
        self.recorder = Recorder(store, self.state, rules, clock, self._ask, self._announce, watch)
        self.delivery = Delivery({}, self._settle, self.recorder.say, clock, self._held, rand, open_for=self._standing)
        self.scheduler = Scheduler(
            Timekeeper(run, self._late_after, self._overdue, clock).run, self.recorder.put, clock
        )
        self._restored = restored

    def plan(
        self,
        rules: Rules,
        jobs: Iterable[Job],
        unscheduled: Iterable[Job],
        *,
        alive: datetime | None = None,
        covered: Mapping[str, datetime] | None = None,
    ) -> None:
        """Work by these rules from now on. `alive` is given at the start: until when we were surely running before.

        `covered` says, by region, until when other nodes ran there what we did not.
        """
        self.recorder.rules = rules
        last = {
            (check, region): place.slot
            for check, state in self.state.checks.items()
            for region, place in state.places.items()
            if place.slot is not None
        }
        self.scheduler.plan(jobs, last, alive, unscheduled, covered)
        self.delivery.wake()  # a maintenance window may be gone

    def use(self, notifiers: Mapping[str, Notifier], timeouts: Mapping[str, timedelta]) -> None:
        """Tell people through these channels from now on."""
        self.delivery.use(notifiers, timeouts)

    def forget(self, now: datetime, keep_counts: timedelta) -> None:
        """Keep counts by the minute only as long as burn rates look at them, and by the hour no longer than that."""
        for ledger in self.state.ledgers.values():
            ledger.forget(now - FINE, all_before=now - keep_counts)

    async def run(self, stop: asyncio.Event, grace: timedelta) -> None:
        """Work until `stop`. Then, in the order in which things flow: runs end, are judged, are told, are written."""
        pending = self.gate.tell(self._restored.pending)
        self.delivery.announce(pending, self._restored.tries, self._restored.again)
        told, written = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recorder.run(written, FAREWELL), name="recorder")
            delivering = group.create_task(self.delivery.run(told, FAREWELL), name="delivery")
            await self.scheduler.run(stop, grace)
            await self.recorder.flush()
            told.set()
            await asyncio.wait([delivering])
            written.set()

    async def acknowledge(self, incident: IncidentId, by: str) -> None:
        """Somebody takes care of an incident; `KeyError` when it is not open. Written down when it returns."""
        await self.recorder.act(Acknowledge(incident=incident, by=by))

    async def mute(self, incident: IncidentId, until: datetime | None, by: str) -> None:
        """Deliver nothing about an incident until then, `None`: deliver again; `KeyError` when it is not open.

        After `StoreUnavailable` it holds nevertheless, and is written down later.
        """
        try:
            await self.recorder.act(Mute(incident=incident, until=until, by=by))
        except StoreUnavailable:
            self._hush(incident, until)
            raise
        self._hush(incident, until)

    def _hush(self, incident: IncidentId, until: datetime | None) -> None:
        if until is None:
            self._muted.pop(incident, None)
        else:
            self._muted[incident] = until
        self.delivery.wake()

    def _ask(self, asks: Sequence[Ask]) -> None:
        self.scheduler.ask(self.gate.asks(asks))

    def _overdue(self, overdue: Overdue) -> None:
        self.recorder.put(overdue)
        self.late(overdue)

    def _settle(self, attempt: Attempt) -> None:
        self.recorder.settle(attempt)
        self.heard(attempt)

    def _announce(self, notifications: Sequence[Notification]) -> None:
        self.delivery.announce(self.gate.tell(notifications))

    def _late_after(self, job: Job) -> float | None:
        watched = self.recorder.rules.checks.get(job.spec.id)
        return None if watched is None else late_after(self.state.checks.get(job.spec.id), watched, job.region.name)

    def _held(self, notification: Notification) -> datetime | None:
        return hold(notification, self.recorder.rules, self._muted, self._clock.now())

    def _standing(self, channel: str) -> tuple[Notification, ...]:
        return standing(self.state, self.recorder.rules, channel, self._clock.now())
