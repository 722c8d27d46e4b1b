"""Slack, PagerDuty, Opsgenie, Discord and Telegram, each spoken to by Apprise's own client, over TLS.

Their addresses are fixed in Apprise. So names lead to a server of ours, which has certificates for them; nothing else of
the client is touched: what arrives is what would arrive there.
"""

import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from probe.core.notification import Reason
from probe.core.secret import Redactor
from probe.errors import NotifyError
from probe.notifiers.apprise import AppriseNotifier
from tests.notifiers.receiver import Got, Receiver, channel, notice, receiving

pytestmark = pytest.mark.asyncio

NAMES = ("hooks.slack.com", "events.pagerduty.com", "api.opsgenie.com", "discord.com", "api.telegram.org")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
PAGERDUTY = "pagerduty://routing0key0of032characters0abcd@api0key0canary"
OPSGENIE = "opsgenie://a1b2c3d4-0000-4000-8000-123456789abc"
DISCORD = "discord://417429632418316298000000/JHZ7lQml277CDHmQKMHI8qBe7bk2ZwO5UKjCiOAF7711o33MyqU344Qpgv7YTpadV_js"
TELEGRAM = "tgram://123456789:AAF0canary0abcdefghijklmnopqrstuv0x/12315544/"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3


def answered(got: Got) -> str:
    """What each of them says to a message that it took."""
    if "/bot" in got.path:
        return '{"ok": true, "result": {"message_id": 1}}'
    return '{"result": "Request will be processed", "requestId": "43a29c5c"}' if "/v2/alerts" in got.path else "ok"


@pytest.fixture
async def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Receiver]:
    """All of them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    real = socket.getaddrinfo
    async with receiving(tls=context, text=answered) as receiver:

        def lookup(host: Any, port: Any, *more: Any, **named: Any) -> Any:
            return (
                real("127.0.0.1", receiver.port, *more, **named) if host in NAMES else real(host, port, *more, **named)
            )

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        yield receiver


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """A screenshot, in a place whose name would mean something in a URL."""
    path = tmp_path / "last step?a=1&b.png"
    path.write_bytes(PNG)
    return str(path)


def opened(url: str) -> AppriseNotifier:
    return AppriseNotifier(channel("apprise", url), Redactor())


async def test_slack(services: Receiver, picture: str) -> None:
    """The webhook's path, and the words; a screenshot, which a webhook cannot take, keeps nothing back."""
    async with opened(SLACK) as slack:
        answer = await slack.send(notice(picture=picture))
    [got] = services.got
    assert got.headers["Host"] == "hooks.slack.com"
    assert got.path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    said = str(got.json)
    assert "checkout is down: customers cannot pay" in said
    assert "Seen: 502" in said
    assert "Sent Slack notification" in answer
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in answer


async def test_pagerduty_keeps_one_incident(services: Receiver) -> None:
    """Opening, reminder and resolution carry one key; only the last resolves; each is sent without a pause."""
    services.answer = 202
    async with opened(PAGERDUTY) as pagerduty:
        for reason in (Reason.OPENED, Reason.REMINDER, Reason.RESOLVED):
            await pagerduty.send(notice(reason, incident="01abc-shop"))
    events = [got.json for got in services.got]
    assert {got.headers["Host"] + got.path for got in services.got} == {"events.pagerduty.com/v2/enqueue"}
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"01abc-shop"}
    assert events[0]["payload"]["severity"] == "critical"
    assert "customers cannot pay" in events[0]["payload"]["summary"]
    assert "images" not in events[0]


async def test_pagerduty_takes_a_digest_one_by_one(services: Receiver) -> None:
    """A digest would be an incident of its own there, which nothing ever resolves."""
    services.answer = 202
    async with opened(PAGERDUTY) as pagerduty:
        answer = await pagerduty.send_digest([notice(incident="a"), notice(Reason.RESOLVED, incident="b")])
    said = [(got.json["dedup_key"], got.json["event_action"]) for got in services.got]
    assert said == [("a", "trigger"), ("b", "resolve")]
    assert answer.count("Sent Pager Duty notification") == 1, "what is the same is said once"


@pytest.mark.parametrize("url", [PAGERDUTY, OPSGENIE, SLACK])
async def test_a_trial_leaves_nothing_open(services: Receiver, url: str) -> None:
    """`probe notify test` closes at once what it opens; to a service that opens nothing it is one message."""
    services.answer = 200 if url == SLACK else 202
    async with opened(url) as notifier:
        await notifier.send(notice(Reason.TEST, incident="test-1"))
    said = [f"{got.path} {got.json.get('event_action')} {got.json.get('dedup_key')}" for got in services.got]
    assert (url, said) in {
        PAGERDUTY: ["/v2/enqueue trigger test-1", "/v2/enqueue resolve test-1"],
        OPSGENIE: ["/v2/alerts None None", "/v2/alerts/test-1/close?identifierType=alias None None"],
        SLACK: ["/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ None None"],
    }.items()


