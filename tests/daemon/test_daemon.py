"""The whole daemon, as a process of its own: it starts, works, tells, is stopped and killed, and goes on where it was."""

import asyncio
import signal
import sqlite3
import sys
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from probe.cli.control import Refused
from probe.store.settings import DATABASE
from tests.daemon.scene import HOSTS, LONG, SECOND, Scene, check, echo, gaps, manager, scene

DOWN, STOCK, MAIL = CAUSES = tuple(HOSTS.values())


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as found:
        yield found


def micros(moment: float) -> int:
    return round(moment * SECOND)


async def refused(config: Path) -> tuple[int | None, str]:
    """Exit code and text of a daemon that cannot be started."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "probe", "run", "--config", str(config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(LONG):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_from_the_start_to_the_stop(place: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager hears READY when /readyz is 200, a status and a watchdog's food; STOPPING at SIGTERM, then exit 0.

    A run that ends within the grace has ended, one that hangs is aborted; every slot until the stop has its row.
    """
    place.configure(check("home"), check("slow", every="20s"), probe='grace = "1s"')
    place.shop.hanging.add("slow")
    with manager() as (heard, name):
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        await place.daemon.start()
        await place.wait(lambda: "READY=1" in heard.listen(), "READY=1")
        assert await place.page("/readyz") == (200, "ok")
        assert heard.listen().index("READY=1") == 0
        assert heard.listen()[1] == "STATUS=2 jobs, 0 incidents open"
        await place.wait(lambda: heard.listen().count("WATCHDOG=1") >= 3, "the watchdog is fed")
        assert await place.page("/healthz") == (200, "ok")
        await place.ask("POST", "/run", {"check": "slow"})
        await place.wait(lambda: place.shop.hits["slow"], "a run hangs")
        await place.wait(lambda: place.shop.hits["home"] >= 2, "others go on meanwhile")
        signalled = time.time()
        place.daemon.signal(signal.SIGTERM)
        await place.wait(lambda: "STOPPING=1" in heard.listen(), "STOPPING=1")
        assert await place.ended() == 0
        assert heard.listen().count("READY=1") == 1
    assert not gaps(slots := await place.slots("home"))
    assert slots[0][0] == 0
    assert slots[-1][1] + SECOND > micros(signalled), "every slot that was due until the stop"
    assert {outcome for *_, outcome in slots[:2]} == {"passed"}
    assert ("aborted", "manual") in await place.rows(
        "SELECT outcome, why FROM runs JOIN places ON places.id = runs.place WHERE check_id = 'slow'"
    )
    assert place.logged("stopped")


async def test_the_second_signal_ends_it_at_once(place: Scene) -> None:
    """Whoever signals twice does not wait for the grace, nor for a run that hangs. Nothing is reloaded meanwhile."""
    place.configure(check("slow", every="1m"), probe='grace = "60s"')
    place.shop.hanging.add("slow")
    await place.up()
    await place.ask("POST", "/run", {"check": "slow"})
    await place.wait(lambda: place.shop.hits["slow"], "a run hangs")
    place.daemon.signal(signal.SIGTERM)
    await place.wait(lambda: place.logged("stopping"), "it stops")
    assert await place.page("/readyz") == (503, "it is starting or stopping")
    with pytest.raises(Refused, match="it is stopping"):
        await place.ask("POST", "/reload")
    assert await place.daemon.end(signal.SIGTERM, within=LONG) == 128 + signal.SIGTERM


