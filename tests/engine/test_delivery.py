"""Each channel delivers apart from the others, in order, again and again, until each notification has one fate."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.incident import IncidentId
from probe.core.notification import Attempt, Fate, Notification, Reason
from probe.core.outbox import GIVEN_UP
from probe.engine.delivery import Delivery
from probe.errors import NotifyError
from probe.testing import VirtualClock
from tests.core.letters import notification
from tests.engine.virtual import virtually

pytestmark = pytest.mark.looptime(noop_cycles=1)
GRACE = timedelta(seconds=5)


class Service:
    """A channel's other end: does what the test says, and notes what came, with the loop's time."""

    def __init__(self, act: Callable[[], Awaitable[None]] | None = None, repeat: timedelta | None = None) -> None:
        self.act = act
        self.repeat = repeat
        self.came: list[tuple[float, str]] = []
        self.digests: list[int] = []
        self.refreshed: list[tuple[float, int]] = []

    async def send(self, notification: Notification) -> str:
        return await self._take([notification])

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        self.digests.append(len(notifications))
        return await self._take(notifications)

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        self.refreshed.append((asyncio.get_running_loop().time(), len(notifications)))
        if self.act is not None:
            await self.act()
        return ""

    async def _take(self, notifications: Sequence[Notification]) -> str:
        now = asyncio.get_running_loop().time()
        self.came += [(now, n.key) for n in notifications]
        if self.act is not None:
            await self.act()
        return f"took {len(notifications)}"

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.came]

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.came]


class Post:
    """A delivery with its services, and all it says of its work."""

    def __init__(self, **services: Service) -> None:
        self.clock = VirtualClock()
        self.services = services
        self.attempts: list[Attempt] = []
        self.said: list[Notification] = []
        self.muted: dict[str, datetime] = {}
        self.open: list[Notification] = []
        self.delivery = self.new()

    def new(self) -> Delivery:
        """A delivery as after a start: with nothing in its memory."""
        return Delivery(
            self.services,
            self.attempts.append,
            self.say,
            self.clock,
            lambda n: self.muted.get(n.incident),
            random.Random(7),
            open_for=lambda _: self.open,
        )

    def say(self, notifications: Sequence[Notification]) -> None:
        self.said += notifications
        self.delivery.announce(notifications)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Delivery]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.delivery.run(stop, GRACE), name="delivery")
            yield self.delivery
            stop.set()

    def tell(self, *incidents: str, number: int = 1, reason: Reason = Reason.OPENED, channel: str = "oncall") -> None:
        now = self.clock.now()
        self.delivery.announce([notification(i, number, reason, channel, now) for i in incidents])

    def fates(self, key: str = "") -> list[Fate]:
        return [a.fate for a in self.attempts if a.key.startswith(key)]


async def refuse(permanent: bool = False, retry_after: timedelta | None = None) -> None:
    raise NotifyError("no, thanks", permanent=permanent, retry_after=retry_after)


async def hang() -> None:
    await asyncio.sleep(10**9)


async def test_a_notification_is_sent_once_and_its_answer_kept() -> None:
    """One attempt, with what the service said and how long it took."""
    oncall = Service(lambda: asyncio.sleep(0.25))
    post = Post(oncall=oncall)
    async with post.working():
        post.tell("i1")
        post.tell("i1")  # the same key again: once
        assert post.delivery.pending == {"oncall": 1}
        await asyncio.sleep(1)
        assert post.delivery.pending == {"oncall": 0}
    (attempt,) = post.attempts
    assert (attempt.key, attempt.fate, attempt.answer, attempt.seconds, attempt.again) == (
        "i1:1:opened:oncall",
        Fate.SENT,
        "took 1",
        0.25,
        None,
    )


async def test_a_channel_that_hangs_delays_no_other() -> None:
    """The deadline ends its attempt; the other channel was told at once."""
    stuck, other = Service(hang), Service()
    post = Post(stuck=stuck, other=other)
    async with post.working():
        post.tell("i1", channel="stuck")
        post.tell("i1", channel="other")
        await asyncio.sleep(31)
        assert other.times == [0.0]
        assert [(a.fate, a.answer, a.seconds) for a in post.attempts[1:]] == [
            (Fate.FAILED, "no answer within 30 s", 30.0)
        ]


async def test_trying_again_takes_longer_and_longer_and_ends_after_a_day() -> None:
    """Waits double up to 15 minutes, with jitter; a day after it was created the notification is withdrawn."""
    oncall = Service(refuse)
    post = Post(oncall=oncall)
    async with post.working():
        post.tell("i1")
        await asyncio.sleep(GIVEN_UP.total_seconds())
        assert post.delivery.pending == {"oncall": 0}
    gaps = [b - a for a, b in pairwise(oncall.times)]
    assert all(gap <= min(900.0, 5.0 * 2**n) + 0.01 for n, gap in enumerate(gaps))
    assert max(gaps) > 600
    assert len(set(gaps)) == len(gaps)
    assert oncall.times[-1] > GIVEN_UP.total_seconds() - 900
    assert post.fates()[:-1] == [Fate.FAILED] * (len(post.attempts) - 1)
    assert post.fates()[-1] is Fate.WITHDRAWN
    assert post.attempts[-1].answer == "tried for too long, the last answer was: no, thanks"
    assert post.attempts[0].again is not None


async def test_a_service_that_says_when_to_come_back() -> None:
    """The whole channel waits as long as it was asked to."""
    oncall = Service(lambda: refuse(retry_after=timedelta(minutes=2)))
    post = Post(oncall=oncall)
    async with post.working():
        post.tell("i1", "i2")
        await asyncio.sleep(1)
        oncall.act = None
        await asyncio.sleep(300)
    assert oncall.times == [0.0, 120.0, 120.0]


async def test_order_is_kept_within_an_incident_only() -> None:
    """While its opening fails, the end of an incident waits; another incident does not; in the end both are told."""
    oncall = Service()
    post = Post(oncall=oncall)

    async def not_i1() -> None:
        if oncall.keys[-1].startswith("i1"):
            await refuse()

    oncall.act = not_i1
    async with post.working():
        post.tell("i1")
        post.tell("i1", number=2, reason=Reason.RESOLVED)
        post.tell("i2")
        await asyncio.sleep(60)
        oncall.act = None
        await asyncio.sleep(900)
    sent = [a.key for a in post.attempts if a.fate is Fate.SENT]
    assert sent == ["i2:1:opened:oncall", "i1:1:opened:oncall", "i1:2:resolved:oncall"]


async def test_held_back_until_nothing_is_left_to_say(caplog: pytest.LogCaptureFixture) -> None:
    """An incident that ends while it is muted is not told at all, and the log says why."""
    oncall = Service()
    post = Post(oncall=oncall)
    post.muted["i1"] = post.clock.now() + timedelta(hours=1)
    async with post.working():
        post.tell("i1")
        await asyncio.sleep(600)
        assert post.attempts == []
        post.tell("i1", number=2, reason=Reason.RESOLVED)
        await asyncio.sleep(3600)
    assert oncall.came == []
    assert post.fates() == [Fate.WITHDRAWN, Fate.WITHDRAWN]
    assert "it was over before anything of it was to be said" in caplog.text


async def test_held_back_until_the_mute_ends_or_is_taken_off() -> None:
    """Then it is told; also when the mute ends before its time."""
    oncall = Service()
    post = Post(oncall=oncall)
    for name in ("i1", "i2"):
        post.muted[name] = post.clock.now() + timedelta(hours=1)
    async with post.working() as delivery:
        post.tell("i1", "i2")
        await asyncio.sleep(95)
        del post.muted["i1"]
        delivery.wake()
        await asyncio.sleep(1)
        assert oncall.times == [95.0]
        del post.muted["i2"]
        await asyncio.sleep(10)
        assert len(oncall.came) == 2


async def test_a_refusal_for_good_disables_the_channel_and_is_said_elsewhere() -> None:
    """The others are told once; what is pending stays so, until the channel is mended, and is then sent."""
    broken, other = Service(lambda: refuse(permanent=True)), Service()
    post = Post(broken=broken, other=other)
    async with post.working() as delivery:
        post.tell("i1", "i2", channel="broken")
        await asyncio.sleep(3600)
        assert delivery.disabled == {"broken": "no, thanks"}
        assert delivery.pending == {"broken": 2, "other": 0}
        assert post.fates("i") == [Fate.REFUSED]
        (said,) = post.said
        assert (said.channel, said.incident, said.reason) == ("other", "channel:broken", Reason.OPENED)
        assert other.keys == [said.key]
        assert "no, thanks" in said.message.body
        broken.act = None
        delivery.use(post.services)
        await asyncio.sleep(1)
        assert delivery.disabled == {}
        assert broken.keys == ["i1:1:opened:broken"] * 2 + ["i2:1:opened:broken"]
        assert [n.reason for n in post.said] == [Reason.OPENED, Reason.RESOLVED]


async def test_more_than_anybody_would_read_is_one_digest() -> None:
    """19 one by one, the rest as one with the last token; what comes later waits for a token, and shares it."""
    oncall = Service()
    post = Post(oncall=oncall)
    async with post.working():
        post.tell(*(f"i{n}" for n in range(50)))
        await asyncio.sleep(1)
        assert (len(oncall.came), oncall.digests) == (50, [31])
        post.tell("late", "later")
        await asyncio.sleep(13)
        assert len(oncall.came) == 50
        await asyncio.sleep(2)
        assert oncall.digests == [31, 2]
    assert post.fates() == [Fate.SENT] * 52


async def test_all_of_a_digest_have_the_same_fate() -> None:
    """When it fails, each of them is tried again."""
    oncall = Service()
    post = Post(oncall=oncall)

    async def no_digests() -> None:
        if oncall.digests:
            await refuse()

    oncall.act = no_digests
    async with post.working():
        post.tell(*(f"i{n}" for n in range(30)))
        await asyncio.sleep(0.5)
        assert post.fates() == [Fate.SENT] * 19 + [Fate.FAILED] * 11
        assert len({a.again for a in post.attempts[19:]}) == 1
        oncall.act = None
        await asyncio.sleep(600)
    assert post.fates()[30:] == [Fate.SENT] * 11


async def test_channels_that_repeat() -> None:
    """Each minute, while an incident is open; a repetition that fails harms nothing."""
    alerts = Service(repeat=timedelta(minutes=1))
    post = Post(alerts=alerts)
    async with post.working():
        await asyncio.sleep(90)
        assert alerts.refreshed == []
        post.open = [notification("i1", channel="alerts")]
        alerts.act = refuse
        await asyncio.sleep(120)
        alerts.act = hang
        await asyncio.sleep(95)
        post.open = []
        await asyncio.sleep(120)
    assert alerts.refreshed == [(at, 1) for at in (120.0, 180.0, 240.0, 300.0)]


async def test_a_bug_in_a_notifier_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback and tried again, also in a repetition."""
    oncall = Service(repeat=timedelta(hours=1))

    async def bug() -> None:
        raise RuntimeError("kaput")

    oncall.act = bug
    post = Post(oncall=oncall)
    post.open = [notification()]
    async with post.working():
        post.tell("i1")
        await asyncio.sleep(1)
        assert post.fates() == [Fate.FAILED]
        assert post.attempts[0].answer == "RuntimeError in the notifier: kaput"
        oncall.act = None
        await asyncio.sleep(10)
    assert post.fates()[-1] is Fate.SENT
    assert caplog.text.count("Traceback") >= 2


