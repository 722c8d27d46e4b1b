"""What is told to open pages: everything first, then what changed, once for all; and who is let go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from probe.errors import StoreUnavailable
from probe.view.documents import Overview
from probe.web import broadcast as module
from probe.web import live
from probe.web.broadcast import WAITING, Broadcast, Full
from tests.web.pages import samples
from tests.web.pages.conftest import SampleDesk, application


@dataclass
class World:
    """What there is to show; `looks` counts how often it was asked for."""

    shown: Overview = field(default_factory=samples.overview)
    trouble: Exception | None = None
    looks: int = 0

    async def make(self) -> Overview:
        self.looks += 1
        if self.trouble:
            raise self.trouble
        return self.shown


@asynccontextmanager
async def running(world: World, **more: Any) -> AsyncIterator[Broadcast]:
    told = Broadcast(world.make, **{"every": 0.001, "beat": 1000.0, **more})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(told.run(), name="broadcast")
        yield told
        task.cancel()


def read(message: bytes | None) -> tuple[str, Any]:
    assert message is not None
    event, data = message.decode().removesuffix("\n\n").split("\n")
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_everything_first_then_what_changed_and_the_same_bytes_for_all() -> None:
    world = World()
    async with running(world) as told:
        with told.listen() as one, told.listen() as two:
            everything = await one.get()
            event, data = read(everything)
            assert event == "all"
            assert await two.get() is everything
            assert set(data["cells"]) == {
                "buy",
                "search",
                "login",
                "front-page",
                "gift-card",
                "api-health",
                "api-stock",
            }
            assert set(data["parts"]) == {"headline", "incidents", "visitors", "objectives", "health", "recent"}
            later = samples.overview()
            later["targets"][0]["checks"][2] = samples.check(
                "login",
                "",
                2,
                "down",
                [
                    samples.cell("berlin", bars="ppf", state="failed"),
                    *samples.overview()["targets"][0]["checks"][2]["cells"][1:],
                ],
            )
            world.shown = later
            changed = await one.get()
            event, data = read(changed)
            assert event == "some"
            assert list(data["cells"]) == ["login"]
            assert list(data["cells"]["login"]) == ["0"]
            assert data["verdicts"] == {"login": "down"}
            assert set(data["parts"]) == {"headline"}
            assert await two.get() is changed
            with told.listen() as three:  # who comes later gets it as it is now
                event, data = read(three.get_nowait())
                assert event == "all"
                assert data["verdicts"]["login"] == "down"


async def test_nobody_looks_while_nobody_listens() -> None:
    world = World()
    async with running(world) as told:
        with told.listen() as queue:
            await queue.get()
        looks = world.looks
        await asyncio.sleep(0.05)  # fifty times as long as between two looks
        assert world.looks <= looks + 1


async def test_silence_is_told_too_and_trouble() -> None:
    world = World()
    async with running(world, beat=0.0) as told:
        with told.listen() as queue:
            assert read(await queue.get())[0] == "all"
            event, data = read(await queue.get())
            assert (event, data) == ("beat", {"now": samples.at(0), "alive": samples.at(3)})
            world.trouble = StoreUnavailable("the disk is full")
            while (said := read(await queue.get()))[0] == "beat":
                pass
            assert said == ("trouble", {"why": "the disk is full"})


async def test_a_bug_in_the_page_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    world = World(trouble=KeyError("a bug"))
    async with running(world) as told:
        with told.listen() as queue:
            while world.looks < 3:
                await asyncio.sleep(0)
            world.trouble = None
            assert read(await queue.get())[0] == "all"
    assert "the overview could not be made" in caplog.text


async def test_who_does_not_keep_up_is_let_go_and_the_others_are_not() -> None:
    world = World()
    async with running(world, beat=0.0) as told:
        with told.listen() as slow, told.listen() as quick:
            for _ in range(WAITING + 2):
                assert await quick.get() is not None
            assert told.listeners == 1
            assert slow.get_nowait() is None
            assert await quick.get() is not None


async def test_it_ends_at_once_even_for_a_queue_that_is_full() -> None:
    told = Broadcast(World().make)
    with told.listen() as queue, told.listen() as full:
        for _ in range(WAITING):
            full.put_nowait(b"")
        told.close()
        assert read(queue.get_nowait()) == ("bye", {"why": "stop"})
        assert queue.get_nowait() is None
        assert full.get_nowait() is None
    with told.listen() as late:
        assert late.get_nowait() is None


async def test_only_so_many_may_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    told = Broadcast(World().make)
    with told.listen():
        with pytest.raises(Full), told.listen():
            pass
        assert told.listeners == 1
    with told.listen():
        assert told.listeners == 1


@asynccontextmanager
async def served(may_see: live.MaySee) -> AsyncIterator[TestClient[Any, Any]]:
    app = application(SampleDesk(), live.routes())
    live.install(app, may_see)
    async with TestClient(TestServer(app), timeout=aiohttp.ClientTimeout(10)) as client:
        yield client


async def said(answer: aiohttp.ClientResponse) -> tuple[str, Any]:
    return read(await answer.content.readuntil(b"\n\n"))


async def test_over_http_until_the_session_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ASK_AGAIN", 0.0)
    asked = []

    async def may_see(_request: object) -> bool:
        asked.append(1)
        return False

    async with served(may_see) as client, client.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert await said(answer) == ("bye", {"why": "session"})
        assert await answer.content.read() == b""
        assert asked == [1]


async def test_over_http_who_comes_too_late_is_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)

    async def may_see(_request: object) -> bool:
        return True

    async with served(may_see) as client, client.get("/events") as first:
        assert (await said(first))[0] == "all"
        async with client.get("/events") as second:
            assert second.status == 503
            assert second.headers["Retry-After"] == "30"


async def test_a_stop_ends_all_streams() -> None:
    async def may_see(_request: object) -> bool:
        return True

    async with served(may_see) as client, client.get("/events") as answer:
        assert (await said(answer))[0] == "all"
        client.app[live.BROADCAST].close()
        assert await said(answer) == ("bye", {"why": "stop"})
        assert await answer.content.read() == b""
