"""What holds for every notifier, against real servers: the port of `probe/ports.py`."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest

from probe import registry
from probe.core.notification import Reason
from probe.core.secret import Redactor, Secret
from probe.errors import NotifyError, ProbeError
from probe.ports import ChannelSettings, Notifier
from tests.notifiers.receiver import Got, Receiver, channel, notice, receiving

pytestmark = pytest.mark.asyncio

PATH, QUERY, PASSWORD, KNOWN = "T0PATHCANARY17", "q0CANARY", "pw0CANARY!", "known0CANARY"
Make = Callable[[ChannelSettings], AbstractAsyncContextManager[Notifier]]

URLS: dict[str, str] = {
    "alertmanager": f"http://ada:pw0CANARY%21@127.0.0.1:{{port}}/{PATH}",
    "webhook": f"http://ada:pw0CANARY%21@127.0.0.1:{{port}}/hook/{PATH}?token={QUERY}",
    "apprise": f"json://ada:pw0CANARY%21@127.0.0.1:{{port}}/hook/{PATH}?+X-Api-Key={QUERY}",
}
"""Kinds that speak HTTP, so that one server serves them all. Each URL is full of secrets."""


def open_notifier(settings: ChannelSettings) -> AbstractAsyncContextManager[Notifier]:
    made: AbstractAsyncContextManager[Notifier] = registry.load("probe.notifiers", settings.kind)(
        settings, Redactor([Secret(KNOWN)])
    )
    return made


def at(kind: str, port: int, seconds: float = 5.0) -> ChannelSettings:
    return channel(
        kind, URLS[kind].format(port=port), key="k0CANARYKEY" if kind == "webhook" else None, seconds=seconds
    )


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as it:
        yield it


@pytest.fixture(params=URLS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_every_notifier_is_in_the_contract() -> None:
    """A new kind cannot be left out of this file."""
    assert set(URLS) | {"terminal"} == set(registry.NOTIFIERS)


async def test_it_delivers(kind: str, receiver: Receiver) -> None:
    """The words arrive, once, and the answer says something."""
    async with open_notifier(at(kind, receiver.port)) as notifier:
        answer = await notifier.send(notice())
    [got] = receiver.got
    assert got.method == "POST"
    assert b"customers cannot pay" in got.body
    assert b"Seen: 502" in got.body
    assert answer
    assert answer == " ".join(answer.split())
    assert len(answer) < 400


async def test_the_key_is_the_same_each_time(kind: str, receiver: Receiver) -> None:
    """A server that takes it and drops the connection gets it again, and can tell that it is the same."""
    receiver.answer = "drop"
    async with open_notifier(at(kind, receiver.port)) as notifier:
        with pytest.raises(NotifyError) as caught:
            await notifier.send(notice())
        assert not caught.value.permanent
        receiver.answer = 200
        await notifier.send(notice())
        await notifier.send(notice(Reason.REMINDER, number=2))
    first, second, other = receiver.got
    if kind == "alertmanager":  # its alerts have no key: the same labels are the same alert
        assert first.body.split(b'"annotations"')[0] == second.body.split(b'"annotations"')[0]
        return
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == notice().key
    assert first.body == second.body
    assert other.headers["Idempotency-Key"] != notice().key


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
async def test_later(kind: str, receiver: Receiver, status: int) -> None:
    """What may be better later is not for good."""
    receiver.answer = status
    async with open_notifier(at(kind, receiver.port)) as notifier:
        with pytest.raises(NotifyError, match=str(status)) as caught:
            await notifier.send(notice())
    assert not caught.value.permanent
    assert len(receiver.got) == 1, "retries are delivery's, not the notifier's"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(kind: str, receiver: Receiver, status: int) -> None:
    """It leads to who knows whom, and most would take a GET there for a delivery."""
    async with receiving() as elsewhere:
        receiver.answer, receiver.headers = status, {"Location": f"http://127.0.0.1:{elsewhere.port}/login"}
        async with open_notifier(at(kind, receiver.port)) as notifier:
            with pytest.raises(NotifyError, match=str(status)):
                await notifier.send(notice())
        assert len(receiver.got) == 1
        assert elsewhere.got == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_never(kind: str, receiver: Receiver, status: int) -> None:
    """A channel that is wrong or gone is said to be so."""
    receiver.answer = status
    async with open_notifier(at(kind, receiver.port)) as notifier:
        with pytest.raises(NotifyError, match=str(status)) as caught:
            await notifier.send(notice())
    assert caught.value.permanent


async def test_a_server_that_hangs(kind: str, receiver: Receiver) -> None:
    """The channel's own deadline ends it, and the next message is sent all the same."""
    receiver.answer = "hang"
    async with open_notifier(at(kind, receiver.port, seconds=0.3)) as notifier:
        with pytest.raises(NotifyError, match=r"no answer within 0\.3 s|timed out|A Connection error") as caught:
            await notifier.send(notice())
        assert not caught.value.permanent
        receiver.answer = 200
        await notifier.send(notice())


