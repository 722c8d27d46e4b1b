"""A store without a disk, for tests and virtual time: it remembers as the other does, and fails as it is told."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from probe.core.incident import Entry, Incident, IncidentId
from probe.core.ledger import FINE, Ledger
from probe.core.notification import Attempt, Fate, Notification
from probe.core.run import Outcome, Run
from probe.core.state import RETURNS, State
from probe.errors import StoreUnavailable
from probe.ports import Record, Restored
from probe.store.settings import StoreSettings


class MemoryStore:
    """Implements `Store`. What is stored can be looked at; `fail` is raised by whatever is called while it is set.

    `delay` is how many seconds a commit takes. A commit that is given up, or fails, has stored nothing.
    """

    def __init__(self, settings: StoreSettings | None = None) -> None:
        self.settings = settings or StoreSettings(path=Path())
        self.fail: StoreUnavailable | None = None
        self.delay = 0.0
        self.low_on_space = False
        self.commits = 0
        self.runs: list[Run] = []
        self.entries: list[Entry] = []
        self.incidents: dict[IncidentId, Incident] = {}
        self.notifications: list[Notification] = []
        self.attempts: list[Attempt] = []
        self.alive: datetime | None = None
        self.state = State()
        self._ids: set[str] = set()
        self._slots: set[tuple[str, str, int]] = set()
        self._keys: set[str] = set()
        self._turn = asyncio.Lock()

    async def restore(self) -> Restored:
        """What was remembered: a copy, which its owner may change."""
        self._trouble()
        tried: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            tried.setdefault(attempt.key, []).append(attempt)
        pending = tuple(n for n in self.notifications if _settled(tried.get(n.key, [])) is None)
        kept = [(n.key, tried[n.key]) for n in pending if n.key in tried]
        return Restored(
            state=_copy(self.state, self._closed()),
            pending=pending,
            tries={key: len(made) for key, made in kept},
            again={key: made[-1].again for key, made in kept if made[-1].again is not None},
            alive=self.alive,
        )

    async def commit(self, record: Record) -> None:
        """Write it down, all of it or nothing."""
        async with self._turn:
            if self.delay:
                await asyncio.sleep(self.delay)
            self._trouble()
            self.commits += 1
            for run in record.runs:
                self._store(run)
            for change in record.changes:
                self.state.apply(change)
                self.incidents.update((incident.id, incident) for incident in change.incidents.values())
                self.entries += change.entries
                for notification in change.notifications:
                    if notification.key not in self._keys:
                        self._keys.add(notification.key)
                        self.notifications.append(notification)
            self.attempts += record.attempts
            self.alive = record.alive or self.alive

    async def tidy(self, now: datetime) -> None:
        """Forget what is older than it is kept for."""
        self._trouble()
        kept = self.settings
        limits = {o: now - (kept.keep_runs if o is Outcome.PASSED else kept.keep_failures) for o in Outcome}
        self.runs = [run for run in self.runs if run.started >= limits[run.outcome]]
        self._ids = {run.id for run in self.runs}
        self._slots = {(run.check, run.region, run.slot.number) for run in self.runs if run.slot is not None}
        tried: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            tried.setdefault(attempt.key, []).append(attempt)
        old = {
            n.key
            for n in self.notifications
            if (settled := _settled(tried.get(n.key, []))) is not None and settled < now - kept.keep_told
        }
        self.notifications = [n for n in self.notifications if n.key not in old]
        self._keys -= old
        self.attempts = [a for a in self.attempts if a.key not in old]
        for name, ledger in list(self.state.ledgers.items()):
            ledger.forget(now - FINE, all_before=now - kept.keep_counts)
            if not ledger.hours:
                del self.state.ledgers[name]

    def _store(self, run: Run) -> None:
        if run.id in self._ids:
            return
        slot = None if run.slot is None else (run.check, run.region, run.slot.number)
        if slot in self._slots:
            run, slot = replace(run, slot=None), None
        if slot is not None:
            self._slots.add(slot)
        self._ids.add(run.id)
        self.runs.append(run)

    def _closed(self) -> dict[str, Incident]:
        """The last incident of each cause that was resolved shortly before the last sign of life, unless one is open."""
        if self.alive is None:
            return {}
        since = self.alive - RETURNS
        over = [
            (incident.resolved, incident.opened, incident.id, incident)
            for incident in self.incidents.values()
            if incident.resolved is not None and incident.resolved >= since
        ]
        return {i.cause: i for *_, i in sorted(over, key=lambda o: o[:3]) if i.cause not in self.state.incidents}

    def _trouble(self) -> None:
        if self.fail is not None:
            raise self.fail


def _settled(made: list[Attempt]) -> datetime | None:
    """When a notification was sent or withdrawn; `None`: it is pending."""
    return made[-1].at if made and made[-1].fate in (Fate.SENT, Fate.WITHDRAWN) else None


def _copy(state: State, closed: dict[str, Incident]) -> State:
    ledgers = {}
    for name, ledger in state.ledgers.items():
        ledgers[name] = Ledger()
        ledgers[name].hours = dict(ledger.hours)
        ledgers[name].minutes = {hour: dict(minutes) for hour, minutes in ledger.minutes.items()}
    return State(
        checks=dict(state.checks),
        regions=dict(state.regions),
        objectives=dict(state.objectives),
        incidents=dict(state.incidents),
        ledgers=ledgers,
        closed=closed,
    )
