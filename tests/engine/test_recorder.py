"""Every run is judged and written, in order; the store's trouble delays neither judgement nor alerts. On virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.evaluate import Acknowledge, Event, Tick, evaluate
from probe.core.incident import Incident, IncidentId, Verdict
from probe.core.maintenance import Window
from probe.core.notification import Attempt, Fate, Notification, Reason
from probe.core.rules import Rules, Severity
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Why
from probe.core.state import Ask, Change, State
from probe.engine import recorder as module
from probe.engine.recorder import Judge, Recorder
from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.store.memory import MemoryStore
from probe.testing import VirtualClock
from tests.core.letters import notification
from tests.core.world import BROKEN, rules_of, watched
from tests.engine.virtual import virtually

pytestmark = pytest.mark.looptime(noop_cycles=1)
GRACE = timedelta(seconds=10)
LOCKED = StoreUnavailable("the file is locked")


def hasty(state: State, event: Event, _rules: Rules, now: datetime) -> Change:
    """A judgement that asks for confirmation of each failed run, and opens an incident when that fails too."""
    if isinstance(event, Run) and event.outcome is Outcome.FAILED:
        if event.why is Why.SCHEDULED:
            return Change(asks=(Ask(check=event.check, region=event.region, why=Why.CONFIRM),))
        incident = Incident(
            id=IncidentId("i1"), cause="shop", verdict=Verdict.DOWN, severity=Severity.PAGE, since=now, opened=now
        )
        return Change(incidents={"shop": incident}, notifications=(notification("i1", created=now),))
    if isinstance(event, Acknowledge):
        known = {i.id: i for i in state.incidents.values()}[event.incident]
        return Change(incidents={known.cause: replace(known, acknowledged=now, acknowledged_by=event.by)})
    return Change()


class Books:
    """A recorder with a store in memory, and everything that left it, with the loop's time."""

    def __init__(self, rules: Rules | None = None, judge: Judge = hasty, store: MemoryStore | None = None) -> None:
        self.clock = VirtualClock()
        self.store = store or MemoryStore()
        self.state = State()
        self.asked: list[tuple[float, Ask]] = []
        self.said: list[tuple[float, Notification]] = []
        self.seen: list[Run] = []
        self.number = 0
        self.recorder = Recorder(
            self.store,
            self.state,
            rules or rules_of(watched()),
            self.clock,
            lambda asks: self.asked.extend((self.now, ask) for ask in asks),
            lambda notes: self.said.extend((self.now, note) for note in notes),
            lambda run, _: self.seen.append(run) if run else None,
            judge=judge,
        )

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @asynccontextmanager
    async def open(self, kill: bool = False) -> AsyncIterator[Recorder]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            daemon = group.create_task(self.recorder.run(stop, GRACE), name="recorder")
            yield self.recorder
            if kill:
                daemon.cancel()
            stop.set()

    def put(self, outcome: Outcome = Outcome.PASSED, why: Why = Why.SCHEDULED, check: str = "checkout") -> Run:
        at, self.number = self.clock.now(), self.number + 1
        run = Run(
            id=RunId(f"r{self.number}"),
            check=CheckId(check),
            kind="http",
            target="shop",
            region="eu",
            why=why,
            outcome=outcome,
            started=at,
            duration=timedelta(0),
            observation=Observation(failures=(BROKEN,) if outcome is Outcome.FAILED else (), log=("a detail",)),
            slot=Slot(number=self.number, due=at) if why is Why.SCHEDULED else None,
        )
        self.recorder.put(run)
        return run

    def break_shop(self) -> None:
        """A failed run, and the confirmation that opens an incident, for a hasty judgement."""
        self.put(Outcome.FAILED)
        self.put(Outcome.FAILED, Why.CONFIRM)

    @property
    def stored(self) -> list[str]:
        return [run.id for run in self.store.runs]


def talking(_state: State, event: Event, _rules: Rules, now: datetime) -> Change:
    """A judgement that says something about each run."""
    if not isinstance(event, Run):
        return Change()
    return Change(notifications=(notification(event.id, created=now),))


