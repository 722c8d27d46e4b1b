"""The notifiers of the channels over a reload: what is unchanged stays, what is new opens, what is gone closes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import ClassVar, Self

import pytest

from probe import registry
from probe.channels import Channels
from probe.core.notification import Notification
from probe.core.secret import Redactor, Secret
from probe.errors import NotifyError, ProbeError
from probe.notifiers.webhook import WebhookNotifier
from probe.ports import ChannelSettings
from tests.core.letters import notification


class Noted:
    """A notifier that notes when it is opened and closed; it cannot be made for an address that is `no`."""

    events: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event]
    """Opening of an address that is `slow` waits for it."""
    repeat: timedelta | None = None

    def __init__(self, settings: ChannelSettings, redactor: Redactor) -> None:
        self.redactor = redactor
        self.name = f"{settings.name} {settings.urls[0].reveal()}"
        if settings.urls[0].reveal() == "no":
            raise ProbeError("its url cannot be used")

    async def __aenter__(self) -> Self:
        if self.name.endswith(" slow"):
            await self.gate.wait()
        self.events.append(f"+{self.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.events.append(f"-{self.name}")

    async def send(self, notification: Notification) -> str:
        return notification.key

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        return str(len(notifications))

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        return str(len(notifications))


@pytest.fixture(autouse=True)
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setitem(registry.NOTIFIERS, "noted", f"{__name__}:Noted")
    monkeypatch.setattr(Noted, "events", [])
    monkeypatch.setattr(Noted, "gate", asyncio.Event(), raising=False)
    return Noted.events


def to(**urls: str) -> dict[str, ChannelSettings]:
    return {name: ChannelSettings(name=name, kind="noted", urls=(Secret(url),)) for name, url in urls.items()}


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_unchanged_stays_open(events: list[str]) -> None:
    """After a reload the same object serves an unchanged channel; one that has changed has a new object, which is open
    before the old one is closed; one that is gone is closed."""
    async with asyncio.TaskGroup() as group:
        channels = Channels(group)
        first = await channels.adopt(to(team="a", desk="b", old="c"), Redactor())
        assert [*first] == ["team", "desk", "old"]
        assert events == ["+team a", "+desk b", "+old c"]
        second = await channels.adopt(to(team="a", desk="x", new="d"), Redactor())
        assert second["team"] is first["team"]
        assert sorted(second) == ["desk", "new", "team"]
        assert events[3:] == ["+desk x", "+new d"], "nothing is closed before its successor serves"
        await settle()
        assert sorted(events[5:]) == ["-desk b", "-old c"]
        channels.close()
    assert sorted(events[7:]) == ["-desk x", "-new d", "-team a"]


async def test_another_key_or_timeout_is_another_channel(events: list[str]) -> None:
    """All that a notifier is made from counts."""
    async with asyncio.TaskGroup() as group:
        channels = Channels(group)
        settings = to(team="a")
        await channels.adopt(settings, Redactor())
        await channels.adopt({"team": replace(settings["team"], timeout=timedelta(seconds=5))}, Redactor())
        await settle()
        channels.close()
    assert events == ["+team a", "+team a", "-team a", "-team a"]


@pytest.mark.parametrize(
    ("kind", "url", "reason"),
    [
        ("noted", "no", "its url cannot be used"),
        ("pigeon", "coop", "probe.notifiers: there is no 'pigeon'"),
        ("webhook", "ftp://files.example", "webhook wants http"),
        ("apprise", "nosuch://token", "is none that Apprise can use"),
    ],
)
async def test_what_cannot_be_used_refuses(
    kind: str, url: str, reason: str, events: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A channel with wrong settings keeps nobody else from being opened: all that is sent to it is refused for good,
    with the reason, which the log has at once. Mended, it is opened."""
    broken = ChannelSettings(name="broken", kind=kind, urls=(Secret(url),))
    async with asyncio.TaskGroup() as group:
        channels = Channels(group)
        found = await channels.adopt({"broken": broken, **to(team="a")}, Redactor())
        assert await found["team"].send(notification()) == notification().key
        (line,) = [record for record in caplog.records if record.name == "probe.channels"]
        assert line.getMessage().startswith("channel broken cannot be used: ")
        assert line.levelname == "ERROR"
        assert found["broken"].repeat is None
        with pytest.raises(NotifyError, match=reason) as refused:
            await found["broken"].send(notification())
        assert refused.value.permanent
        for sending in (found["broken"].send_digest, found["broken"].refresh):
            with pytest.raises(NotifyError, match=reason):
                await sending([notification()])
        mended = await channels.adopt(to(broken="b", team="a"), Redactor())
        assert await mended["broken"].send(notification()) == notification().key
        channels.close()
    assert "+broken b" in events


@pytest.mark.parametrize("turns", range(4))
async def test_a_reload_that_is_given_up_leaves_nothing_open(turns: int, events: list[str]) -> None:
    """At the stop, in the middle of opening: what was in use stays in use until `close`, and what was half opened is
    closed, so that the group of its tasks can end."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        channels = Channels(group)
        await channels.adopt(to(team="a"), Redactor())
        reload = group.create_task(channels.adopt(to(team="b", desk="slow"), Redactor()), name="reload")
        while "+team b" not in events:
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        reload.cancel()
        await asyncio.wait([reload])
        await settle()
        assert events == ["+team a", "+team b", "-team b"]
        Noted.gate.set()
        await asyncio.sleep(0.01)
        assert "-team a" not in events
        channels.close()
    assert events[-1] == "-team a"
    assert events[3:-1] in ([], ["+desk slow", "-desk slow"]), "whether it had begun or not"


async def test_a_real_notifier_is_open_while_it_is_held() -> None:
    """The built-in webhook gets its session when adopted, and loses it at the end."""
    async with asyncio.TaskGroup() as group:
        channels = Channels(group)
        hook = ChannelSettings(name="hook", kind="webhook", urls=(Secret("http://127.0.0.1:9/"),))
        found = (await channels.adopt({"hook": hook}, Redactor()))["hook"]
        assert isinstance(found, WebhookNotifier)
        session = found._poster._session
        assert not session.closed
        channels.close()
    assert session.closed
