"""The outgoing ping, against a real server, in short intervals."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import web

from probe.core.secret import Secret
from probe.heartbeat import heartbeat

OFTEN = timedelta(milliseconds=5)
SECRET = "c4naryc4nary"


@dataclass
class Service:
    """What expects our pings. `answer` is the status it gives, `None`: it gives none."""

    answer: int | None = 200
    seen: list[str] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)
    url: str = ""

    async def ping(self, request: web.Request) -> web.Response:
        async with self.came:
            self.seen.append(f"{request.method} {request.path_qs}")
            self.came.notify_all()
        if self.answer is None:
            await asyncio.Event().wait()
        headers = {"location": "/elsewhere"} if self.answer == 302 else {}
        return web.Response(status=self.answer or 200, headers=headers)

    async def more(self, count: int) -> None:
        """Wait for `count` more pings."""
        until = len(self.seen) + count
        async with asyncio.timeout(10), self.came:
            await self.came.wait_for(lambda: len(self.seen) >= until)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.ping)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://localhost:{runner.addresses[0][1]}/ping/{SECRET}"
    yield made
    await runner.cleanup()
    await asyncio.sleep(0)


@asynccontextmanager
async def beating(
    url: str, healthy: Callable[[], bool] = lambda: True, within: timedelta = timedelta(seconds=10)
) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(heartbeat(Secret(url), OFTEN, healthy, within=within), name="heartbeat")
        yield
        task.cancel()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "probe.heartbeat"]


async def test_it_is_sent_again_and_again(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """GET, at once and then each interval; and nothing is said about it."""
    caplog.set_level(logging.DEBUG)
    async with beating(service.url):
        await service.more(3)
    assert set(service.seen) == {f"GET /ping/{SECRET}"}
    assert lines(caplog) == []


async def test_only_while_healthy(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """An unhealthy daemon falls silent, says so once, and comes back."""
    asked, well = asyncio.Semaphore(0), False

    def healthy() -> bool:
        asked.release()
        return well

    caplog.set_level(logging.INFO)
    async with beating(service.url, healthy):
        for _ in range(5):
            await asyncio.wait_for(asked.acquire(), 10)
        assert service.seen == []
        well = True
        await service.more(2)
    assert lines(caplog) == ["the heartbeat is not sent: we are not healthy", "the heartbeat is sent again"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [(500, "answered 500"), (404, "answered 404"), (302, "answered 302"), (None, "no answer within")],
)
async def test_trouble_is_told_once(
    service: Service, caplog: pytest.LogCaptureFixture, answer: int | None, said: str
) -> None:
    """However often it fails: one line when it begins, one when it is over, and never the address. No redirect is followed."""
    caplog.set_level(logging.INFO)
    service.answer = answer
    async with beating(service.url, within=timedelta(milliseconds=20 if answer is None else 10_000)):
        await service.more(4)
        service.answer = 200
        await service.more(3)
    first, second = lines(caplog)
    assert said in first
    assert second == "the heartbeat is sent again"
    assert SECRET not in caplog.text
    assert "GET /elsewhere" not in service.seen


@pytest.mark.parametrize(
    "url", [f"http://127.0.0.1:1/{SECRET}", f"http://{SECRET}.invalid./x", f"{SECRET}://x", f"http://[{SECRET}"]
)
async def test_an_address_that_leads_nowhere(caplog: pytest.LogCaptureFixture, url: str) -> None:
    """Refused, no such name, no such scheme, no address at all: told without the address, and never raised."""
    asked = asyncio.Event()

    def healthy() -> bool:
        if lines(caplog):
            asked.set()
        return True

    async with beating(url, healthy), asyncio.timeout(10):
        await asked.wait()
    assert len(lines(caplog)) == 1
    assert SECRET not in caplog.text
