"""What a fleet has to say is said by one of its nodes, to a real webhook; another goes on where that one stopped."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import text

from probe.core.incident import Incident, IncidentId, Verdict
from probe.core.notification import Attempt, Fate, Message, Notification, Reason
from probe.core.rules import Severity
from probe.core.secret import Redactor, Secret
from probe.core.state import Change
from probe.engine.runner import SystemClock
from probe.errors import StoreUnavailable
from probe.fleet import books, deliver
from probe.fleet.books import write_down
from probe.fleet.deliver import FleetDelivery, HubClock
from probe.fleet.hub import Hub
from probe.fleet.lease import Lease, boot_time
from probe.notifiers.webhook import WebhookNotifier
from probe.ports import Notifier, Record
from probe.store.fleet import FleetWriting
from probe.testing import FakeClock
from tests.core.world import rules_of, watched
from tests.fleet.judging import VERSION, Fleet, eventually, fleet_in, throw_out
from tests.notifiers.receiver import Receiver, channel, receiving
from tests.postgres import Database, Postgres, fresh_database
from tests.store.builders import full_incident

T = TypeVar("T")
GRACE = timedelta(seconds=2)
TTL = timedelta(seconds=1.4)
RULES = rules_of(watched())


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    with fresh_database(postgres, f"shared_{uuid4().hex[:12]}") as made:
        yield made


@pytest.fixture
def database(shared: Database) -> Database:
    """One for all tests of this file, which begin by emptying it: that takes less than to make another."""
    return shared


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is looked at again and again is looked at more often."""
    monkeypatch.setattr(deliver, "RENEW", 0.2)
    monkeypatch.setattr(deliver, "POLL", 0.3)
    monkeypatch.setattr(books, "WAITS", (0.1,))


@pytest.fixture
async def phone() -> AsyncIterator[Receiver]:
    async with receiving() as it:
        yield it


@pytest.fixture
async def fleet(database: Database) -> AsyncIterator[Fleet]:
    async with fleet_in(database, RULES) as made:
        yield made


def letter(number: int = 1, incident: str = "i1", reason: Reason = Reason.OPENED, to: str = "phone") -> Notification:
    now = datetime.now(UTC)
    return Notification(
        key=f"{incident}:{number}:{reason}:{to}",
        channel=to,
        incident=IncidentId(incident),
        reason=reason,
        number=number,
        created=now,
        message=Message(title=f"{incident} {reason}", body="", verdict=Verdict.DOWN, severity=Severity.PAGE, since=now),
    )


async def say(fleet: Fleet, *letters: Notification, incidents: Iterable[Incident] = ()) -> None:
    """What an evaluator does."""
    change = Change(notifications=letters, incidents={incident.cause: incident for incident in incidents})
    async with fleet.hub.transaction() as connection:
        await connection.run_sync(lambda sync: FleetWriting(sync).write([Record(changes=(change,))]))
        await connection.execute(text("NOTIFY probe_outbox"))


def keys(phone: Receiver) -> list[str]:
    return [got.headers["Idempotency-Key"] for got in phone.got]


class Node:
    """One that may deliver. `kill` ends it as a SIGKILL would."""

    def __init__(self, fleet: Fleet, delivery: FleetDelivery) -> None:
        self.delivery = delivery
        self._stop = asyncio.Event()
        self._fleet = fleet
        self.task: asyncio.Task[None]

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.wait([self.task])

    async def run(self) -> None:
        await self.delivery.run(self._stop, GRACE)


class Nodes:
    """Starts them; what still runs at the end is killed."""

    def __init__(self, fleet: Fleet, phones: dict[str, Receiver]) -> None:
        self.fleet, self.phones = fleet, phones
        self.all: list[Node] = []
        self.stack = AsyncExitStack()
        self.group: asyncio.TaskGroup
        self.notifiers: dict[str, Notifier] = {}

    async def start(self, name: str, *, lease: Lease | None = None, version: str = VERSION) -> Node:
        hub = Hub(Secret(self.url), node=name)
        self.stack.push_async_callback(hub.close)
        lease = lease or Lease(hub, "delivery", name, ttl=TTL)
        delivery = FleetDelivery(hub, name, SystemClock(), random.Random(1), lease=lease)
        notifiers: dict[str, Notifier] = {}
        for to, phone in self.phones.items():
            settings = replace(channel("webhook", f"http://127.0.0.1:{phone.port}/hook"), name=to)
            notifiers[to] = await self.stack.enter_async_context(WebhookNotifier(settings, Redactor()))
        delivery.use(RULES, version, notifiers)
        self.notifiers = notifiers
        node = Node(self.fleet, delivery)
        node.task = self.group.create_task(node.run(), name=name)
        self.all.append(node)
        return node

    url = ""


