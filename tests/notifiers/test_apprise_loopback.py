"""Apprise's other ways: mail with the screenshot in it, MQTT to a real broker, syslog over UDP; and its threads."""

import asyncio
import email
import email.policy
import shutil
import socket
import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from aiosmtpd.smtp import SMTP
from paho.mqtt.enums import CallbackAPIVersion

from probe.core.notification import Reason
from probe.core.secret import Redactor
from probe.errors import NotifyError, ProbeError
from probe.notifiers.apprise import MOST, AppriseNotifier
from tests.notifiers.receiver import channel, notice, receiving
from tests.notifiers.test_apprise_services import PNG, picture

pytestmark = pytest.mark.asyncio
__all__ = ["picture"]


class Mailbox:
    """Takes every mail, or refuses it with `status`."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.status = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return self.status


async def test_mail_with_the_screenshot(picture: str) -> None:
    """Title and words, the very bytes of the screenshot, the key in a header; a resolution is in the same conversation."""
    mailbox = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"mailto://127.0.0.1:{port}?from=probe@shop.example&to=ops@shop.example&mode=insecure"
    async with server:
        async with AppriseNotifier(channel("apprise", url), Redactor()) as mail:
            assert "Sent Email" in await mail.send(notice(picture=picture))
        async with AppriseNotifier(channel("apprise", url), Redactor()) as mail:
            await mail.send(notice(Reason.RESOLVED, number=2))
            mailbox.status = "451 greylisted, come again"
        async with AppriseNotifier(channel("apprise", url), Redactor()) as mail:
            with pytest.raises(NotifyError, match="greylisted") as caught:
                await mail.send(notice())
    opened, resolved, _ = mailbox.mails
    assert opened["Subject"] == "checkout is down: customers cannot pay"
    assert opened["To"] == "ops@shop.example"
    assert opened["X-Probe-Key"] == notice().key
    assert opened["References"] == resolved["References"] == "<01abc-shop@probe.invalid>"
    body = opened.get_body(("plain",))
    assert body is not None
    assert "Seen: 502" in body.get_content()
    [attached] = opened.iter_attachments()
    assert attached.get_content() == PNG
    assert not list(resolved.iter_attachments())
    assert not caught.value.permanent


async def test_mqtt(tmp_path: Path, free_port: int) -> None:
    """A subscriber of Debian's mosquitto gets the words; the plugin's thread ends with the notifier."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "mosquitto is missing: scripts/services.sh says how to get it"
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {free_port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    broker = await asyncio.create_subprocess_exec(
        program, "-c", str(settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        await listening(free_port)
        loop, came, subscribed = asyncio.get_running_loop(), asyncio.Queue[bytes](), asyncio.Event()
        reader = mqtt.Client(CallbackAPIVersion.VERSION2)

        def on_subscribe(*_: object) -> None:
            loop.call_soon_threadsafe(subscribed.set)

        def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            loop.call_soon_threadsafe(came.put_nowait, bytes(message.payload))

        reader.on_subscribe, reader.on_message = on_subscribe, on_message
        reader.connect("127.0.0.1", free_port)
        reader.loop_start()
        reader.subscribe("shop/alerts", qos=1)
        async with asyncio.timeout(10):
            await subscribed.wait()
            async with AppriseNotifier(
                channel("apprise", f"mqtt://127.0.0.1:{free_port}/shop/alerts?qos=1"), Redactor()
            ) as notifier:
                await notifier.send(notice())
            payload = await came.get()
        assert b"customers cannot pay" in payload
        clients = [thread for thread in threading.enumerate() if thread.name.startswith("paho-mqtt")]
        assert len(clients) == 1, "only the reader's"
        reader.disconnect()
        reader.loop_stop()
    finally:
        broker.terminate()
        await broker.communicate()


async def test_syslog() -> None:
    """One datagram, with a priority that says how bad it is."""
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[bytes] = asyncio.Queue()

    class Server(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            came.put_nowait(data)

    transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    async with AppriseNotifier(channel("apprise", f"rsyslog://127.0.0.1:{port}/daemon"), Redactor()) as syslog:
        await syslog.send(notice())
        await syslog.send(notice(Reason.RESOLVED))
    async with asyncio.timeout(5):
        bad, good = await came.get(), await came.get()
    transport.close()
    assert bad.startswith(b"<26>"), "daemon (3) * 8 + critical (2)"
    assert good.startswith((b"<29>", b"<30>")), "notice (5) or info (6)"
    assert b"customers cannot pay" in bad


async def test_a_service_that_hangs_costs_few_threads() -> None:
    """However many messages are sent to it, only so many wait there; the others are told that there was no answer."""
    async with receiving(answer="hang") as receiver:
        url = f"json://127.0.0.1:{receiver.port}?rto=30"
        before = threading.active_count()
        async with AppriseNotifier(channel("apprise", url, seconds=0.5), Redactor()) as notifier:
            for _ in range(2):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(failing(notifier, n), name=f"send {n}") for n in range(3 * MOST)]
                assert {task.result() for task in tasks} == {"no answer within 0.5 s"}
            assert threading.active_count() - before <= MOST + 1, "the one that opened it may be there still"
            assert len(receiver.got) == MOST


async def test_addressees_of_one_channel() -> None:
    """One of two that is gone does not disable the channel for the other."""
    async with receiving(answer=404) as receiver:
        url = f"mmost://127.0.0.1:{receiver.port}/aaaabbbbccccddddeeeeffff0000?channels=a,b"
        async with AppriseNotifier(channel("apprise", url), Redactor()) as notifier:
            with pytest.raises(NotifyError, match="error=404") as caught:
                await notifier.send(notice())
    assert not caught.value.permanent
    assert len(receiver.got) == 2


async def test_bugs_of_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a plugin raises: at opening the channel cannot be used, later the message is tried again; no URL shows."""
    settings = channel("apprise", "json://127.0.0.1:9/T0CANARY17")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("of all things: /T0CANARY17")

    async with AppriseNotifier(settings, Redactor()) as notifier:
        monkeypatch.setattr("apprise.Apprise.notify", broken)
        with pytest.raises(NotifyError, match=r"^RuntimeError: of all things: /\*\*\*$") as caught:
            await notifier.send(notice())
        assert not caught.value.permanent
    monkeypatch.setattr("apprise.Apprise.instantiate", broken)
    with pytest.raises(ProbeError, match=r"can use: of all things: /\*\*\*$"):
        await AppriseNotifier(settings, Redactor()).__aenter__()


async def failing(notifier: AppriseNotifier, number: int) -> str:
    with pytest.raises(NotifyError) as caught:
        await notifier.send(notice(number=number))
    return str(caught.value)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int) -> None:
    """Until somebody listens there."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