async def test_what_was_pending_at_the_last_start() -> None:
    """It is tried when it would have been, and the waits go on growing from the tries that were made."""
    oncall = Service(refuse)
    post = Post(oncall=oncall)
    old = notification(created=post.clock.now())
    async with post.working() as delivery:
        delivery.announce([old], {old.key: 8}, {old.key: post.clock.now() + timedelta(seconds=50)})
        await asyncio.sleep(51)
        assert oncall.times == [50.0]
        again = post.attempts[0].again
        assert again is not None
        assert again - post.clock.now() > timedelta(seconds=20)  # of at most 640: of 5 it would not be


async def test_channels_come_and_go() -> None:
    """After a reload a new channel delivers, and what is pending for one that is gone, or never was, is withdrawn."""
    post = Post(oncall=Service(refuse))
    new = Service()
    async with post.working() as delivery:
        post.tell("i1")
        await asyncio.sleep(0.5)
        delivery.use({"new": new})
        post.tell("i2", channel="new")
        post.tell("i3", channel="oncall")
        await asyncio.sleep(0.5)
        assert new.keys == ["i2:1:opened:new"]
    assert post.fates("i1") == [Fate.FAILED, Fate.WITHDRAWN]
    assert post.fates("i3") == [Fate.WITHDRAWN]