@asynccontextmanager
async def nodes(fleet: Fleet, database: Database, **phones: Receiver) -> AsyncIterator[Nodes]:
    made = Nodes(fleet, phones)
    made.url = database.url()
    async with made.stack, asyncio.TaskGroup() as made.group:
        yield made
        for node in made.all:
            await node.kill()


async def is_settled(fleet: Fleet) -> bool:
    return not await fleet.ask("SELECT key FROM probe.outbox WHERE settled IS NULL")


async def test_one_of_two_delivers(fleet: Fleet, database: Database, phone: Receiver) -> None:
    """In the order of the incident, each once; every attempt is written down."""
    async with nodes(fleet, database, phone=phone) as run:
        first, second = await run.start("a"), await run.start("b")
        await eventually(lambda: _true(first.delivery.delivers or second.delivery.delivers))
        told = [letter(1), letter(2, reason=Reason.ESCALATED), letter(1, "i2")]
        await say(fleet, *told)
        await eventually(lambda: is_settled(fleet))
        assert sorted(keys(phone)) == sorted(one.key for one in told)
        assert [key for key in keys(phone) if key.startswith("i1")] == [told[0].key, told[1].key]
        assert sorted(await fleet.ask("SELECT key, fate FROM probe.attempts")) == sorted((k.key, "sent") for k in told)
        assert (first.delivery.delivers, second.delivery.delivers) in [(True, False), (False, True)]


async def test_another_goes_on(fleet: Fleet, database: Database, phone: Receiver) -> None:
    """The one who delivers is killed while it sends: it is sent again, with the same key, by the other."""
    phone.answer = "hang"
    async with nodes(fleet, database, phone=phone) as run:
        first = await run.start("a")
        await say(fleet, letter())
        await asyncio.wait_for(phone.came.wait(), 10)
        second = await run.start("b")
        await first.kill()
        phone.answer = 200
        await eventually(lambda: is_settled(fleet))
        assert keys(phone) == [letter().key] * 2
        assert second.delivery.delivers
        assert second.delivery.pending == {"phone": 0}


async def test_stopping_sends_what_it_can_and_leaves_the_lease(
    fleet: Fleet, database: Database, phone: Receiver
) -> None:
    async with nodes(fleet, database, phone=phone) as run:
        first = await run.start("a")
        await say(fleet, letter())
        await asyncio.wait_for(phone.came.wait(), 10)
        await first.stop()
        assert await is_settled(fleet)
        assert await fleet.ask("SELECT until <= clock_timestamp() FROM probe.leases WHERE name = 'delivery'") == [True]
        assert not first.delivery.delivers


async def test_an_attempt_survives_an_outage_of_the_database(fleet: Fleet, database: Database, phone: Receiver) -> None:
    """It was sent while the database went away: that is written down later, and it is not sent again."""
    sent = letter()

    def cut(_: object) -> str:
        database.server.stop()
        return "thank you"

    phone.text = cut
    async with nodes(fleet, database, phone=phone) as run:
        await run.start("a")
        await say(fleet, sent)
        await asyncio.wait_for(phone.came.wait(), 10)
        await asyncio.sleep(TTL.total_seconds())  # the lease is lost, too
        database.server.start()
        await eventually(lambda: is_settled(fleet))
        await asyncio.sleep(0.5)  # it delivers again, and looks
        assert keys(phone) == [sent.key]
        assert await fleet.ask("SELECT key, fate, tries FROM probe.outbox") == [(sent.key, "sent", 1)]