async def test_written_first_then_announced() -> None:
    """A run, the state it makes and what is to be said are stored together; only then it is announced."""
    books = Books()
    books.store.delay = 2.0
    async with books.open():
        books.break_shop()
        await asyncio.sleep(1.9)
        assert [ask.why for _, ask in books.asked] == [Why.CONFIRM], "asked for at once"
        assert (books.store.runs, books.said) == ([], [])
        await asyncio.sleep(0.2)
        assert books.stored == ["r1", "r2"]
        assert [n.key for n in books.store.notifications] == [n.key for _, n in books.said]
        assert [n.reason for _, n in books.said] == [Reason.OPENED]
        assert books.store.state.incidents == books.state.incidents != {}
    assert [r.id for r in books.seen] == ["r1", "r2"]


async def test_the_real_judgement_in_the_same_place() -> None:
    """A shop that stays broken is told once, and the state that is stored is the state that is judged by."""
    books = Books(judge=evaluate)
    async with books.open():
        for why in (Why.SCHEDULED, Why.CONFIRM, Why.CONFIRM, Why.SCHEDULED):
            books.put(Outcome.FAILED, why)
            await asyncio.sleep(16)
        assert [n.reason for _, n in books.said] == [Reason.OPENED]
        assert Why.CONFIRM in [ask.why for _, ask in books.asked]
        assert books.store.state.incidents == books.state.incidents
        assert books.store.state.checks == books.state.checks


async def test_what_comes_during_a_commit_gathers_for_the_next() -> None:
    """A slow disk makes larger groups, not a longer queue."""
    books = Books()
    books.store.delay = 1.0
    async with books.open():
        for _ in range(95):
            books.put()
            await asyncio.sleep(0.1)
        assert books.store.commits < 12
        await books.recorder.flush()
        assert books.stored == [f"r{n}" for n in range(1, 96)]
        assert books.recorder.queued == 0


async def test_signs_of_life_and_ticks() -> None:
    """Every five seconds judgement is told the time, and the store until when we lived, also when nothing happens."""
    ticks: list[datetime] = []

    def judge(_state: State, event: Event, _rules: Rules, now: datetime) -> Change:
        assert isinstance(event, Tick)
        ticks.append(now)
        return Change()

    books = Books(judge=judge)
    async with books.open() as recorder:
        for _ in range(60):
            await asyncio.sleep(1)
            assert books.now - recorder.written <= 5
        assert books.store.alive is not None
        assert books.clock.now() - books.store.alive <= timedelta(seconds=5)
        assert [b - a for a, b in pairwise(ticks)] == [timedelta(seconds=5)] * (len(ticks) - 1)
        assert len(ticks) in (12, 13)


async def test_alerts_go_on_from_memory_when_the_store_fails(caplog: pytest.LogCaptureFixture) -> None:
    """They are announced at once, and once; the record is kept, in order, and written when that is possible again."""
    books = Books()
    books.store.fail = LOCKED
    async with books.open() as recorder:
        books.break_shop()
        await asyncio.sleep(0.1)
        assert [n.reason for _, n in books.said] == [Reason.OPENED]
        assert recorder.trouble == "the file is locked"
        books.put()
        books.put()
        await asyncio.sleep(120)
        assert books.store.runs == []
        assert recorder.queued > 2
        books.store.fail = None
        await asyncio.sleep(16)
        assert books.stored == ["r1", "r2", "r3", "r4"]
        assert recorder.queued == 0
        assert [n.key for n in books.store.notifications] == [n.key for _, n in books.said]
        assert len({n.key for _, n in books.said}) == len(books.said)
    assert caplog.text.count("alerts go on from memory") == 1
    assert "written again" in caplog.text


async def test_alerts_do_not_wait_for_a_commit_that_hangs() -> None:
    """After five seconds what it holds is announced; what is judged after that at once; nothing twice."""
    books = Books(judge=talking)
    books.store.delay = 60.0
    async with books.open() as recorder:
        books.put()
        await asyncio.sleep(4.9)
        assert books.said == []
        await asyncio.sleep(2.1)
        books.put()
        await asyncio.sleep(50)
        assert [at for at, _ in books.said] == [5.0, 7.0]
        troubles = [recorder.trouble]
        await asyncio.sleep(4)
        assert books.stored == ["r1"]
        assert [*troubles, recorder.trouble] == ["the store has not written for 5 s", None]
        books.store.delay = 0
        await asyncio.sleep(60)
        assert len(books.said) == 2