async def test_a_stop_with_nothing_to_send_is_at_once() -> None:
    """Also when something is held back, or put off."""
    post, loop = Post(idle=Service(), held=Service(), waits=Service(refuse)), asyncio.get_running_loop()
    post.muted["i1"] = post.clock.now() + timedelta(hours=1)
    async with post.working():
        post.tell("i1", channel="held")
        post.tell("i2", channel="waits")
        await asyncio.sleep(0.5)
        stopped = loop.time()
    assert loop.time() == stopped
    assert post.delivery.pending == {"idle": 0, "held": 1, "waits": 1}


async def test_a_stop_sends_what_it_can() -> None:
    """What can be sent at once is sent, in the time there is; what was being sent stays pending, for the next start."""
    slow, stuck, off = Service(lambda: asyncio.sleep(1)), Service(hang), Service(lambda: refuse(permanent=True))
    waits = Service(lambda: refuse(retry_after=timedelta(minutes=5)))
    post = Post(slow=slow, stuck=stuck, off=off, waits=waits)
    loop = asyncio.get_running_loop()
    async with post.working():
        post.tell("i1", "i2", channel="slow")
        for channel in ("stuck", "off", "waits"):
            post.tell("i1", channel=channel)
        await asyncio.sleep(0.5)
        stopped = loop.time()
    assert loop.time() - stopped == GRACE.total_seconds()
    # Two each: that `off` is disabled was said to them as well.
    assert post.delivery.pending == {"slow": 0, "stuck": 2, "off": 1, "waits": 2}
    assert [a.fate for a in post.attempts if a.key.endswith("slow") and a.key[0] == "i"] == [Fate.SENT] * 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_weather(seed: int) -> None:
    """Services that refuse, hang, or take and then fail, mutes and stops: at most one fate each, and the order holds."""
    virtually(_any_weather(random.Random(seed)))


