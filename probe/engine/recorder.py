"""Takes every run, judges it, and has it written down: in order, in groups, without anybody waiting for the disk.

Two tasks. One judges: it is never far behind the runs. One writes: while a commit is on its way, what comes meanwhile
gathers for the next. When the store cannot be written, alerts go on from memory and the records wait.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from probe.core.evaluate import Acknowledge, Event, Mute, Overdue, Tick, evaluate
from probe.core.maintenance import covering
from probe.core.notification import Attempt, Notification
from probe.core.rules import Rules
from probe.core.run import Observation, Outcome, Run
from probe.core.state import Ask, Change, State
from probe.errors import StoreUnavailable
from probe.ports import Clock, Record, Store

log = logging.getLogger(__name__)

EVERY: Final = 5.0
"""The longest time in seconds between two signs of life in the store, and two ticks while nothing is going on."""
AWAKE: Final = 2.0
"""Seconds between two ticks of judgement while something is suspected or open."""
LATE: Final = 5.0
"""Seconds after which a commit is late: what it holds is announced before it is written."""
WAITS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before a failed commit is tried again; the last of them for ever after."""
SLICE: Final = 50
"""Events that are judged in a row, before others have their turn."""
GROUP: Final = 2000
"""Entries in one commit at most."""
DETAILS: Final = 10_000
"""Runs that may wait with their details: beyond, those of runs that passed are dropped; rows never are."""

Judge = Callable[[State, Event, Rules, datetime], Change]


@dataclass(slots=True, eq=False)
class _Entry:
    """Something to be written down. `unsaid` is what is to be announced when it is; `done` waits for that."""

    run: Run | None = None
    change: Change | None = None
    attempt: Attempt | None = None
    unsaid: tuple[Notification, ...] = ()
    done: asyncio.Future[Change] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Command:
    """An event that somebody waits for; `None`: only for all that came before."""

    event: Acknowledge | Mute | None
    done: asyncio.Future[Change]


def marked(run: Run, rules: Rules) -> Run:
    """The run with the maintenance window that it fell into."""
    watched = rules.checks.get(run.check)
    if watched is None or not rules.windows or run.maintenance is not None:
        return run
    window = covering(rules.windows, watched, run.started if run.slot is None else run.slot.due)
    return run if window is None else replace(run, maintenance=window)


def _nobody(_run: Run | None, _change: Change) -> None:
    """Nobody looks on."""