async def test_a_long_message_is_cut(services: Receiver) -> None:
    """PagerDuty refuses more than 1024 characters; the alert matters more than its end."""
    services.answer = 202
    async with opened(PAGERDUTY) as pagerduty:
        await pagerduty.send(notice(body="x" * 5000))
    [got] = services.got
    assert 900 < len(got.json["payload"]["summary"]) <= 1024


async def test_opsgenie_closes_what_another_process_opened(services: Receiver) -> None:
    """The alias is the incident; the resolution closes by it, though this process has never seen the opening."""
    services.answer = 202
    async with opened(OPSGENIE) as opsgenie:
        await opsgenie.send(notice(incident="01abc/shop"))
    async with opened(OPSGENIE) as after_restart:
        await after_restart.send(notice(Reason.RESOLVED, incident="01abc/shop"))
        await after_restart.send(notice(incident="next"))
    opening, closing, other = services.got
    assert (opening.path, opening.json["alias"]) == ("/v2/alerts", "01abc/shop")
    assert closing.path == "/v2/alerts/01abc%2Fshop/close?identifierType=alias"
    assert (other.path, other.json["alias"]) == ("/v2/alerts", "next")


async def test_discord_shows_the_picture(services: Receiver, picture: str) -> None:
    """The words, then the screenshot's very bytes, to the webhook's path."""
    async with opened(DISCORD) as discord:
        await discord.send(notice(picture=picture))
    words, file = services.got
    assert words.path.startswith(
        "/api/webhooks/417429632418316298000000/JHZ7lQml277CDHmQKMHI8qBe7bk2ZwO5UKjCiOAF7711o33"
    )
    assert "customers cannot pay" in str(words.json)
    assert file.headers["Content-Type"].startswith("multipart/form-data")
    assert PNG in file.body


async def test_telegram_shows_the_picture(services: Receiver, picture: str) -> None:
    """The bot's path, the chat, and the screenshot's very bytes with the words as its caption; long words by themselves."""
    async with opened(TELEGRAM) as telegram:
        await telegram.send(notice(picture=picture))
        await telegram.send(notice(picture=picture, body="customers cannot pay, " * 99))
    base = "/bot123456789:AAF0canary0abcdefghijklmnopqrstuv0x"
    assert [got.path.removeprefix(base) for got in services.got] == ["/sendPhoto", "/sendMessage", "/sendPhoto"]
    short, words, file = services.got
    for part in (PNG, b"12315544", b"Expected: 200"):
        assert part in short.body
    assert PNG in file.body
    assert words.json["chat_id"] == 12315544
    assert words.json["text"].count("customers cannot pay") == 100


@pytest.mark.parametrize("url", [SLACK, PAGERDUTY, OPSGENIE, DISCORD, TELEGRAM])
async def test_a_picture_that_is_gone(services: Receiver, url: str, tmp_path: Path) -> None:
    """Evidence may have been tidied away: the words are sent all the same."""
    services.answer = 202 if url in {PAGERDUTY, OPSGENIE} else 200
    async with opened(url) as notifier:
        await notifier.send(notice(picture=str(tmp_path / "gone.png")))
    assert len(services.got) == 1


@pytest.mark.parametrize("url", [SLACK, PAGERDUTY, OPSGENIE, DISCORD, TELEGRAM])
async def test_what_they_refuse(services: Receiver, url: str) -> None:
    """A revoked token is for good and comes with the service's own words; trouble of theirs is not; no token is shown."""
    services.text = lambda got: f"no such place: {got.path} {got.headers}"
    found = []
    for services.answer in (404, 500):
        async with opened(url) as notifier:
            with pytest.raises(NotifyError) as caught:
                await notifier.send(notice())
        found.append(caught.value)
    assert [error.permanent for error in found] == [True, False]
    for secret in ("TIiajkdnlazkcOXrIdevi7FQ", "api0key0canary", "a1b2c3d4-0000", "JHZ7lQml277", "AAF0canary0abcdef"):
        assert secret not in f"{found} {found[0]} {found[1]}"
    assert "error=404" in str(found[0])


async def test_a_picture_that_is_refused(services: Receiver, picture: str) -> None:
    """Too large for the service: the message is sent again, at once, without it."""

    def refuse(got: Got) -> str:
        services.answer = 413 if PNG in got.body else 200
        return answered(got)

    services.text = refuse
    async with opened(DISCORD) as discord:
        answer = await discord.send(notice(picture=picture))
    assert "Sent Discord notification" in answer
    assert [PNG in got.body for got in services.got] == [False, True, False]
