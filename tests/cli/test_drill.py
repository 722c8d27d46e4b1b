"""`probe drill` as a user types it: the table, the score, the exit codes."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from probe.cli.drill import _share
from probe.cli.livedrill import drill_live
from probe.core.check import CheckId
from probe.core.fault import FaultKind
from probe.errors import ConfigError
from probe.web.serve import serve_control
from tests.cli.test_command import CANARY, Answer, probe
from tests.web.daemon import FakeDaemon, FakeDrills, unix_sockets_allowed


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


CHECKS = """
[[check]]
name = "sound"
path = "/ok"
expect = { status = 200, within = "800ms", body = "<h1>Welcome</h1>" }
[[check]]
name = "weak"
path = "/ok"
expect = { status = 200 }
[[check]]
name = "broken"
path = "/bad"
expect = { status = 200 }
"""


def drill(folder: Path, shop: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "config.toml").write_text(
        f'[probe]\ndata = "data"\n[defaults]\ntimeout = "3s"\n[targets.shop]\nurl = "{shop}"\n'
        f'headers = {{ x-access = "${{env:CANARY}}" }}\n{CHECKS}'
    )
    return probe("drill", *arguments, cwd=folder, CANARY=CANARY)


def test_a_table_a_score_and_how_to_mend_it(tmp_path: Path, shop: str) -> None:
    """What was planted where, what was noticed and why; plain in a pipe, and without secrets."""
    done = drill(tmp_path, shop, "sound", "weak", "--slow", "0.2", "--at-least", "33%")
    assert done.returncode == 0, done.stderr
    assert "sound: 6 of 6 faults noticed: 100%\n" in done.stdout
    assert "weak: 2 of 6 faults noticed: 33%; to mend it:\n" in done.stdout
    assert 'config.toml:13: expect = { within = "…" }' in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["weak", "-", "wrong-text", "GET", "/ok", "✗", "blind"] in lines
    assert ["sound", "-", "server-error", "GET", "/ok", "✓", "noticed"] in [line[:7] for line in lines]
    assert "drilling weak: 6 of 6 faults" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_at_least(tmp_path: Path, shop: str) -> None:
    """1 when one is lower; what is no share is a mistake."""
    kinds = ("--fault", "empty", "--fault", "refused")
    assert drill(tmp_path, shop, "sound", "weak", *kinds, "--at-least", "0.51").returncode == 1
    assert (_share("50%"), _share("0.5"), _share(None)) == (0.5, 0.5, None)
    for wrong in ("much", "150%", "%"):
        with pytest.raises(ConfigError, match="write --at-least 80%"):
            _share(wrong)


def test_json(tmp_path: Path, shop: str) -> None:
    """One document, with what could not be drilled and why; that is exit code 3."""
    done = drill(tmp_path, shop, "broken", "weak", "--fault", "empty", "--json")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert document["exit"] == 3
    weak, broken = document["checks"]
    assert (broken["check"], broken["score"], broken["faults"]) == ("broken", None, [])
    assert "its clean run failed: http: GET /bad: status is 500" in broken["trouble"]
    assert (weak["noticed"], weak["counted"], weak["score"], weak["trouble"]) == (0, 1, 0.0, None)
    (fault,) = weak["faults"]
    assert {k: fault[k] for k in ("fault", "step", "request", "finding", "noticed_at", "reason")} == {
        "fault": "empty",
        "step": None,
        "request": "GET /ok",
        "finding": "blind",
        "noticed_at": None,
        "reason": None,
    }
    assert weak["mend"]
    assert done.stderr == ""


def test_what_cannot_be_used_is_2(tmp_path: Path, shop: str) -> None:
    """An unknown check, and an unknown fault."""
    done = drill(tmp_path, shop, "soudn", "--json")
    assert done.returncode == 2
    assert "did you mean" in json.loads(done.stdout)["diagnostics"][0]["hint"]
    assert drill(tmp_path, shop, "--fault", "flood").returncode == 2


def test_live_without_a_daemon_is_3(tmp_path: Path, shop: str) -> None:
    """What is missing is said, and how to start it."""
    done = drill(tmp_path, shop, "sound", "--live")
    assert done.returncode == 3
    assert "no daemon runs" in done.stderr
    assert "probe run" in done.stderr


def test_live_wants_one_check_and_one_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else is wrong usage."""
    for names, kinds in (([], []), (["a", "b"], []), (["a"], [FaultKind.SLOW, FaultKind.EMPTY])):
        assert drill_live(Path("config.toml"), names, kinds, json=False) == 2
        assert "probe drill --live CHECK [--fault NAME]" in capsys.readouterr().err


class Scripted(FakeDrills):
    """Drills that go as they are told to: each look sees the next report, and the last one again and again."""

    def __init__(self, *reports: dict[str, object]) -> None:
        self.reports = list(reports)
        self.begun: list[tuple[str, str]] = []

    @property
    def report(self) -> dict[str, object]:  # type: ignore[override]  # what a look sees, not what is kept
        return self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]

    def begin(self, check: CheckId, kind: FaultKind) -> None:
        self.begun.append((check, kind.value))


REPORT = {
    "check": "home",
    "fault": "slow",
    "state": "over",
    "step": "view",
    "request": "GET /",
    "verdict": "down",
    "detected": 28.4,
    "told": 29.0,
    "resolved": 31.0,
    "channels": {"team": 29.0, "other": 30.5},
    "trouble": None,
}


@pytest.mark.parametrize(
    ("change", "code", "lines"),
    [
        (
            {},
            0,
            [
                "DRILL of home: slow of GET / at step 'view'",
                "  detected  after 28.4 s as down",
                "  told      after 29 s (team 29 s, other 30.5 s)",
                "  resolved  after 31 s",
            ],
        ),
        (
            {"detected": None, "told": None, "resolved": None, "request": None, "step": None, "trouble": "nobody"},
            1,
            ["DRILL of home", "  did not arrive: nobody"],
        ),
    ],
)
async def test_what_a_live_drill_prints(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
    code: int,
    lines: list[str],
) -> None:
    """The times until it was detected and told; on the way, how far it is."""
    config = tmp_path / "config.toml"
    config.write_text(f'[probe]\ndata = "{tmp_path}"\n[targets.shop]\nurl = "http://127.0.0.1:1"\n')
    drills = Scripted({**REPORT, "state": "planted"}, {**REPORT, **change})
    monkeypatch.setattr("probe.cli.livedrill.LOOK", 0.0)

    async def live(*kinds: FaultKind, as_json: bool) -> int:
        return await asyncio.to_thread(drill_live, config, ["home"], kinds, json=as_json)

    with unix_sockets_allowed():
        async with serve_control(FakeDaemon(drills=drills), tmp_path):
            assert await live(FaultKind.SLOW, as_json=False) == code
            said = capsys.readouterr()
            assert await live(as_json=True) == code
    assert said.out.splitlines() == lines
    assert "the fault is planted; waiting for the alert" in said.err
    assert json.loads(capsys.readouterr().out)["drill"]["trouble"] == change.get("trouble")
    assert drills.begun == [("home", "slow"), ("home", "server-error")]
