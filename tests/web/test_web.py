"""The daemon's doors over real sockets: TCP for health, a unix socket for control."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from probe.cli.control import NoDaemon, Refused, ask
from probe.config.settings import Config
from probe.core.access import Access
from probe.core.check import CheckId
from probe.core.diagnostic import Diagnostic, Severity
from probe.engine.runner import SystemClock
from probe.errors import ProbeError, StoreUnavailable
from probe.shown import open_shown
from probe.web.access.links import Links
from probe.web.ports import Daemon
from probe.web.serve import serve_control, serve_pages
from tests.web.daemon import CANARY, TOKENS, FakeDaemon


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def pages(daemon: FakeDaemon, folder: Path, listen: tuple[str, int]) -> AbstractAsyncContextManager[str]:
    """The pages of a daemon that has stored nothing yet."""
    config = Config(path=folder / "config.toml", data=folder)
    return serve_pages(daemon, Links(), partial(open_shown, config), listen, SystemClock())


async def page(
    session: aiohttp.ClientSession, address: str, path: str, accept: str = "*/*", method: str = "GET", token: str = ""
) -> tuple[int, str]:
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with session.request(method, f"http://{address}{path}", headers=headers) as answer:
        return answer.status, await answer.text()


async def control(folder: Path, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """As a command asks, while the loop turns."""
    return await asyncio.to_thread(ask, folder, method, path, body)


def test_the_double_is_a_daemon() -> None:
    """What the tests serve has the shape that the real one must have."""
    daemon: Daemon = FakeDaemon()
    assert daemon.ready()


async def test_what_is_no_http_fills_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may send it, as often as they like."""
    async with pages(FakeDaemon(), tmp_path, ("127.0.0.1", 0)) as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"NO HTTP\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
    assert caplog.records == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_health(session: aiohttp.ClientSession, tmp_path: Path, host: str) -> None:
    """200 while it works, 503 with the reason while it does not; text for people, JSON for who accepts it."""
    daemon = FakeDaemon()
    async with pages(daemon, tmp_path, (host, 0)) as address:
        assert await page(session, address, "/healthz") == (200, "ok\n")
        assert await page(session, address, "/readyz") == (200, "ok\n")
        assert await page(session, address, "/healthz", method="HEAD") == (200, "")
        daemon.worry = "the last reload was refused"
        assert (await page(session, address, "/metrics"))[0] == 401
        assert await page(session, address, "/metrics", token=TOKENS[Access.VIEWER]) == (
            200,
            "# TYPE probe_config_last_reload_successful gauge\nprobe_config_last_reload_successful 0\n"
            "# TYPE probe_jobs gauge\nprobe_jobs 40\n",
        )
        assert await page(session, address, "/healthz") == (200, "ok; the last reload was refused\n")
        daemon.worry = None
        daemon.reason, daemon.up = "nothing was written for 41 s: the disk is full", False
        assert await page(session, address, "/healthz") == (503, "nothing was written for 41 s: the disk is full\n")
        assert await page(session, address, "/readyz") == (503, "it is starting or stopping\n")
        status, text = await page(session, address, "/healthz", accept="application/json")
        assert (status, text) == (
            503,
            '{"ok": false, "reason": "nothing was written for 41 s: the disk is full", "concern": null}\n',
        )


