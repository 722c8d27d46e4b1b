"""The webhook: what docs/webhook.md promises of the JSON, the signature and the answers."""

import re
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from probe.core.notification import Reason
from probe.core.secret import Redactor
from probe.errors import NotifyError
from probe.notifiers.post import LONGEST_WAIT, retry_after
from probe.notifiers.webhook import WebhookNotifier
from tests.net.servers import says, serving
from tests.notifiers.receiver import BEGAN, Receiver, channel, notice, receiving

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhook.md"
KEY = "a shared secret"


class At:
    """A clock that stands."""

    def now(self) -> datetime:
        return BEGAN


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as it:
        yield it


def opened(receiver: Receiver, key: str | None = KEY) -> WebhookNotifier:
    return at(receiver.port, key)


def at(port: int, key: str | None = None) -> WebhookNotifier:
    return WebhookNotifier(channel("webhook", f"http://127.0.0.1:{port}/hook?a=1", key=key), Redactor(), clock=At())


def documented(name: str) -> dict[str, Any]:
    """The Python example of the document that defines `name`, run."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    [block] = [block for block in blocks if f"def {name}(" in block]
    found: dict[str, Any] = {}
    exec(block, found)
    return found


def fields(title: str) -> set[str]:
    """The names in the first column of the table below a heading of the document."""
    section = DOCUMENT.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return {name for line in section.splitlines() for name in re.findall(r"^\| `(\w+)`", line)}


async def test_the_json(receiver: Receiver) -> None:
    """Every field is documented and every documented field is there, with these very values."""
    async with opened(receiver) as webhook:
        await webhook.send(
            notice(Reason.RESOLVED, number=2, picture="/var/lib/probe/a.png", evidence="5 of 7 runs failed")
        )
    [got] = receiver.got
    assert got.path == "/hook?a=1"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["User-Agent"].startswith("probe/")
    sent = got.json
    [inner] = sent.pop("notifications")
    assert sent == {
        "schema": 1,
        "key": "01abc-shop/2/phone",
        "channel": "phone",
        "title": "checkout is down: customers cannot pay",
        "body": "Since 03:00 UTC, from eu and us.\nStep: pay\nExpected: 200\nSeen: 502",
    }
    assert fields("The body") == {*sent, "notifications"}
    assert fields("A notification") == set(inner)
    assert inner == {
        "key": "01abc-shop/2/phone",
        "incident": "01abc-shop",
        "reason": "resolved",
        "drill": False,
        "evidence": "5 of 7 runs failed",
        "number": 2,
        "created": "2026-11-24T03:01:00.000Z",
        "title": sent["title"],
        "body": sent["body"],
        "verdict": "down",
        "severity": "page",
        "since": "2026-11-24T03:00:00.000Z",
        "resolved": "2026-11-24T03:09:00.000Z",
        "checks": ["checkout"],
        "targets": ["shop"],
        "regions": ["eu", "us"],
        "step": "pay",
        "cause": "shop.example",
        "expected": "200",
        "seen": "502",
        "reproduce": "probe check checkout --once",
        "page": "https://ops.example/probe/incidents/01abc-shop",
    }


async def test_a_digest_holds_each(receiver: Receiver) -> None:
    """Each of them keeps the key that it has when it is sent alone."""
    several = [notice(), notice(Reason.RESOLVED, number=2)]
    async with opened(receiver) as webhook:
        await webhook.send_digest(several)
    sent = receiver.got[0].json
    assert [inner["evidence"] for inner in sent["notifications"]] == [None, None]
    assert [inner["key"] for inner in sent["notifications"]] == [n.key for n in several]
    assert sent["key"] == receiver.got[0].headers["Idempotency-Key"]
    assert sent["title"] == "2 more: 1 opened, 1 resolved"


async def test_the_signature_as_documented(receiver: Receiver) -> None:
    """The document's own Python accepts what is sent, and nothing that was changed, nor an old one, nor another key."""
    genuine = documented("genuine")["genuine"]
    async with opened(receiver) as webhook:
        await webhook.send(notice())
    [got] = receiver.got
    header, now = got.headers["X-Probe-Signature"], BEGAN.timestamp()
    assert genuine(KEY, header, got.body, now)
    assert not genuine("another secret", header, got.body, now)
    assert not genuine(KEY, header, got.body + b" ", now)
    assert not genuine(KEY, header, got.body, now + 301)
    assert not genuine(KEY, header.replace("t=", "t=1"), got.body, now)
    assert not genuine(KEY, "", got.body, now)