async def _any_weather(rand: random.Random) -> None:
    taken: list[str] = []

    class Weather(Service):
        async def _take(self, notifications: Sequence[Notification]) -> str:
            match rand.choice(["good", "good", "refuse", "hang", "drop", "later"]):
                case "refuse":
                    await refuse()
                case "hang":
                    await hang()
                case "later":
                    await refuse(retry_after=timedelta(seconds=rand.randint(0, 300)))
                case "drop":
                    taken.extend(n.key for n in notifications)
                    await refuse()
            taken.extend(n.key for n in notifications)
            return ""

    post = Post(a=Weather(), b=Weather())
    announced: list[Notification] = []
    for life in range(3):
        if life:  # killed and started again: what has no final fate is pending
            settled = {a.key for a in post.attempts if a.fate in (Fate.SENT, Fate.WITHDRAWN)}
            post.delivery = post.new()
            post.delivery.announce(n for n in announced if n.key not in settled)
        async with post.working():
            for _ in range(rand.randint(1, 10)):
                incident, channel = f"i{rand.randint(0, 3)}", rand.choice("ab")
                reason = rand.choice([Reason.OPENED, Reason.REMINDER, Reason.ESCALATED])
                one = notification(incident, len(announced), reason, channel, post.clock.now())
                announced.append(one)
                post.delivery.announce([one])
                if rand.random() < 0.3:
                    post.muted[IncidentId(incident)] = post.clock.now() + timedelta(seconds=rand.randint(0, 600))
                post.muted = {k: v for k, v in post.muted.items() if v > post.clock.now()}
                await asyncio.sleep(rand.choice([0.1, 5, 100]))
            if life == 2:
                post.muted = {}
                await asyncio.sleep(2 * GIVEN_UP.total_seconds())
    final = [a for a in post.attempts if a.fate in (Fate.SENT, Fate.WITHDRAWN)]
    assert sorted(a.key for a in final) == sorted(n.key for n in announced)
    for channel in "ab":
        for incident in {n.incident for n in announced}:
            first = list(dict.fromkeys(k for k in taken if k.startswith(f"{incident}:") and k.endswith(channel)))
            assert first == sorted(first, key=lambda key: int(key.split(":")[1]))