async def test_control_is_not_on_tcp(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """There is no control socket's door where others can knock."""
    daemon = FakeDaemon()
    async with pages(daemon, tmp_path, ("127.0.0.1", 0)) as address:
        for path in ("/reload", "/run", "/login-link", "/drill", "/healthz"):
            status, _ = await page(session, address, path, method="POST", token=TOKENS[Access.OPERATOR])
            assert status in {404, 405}, path
        async with session.get(f"http://{address}/healthz") as answer:
            assert answer.headers["Server"] == "probe"
    assert daemon.asked == []


async def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    """The second daemon on one port is told which, and what to do."""
    async with pages(FakeDaemon(), tmp_path, ("127.0.0.1", 0)) as address:
        with pytest.raises(ProbeError, match=f"cannot listen on {address}: Address already in use; set probe.listen"):
            async with pages(FakeDaemon(), tmp_path, ("127.0.0.1", int(address.partition(":")[2]))):
                pass
    with pytest.raises(ProbeError, match=r"cannot listen on nowhere.invalid:80: .*(known|resolution|address)"):
        async with pages(FakeDaemon(), tmp_path, ("nowhere.invalid", 80)):
            pass


async def test_control(tmp_path: Path) -> None:
    """Everything that a command can ask arrives as it was meant, and the status is the daemon's own."""
    daemon = FakeDaemon(reason="nothing ticks")
    async with serve_control(daemon, tmp_path) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        status = await control(tmp_path, "GET", "/status")
        assert (status["schema"], status["healthy"], status["reason"], status["ready"]) == (
            1,
            False,
            "nothing ticks",
            True,
        )
        assert (status["pid"], status["channels"]["team"]) == (4711, {"pending": 2, "disabled": "gone"})
        assert await control(tmp_path, "POST", "/incidents/7f3a-01/ack", {"by": " Ada \n Lovelace"}) == {"ok": True}
        await control(tmp_path, "POST", "/incidents/7f3a-01/mute", {"until": "2026-11-23T05:00:00+02:00", "by": "ada"})
        await control(tmp_path, "POST", "/incidents/7f3a-02/mute", {"until": None, "by": "ada"})
        assert (await control(tmp_path, "POST", "/run", {"check": "checkout"}))["regions"] == ["eu-west", "us-east"]
        await control(tmp_path, "POST", "/run", {"check": "checkout", "regions": ["us-east", "us-east"]})
        assert await control(tmp_path, "POST", "/reload") == {"ok": True, "diagnostics": []}
    assert daemon.asked == [
        ("ack", "7f3a-01", "Ada Lovelace"),
        ("mute", "7f3a-01", datetime(2026, 11, 23, 3, tzinfo=UTC), "ada"),
        ("mute", "7f3a-02", None, "ada"),
        ("run", CheckId("checkout"), ()),
        ("run", CheckId("checkout"), ("us-east",)),
        ("reload",),
    ]
    assert not path.exists()


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/incidents/7f3a-03/ack", {"by": "ada"}, 404, "no open incident '7f3a-03'; did you mean '7f3a-0"),
        ("/incidents/7f3a-01/ack", {"by": " "}, 400, '"by" is to be a name'),
        ("/incidents/7f3a-01/ack", {"by": "x" * 201}, 400, '"by" is to be a name'),
        ("/incidents/7f3a-01/ack", {"who": "ada"}, 400, "a JSON object of by"),
        ("/incidents/7f3a-01/mute", {"by": "ada", "until": "2026-11-23T05:00:00"}, 400, "with its offset"),
        ("/incidents/7f3a-01/mute", {"by": "ada", "until": 7}, 400, "with its offset"),
        ("/run", {"check": "chekout"}, 404, "no check 'chekout'; did you mean 'checkout'?"),
        ("/run", {"check": "cart", "regions": ["us-east"]}, 404, "'cart' does not run from 'us-east'; known: eu-west"),
        ("/run", {"check": "cart", "regions": "eu-west"}, 400, "no regions: from all"),
        ("/run", {}, 400, "no regions: from all"),
        ("/drill", {"check": "hoem"}, 404, "there is no check 'hoem'"),
        ("/drill", {"check": "home", "fault": "emty"}, 404, "no fault 'emty'; did you mean 'empty'?"),
        ("/drill", {"fault": "empty"}, 400, 'say {"check": ID, "fault": NAME}'),
    ],
)
async def test_what_cannot_be_done_is_told(
    tmp_path: Path, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    """What is named does not exist, or is not said as it must be: the answer says what would be right."""
    daemon = FakeDaemon()
    async with serve_control(daemon, tmp_path):
        with pytest.raises(Refused) as caught:
            await control(tmp_path, "POST", path, body)
    assert said in str(caught.value)
    assert caught.value.status == status
    assert [asked for asked in daemon.asked if asked[0] == "run"] == []


async def test_drills(tmp_path: Path) -> None:
    """None yet; one begins; another has to wait, and is told so."""
    async with serve_control(FakeDaemon(), tmp_path):
        assert await control(tmp_path, "GET", "/drill") == {"drill": None}
        assert await control(tmp_path, "POST", "/drill", {"check": "home", "fault": "slow"}) == {"ok": True}
        report = {"check": "home", "fault": "slow", "state": "preparing"}
        assert await control(tmp_path, "GET", "/drill") == {"drill": report}
        with pytest.raises(Refused, match="one at a time") as caught:
            await control(tmp_path, "POST", "/drill", {"check": "home"})
        assert caught.value.status == 503


async def test_no_incident_is_open(tmp_path: Path) -> None:
    """Nothing to mistype."""
    async with serve_control(FakeDaemon(incidents=()), tmp_path):
        with pytest.raises(Refused, match="there is no open incident 'x'; none is open"):
            await control(tmp_path, "POST", "/incidents/x/ack", {"by": "ada"})


async def test_trouble_of_the_store_is_told(tmp_path: Path) -> None:
    """What was not written down is not said to be done."""
    async with serve_control(FakeDaemon(error=StoreUnavailable("the disk is full")), tmp_path):
        with pytest.raises(Refused, match="the disk is full") as caught:
            await control(tmp_path, "POST", "/incidents/7f3a-01/ack", {"by": "ada"})
    assert caught.value.status == 503


@pytest.mark.parametrize(("severity", "ok"), [(Severity.ERROR, False), (Severity.WARNING, True)])
async def test_a_reload_tells_what_it_found(tmp_path: Path, severity: Severity, ok: bool) -> None:
    """An error keeps the old configuration; a warning does not. Both are told with their line."""
    daemon = FakeDaemon(found=(Diagnostic(file="config.toml", line=3, what="no such key", severity=severity),))
    async with serve_control(daemon, tmp_path):
        answer = await control(tmp_path, "POST", "/reload")
    assert answer["ok"] is ok
    assert (answer["diagnostics"][0]["line"], answer["diagnostics"][0]["severity"]) == (3, severity.value)


@pytest.mark.parametrize("text", ["{", "[]", "x" * 100_000])
async def test_nonsense_is_refused(tmp_path: Path, text: str) -> None:
    """No JSON, no object, or too much: 4xx, and the daemon goes on."""
    async with (
        serve_control(FakeDaemon(), tmp_path) as path,
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
    ):
        async with session.post("http://probe/run", data=text) as answer:
            assert 400 <= answer.status < 500
        assert (await control(tmp_path, "GET", "/status"))["pid"] == 4711


async def test_no_answer_holds_a_secret(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    """Whatever the daemon says: a reason, its status, an error, a diagnostic."""
    daemon = FakeDaemon(
        reason=f"cannot write {CANARY}", note=f"/etc/{CANARY}", found=(Diagnostic(file="c", what=f"got {CANARY}"),)
    )
    async with pages(daemon, tmp_path, ("127.0.0.1", 0)) as address, serve_control(daemon, tmp_path):
        said = [
            await page(session, address, "/healthz"),
            await page(session, address, "/healthz", accept="application/json"),
            await control(tmp_path, "GET", "/status"),
            await control(tmp_path, "POST", "/reload"),
        ]
        daemon.error = ProbeError(f"kaput {CANARY}")
        with pytest.raises(Refused) as caught:
            await control(tmp_path, "POST", "/reload")
    assert str(caught.value) == "kaput ***"
    assert all("***" in str(answer) for answer in said)
    assert CANARY not in str(said)


async def test_a_dead_daemons_socket_is_replaced(tmp_path: Path) -> None:
    """What `kill -9` leaves behind hinders nobody; before it, commands say that no daemon runs."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "probe.sock"))
    with pytest.raises(NoDaemon, match=f"no daemon runs for {tmp_path}: start it with `probe run`"):
        await control(tmp_path, "GET", "/status")
    async with serve_control(FakeDaemon(), tmp_path):
        assert (await control(tmp_path, "GET", "/status"))["pid"] == 4711


async def test_a_living_daemons_socket_is_not_taken(tmp_path: Path) -> None:
    """The second is refused and names the first; the first goes on, and keeps its file."""
    async with serve_control(FakeDaemon(), tmp_path):
        with pytest.raises(ProbeError, match=rf"another daemon \(process {os.getpid()}\) already uses {tmp_path}"):
            async with serve_control(FakeDaemon(), tmp_path):
                pass
        assert (await control(tmp_path, "GET", "/status"))["pid"] == 4711


async def test_only_its_own_socket_is_taken_away(tmp_path: Path) -> None:
    """What somebody put in its place stays: a file, or the socket of another."""
    async with serve_control(FakeDaemon(), tmp_path) as path:
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        async with serve_control(FakeDaemon(), tmp_path) as path:
            path.rename(tmp_path / "aside")
            other.bind(str(path))
        assert path.is_socket()


async def test_a_folder_that_cannot_hold_a_socket(tmp_path: Path) -> None:
    """No folder, or a file in the socket's place: said with its path."""
    with pytest.raises(ProbeError, match=r"cannot make the control socket .*nowhere/probe.sock: No such file"):
        async with serve_control(FakeDaemon(), tmp_path / "nowhere"):
            pass
    (tmp_path / "probe.sock").write_text("a file")
    with pytest.raises(ProbeError, match=r"cannot make the control socket .*: Address already in use"):
        async with serve_control(FakeDaemon(), tmp_path):
            pass


async def test_a_folder_deeper_than_an_address_is_long(tmp_path: Path) -> None:
    """The 107 bytes of a unix address are no limit for a data folder."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    async with serve_control(FakeDaemon(), deep) as path:
        assert path == deep / "probe.sock"
        assert (await control(deep, "GET", "/status"))["pid"] == 4711
    assert not path.exists()


async def test_a_request_gets_its_answer_at_the_stop(tmp_path: Path) -> None:
    """Who asked before the stop is answered; who asks after it is refused."""
    asked, go = asyncio.Event(), asyncio.Event()

    class Slow(FakeDaemon):
        async def reload(self) -> tuple[Diagnostic, ...]:
            asked.set()
            await go.wait()
            return ()

    async with asyncio.TaskGroup() as group, serve_control(Slow(), tmp_path):
        answer = group.create_task(control(tmp_path, "POST", "/reload"), name="asks")
        await asked.wait()
        asyncio.get_running_loop().call_later(0.02, go.set)
    assert answer.result() == {"ok": True, "diagnostics": []}
    with pytest.raises(NoDaemon):
        await control(tmp_path, "GET", "/status")


def test_something_else_on_the_socket(tmp_path: Path) -> None:
    """What does not speak as a daemon does is said not to be one."""
    code = (
        "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(flush=True)\n"
        "for answer in (b'', b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n[]', b'hello\\r\\n'):\n"
        "    c, _ = s.accept(); c.recv(9999); c.sendall(answer); c.close()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "probe.sock")], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            for _ in range(3):
                with pytest.raises(NoDaemon, match=r"did not answer|something else"):
                    ask(tmp_path, "GET", "/status")
        finally:
            other.kill()
