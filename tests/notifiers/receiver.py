"""What the tests of notifiers send, and a real server that takes it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from probe.core.incident import IncidentId, Verdict
from probe.core.notification import Message, Notification, Reason
from probe.core.rules import Severity
from probe.core.secret import Secret
from probe.ports import ChannelSettings

BEGAN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def notice(
    reason: Reason = Reason.OPENED, *, incident: str = "01abc-shop", number: int = 1, **words: Any
) -> Notification:
    """A notification of the shop being down, or up again."""
    resolved = BEGAN + timedelta(minutes=9) if reason is Reason.RESOLVED else None
    return Notification(
        key=f"{incident}/{number}/phone",
        channel="phone",
        incident=IncidentId(incident),
        reason=reason,
        number=number,
        created=BEGAN + timedelta(minutes=1),
        message=Message(
            **{
                "title": "checkout is down: customers cannot pay",
                "body": "Since 03:00 UTC, from eu and us.\nStep: pay\nExpected: 200\nSeen: 502",
                "verdict": Verdict.DOWN,
                "severity": Severity.PAGE,
                "since": BEGAN,
                "resolved": resolved,
                "checks": ("checkout",),
                "targets": ("shop",),
                "regions": ("eu", "us"),
                "step": "pay",
                "cause": "shop.example",
                "expected": "200",
                "seen": "502",
                "reproduce": "probe check checkout --once",
                "page": "https://ops.example/probe/incidents/01abc-shop",
                **words,
            }
        ),
    )


def channel(kind: str, *urls: str, key: str | None = None, seconds: float = 5.0) -> ChannelSettings:
    """Where it goes."""
    return ChannelSettings(
        name="phone",
        kind=kind,
        urls=tuple(map(Secret, urls)),
        key=None if key is None else Secret(key),
        timeout=timedelta(seconds=seconds),
    )


@dataclass
class Got:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """A server that notes every request and answers as told: a status, `hang`, or `drop` the connection."""

    port: int = 0
    answer: int | str = 200
    text: Callable[[Got], str] = lambda _: "thank you"
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody hung up on a request that hangs."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note, then answer."""
        got = Got(request.method, request.path_qs, dict(request.headers), await request.read())
        self.got.append(got)
        self.came.set()
        if self.answer == "hang":
            try:
                await asyncio.Event().wait()
            finally:
                self.gone.set()
        if self.answer == "drop":
            assert request.transport is not None
            request.transport.abort()
        text = self.text(got)  # may choose the status
        status = self.answer if isinstance(self.answer, int) else 200
        return web.Response(status=status, text=text, headers=self.headers)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None, **given: Any) -> AsyncIterator[Receiver]:
    """A `Receiver` on a free port of loopback."""
    receiver = Receiver(**given)
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()