class Recorder:
    """The one that changes the state, and the only way into the store.

    `ask` takes the runs that judgement wants, `announce` the notifications that are to be delivered, `watch` each change,
    with the run that brought it about, if one did. `written` is the loop's time of the last successful commit.
    """

    def __init__(
        self,
        store: Store,
        state: State,
        rules: Rules,
        clock: Clock,
        ask: Callable[[Sequence[Ask]], None],
        announce: Callable[[Sequence[Notification]], None],
        watch: Callable[[Run | None, Change], None] = _nobody,
        *,
        judge: Judge = evaluate,
    ) -> None:
        self.rules = rules
        self.written = asyncio.get_running_loop().time()
        self._store = store
        self._state = state
        self._clock = clock
        self._ask = ask
        self._announce = announce
        self._watch = watch
        self._judge = judge
        self._events: deque[Run | Overdue | _Command] = deque()
        self._unwritten: deque[_Entry] = deque()
        self._news = asyncio.Event()
        self._work = asyncio.Event()
        self._trouble: str | None = None
        self._runs = 0
        self._bare = 0
        self._judged = False
        self._stopping = asyncio.Event()

    @property
    def trouble(self) -> str | None:
        """Why the store is not written now; `None`: it is."""
        return self._trouble

    @property
    def queued(self) -> int:
        """How much waits to be judged or written."""
        return len(self._events) + len(self._unwritten)

    def put(self, seen: Run | Overdue) -> None:
        """Take a run, or that one is overdue (which is judged, but no run to be written). Returns at once."""
        self._events.append(seen)
        self._news.set()

    def settle(self, attempt: Attempt) -> None:
        """Write down, with the next commit, what became of an attempt to notify."""
        self._add(_Entry(attempt=attempt))

    def say(self, notifications: Sequence[Notification]) -> None:
        """Write down, and then announce, what is to be said beside what judgement says."""
        said = tuple(notifications)
        if said:
            self._add(_Entry(change=Change(notifications=said), unsaid=said))

    async def act(self, event: Acknowledge | Mute) -> Change:
        """Do what somebody commands, and return when it is written down.

        Raises what judgement raises, and `StoreUnavailable` when it could not be written now: it holds nevertheless, and is
        written as soon as that is possible.
        """
        return await self._commanded(event)

    async def flush(self) -> None:
        """Return when all that was put until now is judged, and is written or cannot be (`trouble` says why)."""
        with suppress(StoreUnavailable):
            await self._commanded(None)

    async def _commanded(self, event: Acknowledge | Mute | None) -> Change:
        done: asyncio.Future[Change] = asyncio.get_running_loop().create_future()
        self._events.append(_Command(event, done))
        self._news.set()
        return await done

    async def run(self, stop: asyncio.Event, grace: timedelta) -> None:
        """Judge and write until `stop`; then write all that was put before, and give up after `grace`."""
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
                group.create_task(self._judge_all(), name="judge")
                group.create_task(self._write_all(), name="writer")
                await stop.wait()
                self._stopping.set()
                self._news.set()
                limit.reschedule(asyncio.get_running_loop().time() + grace.total_seconds())
        except TimeoutError:
            log.error("not everything could be written before the end", extra={"lost": len(self._unwritten)})  # noqa: TRY400  # the traceback of a deadline says nothing

    async def _judge_all(self) -> None:
        loop = asyncio.get_running_loop()
        tick = loop.time()
        while True:
            if loop.time() >= tick:
                tick = loop.time() + (AWAKE if self._state.awake else EVERY)
                self._judge_one(Tick())
            for _ in range(min(SLICE, len(self._events))):
                event = self._events.popleft()
                if isinstance(event, _Command):
                    self._command(event)
                else:
                    self._judge_one(event)
            if self._events:
                await asyncio.sleep(0)
                continue
            if self._stopping.is_set():
                self._judged = True
                self._work.set()
                return
            self._news.clear()
            alarm = loop.call_at(tick, self._news.set)
            await self._news.wait()
            alarm.cancel()

    def _judge_one(self, event: Run | Tick | Overdue) -> None:
        now = self._clock.now()
        run = marked(event, self.rules) if isinstance(event, Run) else None
        try:
            change = self._judge(self._state, run or event, self.rules, now)
        except Exception:  # a bug in judgement must not stop the books: the run is kept without it
            log.exception(
                "an event could not be judged", extra={"check": run.check if run else "", "run": run and run.id}
            )
            change = Change()
        self._take(run, change)

    def _command(self, command: _Command) -> None:
        change = Change()
        if command.event is not None:
            try:
                change = self._judge(self._state, command.event, self.rules, self._clock.now())
            except Exception as error:  # noqa: BLE001  # whoever commanded it is told, whatever it is
                if not command.done.done():
                    command.done.set_exception(error)
                return
        self._take(None, change, command.done)

    def _take(self, run: Run | None, change: Change, done: asyncio.Future[Change] | None = None) -> None:
        """Let a change come about: in the state, with the scheduler, and for the next commit."""
        self._state.apply(change)
        self._watch(run, change)
        if change.asks:
            self._ask(change.asks)
        if run is not None or done is not None or change != Change():
            self._add(_Entry(run=run, change=change, unsaid=change.notifications, done=done))

    def _add(self, entry: _Entry) -> None:
        self._unwritten.append(entry)
        if entry.run is not None:
            self._runs += 1
            if self._runs > DETAILS:
                self._strip()
        if self._trouble is not None:
            self._say((entry,))
        self._work.set()

    def _strip(self) -> None:
        """Drop the details of the oldest run that passed and still has them."""
        while self._bare < len(self._unwritten):
            entry = self._unwritten[self._bare]
            self._bare += 1
            if entry.run is not None and entry.run.outcome is Outcome.PASSED:
                entry.run = replace(entry.run, observation=Observation())
                return

    def _say(self, entries: Iterable[_Entry]) -> None:
        """Announce what was not announced yet."""
        said: list[Notification] = []
        for entry in entries:
            said += entry.unsaid
            entry.unsaid = ()
        if said:
            self._announce(said)

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not (self._judged and not self._unwritten):
            if not self._unwritten:
                alarm = loop.call_at(self.written + EVERY, self._work.set)
                await self._work.wait()
                alarm.cancel()
            self._work.clear()
            group = tuple(islice(self._unwritten, GROUP))
            error = await self._commit(group)
            if error is None:
                failures = 0
                continue
            lasting = isinstance(error, StoreUnavailable) and error.lasting
            await self._pause(WAITS[-1] if lasting else WAITS[min(failures, len(WAITS) - 1)])
            failures += 1

    async def _pause(self, seconds: float) -> None:
        """Before a commit is tried again; at the end there is no time for more than a second."""
        if self._stopping.is_set():
            seconds = WAITS[0]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (asyncio.Event() if self._stopping.is_set() else self._stopping).wait()

    async def _commit(self, group: Sequence[_Entry]) -> Exception | None:
        loop = asyncio.get_running_loop()
        record = Record(
            runs=tuple(e.run for e in group if e.run is not None),
            changes=tuple(e.change for e in group if e.change is not None),
            attempts=tuple(e.attempt for e in group if e.attempt is not None),
            alive=self._clock.now(),
        )
        late = loop.call_later(LATE, self._in_trouble, f"the store has not written for {LATE:g} s")
        try:
            await self._store.commit(record)
        except StoreUnavailable as error:
            self._in_trouble(str(error), error)
            return error
        except Exception as error:  # a bug in the store must not end the alerts
            log.exception("the store has a bug")
            self._in_trouble(f"{type(error).__name__} in the store: {error}", error)
            return error
        finally:
            late.cancel()
        if self._trouble is not None:
            log.warning("the store is written again", extra={"waiting": len(self._unwritten)})
        self._trouble = None
        self.written = loop.time()
        for entry in group:
            self._unwritten.popleft()
            self._runs -= entry.run is not None
            if entry.done is not None and not entry.done.done():
                entry.done.set_result(entry.change or Change())
        self._bare = max(0, self._bare - len(group))
        self._say(group)
        return None

    def _in_trouble(self, why: str, error: Exception | None = None) -> None:
        """Announce from memory what cannot be written now, and tell those who wait for it."""
        if self._trouble is None:
            log.error("the store is not written, alerts go on from memory: %s", why)
        self._trouble = why
        self._say(self._unwritten)
        for entry in self._unwritten if error is not None else ():
            if entry.done is not None and not entry.done.done():
                entry.done.set_exception(error if isinstance(error, StoreUnavailable) else StoreUnavailable(why))