async def test_no_key_no_signature(receiver: Receiver) -> None:
    """A channel without a key is not signed with an empty one."""
    async with opened(receiver, key=None) as webhook:
        await webhook.send(notice())
    assert "X-Probe-Signature" not in receiver.got[0].headers


@pytest.mark.parametrize(("status", "permanent"), [(301, True), (302, False), (307, False), (308, True)])
async def test_redirects_are_not_followed(receiver: Receiver, status: int, permanent: bool) -> None:
    """The error says where it leads, without what may be secret there."""
    receiver.answer, receiver.headers = status, {"Location": "https://u:pw@other.example/login?token=abc"}
    async with opened(receiver) as webhook:
        with pytest.raises(NotifyError) as caught:
            await webhook.send(notice())
    assert str(caught.value).endswith("; redirects are not followed (to https://other.example): set the final url")
    assert caught.value.permanent is permanent
    assert len(receiver.got) == 1


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (405, True), (422, True), (599, False)])
async def test_other_answers(receiver: Receiver, status: int, permanent: bool) -> None:
    """Below 500 it is for good, from there on not; the beginning of the text is told, on one line."""
    receiver.answer, receiver.text = status, lambda _: "no\n\x1b[2J" + "x" * 500
    async with opened(receiver) as webhook:
        with pytest.raises(NotifyError) as caught:
            await webhook.send(notice())
    assert caught.value.permanent is permanent
    _, _, said = str(caught.value).partition(": ")
    assert len(said) == 200
    assert said.startswith("no [2Jxxx")
    assert said.endswith("x…")


async def test_the_wait_that_is_asked_for(receiver: Receiver) -> None:
    """`Retry-After` is passed on."""
    receiver.answer, receiver.headers = 429, {"Retry-After": "90"}
    async with opened(receiver) as webhook:
        with pytest.raises(NotifyError) as caught:
            await webhook.send(notice())
    assert caught.value.retry_after == timedelta(seconds=90)


NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta()),
        ("9" * 400, LONGEST_WAIT),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), timedelta(seconds=30)),
        ("Tue, 24 Nov 2026 03:00:30 -0000", timedelta(seconds=30)),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), timedelta()),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), LONGEST_WAIT),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, wait: timedelta | None) -> None:
    """Seconds and dates; nonsense is nothing; nobody silences us for longer than an hour."""
    assert retry_after(value, NOW) == wait


@pytest.mark.parametrize("more", [{"abort": True}, {"stay": True}])
async def test_a_status_is_enough(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver said that it has it: that its text never comes changes nothing."""
    monkeypatch.setattr("probe.notifiers.post.BODY_SECONDS", 0.1)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    async with serving(says(head, **more)) as port, at(port) as webhook:
        assert (await webhook.send(notice())) == "200 OK"


async def test_names_are_looked_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the system; a name that is not found now may be found later."""
    settings = channel("webhook", f"http://localhost:{receiver.port}")
    async with WebhookNotifier(settings, Redactor()) as webhook:
        assert (await webhook.send(notice())).startswith("200 OK")

        def unknown(*_: object) -> None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(NotifyError, match="no answer: Cannot connect to host localhost") as caught:
            await webhook.send(notice())
        assert not caught.value.permanent


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_no_http(said: bytes) -> None:
    """What is no answer is tried again."""
    async with serving(says(said)) as port, at(port) as webhook:
        with pytest.raises(NotifyError, match=r"^no answer: ") as caught:
            await webhook.send(notice())
    assert not caught.value.permanent