@pytest.mark.parametrize(("lasting", "times"), [(False, [0, 1, 3, 7, 15, 30, 45]), (True, [0, 15, 30, 45])])
async def test_a_failed_commit_is_tried_again(lasting: bool, times: list[int]) -> None:
    """Sooner while it may be a lock or a full disk, every 15 seconds when somebody has to mend it."""
    tried: list[float] = []

    class Broken(MemoryStore):
        async def commit(self, record: Record) -> None:
            tried.append(round(books.now, 3))
            raise StoreUnavailable("broken", lasting=lasting)

    books = Books(store=Broken())
    async with books.open(kill=True):
        books.put()
        await asyncio.sleep(50)
    assert tried == times


async def test_a_bug_in_the_store_is_trouble_like_any(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback, alerts go on, and it is tried again."""

    class Buggy(MemoryStore):
        async def commit(self, record: Record) -> None:
            if books.now < 10:
                raise TypeError("kaput")
            await super().commit(record)

    books = Books(judge=talking, store=Buggy())
    async with books.open() as recorder:
        books.put()
        with pytest.raises(StoreUnavailable, match="kaput"):
            await recorder.act(Acknowledge(incident=IncidentId("i"), by="ada"))
        assert len(books.said) == 1
        await asyncio.sleep(30)
        assert books.stored == ["r1"]
    assert "Traceback" in caplog.text


async def test_a_bug_in_judgement_loses_no_run(caplog: pytest.LogCaptureFixture) -> None:
    """The run is stored without a change, and the next one is judged."""

    def judge(state: State, event: Event, rules: Rules, now: datetime) -> Change:
        if isinstance(event, Run) and event.id == "r1":
            raise ZeroDivisionError
        return talking(state, event, rules, now)

    books = Books(judge=judge)
    async with books.open():
        books.put()
        books.put()
        await asyncio.sleep(1)
    assert books.stored == ["r1", "r2"]
    assert [n.incident for _, n in books.said] == ["r2"]
    assert "could not be judged" in caplog.text


async def test_commands_return_when_they_are_written() -> None:
    """`act` gives the change; what judgement raises comes to the one who commanded it, and to nobody else."""
    books = Books()
    async with books.open() as recorder:
        books.break_shop()
        await recorder.flush()
        (incident,) = books.state.incidents.values()
        books.store.delay = 3.0
        change = await recorder.act(Acknowledge(incident=incident.id, by="ada"))
        (acknowledged,) = change.incidents.values()
        assert acknowledged.acknowledged_by == "ada"
        assert books.store.state.incidents == books.state.incidents
        with pytest.raises(KeyError):
            await recorder.act(Acknowledge(incident=IncidentId("nobody"), by="ada"))


async def test_a_command_that_cannot_be_written_now_holds_nevertheless() -> None:
    """Whoever commanded it is told that it is not safe yet; `flush` returns as well."""
    books = Books()
    async with books.open() as recorder:
        books.break_shop()
        await recorder.flush()
        (incident,) = books.state.incidents.values()
        books.store.fail = LOCKED
        with pytest.raises(StoreUnavailable, match="locked"):
            await recorder.act(Acknowledge(incident=incident.id, by="ada"))
        await recorder.flush()
        (held,) = books.state.incidents.values()
        assert held.acknowledged_by == "ada"
        assert recorder.trouble
        books.store.fail = None
        await asyncio.sleep(16)
        assert books.store.state.incidents == books.state.incidents


async def test_attempts_and_words_of_our_own_go_the_same_way() -> None:
    """`settle` is written with the next commit; what we `say` is written first, then announced."""
    books, note = Books(), notification("channel:oncall")
    attempt = Attempt(key=note.key, at=books.clock.now(), fate=Fate.SENT)
    books.store.delay = 1.0
    async with books.open() as recorder:
        await asyncio.sleep(1.5)
        recorder.say([])
        recorder.say([note])
        recorder.settle(attempt)
        await asyncio.sleep(0.9)
        assert books.said == []
        await asyncio.sleep(0.2)
        assert [n for _, n in books.said] == books.store.notifications == [note]
        assert books.store.attempts == [attempt]


async def test_runs_are_marked_with_their_maintenance_window() -> None:
    """By when they were due; those of other checks, and those outside the window, are not."""
    books = Books()
    soon = books.clock.now() + timedelta(seconds=60)
    window = Window(name="move", start=soon, duration=timedelta(minutes=1), checks=("checkout",))
    books.recorder.rules = rules_of(watched(), watched("home"), windows=(window,))
    async with books.open():
        books.put()
        await asyncio.sleep(61)
        books.put()
        books.put(check="home")
        books.put(check="nobody")
        late = replace(
            books.put(why=Why.MANUAL), id=RunId("late"), slot=Slot(number=9, due=soon - timedelta(seconds=1))
        )
        books.recorder.put(late)
    assert [r.maintenance for r in books.store.runs] == [None, "move", None, None, "move", None]
    assert [r.maintenance for r in books.seen] == [r.maintenance for r in books.store.runs]


async def test_long_trouble_costs_details_not_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest runs that passed lose their details; runs that failed keep them."""
    monkeypatch.setattr(module, "DETAILS", 10)
    monkeypatch.setattr(module, "GROUP", 7)
    books = Books()
    books.store.fail = LOCKED
    async with books.open():
        for n in range(25):
            books.put(Outcome.FAILED if n % 5 == 0 else Outcome.PASSED)
        await asyncio.sleep(20)
        books.store.fail = None
        await asyncio.sleep(16)
        books.store.fail = LOCKED
        for _ in range(12):
            books.put()
        await asyncio.sleep(20)
        books.store.fail = None
        await asyncio.sleep(16)
    assert len(books.stored) == 37
    bare = [n for n, run in enumerate(books.store.runs) if not run.observation.log]
    passed = [n for n in range(25) if n % 5]
    assert bare == [*passed[:15], 25, 26]


async def test_a_stop_writes_everything(caplog: pytest.LogCaptureFixture) -> None:
    """All that was put before is judged and written, in several commits if it is much."""
    books = Books()
    async with books.open():
        for _ in range(5000):
            books.put()
    assert len(books.stored) == 5000
    assert "could be written" not in caplog.text


async def test_a_stop_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    """A store that cannot be written is tried again each second until the deadline, and what is lost is said."""
    books = Books()
    books.store.fail = StoreUnavailable("broken", lasting=True)
    async with books.open():
        books.put()
        await asyncio.sleep(1)
        stopped = books.now
    assert books.now - stopped == GRACE.total_seconds()
    assert "not everything could be written" in caplog.text


async def test_a_store_that_comes_back_before_the_deadline() -> None:
    """The stop does not sleep through the wait that a lasting trouble had earned."""
    books = Books()
    books.store.fail = StoreUnavailable("broken", lasting=True)
    async with books.open():
        books.put()
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_later(3, setattr, books.store, "fail", None)
        stopped = books.now
    assert books.stored == ["r1"]
    assert books.now - stopped < 5


async def test_others_have_their_turn_while_much_is_judged() -> None:
    """Thousands of rows at a start do not stop the loop: judgement gives way every few."""
    books = Books(judge=talking)
    turns: list[int] = []
    async with books.open():
        for _ in range(1000):
            books.put()
        while len(books.seen) < 1000:
            turns.append(len(books.seen))
            await asyncio.sleep(0)
        turns.append(len(books.seen))
    assert max(b - a for a, b in pairwise(turns)) <= module.SLICE


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_store(seed: int) -> None:
    """Slow, failing and hanging in turn: each run is stored once, in order, and announced once, in order."""
    virtually(_any_store(random.Random(seed)))


async def _any_store(rand: random.Random) -> None:
    books = Books(judge=talking)
    put: list[str] = []
    for _ in range(rand.randint(1, 30)):
        put.append(books.put().id)
    async with books.open():
        for _ in range(rand.randint(1, 40)):
            books.store.delay = rand.choice([0.0, 0.0, 0.5, 7.0])
            books.store.fail = rand.choice([None, None, LOCKED, StoreUnavailable("corrupt", lasting=True)])
            put += [books.put().id for _ in range(rand.randint(0, 5))]
            await asyncio.sleep(rand.choice([0.0, 0.1, 3.0, 20.0]))
            assert books.stored == put[: len(books.stored)]
            told = [n.incident for _, n in books.said]
            assert told == put[: len(told)]
        books.store.delay, books.store.fail = 0.0, None
    assert books.stored == put
    assert [n.incident for _, n in books.said] == put
