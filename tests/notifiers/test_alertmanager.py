"""The Alertmanager notifier against two real ones, from Debian, and what it makes of their trouble."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from probe.core.incident import Verdict
from probe.core.notification import Reason
from probe.core.rules import Severity
from probe.core.secret import Redactor
from probe.errors import NotifyError
from probe.notifiers.alertmanager import ENDS, REPEAT, AlertmanagerNotifier, _alert
from tests.notifiers.receiver import BEGAN, Receiver, channel, notice, receiving

pytestmark = pytest.mark.asyncio


@dataclass
class At:
    """A clock that the test sets."""

    time: datetime = BEGAN + timedelta(minutes=2)

    def now(self) -> datetime:
        return self.time


@dataclass
class Instance:
    """A running Alertmanager."""

    url: str
    process: asyncio.subprocess.Process

    async def alerts(self) -> list[dict[str, Any]]:
        """What it knows, open and over alike."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/api/v2/alerts") as answer:
            found: list[dict[str, Any]] = await answer.json()
        return sorted(found, key=lambda alert: str(alert["labels"]))

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[Instance]:
    """One Alertmanager on a free port, alone in its cluster, its data in `folder`."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    assert program, "prometheus-alertmanager is missing: scripts/services.sh says how to get it"
    folder.mkdir()
    (folder / "config.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={folder / 'config.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    instance = Instance(f"http://127.0.0.1:{port}", process)
    try:
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{instance.url}/-/ready") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientConnectionError:
                    assert process.returncode is None, await process.communicate()
                await asyncio.sleep(0.05)
        yield instance
    finally:
        await instance.stop()


async def test_two_real_ones(tmp_path: Path) -> None:
    """Both have the alert, once however often it is told; one killed is no trouble; the end reaches the other."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(alertmanager(tmp_path / "one"))
        two = await stack.enter_async_context(alertmanager(tmp_path / "two"))
        began = datetime.now(BEGAN.tzinfo) - timedelta(minutes=3)
        settings = channel("alertmanager", one.url + "/", two.url)
        notifier = await stack.enter_async_context(AlertmanagerNotifier(settings, Redactor()))

        answer = await notifier.send(notice(since=began))
        assert answer == f"{one.url}: 200 OK; {two.url}: 200 OK"
        await notifier.send(
            notice(Reason.REMINDER, number=2, since=began, verdict=Verdict.REGIONAL, title="in eu only")
        )
        await notifier.refresh([notice(since=began, verdict=Verdict.DEGRADED, evidence="5 of 7 runs failed")])
        for instance in (one, two):
            [alert] = await instance.alerts()
            assert alert["labels"] == {
                "alertname": "ProbeIncident",
                "incident": "01abc-shop",
                "cause": "shop.example",
                "severity": "page",
            }
            assert alert["annotations"]["verdict"] == "degraded"
            assert alert["annotations"]["evidence"] == "5 of 7 runs failed"
            assert alert["annotations"]["reproduce"] == "probe check checkout --once"
            assert alert["generatorURL"] == "https://ops.example/probe/incidents/01abc-shop"
            assert alert["status"]["state"] == "active"
            left = datetime.fromisoformat(alert["endsAt"]) - datetime.now(BEGAN.tzinfo)
            assert timedelta(minutes=3) < left <= ENDS

        await one.stop()
        answer = await notifier.send(notice(incident="02", since=began))
        assert f"{one.url}: no answer: Cannot connect to host" in answer
        assert f"{two.url}: 200 OK" in answer
        assert len(await two.alerts()) == 2

        over = datetime.now(BEGAN.tzinfo)
        await notifier.send(notice(Reason.RESOLVED, number=3, since=began, resolved=over))
        [alert] = await two.alerts()  # those that are over are not listed
        assert alert["labels"]["incident"] == "02"

        await two.stop()
        with pytest.raises(NotifyError) as caught:
            await notifier.refresh([notice(incident="02", since=began)])
        assert not caught.value.permanent


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as it:
        yield it


def opened(*receivers: Receiver, clock: At | None = None) -> AlertmanagerNotifier:
    urls = [f"http://127.0.0.1:{receiver.port}" for receiver in receivers]
    return AlertmanagerNotifier(channel("alertmanager", *urls), Redactor(), clock=clock or At())


async def test_an_alert_ends_when_it_is_not_told_again(receiver: Receiver) -> None:
    """It begins with the incident, and lasts four of our repetitions from now, or until the recovery."""
    clock = At()
    async with opened(receiver, clock=clock) as notifier:
        assert notifier.repeat == REPEAT == timedelta(seconds=60)
        await notifier.send(notice())
        clock.time += REPEAT
        await notifier.refresh([notice(), notice(incident="02")])
        await notifier.send(notice(Reason.RESOLVED, number=2))
        assert await notifier.refresh([]) == ""
    opening, again, end = (got.json for got in receiver.got)
    assert (opening[0]["startsAt"], opening[0]["endsAt"]) == ("2026-11-24T03:00:00+00:00", "2026-11-24T03:06:00+00:00")
    assert [alert["endsAt"] for alert in again] == ["2026-11-24T03:07:00+00:00"] * 2
    assert end[0]["endsAt"] == "2026-11-24T03:09:00+00:00"
    assert opening[0]["labels"] == again[0]["labels"] == end[0]["labels"]