async def test_restarts_repeat_nothing_and_forget_nothing(place: Scene) -> None:
    """An outage is told once over a stop and a start. When it ends while we are down, killed, that is told after the
    start, once, to whoever was told of it, with the time of the first good run.

    What was in progress when it was killed is `aborted`, what came due while it was down is `missed`.
    """
    routes = [f'[[route]]\nchannels = ["{n}"]\nseverity = "{s}"\n' for n, s in (("team", "page"), ("desk", "ticket"))]
    slow = check("slow", "stock", every="2s")
    place.configure(check("home"), slow, place.channel("team"), place.channel("desk"), *routes)
    place.shop.broken.add("home")
    await place.up()
    await place.wait(place.notices, "the opening")
    await place.wait(lambda: place.slots("slow"), "a run that passed")
    assert await place.daemon.stop() == 0
    known = len(await place.slots("home"))
    place.shop.hanging.add("slow")
    await place.up()
    hung = place.shop.hits["slow"]
    await place.wait(lambda: _longer(place, known + 3), "runs after the restart")
    await place.wait(lambda: place.shop.hits["slow"] > hung, "a run hangs")
    begun = micros(time.time())
    await place.wait(
        lambda: place.rows("SELECT 1 FROM meta WHERE key = 'alive' AND value > ?", begun), "a sign of life after that"
    )
    await place.daemon.kill()
    slows, homes = await place.slots("slow"), await place.slots("home")
    place.shop.broken.clear()
    place.shop.hanging.clear()
    healed = time.time()
    await place.up()
    await place.wait(lambda: len(place.notices()) > 1, "the resolution")
    await place.wait(lambda: _all_settled(place), "it is known to be told")
    assert await place.daemon.stop() == 0

    assert place.told("team") == [("opened", DOWN), ("resolved", DOWN)]
    assert place.notices("desk") == []
    opened, over = place.notices()
    assert opened["incident"] == over["incident"]
    ((first,),) = await place.rows(
        "SELECT min(started) FROM runs JOIN places ON places.id = place WHERE outcome = 'passed' AND check_id = 'home'"
    )
    resolved = datetime.fromisoformat(over["resolved"])
    assert micros(resolved.timestamp()) == first // 1000 * 1000
    assert resolved.timestamp() > healed

    after = [outcome for *_, outcome in (await place.slots("slow"))[len(slows) :]]
    assert after[0] == "aborted"
    missed = [outcome for *_, outcome in (await place.slots("home"))[len(homes) :]]
    assert "missed" in missed[:2]
    assert not gaps(await place.slots("home"))
    assert not gaps(await place.slots("slow"), 2)
    assert homes[0][0] == slows[0][0] == 0


async def _longer(place: Scene, count: int) -> bool:
    return len(await place.slots("home")) >= count


async def _all_settled(place: Scene) -> bool:
    return await place.rows("SELECT count(*) - count(settled) FROM outbox") == [(0,)]


async def test_what_it_cannot_use_is_said(place: Scene) -> None:
    """A second daemon on a folder, or on a port, exits with 3 and says why. A channel with a URL that is of no use does
    not keep it from starting: the log says so, and the other channel does as soon as there is something to say."""
    broken = '[channels.broken]\nurl = "nosuchservice://token"\n'
    place.configure(check("home"), place.channel("team"), broken)
    await place.up()
    other = place.folder / "other.toml"
    taken = place.address().removeprefix("http://")
    text = place.daemon.config.read_text().replace('data = "data"', 'data = "elsewhere"')
    other.write_text(text.replace("127.0.0.1:0", taken))
    async with asyncio.TaskGroup() as group:
        on_folder = group.create_task(refused(place.daemon.config), name="on the same folder")
        on_port = group.create_task(refused(other), name="on the same port")
    for code, said in (on_folder.result(), on_port.result()):
        assert code == 3
        assert "Traceback" not in said
    assert f"{place.data} is in use by another probe, process {place.daemon.pid}" in on_folder.result()[1]
    assert f"cannot listen on {taken}: Address already in use" in on_port.result()[1]
    (line,) = place.logged("channel broken cannot be used")
    assert line["level"] == "error"
    assert place.notices() == [], "it has had nothing to say"
    place.shop.broken.add("home")
    await place.wait(lambda: len(place.notices()) == 2, "the outage, and that a channel is disabled")
    assert sorted(place.told("team")) == [("opened", DOWN), ("opened", "channel:broken")]
    assert "token" not in str(place.notices())
    status = await place.ask("GET", "/status")
    assert status["channels"]["broken"]["disabled"]
    assert status["channels"]["team"] == {"pending": 0, "disabled": None}


