"""A configuration that changes under a running daemon: what is new begins, what is gone ends, what is unchanged goes on."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from probe.web.place import SOCKET
from tests.daemon.scene import Scene, check, echo, gaps, manager, scene
from tests.web.daemon import unix_sockets_allowed

DOWN = "127.0.0.1"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as found:
        yield found


async def test_what_is_unchanged_goes_on(place: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """By signal: a check that is new starts, one that is gone goes, an unchanged one keeps its numbers and its state.

    What is told next goes to the channel's new address. A secret that came with the reload is masked at once.
    """
    monkeypatch.setenv("CANARY", "newCANARYzzz")
    place.shop.says = echo
    kept = check("kept")
    place.configure(kept, check("gone", "stock"), place.channel("team", path="before"))
    place.shop.broken.add("kept")
    with manager() as (heard, name):
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        await place.up()
        await place.wait(lambda: place.told() == [("opened", DOWN)], "the opening")
        assert "CANARY" not in place.daemon.config.read_text()
        place.configure(
            kept,
            check("fresh", "stock", more='expect = { json = { "$.token" = "none" } }'),
            place.channel("team", path="after"),
            probe='log_level = "debug"\ngrace = "7s"',
            headers='headers = { x-access = "${env:CANARY}" }',
        )
        place.daemon.signal(signal.SIGHUP)
        await place.wait(lambda: "READY=1" in heard.after("RELOADING=1"), "RELOADING=1, then READY=1")
    assert place.logged("reloaded")[0]["jobs"] == 2
    assert [line["event"] for line in place.logged("takes effect at the next start")] == [
        "a change of grace takes effect at the next start"
    ]
    fails = await place.wait(lambda: place.logged("a check begins to fail")[1:], "the new check runs")
    assert (fails[0]["check"], fails[0]["reason"].count("***")) == ("fresh", 2)
    (place.folder / "loud.py").write_text('import os\n\nraise RuntimeError(os.environ["CANARY"])\n')
    place.configure(kept, place.channel("team"), probe='checks = ["loud.py"]')
    answer = await place.ask("POST", "/reload")
    (line,) = place.logged("the old one stays")
    assert "RuntimeError: ***" in line["event"]
    assert "RuntimeError: ***" in str(answer["diagnostics"])
    gone = await place.slots("gone")
    kept_before = await place.slots("kept")
    place.shop.broken.clear()
    await place.wait(lambda: ("resolved", DOWN) in place.told(), "the resolution")
    assert await place.daemon.stop() == 0
    assert place.told("before") == [("opened", DOWN)]
    assert ("resolved", DOWN) in place.told("after")
    assert ("opened", DOWN) not in place.told("after")
    slots = await place.slots("kept")
    assert not gaps(slots)
    assert slots[0][0] == 0
    assert len(slots) > len(kept_before)
    assert len(await place.slots("gone")) == len(gone), "it goes"
    assert (await place.slots("fresh"))[0][0] == 0
    assert "CANARY" not in place.daemon.log.read_text()


async def test_what_is_wrong_changes_nothing(place: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """By signal and by request: an invalid file leaves the old configuration in use, and the log, the status and
    whoever asked say what is wrong. Whoever asks and does not wait gets a whole reload nevertheless, and so does a stop
    in the middle of one."""
    place.configure(check("home"))
    with manager() as (heard, name):
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        await place.up()
        before = await place.ask("GET", "/status")
        assert before["reload"] == {"at": None, "ok": True, "error": ""}
        place.configure(check("home", target="shpo"))
        place.daemon.signal(signal.SIGHUP)
        await place.wait(lambda: "READY=1" in heard.after("RELOADING=1"), "RELOADING=1, then READY=1")
    (line,) = place.logged("the new configuration cannot be used, the old one stays")
    assert line["level"] == "error"
    assert "there is no target 'shpo'" in line["event"]
    status = await place.ask("GET", "/status")
    assert status["config"] == before["config"]
    assert status["reload"]["at"] is not None
    assert status["reload"]["ok"] is False
    assert "there is no target 'shpo'; did you mean 'shop'?" in status["reload"]["error"]
    hits = place.shop.hits["home"]
    await place.wait(lambda: place.shop.hits["home"] >= hits + 2, "it works on")
    assert await place.page("/healthz") == (200, "ok; the last reload was refused, the old configuration is in use")

    answer = await place.ask("POST", "/reload")
    assert answer["ok"] is False
    assert [found["what"] for found in answer["diagnostics"]] == ["there is no target 'shpo'"]

    (place.folder / "more.py").write_text(
        'import time\n\nfrom probe import check\n\ntime.sleep(0.5)\n\n\n@check(every="1m", timeout="5s", target="shop")\n'
        'async def more(t):\n    async with t.step("home"):\n        await t.http.get("/more")\n'
    )
    place.configure(check("home"), probe='checks = ["more.py"]')
    with unix_sockets_allowed():
        _, writer = await asyncio.open_unix_connection(place.data / SOCKET)
    writer.write(b"POST /reload HTTP/1.1\r\nHost: probe\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.2)  # it has begun, and has not ended
    assert not place.logged("reloaded")
    writer.close()
    await place.wait(lambda: place.logged("reloaded"), "the reload goes on without the one who asked")
    status = await place.ask("GET", "/status")
    assert (status["reload"]["ok"], status["reload"]["error"], status["jobs"]) == (True, "", 2)
    assert status["config"]["hash"] != before["config"]["hash"]
    assert await place.page("/healthz") == (200, "ok")
    place.daemon.signal(signal.SIGHUP)
    await asyncio.sleep(0.2)  # as above
    assert await place.daemon.stop() == 0
    assert len(place.logged("reloaded")) == 2
    assert "Traceback" not in place.daemon.log.read_text()
    assert not gaps(await place.slots("home"))