async def test_connections_that_die(fleet: Fleet, database: Database, phone: Receiver) -> None:
    """Every connection is cut again and again while there is much to say: all of it is said, and written down."""
    async with nodes(fleet, database, phone=phone) as run:
        await run.start("a")
        await run.start("b")
        said = [letter(number, f"i{incident}") for incident in range(3) for number in range(1, 4)]
        for one in said:
            throw_out(database)
            await _again(partial(say, fleet, one))
            await asyncio.sleep(0.1)
        await eventually(lambda: _again(lambda: is_settled(fleet)))
        assert set(keys(phone)) == {one.key for one in said}
        for incident in range(3):
            first = list(dict.fromkeys(key for key in keys(phone) if key.startswith(f"i{incident}")))
            assert first == [one.key for one in said if one.incident == f"i{incident}"]


async def test_who_was_stopped_sends_nothing_more(fleet: Fleet, database: Database, phone: Receiver) -> None:
    """Its lease ran out while it stood still: what it had in hand is left alone, and read anew when it delivers again."""
    jump = [0.0]
    async with nodes(fleet, database, phone=phone) as run:
        hub = Hub(Secret(database.url()), node="a")
        run.stack.push_async_callback(hub.close)
        lease = Lease(hub, "delivery", "a", clock=lambda: boot_time() + jump[0])
        node = await run.start("a", lease=lease)
        await eventually(lambda: _true(node.delivery.delivers))
        jump[0] += 60.0
        await fleet.ask(
            "UPDATE probe.leases SET holder = 'other', epoch = epoch + 1 WHERE name = 'delivery' RETURNING 1"
        )
        await say(fleet, letter())
        await eventually(lambda: _true(not node.delivery.delivers))
        assert keys(phone) == []
        await fleet.ask("UPDATE probe.leases SET until = clock_timestamp() WHERE name = 'delivery' RETURNING 1")
        await eventually(lambda: is_settled(fleet))
        assert keys(phone) == [letter().key]


async def test_a_mute_holds_it_back(fleet: Fleet, database: Database, phone: Receiver) -> None:
    muted = replace(full_incident(), muted_until=datetime.now(UTC) + timedelta(hours=1))
    async with nodes(fleet, database, phone=phone) as run:
        node = await run.start("a")
        await say(fleet, letter(incident=muted.id), incidents=[muted])
        await eventually(lambda: _true(node.delivery.pending == {"phone": 1}))
        await say(fleet, letter(incident="other"))
        await asyncio.wait_for(phone.came.wait(), 10)
        assert keys(phone) == [letter(incident="other").key]
        await say(fleet, incidents=[replace(muted, muted_until=None)])
        await eventually(lambda: is_settled(fleet))
        assert keys(phone)[-1] == letter(incident=muted.id).key


async def test_a_channel_that_refuses_is_told_on_the_other(fleet: Fleet, database: Database, phone: Receiver) -> None:
    phone.answer = 410
    async with receiving() as pager, nodes(fleet, database, phone=phone, pager=pager) as run:
        node = await run.start("a")
        await say(fleet, letter())
        await asyncio.wait_for(pager.came.wait(), 10)
        assert list(node.delivery.disabled) == ["phone"]
        assert pager.got[0].json["title"].startswith("No alerts through phone")
        await eventually(lambda: _has(fleet, "SELECT 1 FROM probe.outbox WHERE channel = 'pager' AND fate = 'sent'"))
        assert await fleet.ask("SELECT fate FROM probe.outbox WHERE channel = 'phone' AND settled IS NULL") == [
            "refused"
        ]


class Repeating:
    """A channel that wants to hear again and again what is open."""

    repeat: timedelta | None = timedelta(seconds=0.1)

    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []

    async def send(self, notification: Notification) -> str:
        return ""

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        return ""

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        self.heard.append(tuple(one.key for one in notifications))
        return ""


async def test_who_repeats_hears_what_is_open(fleet: Fleet, database: Database, phone: Receiver) -> None:
    """Incidents that it was told of, with what they cost by now; not those that are over."""
    now = datetime.now(UTC)
    still = replace(full_incident(), told=("pager",), muted_until=None)
    over = replace(still, id=IncidentId("over"), cause="other.example", resolved=now)
    pager, attempts = Repeating(), list[Attempt]()
    async with nodes(fleet, database, phone=phone) as run:
        node = await run.start("a")
        node.delivery.use(RULES, VERSION, {"phone": run.notifiers["phone"], "pager": pager})
        node.delivery.heard = attempts.append
        await say(fleet, letter(), incidents=[still, over])
        await eventually(lambda: _true(bool(pager.heard)))
        assert set(pager.heard) == {(f"{still.id}:standing:pager",)}
        await eventually(lambda: is_settled(fleet))
        assert [one.fate for one in attempts] == [Fate.SENT]