async def test_alerts_go_on_while_the_database_is_locked(place: Scene) -> None:
    """Another program holds the database: runs and alerts go on, it is healthy for a while, and no row is lost."""
    place.configure(check("home"), place.channel("team"))
    await place.up()
    await place.wait(lambda: _longer(place, 1), "it works")
    with closing(sqlite3.connect(place.data / DATABASE, timeout=5, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE").close()
        held = len(await place.slots("home"))
        place.shop.broken.add("home")
        await place.wait(lambda: place.notices("team"), "an alert from memory")
        assert len(await place.slots("home")) == held, "the database is locked indeed"
        assert place.logged("the store is not written, alerts go on from memory")
        assert await place.page("/healthz") == (200, "ok")
        status = await place.ask("GET", "/status")
        assert "is locked by another program" in status["recorder"]["trouble"]
        hits = place.shop.hits["home"]
        await place.wait(lambda: place.shop.hits["home"] >= hits + 2, "probing goes on")
    await place.wait(lambda: place.logged("the store is written again"), "writing goes on")
    assert await place.daemon.stop() == 0
    slots = await place.slots("home")
    assert not gaps(slots)
    assert slots[0][0] == 0
    assert {outcome for *_, outcome in slots[held + 3 :]} <= {"failed", "aborted"}
    (notice,) = place.notices()
    assert await place.rows("SELECT reason, fate FROM outbox WHERE key = ?", notice["key"]) == [("opened", "sent")]


async def test_the_log_tells_of_transitions_and_shows_no_secret(place: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of a run say which, those of an incident say which; what passes says nothing. No secret comes out anywhere,
    though the shop repeats it in its answers, and the channel's address holds one."""
    access, address = "accessCANARYzzz1", "addressCANARYzzz2"
    monkeypatch.setenv("CANARY", access)
    place.shop.says = echo
    place.configure(
        check("home", more='expect = { json = { "$.token" = "none" } }'),
        check("fine"),
        place.channel("team", path=f"team/{address}"),
        headers='headers = { x-access = "${env:CANARY}" }\nsecrets = { key = "${env:CANARY}" }',
    )
    await place.up()
    await place.wait(lambda: place.notices(f"team/{address}"), "the opening")
    await place.ask("POST", "/run", {"check": "home"})
    place.shop.says = lambda _request: '{"token": "none"}'
    await place.wait(lambda: len(place.notices()) > 1, "the resolution")
    assert await place.daemon.stop() == 0

    (begins,) = place.logged("a check begins to fail")
    assert (begins["check"], begins["region"], begins["level"]) == ("home", "local", "warning")
    assert "***" in begins["reason"]
    assert await place.rows("SELECT outcome FROM runs WHERE id = ?", begins["run"]) == [("failed",)]
    (opened,) = place.logged("incident opened")
    (resolved,) = place.logged("incident resolved")
    incident = place.notices()[0]["incident"]
    assert (opened["incident"], opened["check"], opened["region"], opened["cause"]) == (incident, "home", "local", DOWN)
    assert (opened["level"], resolved["level"], resolved["incident"]) == ("warning", "info", incident)
    assert place.shop.hits["fine"] >= 3
    assert "fine" not in str(place.lines()), "what passes is not told"

    stored = b"".join(zlib.decompress(body) for (body,) in await place.rows("SELECT body FROM details"))
    stored += b"".join(file.read_bytes() for file in place.data.rglob("*") if file.is_file())
    shown = {
        "the data folder": stored.decode(errors="replace"),
        "the log": place.daemon.log.read_text(),
        "what came on the channel": str([arrival.body for arrival in place.inbox.arrivals]),
    }
    assert "token" in shown["the data folder"], "it was looked at"
    assert [where for where, text in shown.items() if "CANARY" in text] == []


async def test_what_is_expected_is_not_told(place: Scene) -> None:
    """In a maintenance window an outage is judged as ever, and nobody is told. What is over when the window ends was
    never said; what is not is said then."""

    def window(start: datetime, duration: str) -> str:
        return f'[[maintenance]]\nname = "release"\nstart = {start.isoformat()}\nduration = "{duration}"\n'

    tables = (check("home"), check("stock", "stock"), place.channel("team"))
    place.configure(*tables, window(datetime.now(UTC) - timedelta(minutes=1), "1h"))
    place.shop.broken |= {"home", "stock"}
    await place.up()

    async def open_causes() -> list[str]:
        return [cause for (cause,) in await place.rows("SELECT cause FROM incidents WHERE resolved IS NULL")]

    async def both_open() -> bool:
        return len(await open_causes()) == 2

    await place.wait(both_open, "both incidents in the database")
    place.shop.broken.remove("stock")
    withdrawn = "SELECT reason FROM outbox WHERE incident IN (SELECT id FROM incidents WHERE cause = ?) AND fate = ?"

    async def nothing_left() -> bool:
        return len(await place.rows(withdrawn, STOCK, "withdrawn")) == 2

    await place.wait(nothing_left, "what was over is withdrawn")
    assert await open_causes() == [DOWN]
    assert place.notices() == []
    end = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    place.configure(*tables, window(end - timedelta(hours=1), "1h"))
    assert (await place.ask("POST", "/reload"))["ok"]
    await place.wait(place.notices, "the outage that goes on")
    assert datetime.now(UTC) >= end
    assert place.told() == [("opened", DOWN)]
    place.shop.broken.clear()
    await place.wait(lambda: len(place.notices()) > 1, "its end")
    assert place.told() == [("opened", DOWN), ("resolved", DOWN)]
    marked = await place.rows(
        "SELECT DISTINCT maintenance FROM runs WHERE outcome = 'failed' AND due < ?", micros(end.timestamp())
    )
    assert marked == [("release",)]


async def test_acknowledged_muted_escalated(place: Scene) -> None:
    """Others are told of what nobody acknowledges, not of what somebody did; nothing comes of what is muted until it is
    not any more."""
    route = '[[route]]\nchannels = ["team"]\nescalate = { after = "3s", channels = ["boss"] }\n'
    checks = [check(name, name) for name in ("shop", "stock", "mail")]
    place.configure(*checks, place.channel("team"), place.channel("boss"), route)
    await place.up()
    place.shop.broken |= {"stock", "mail"}
    await place.wait(lambda: len(place.notices("team")) == 2, "two openings")
    incidents = {notice["cause"]: notice["incident"] for notice in place.notices("team")}
    for cause in (STOCK, MAIL):
        await place.ask("POST", f"/incidents/{incidents[cause]}/ack", {"by": "ada"})
    muted, begun = timedelta(seconds=6), time.monotonic()
    until = (datetime.now(UTC) + muted).isoformat()
    await place.ask("POST", f"/incidents/{incidents[MAIL]}/mute", {"by": "ada", "until": until})
    place.shop.broken.remove("mail")
    place.shop.broken.add("shop")
    await place.wait(lambda: place.notices("boss"), "the escalation")
    place.shop.broken.clear()
    await place.wait(lambda: len(place.notices("team")) == 6, "all is over")
    assert place.told("boss") == [("escalated", DOWN), ("resolved", DOWN)]
    assert sorted(place.told("team")) == sorted(
        (reason, cause) for reason in ("opened", "resolved") for cause in CAUSES
    )
    late = next(a for a in place.inbox.arrivals if ("resolved", MAIL) in [(n["reason"], n["cause"]) for n in a.notices])
    assert late.at - begun >= muted.total_seconds()
    await place.wait(lambda: _all_settled(place), "it is known to be told")
    assert await place.rows("SELECT DISTINCT fate FROM outbox") == [("sent",)]