async def test_a_recovery_that_is_not_known(receiver: Receiver) -> None:
    """It is over now at the latest; and never before it began, which an Alertmanager would refuse."""
    clock = At()
    async with opened(receiver, clock=clock) as notifier:
        await notifier.send(notice(Reason.RESOLVED, resolved=None))
        clock.time = BEGAN - timedelta(hours=1)
        await notifier.send(notice(Reason.RESOLVED, resolved=None))
    ends = [got.json[0]["endsAt"] for got in receiver.got]
    assert ends == ["2026-11-24T03:02:00+00:00", "2026-11-24T03:00:00+00:00"]


async def test_more_severe_is_another_alert(receiver: Receiver) -> None:
    """The ticket is ended and a page begun, once; after the end nothing of it is remembered."""
    async with opened(receiver) as notifier:
        await notifier.send(notice(severity=Severity.TICKET))
        await notifier.send(notice(Reason.ESCALATED, number=2))
        await notifier.refresh([notice(Reason.ESCALATED, number=2)])
        await notifier.send(notice(Reason.RESOLVED, number=3))
        await notifier.send(notice(severity=Severity.TICKET))
    told = [[(a["labels"]["severity"], a["endsAt"][14:16]) for a in got.json] for got in receiver.got]
    assert told == [
        [("ticket", "06")],
        [("page", "06"), ("ticket", "02")],
        [("page", "06")],
        [("page", "09")],
        [("ticket", "06")],
    ]


async def test_what_was_not_taken_is_told_again(receiver: Receiver) -> None:
    """A ticket whose end nobody took is ended with the next try."""
    async with opened(receiver) as notifier:
        await notifier.send(notice(severity=Severity.TICKET))
        receiver.answer = 500
        with pytest.raises(NotifyError):
            await notifier.send(notice(number=2))
        receiver.answer = 200
        await notifier.send(notice(number=2))
    assert receiver.got[1].json == receiver.got[2].json
    assert len(receiver.got[2].json) == 2


async def test_a_digest_has_one_alert_for_each_incident(receiver: Receiver) -> None:
    """Of an opening and its resolution only the resolution is told: two alerts of one name would be one, by chance."""
    several = [notice(), notice(incident="02"), notice(Reason.RESOLVED, number=2)]
    async with opened(receiver) as notifier:
        await notifier.send_digest(several)
    [got] = receiver.got
    assert [(a["labels"]["incident"], a["endsAt"][14:16]) for a in got.json] == [("01abc-shop", "09"), ("02", "06")]


async def test_a_test_is_called_one(receiver: Receiver) -> None:
    """It has a name of its own and ends by itself; what is empty is left out."""
    async with opened(receiver) as notifier:
        await notifier.send(notice(Reason.TEST, cause="", step=None, expected=None))
    [alert] = receiver.got[0].json
    assert alert["labels"]["alertname"] == "ProbeTest"
    assert alert["labels"]["cause"] == "unknown"
    assert not {"step", "expected"} & alert["annotations"].keys()


@pytest.mark.parametrize(
    ("answers", "permanent", "wait"), [((404, 403), True, None), ((404, 503), False, 7), ((503, "drop"), False, 7)]
)
async def test_none_took_it(
    receiver: Receiver, answers: tuple[int | str, int | str], permanent: bool, wait: int | None
) -> None:
    """For good only if all say so; the wait that one asked for is passed on; each one's answer is told."""
    async with receiving() as other, opened(receiver, other) as notifier:
        receiver.answer, other.answer = answers
        receiver.headers = other.headers = {"Retry-After": "7"}
        with pytest.raises(NotifyError) as caught:
            await notifier.send(notice())
        assert caught.value.permanent is permanent
        assert caught.value.retry_after == (None if wait is None else timedelta(seconds=wait))
        assert f"127.0.0.1:{receiver.port}: {answers[0]}" in str(caught.value)
        assert f"127.0.0.1:{other.port}: " in str(caught.value)
        other.answer = 200
        assert f"127.0.0.1:{other.port}: 200 OK" in await notifier.send(notice())


async def test_a_drill_says_so_in_its_labels() -> None:
    """So that a route of Alertmanager can tell it from what is real."""
    told = notice()
    labels = _alert(replace(told, message=replace(told.message, drill=True)), Severity.PAGE, BEGAN)["labels"]
    assert (labels["alertname"], labels["drill"]) == ("ProbeDrill", "true")
    assert "drill" not in _alert(told, Severity.PAGE, BEGAN)["labels"]
