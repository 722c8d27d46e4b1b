"""What must always be so, whatever happens: looked at in every judgement, every message, every ten minutes."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from probe.core.check import CheckId
from probe.core.evaluate import Event
from probe.core.incident import Entry, Incident, What
from probe.core.ledger import HOUR
from probe.core.maintenance import covering
from probe.core.notification import Attempt, Fate, Notification, Reason
from probe.core.rules import Rules
from probe.core.run import Outcome, Run, Slot, Why
from probe.core.schedule import Schedule, schedule_of
from probe.core.state import RETURNS, Change
from probe.engine.service import Service
from probe.store.memory import MemoryStore
from tests.simulation.world import CHECKS, HOSTS, OBJECTIVES, REGIONS, WINDOW, Arrival, Fault, Kind

OPEN_WITHIN = 600.0
"""Seconds in which an outage of a check that runs every five minutes has its incident."""
OVER_WITHIN = 1200.0
"""Seconds after the end of trouble in which its incident is resolved."""
SETTLES = 900.0
"""Seconds after a jump, a start, or the end of trouble of our own, in which nothing is promised about times."""
TOLD_WITHIN = 60.0
"""Seconds in which a message has arrived on a channel that works, whatever the store does."""
SORE = 1800.0
"""Seconds after which a channel that works again has been tried again."""
ON_TIME = 2.0
"""Seconds of lag at most, when there is room and nothing is broken."""
OUTAGES = frozenset({Kind.DOWN, Kind.HANG})
TOLD = OUTAGES | {Kind.SLOW}
"""What may be told of a shop; that it is slow as soon as it is known what is usual."""
T = TypeVar("T")


class Promises:
    """Reads what is stored, judged and received, and says what was broken. Times are the loop's unless they are dates."""

    def __init__(self, store: MemoryStore, controls: bool) -> None:
        self.broken: list[str] = []
        self.store = store
        self.controls = controls
        self.faults: list[Fault] = []
        self.downs: list[tuple[float, float]] = []
        """From when until when there was no daemon."""
        self.disturbed: list[tuple[float, float]] = []
        """From when until when nothing is promised about times: jumps, starts, trouble of ours, reloads."""
        self.hands_moved: list[datetime] = []
        """What the clock showed before and after each jump, and at each reload."""
        self.moody: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """Channel → from when until when it does not take what is sent."""
        self.lost_runs = 0
        self.lost_keys: set[str] = set()
        """Told from memory while the store failed, and forgotten in a crash: nothing can be promised of these."""
        self.in_books = 0
        self._unstored: set[str] = set()
        self._unjudged: set[str] = set()
        self.muted: set[str] = set()
        """Incidents that somebody has muted at any time."""
        self._awaited: list[tuple[float, Notification]] = []
        self._arrived: dict[str, float] = {}
        self._seen: dict[str, int] = defaultdict(int)
        self._slots: dict[tuple[str, str], Slot] = {}
        self._fates: dict[str, Fate] = {}
        self._said: dict[str, Notification] = {}
        self._latest: dict[tuple[str, str], int] = {}
        self._open: set[str] = set()
        self._over: set[str] = set()
        self._good: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        self._due: dict[str, int] = defaultdict(int)
        self._schedules: dict[tuple[str, str], Schedule] = {}

    def _wrong(self, what: str) -> None:
        self.broken.append(what)

    def is_disturbed(self, start: float, end: float) -> bool:
        return any(a < end and start < b for a, b in self.disturbed)

    def _up(self, start: float, end: float) -> float:
        """Seconds between two moments in which there was a daemon."""
        return end - start - sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.downs)

    # --- as it is judged ---------------------------------------------------------------------------------------------

    def judged(self, event: Event, change: Change, rules: Rules, now: float) -> None:
        self._awaited += [(now, notification) for notification in change.notifications]
        if isinstance(event, Run):
            self._unstored.add(event.id)
            if event.check not in rules.checks and event.why is not Why.CONTROL:
                self._unjudged.add(event.id)
            self._on_time(event, now)
        incidents = {incident.id: incident for incident in change.incidents.values()}
        for entry in change.entries:
            if entry.what in (What.OPENED, What.REOPENED):
                self._justified(incidents[entry.incident], rules, now)
                if entry.what is What.OPENED:
                    self._new(incidents[entry.incident])
            elif entry.what is What.RESOLVED:
                self._ended(incidents[entry.incident], rules, now)
        for notification in change.notifications:
            if notification.reason is Reason.REMINDER and incidents[notification.incident].acknowledged is not None:
                self._wrong(f"a reminder of {notification.incident}, which somebody has taken")

    def _on_time(self, run: Run, now: float) -> None:
        made = run.slot is not None and run.outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED)
        if not made or run.lag <= ON_TIME or self.is_disturbed(now - SETTLES, now):
            return
        if not any(f.start <= now and now - SETTLES < f.end for f in self.faults):
            self._wrong(f"{run.check} from {run.region} was {run.lag:.1f} s late, though nothing was wrong")

    def _struck(self, kinds: frozenset[Kind], now: float, cause: str = "", region: str = "") -> bool:
        """Whether there was trouble of these kinds in the last minutes in which there was a daemon."""
        return any(
            fault.kind in kinds
            and fault.start <= now
            and self._up(min(fault.end, now), now) < SETTLES
            and (not cause or cause in {HOSTS[target] for target in fault.targets})
            and (not region or region in fault.regions)
            for fault in self.faults
        )

    def _justified(self, incident: Incident, rules: Rules, now: float) -> None:
        own = frozenset({Kind.NETWORK, Kind.OURS} if self.controls else {Kind.OURS})
        if incident.cause.startswith("probe:"):
            if not self._struck(own, now, region=incident.cause.removeprefix("probe:")):
                self._wrong(f"{incident.id} puts down to us what was not: {incident}")
        elif incident.members:
            kinds = TOLD if self.controls else TOLD | {Kind.NETWORK}
            if not self._struck(kinds, now, cause=incident.cause):
                self._wrong(f"{incident.id} opened without an outage: {incident}")
        elif not self._burnt(incident, rules):
            self._wrong(f"{incident.id} says that an objective burns, which has not enough bad runs: {incident}")

    def _new(self, incident: Incident) -> None:
        """Trouble that comes back soon is the same incident."""
        for known in self.store.incidents.values():
            is_other = known.id != incident.id and known.cause == incident.cause and known.resolved is not None
            if not is_other or not known.members or not incident.members:
                continue
            assert known.resolved is not None
            if timedelta(0) <= incident.opened - known.resolved <= RETURNS:
                self._wrong(f"{incident.id} was opened, though it is {known.id} that came back: {incident}")

    def _burnt(self, incident: Incident, rules: Rules) -> bool:
        """Whether as many runs were bad as it takes; the newest may not be stored yet."""
        return all(
            sum(bad for (objective, _), (_, bad) in self._good.items() if objective == name) > 0
            or self.store.fail is not None
            or self.store.delay
            or bool(self._unstored)
            for name in incident.burns
        )

    def _ended(self, incident: Incident, rules: Rules, now: float) -> None:
        if incident.resolved is None or incident.resolved < incident.since:
            self._wrong(f"{incident.id} was over before it began: {incident}")
        if incident.cause.startswith("probe:") or self.is_disturbed(now - SETTLES, now):
            return
        for member in incident.members.values():
            watched = rules.checks.get(member.check)
            for fault in self.faults:
                if fault.kind in OUTAGES and fault.start < now - 360 and watched is not None:
                    still = [region for region in member.regions if fault.strikes(watched.target, region, now)]
                    if still:
                        self._wrong(f"{incident.id} resolved, though {member.check} is broken from {still}: {fault}")

    # --- as it is told -----------------------------------------------------------------------------------------------

    def told(self, service: Service, channel: str, notification: Notification, now: datetime) -> None:
        """A channel begins to send."""
        if notification.key in self._fates and self._fates[notification.key] in (Fate.SENT, Fate.WITHDRAWN):
            self._wrong(f"{notification.key} is sent, though it is written that it was {self._fates[notification.key]}")
        if notification.channel != channel:
            self._wrong(f"{notification.key} is sent through {channel}")
        incident = next((i for i in service.state.incidents.values() if i.id == notification.incident), None)
        if incident is not None and incident.muted_until is not None and now < incident.muted_until:
            self._wrong(f"{notification.key} is sent, though it is muted until {incident.muted_until}")
        checks = [service.recorder.rules.checks.get(CheckId(check)) for check in notification.message.checks]
        if checks and all(check is not None and covering((WINDOW,), check, now) is not None for check in checks):
            self._wrong(f"{notification.key} is sent in a maintenance window")

    def arrived(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            one = arrival.notification
            known = self._said.get(one.key)
            if known is not None:
                if known != one and one.key not in self.lost_keys:
                    self._wrong(f"{one.key} came again with other words: {known} / {one}")
                continue
            self._said[one.key] = one
            self._arrived[one.key] = arrival.at
            line = one.channel, one.incident
            # What is said of a channel is numbered by the clock, which may have gone back.
            unsure = self._is_forgotten(line) or (one.incident.startswith("channel:") and self.hands_moved)
            if one.number <= self._latest.get(line, 0) and not unsure:
                self._wrong(f"{one.key} came after number {self._latest[line]} of the same incident")
            self._latest[line] = max(one.number, self._latest.get(line, 0))

    def prompt(self, service: Service | None, now: float) -> None:
        """What was to be said a minute ago has been said, where nothing hindered it."""
        waiting, self._awaited = self._awaited, []
        for at, one in waiting:
            if now < at + TOLD_WITHIN:
                self._awaited.append((at, one))
            elif service is not None and not self._is_hindered(at, one):
                arrived = self._arrived.get(one.key)
                if arrived is None or arrived - at > TOLD_WITHIN:
                    self._wrong(f"{one.key} of {at:.0f} arrived at {arrived}, though nothing hindered it")

    def _is_hindered(self, at: float, one: Notification) -> bool:
        return (
            any(start < at + TOLD_WITHIN and at - SORE < end for start, end in self.moody[one.channel])
            or self.is_disturbed(at - TOLD_WITHIN, at + TOLD_WITHIN)
            or one.incident in self.muted
            or "books" in one.message.checks  # which has maintenance windows
        )

    def lively(self, begun: Mapping[tuple[str, str], float], absent: frozenset[str], now: float) -> None:
        """Every check has been run lately, whatever the clock did."""
        for check in CHECKS:
            patience = 2 * check.every.total_seconds() + check.timeout.total_seconds()
            if check.cron is None and check.id not in absent and not self.is_disturbed(now - patience, now):
                for region in check.regions or REGIONS:
                    if now - begun.get((check.id, region), 0.0) > patience:
                        self._wrong(f"{check.id} was not run from {region} since {begun.get((check.id, region))}")

    def _is_forgotten(self, line: tuple[str, str]) -> bool:
        return any(self._said[k].incident == line[1] for k in self.lost_keys if k in self._said)

    # --- as it is written --------------------------------------------------------------------------------------------

    def written(self) -> None:
        """Look at what was written since the last look."""
        for run in self._tail("runs", self.store.runs):
            self._unstored.discard(run.id)
            self._tiles(run)
            self._counts(run)
        for entry in self._tail("entries", self.store.entries):
            self._entry(entry)
        for attempt in self._tail("attempts", self.store.attempts):
            self._attempt(attempt)
        causes = [incident.cause for incident in self.store.incidents.values() if incident.resolved is None]
        if len(causes) != len(set(causes)):
            self._wrong(f"two incidents are open for one cause: {sorted(causes)}")
        if sorted(causes) != sorted(self.store.state.incidents):
            self._wrong(f"open are {sorted(causes)}, the state says {sorted(self.store.state.incidents)}")

    def _tail(self, name: str, rows: list[T]) -> list[T]:
        fresh = rows[self._seen[name] :]
        self._seen[name] = len(rows)
        return fresh

    def _tiles(self, run: Run) -> None:
        slot, key = run.slot, (run.check, run.region)
        if slot is None:
            if run.why is Why.SCHEDULED:
                self._wrong(f"{run.id} of {key} has lost its slot: another run had its number")
            return
        before = self._slots.get(key)
        self._slots[key] = slot
        if slot.count > 1 and run.outcome not in (Outcome.MISSED, Outcome.ABORTED):
            self._wrong(f"{run.id} of {key} stands for several slots: {run}")
        if before is None:
            return
        if slot.number != before.last + 1:
            self._wrong(f"slot {slot} of {key} ({run.outcome}) follows {before}")
        schedule = self._schedule(key)
        reach = next(check.every for check in CHECKS if check.id == run.check) * 2
        due = schedule.following(before.due, before.count)
        moved = any(
            min(before.due, slot.due) - reach <= at <= max(before.due, slot.due) + reach for at in self.hands_moved
        )
        if slot.due != due and not moved:
            self._wrong(f"slot {slot} of {key} ({run.outcome}) follows {before}: it drifted from {due}")

    def _schedule(self, key: tuple[str, str]) -> Schedule:
        if key not in self._schedules:
            self._schedules[key] = schedule_of(next(check for check in CHECKS if check.id == key[0]), key[1])
        return self._schedules[key]

    def _counts(self, run: Run) -> None:
        if run.slot is None or run.why is not Why.SCHEDULED or run.id in self._unjudged:
            return
        for objective in OBJECTIVES:
            if run.check in objective.checks:
                self._due[objective.name] += run.slot.count
                if run.maintenance is None and run.outcome in (Outcome.PASSED, Outcome.FAILED):
                    slow = objective.under is not None and run.duration.total_seconds() > objective.under
                    bad = run.outcome is Outcome.FAILED or slow
                    moment = int(run.slot.due.timestamp())
                    self._good[objective.name, moment - moment % HOUR][bad] += 1

    def _entry(self, entry: Entry) -> None:
        if entry.what is What.OPENED:
            if entry.incident in self._open:
                self._wrong(f"{entry.incident} was opened twice")
            self._open.add(entry.incident)
        elif entry.what is What.REOPENED:
            if entry.incident not in self._over:
                self._wrong(f"{entry.incident} was opened again, though it was not over")
            self._over.discard(entry.incident)
        elif entry.incident not in self._open:
            self._wrong(f"{entry.incident}: {entry.what} before it was opened")
        elif entry.incident in self._over:
            self._wrong(f"{entry.incident}: {entry.what} after it was resolved")
        if entry.what is What.RESOLVED:
            self._over.add(entry.incident)

    def _attempt(self, attempt: Attempt) -> None:
        if self._fates.get(attempt.key) in (Fate.SENT, Fate.WITHDRAWN):
            self._wrong(f"{attempt.key} was tried after it was {self._fates[attempt.key]}: {attempt}")
        if attempt.fate is Fate.WITHDRAWN and not attempt.answer:
            self._wrong(f"{attempt.key} was withdrawn without a reason")
        self._fates[attempt.key] = attempt.fate

    # --- when all is quiet -------------------------------------------------------------------------------------------

    @property
    def pending(self) -> set[str]:
        """Keys of what is stored and has no fate yet."""
        return {n.key for n in self.store.notifications if self._fates.get(n.key) not in (Fate.SENT, Fate.WITHDRAWN)}

    def agree(self, service: Service) -> None:
        """With nothing on its way, memory and store are the same."""
        if self._unstored:
            self._wrong(f"{len(self._unstored)} runs were judged and never written: {sorted(self._unstored)[:3]}")
        here, there = service.state, self.store.state
        for name in ("checks", "regions", "objectives", "incidents"):
            if getattr(here, name) != getattr(there, name):
                self._wrong(f"{name} in memory are not those stored: {getattr(here, name)} / {getattr(there, name)}")
        waiting = {p.notification.key for channel in service.delivery._channels.values() for p in channel._pending}
        if waiting != self.pending:
            self._wrong(f"to be delivered are {sorted(waiting ^ self.pending)} either in memory or in the store alone")

    def books(self) -> None:
        """The counts of every objective are those of the stored runs."""
        for objective in OBJECTIVES:
            ledger = self.store.state.ledgers.get(objective.name)
            hours = {} if ledger is None else ledger.hours
            mine = {hour: counts for (name, hour), counts in self._good.items() if name == objective.name}
            for hour in hours.keys() | mine.keys():
                good, bad = mine.get(hour, [0, 0])
                counts = hours.get(hour)
                theirs = (0, 0) if counts is None else (counts.good, counts.bad)
                if good != theirs[0] or (bad < theirs[1] if self.controls else bad != theirs[1]):
                    self._wrong(f"{objective.name} counts {theirs} in hour {hour}, there were {good, bad}")
            total = sum(sum(counts) for counts in hours.values())
            if total != self._due[objective.name]:
                self._wrong(f"{objective.name} counts {total} runs, there were {self._due[objective.name]}")
            self.in_books = max(self.in_books, total)

    def died(self, *, clean: bool) -> None:
        """The daemon has ended; `clean`: in time, and with a store that works."""
        if clean and self._unstored:
            self._wrong(f"a graceful stop lost {len(self._unstored)} runs: {sorted(self._unstored)[:3]}")
        self.lost_runs += len(self._unstored)
        self._unstored.clear()
        self.lost_keys |= self._said.keys() - {n.key for n in self.store.notifications}

    # --- what was promised in time -----------------------------------------------------------------------------------

    def opened(self, fault: Fault, service: Service | None) -> None:
        """An outage has lasted for long enough: there is an incident."""
        if service is None or self.is_disturbed(fault.start - SETTLES, fault.start + OPEN_WITHIN):
            return
        for cause in {HOSTS[target] for target in fault.targets}:
            incident = service.state.incidents.get(cause)
            if incident is None or not incident.members:
                self._wrong(f"nobody was told of {fault}")

    def over(self, fault: Fault, service: Service | None) -> None:
        """An outage is over for long enough: so is its incident."""
        end = fault.end + OVER_WITHIN
        if service is None or self.is_disturbed(fault.end - SETTLES, end):
            return
        for cause in {HOSTS[target] for target in fault.targets}:
            others = [f for f in self.faults if f.start < end and f.end > fault.end]
            incident = service.state.incidents.get(cause)
            if not others and incident is not None and incident.members:
                self._wrong(f"{incident.id} is still open after {fault}: {incident}")

    def settled(self, service: Service) -> None:
        """At the end, hours after the last trouble: everything that was to be said is said."""
        self.agree(service)
        self.books()
        if self.pending:
            self._wrong(f"never delivered: {sorted(self.pending)}")
        with_members = [incident for incident in service.state.incidents.values() if incident.members]
        if with_members:
            self._wrong(f"never resolved: {with_members}")