async def test_nobody_listens(kind: str) -> None:
    """Refused is not for good."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        async with open_notifier(at(kind, held.getsockname()[1])) as notifier:
            with pytest.raises(NotifyError) as caught:
                await notifier.send(notice())
    assert not caught.value.permanent


async def test_a_digest_is_one_request(kind: str, receiver: Receiver) -> None:
    """Several are sent in one, each of them told, under a key of its own that comes again with the same ones."""
    several = [notice(incident=f"i{n}", title=f"shop {n} is down") for n in range(12)]
    async with open_notifier(at(kind, receiver.port)) as notifier:
        await notifier.send_digest(several)
        await notifier.send_digest(several)
        await notifier.send_digest(several[1:])
    assert len(receiver.got) == 3
    for n in range(12):
        assert f"shop {n} is down".encode() in receiver.got[0].body
    if kind != "alertmanager":
        keys = [got.headers["Idempotency-Key"] for got in receiver.got]
        assert keys[0] == keys[1] != keys[2]
        assert b"12 more: 12 opened" in receiver.got[0].body


async def test_only_alertmanager_is_told_again(kind: str, receiver: Receiver) -> None:
    """`refresh` sends where the service forgets, and nowhere else."""
    async with open_notifier(at(kind, receiver.port)) as notifier:
        await notifier.refresh([notice()])
        assert (notifier.repeat is not None) == bool(receiver.got) == (kind == "alertmanager")


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What reaches the root logger, as the daemon's own log does, at the level "debug"."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter().format(record))

    root, keep = logging.getLogger(), Keep()
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(keep)


def echoed(got: Got) -> str:
    """A server that tells everybody what it was told."""
    return f"bad: {got.method} {got.path} {got.headers} {KNOWN} pw0CANARY! pw0CANARY%21"


@pytest.mark.parametrize("answer", [200, 302, 403, 500, "drop", "hang", "refused"])
async def test_secrets_stay_secret(
    kind: str, receiver: Receiver, answer: int | str, logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """No part of the URL, no header, no key of ours is in an answer, an error, its causes, a repr, a log or stderr."""
    receiver.answer, receiver.text = answer, echoed
    receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/login?back={PATH}"} if answer == 302 else {}
    port = 9 if answer == "refused" else receiver.port
    shown: list[str] = []
    async with open_notifier(at(kind, port, seconds=0.2 if answer == "hang" else 5)) as notifier:
        for send in (notifier.send(notice()), notifier.send_digest([notice()])):
            try:
                shown.append(await send)
            except NotifyError as error:
                cause: BaseException | None = error
                while cause is not None:
                    shown.append(f"{cause} {cause!r}")
                    cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        shown.append(repr(notifier))
    assert len(shown) > 2
    assert "CANARY" not in "\n".join((*shown, *logged, *capfd.readouterr()))
    if isinstance(answer, int):
        assert shown[0].count("***") >= (answer in {403, 500}), "the echo was masked, not left out"


async def test_a_cancelled_send_leaves_nothing(kind: str, receiver: Receiver) -> None:
    """Who stops waiting is let go at once; the notifier closes, and no task is left."""
    receiver.answer = "hang"
    before = asyncio.all_tasks()
    async with open_notifier(at(kind, receiver.port, seconds=0.5)) as notifier:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(notifier.send(notice()), name="send")
            await receiver.came.wait()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert task.cancelled()
    await receiver.gone.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    ours = {t for t in asyncio.all_tasks() - before if "probe" in repr(t.get_coro())}
    assert not ours


async def test_addresses_that_cannot_be_used(kind: str) -> None:
    """They are refused at opening, with the channel's name and without the address."""
    for bad in ([f"nonsense://{PATH}"], [PATH], [f"http://[{PATH}"], []):
        with pytest.raises(ProbeError, match=r"^channel 'phone': ") as caught:
            async with open_notifier(channel(kind, *bad)):
                raise AssertionError("it was opened")
        assert "CANARY" not in str(caught.value).replace("***", "")
        assert not isinstance(caught.value, NotifyError)


async def test_the_terminal_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """Title, then body indented; plain in a pipe; a digest has a line for each; nothing of it steers the terminal."""
    async with open_notifier(channel("terminal")) as notifier:
        assert await notifier.send(notice(title=f"down {KNOWN} \x1b[2J", body="a\nb\x07")) == "printed"
        assert await notifier.send_digest([notice(), notice(Reason.RESOLVED, number=2)]) == "printed"
        assert await notifier.refresh([notice()]) == ""
        assert notifier.repeat is None
    assert capsys.readouterr().out == (
        "down ***  [2J\n  a\n  b\n"
        "2 more: 1 opened, 1 resolved\n"
        "  opened: checkout is down: customers cannot pay\n"
        "  resolved: checkout is down: customers cannot pay\n"
    )


async def test_the_terminal_has_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Red for what began, green for what is over, on a terminal."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    async with open_notifier(channel("terminal")) as notifier:
        await notifier.send(notice(body=""))
        await notifier.send(notice(Reason.RESOLVED, body=""))
    title = "checkout is down: customers cannot pay"
    assert capsys.readouterr().out == f"\x1b[1;31m{title}\x1b[0m\n\x1b[1;32m{title}\x1b[0m\n"


async def test_the_terminal_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed stdout is for good; one that nobody reads holds up nobody."""
    import sys
    import threading

    class Closed:
        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    class Full(Closed):
        def __init__(self) -> None:
            self.read = threading.Event()

        def write(self, text: str) -> int:
            self.read.wait(5)
            return len(text)

        def flush(self) -> None:
            pass

    async def caught(stdout: Any) -> NotifyError:
        monkeypatch.setattr(sys, "stdout", stdout)
        async with open_notifier(channel("terminal", seconds=0.1)) as notifier:
            with pytest.raises(NotifyError) as error:
                await notifier.send(notice())
        return error.value

    full = Full()
    closed, unread = await caught(Closed()), await caught(full)
    full.read.set()
    monkeypatch.undo()
    assert closed.permanent
    assert "Broken pipe" in str(closed)
    assert not unread.permanent
    assert "within 0.1 s" in str(unread)