async def test_what_fails_is_tried_again_later(fleet: Fleet, database: Database, phone: Receiver) -> None:
    phone.answer = 500
    async with nodes(fleet, database, phone=phone) as run:
        first = await run.start("a")
        await say(fleet, letter())
        await eventually(lambda: _has(fleet, "SELECT 1 FROM probe.outbox WHERE fate = 'failed' AND again IS NOT NULL"))
        await first.kill()
        phone.answer = 200
        await run.start("b")
        await eventually(lambda: is_settled(fleet))
        ((tries,),) = [await fleet.ask("SELECT tries FROM probe.outbox")]
        assert tries == len(phone.got) >= 2


async def test_nothing_by_rules_that_are_not_in_force(fleet: Fleet, database: Database, phone: Receiver) -> None:
    """A node with another configuration may not know a channel, or a window: it leaves delivery to others."""
    async with nodes(fleet, database, phone=phone) as run:
        old = await run.start("a", version="v0")
        await say(fleet, letter())
        new = await run.start("b")
        await eventually(lambda: is_settled(fleet))
        assert not old.delivery.delivers
        await fleet.arrange(RULES, "v0")
        await eventually(lambda: _true((old.delivery.delivers, new.delivery.delivers) == (True, False)))


async def test_a_row_that_cannot_be_read_silences_no_other(fleet: Fleet, database: Database, phone: Receiver) -> None:
    await say(fleet, letter(1, "broken"), letter(1))
    await fleet.ask("UPDATE probe.outbox SET message = '{}' WHERE incident = 'broken' RETURNING 1")
    async with nodes(fleet, database, phone=phone) as run:
        await run.start("a")
        await asyncio.wait_for(phone.came.wait(), 10)
    assert keys(phone) == [letter().key]


async def test_what_nobody_has_thought_of_ends_nothing(
    fleet: Fleet, database: Database, phone: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node goes on with all that it does, and delivers as soon as it can."""
    monkeypatch.setattr(deliver, "BROKEN", 0.05)
    await fleet.ask("ALTER TABLE probe.leases ADD CONSTRAINT shut CHECK (holder IS NULL) NOT VALID", rows=False)
    async with nodes(fleet, database, phone=phone) as run:
        node = await run.start("a")
        await say(fleet, letter())
        await asyncio.sleep(0.5)
        assert not node.task.done()
        await fleet.ask("ALTER TABLE probe.leases DROP CONSTRAINT shut", rows=False)
        await eventually(lambda: is_settled(fleet))
    assert keys(phone) == [letter().key]


async def test_an_attempt_is_written_once(fleet: Fleet) -> None:
    """Whether the last COMMIT came about may not be known: writing the same again changes nothing."""
    sent = letter()
    await say(fleet, sent)
    at = datetime.now(UTC)
    tried = (Attempt(key=sent.key, at=at, fate=Fate.FAILED), Attempt(key=sent.key, at=at + GRACE, fate=Fate.SENT))
    for _ in range(2):
        async with fleet.hub.transaction() as connection:
            await connection.run_sync(write_down, tried)
    late = Attempt(key=sent.key, at=at + 2 * GRACE, fate=Fate.FAILED)
    async with fleet.hub.transaction() as connection:
        await connection.run_sync(write_down, (late,))
    assert await fleet.ask("SELECT fate, tries FROM probe.outbox") == [("sent", 2)]


def test_the_clock_of_the_hub() -> None:
    """Ours is gone by as long as it is not off by more than two seconds."""
    ours = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
    clock = HubClock(ours)
    before = clock.ours()
    ours.advance(1.0)
    clock.measured(before + timedelta(seconds=2), before)
    assert clock.now() == ours.now()
    clock.measured(before + timedelta(seconds=60.5), before)
    assert clock.now() == ours.now() + timedelta(seconds=60)


async def _true(value: bool) -> bool:
    return value


async def _has(fleet: Fleet, statement: str) -> bool:
    return bool(await fleet.ask(statement))


async def _again(do: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await do()
        except StoreUnavailable:
            await asyncio.sleep(0.05)
