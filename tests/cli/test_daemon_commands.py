"""The commands around the daemon, as a user types them, against a database that the real store wrote."""

import asyncio
import base64
import html
import json
import os
import re
import sys
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from probe.cli import app
from probe.core.diagnostic import Diagnostic
from probe.core.incident import IncidentId
from probe.errors import ConfigError, ProbeError, StoreUnavailable
from probe.web.serve import serve_control
from tests.cli.world import BURNING, CANARY, OLD, OPEN, configure, fill, spread
from tests.web.daemon import FakeDaemon, unix_sockets_allowed


@pytest.fixture(autouse=True)
def _unix_sockets() -> Iterator[None]:
    """Control is a unix socket."""
    with unix_sockets_allowed():
        yield


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bad night: two incidents are open, one is over."""
    folder = tmp_path_factory.mktemp("night")
    configure(folder)
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All is well."""
    folder = tmp_path_factory.mktemp("day")
    configure(folder)
    fill(folder, trouble=False)
    return folder


def test_status_of_a_bad_night(cli: Any, night: Path) -> None:
    """The gravest first, with cause, step, reason and who knows; then budgets, regions, channels, and the daemon."""
    result = cli(night, "status")
    shown = spread(result.stdout)
    assert result.exit_code == 1
    lines = shown.splitlines()
    assert lines[0].startswith("AGAIN DOWN  shop.example  for 12m")
    assert lines[0].endswith(f"page  {OPEN}")
    assert 'checkout from local: step "add to cart": http: POST /api/cart answered 500: ***' in shown
    assert "taken by  nobody yet" in shown
    assert shown.index("DOWN") < shown.index("DEGRADED  checkout/latency")
    assert "taken by  ada, at " in shown
    assert "muted  until " in shown
    assert "checks: 2 down" in shown
    assert "checkout  99.9 % of 30d  99.93% (99.894% to 99.956%)  98 %  100 %  burning" in shown
    assert "\ncheckout: the error budget will be gone in " in shown
    assert " to 100%)  100 %  20 %  unknown" in shown
    assert "local  35 passed, 12 failed, 10 missed" in shown
    assert "us-east  15 passed  blind since " in shown
    assert "team  1, the oldest for 11m" in shown
    assert "daemon: not running; last alive " in shown


def test_status_as_json_says_the_same(cli: Any, night: Path) -> None:
    """Every fact of the tables, in the documented shape."""
    document = json.loads(cli(night, "status", "--json").stdout)
    assert (document["schema"], document["exit"], document["daemon"]) == (1, 1, None)
    assert [i["id"] for i in document["incidents"]] == [OPEN, BURNING]
    assert document["incidents"][0]["checks"][1]["failure"]["step"] == "add to cart"
    assert document["checks"] == {
        "ok": 0, "degraded": 0, "down": 2, "regional": 0, "third_party": 0, "blocked": 0, "probe_fault": 0, "unknown": 0,
    }  # fmt: skip
    assert document["not_ok"] == [{"check": name, "verdict": "down"} for name in ("checkout", "cart")]
    assert {o["name"]: o["state"] for o in document["objectives"]} == {
        "checkout": "burning",
        "checkout/latency": "burning",
        "rare": "unknown",
    }
    checkout = document["objectives"][0]
    assert (checkout["good"], checkout["bad"], checkout["lost"]) == (19_990, 14, 8)
    assert checkout["attained"] == pytest.approx(19_990 / 20_004)
    low, high = checkout["attained_within"]
    assert low < checkout["attained"] < high
    gone = checkout["budget_gone_in"]
    assert 0 < gone["soonest"] < gone["likely"] < gone["latest"]
    assert (checkout["budget_spent"], checkout["noise"], document["objectives"][2]["budget_gone_in"]) == (None,) * 3
    regions = {r["region"]: r for r in document["regions"]}
    assert regions["local"]["last_hour"] == {"passed": 35, "failed": 12, "errored": 0, "missed": 10, "aborted": 0}
    assert regions["us-east"]["blind_since"] is not None
    assert [(c["channel"], c["pending"]) for c in document["channels"]] == [("oncall", 0), ("team", 1)]


def test_nothing_open_but_nobody_watches_is_3(cli: Any, day: Path) -> None:
    """Silence of a dead daemon is not health."""
    result = cli(day, "status")
    assert result.exit_code == 3
    assert "no incident was open when the daemon last ran; nobody watches now" in result.stdout


async def test_a_living_daemon_is_asked(cli: Any, day: Path) -> None:
    """What only it knows is shown; healthy, and nothing open, is 0; not healthy is 3, with the reason."""
    daemon = FakeDaemon()
    async with serve_control(daemon, day / "data"):
        good = await asyncio.to_thread(cli, day, "status")
        daemon.reason, daemon.up = "the scheduler has not ticked for 12 s", False
        bad = await asyncio.to_thread(cli, day, "status", "--json")
        shown = await asyncio.to_thread(cli, day, "status")
    assert good.exit_code == 0, good.stderr
    assert "no incident is open; 2 ok" in good.stdout
    assert "daemon: process 4711, up since 2026-11-23 03:00:00 UTC" in good.stdout
    assert "40 jobs, 3 running, 0 waiting, 2 slots missed; browser workers: 2" in good.stdout
    assert "disabled: gone" in good.stdout
    assert bad.exit_code == 3
    assert json.loads(bad.stdout)["daemon"]["reason"] == "the scheduler has not ticked for 12 s"
    assert "not healthy: the scheduler has not ticked for 12 s" in shown.stdout
    assert "it is starting or stopping" in shown.stdout


def test_history(cli: Any, night: Path) -> None:
    """Newest first, with region, why, outcome, time, lag and reason; a row of missed slots says how many."""
    result = cli(night, "history", "checkout")
    rows = spread(result.stdout).splitlines()
    assert result.exit_code == 0
    assert rows[0] == "started (UTC)  region  why  outcome  time  lag  reason"
    assert rows[1].endswith(
        "local  scheduled  ✗ failed  412 ms  add to cart: http status: POST /api/cart answered 500: ***"
    )
    assert "confirm" in rows[11]
    assert any(row.endswith("us-east  scheduled  ✓ passed  412 ms  250 ms") for row in rows)
    assert any("? missed ×10  (maintenance: release)" in row for row in rows)
    times = [row[:19] for row in rows[1:51]]
    assert times == sorted(times, reverse=True)
    assert rows[-3].startswith("37 passed, 12 failed, 10 missed; ")
    assert re.fullmatch(
        rf"add to cart: http status: 12 failed, of 12 that passed or failed from {rows[12][:19]} UTC to {rows[1][11:19]}, in local",
        rows[-2],
    ), rows[-2]
    assert rows[-1] == "these are the newest 50: --limit shows more"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 50),
        (("--limit", "3"), 3),
        (("--failed",), 13),  # with the row of missed slots
        (("--failed", "--limit", "5"), 5),
        (("--region", "us-east"), 15),
        (("--since", "5m"), 4),
        (("--since", "7d", "--limit", "1000"), 123),
        (("--region", "us-east", "--failed"), 0),
        (("--until", "5m"), 50),
        (("--since", "20m", "--until", "5m", "--region", "local"), 13),
        (("--until", "2001-01-01T00:00Z", "--since", "2000-01-01"), 0),
    ],
)
def test_history_can_be_narrowed(cli: Any, night: Path, options: tuple[str, ...], count: int) -> None:
    """By region, age, outcome and number."""
    result = cli(night, "history", "checkout", *options, "--json")
    runs = json.loads(result.stdout)["runs"]
    assert (result.exit_code, len(runs)) == (0, count)
    assert all(run["outcome"] != "passed" for run in runs if "--failed" in options)


def test_history_of_none(cli: Any, night: Path) -> None:
    """A check that has no such run is told from one that nobody knows."""
    result = cli(night, "history", "cart")
    assert (result.exit_code, "no such run since" in result.stdout) == (0, True)
    for arguments, said in {
        ("chekout",): "no run of a check 'chekout' is stored; did you mean 'checkout'?",
        ("cart", "--region", "us-esat"): "no run of 'cart' from 'us-esat' is stored; did you mean 'us-east'?",
        ("cart", "--since", "soon"): "--since: 'soon' is not a duration",
        ("cart", "--since", "0s"): "--since: '0s' is no time at all",
        ("cart", "--until", "25:00"): "--until: '25:00' is not a duration",
    }.items():
        result = cli(night, "history", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
        assert said in json.loads(cli(night, "history", *arguments, "--json").stdout)["error"]


def test_incidents(cli: Any, night: Path, day: Path) -> None:
    """The open ones, newest first; all of them when asked; the exit code says whether one is open."""
    result = cli(night, "incident", "list")
    assert result.exit_code == 1
    rows = spread(result.stdout).splitlines()
    assert [row.split()[0] for row in rows] == ["incident", OPEN, BURNING]
    assert "down  shop.example" in rows[1]
    assert rows[1].endswith("open  cart, checkout  nobody yet")
    assert rows[2].endswith("open  checkout/latency  ada")
    shown = json.loads(cli(night, "incident", "list", "--all", "--json").stdout)["incidents"]
    assert [i["id"] for i in shown] == [OPEN, BURNING, OLD]
    assert [i["resolved"] is None for i in shown] == [True, True, False]
    assert len(json.loads(cli(night, "incident", "list", "--all", "--limit", "1", "--json").stdout)["incidents"]) == 1
    result = cli(day, "incident", "list")
    assert (result.exit_code, result.stdout) == (0, "no incident is open\n")
    assert cli(day, "incident", "list", "--all").stdout == "there was no incident yet\n"


def test_the_story_of_an_incident(cli: Any, night: Path) -> None:
    """Who suffers and why, what proves it, how to try it; then what was decided, said, and answered, in order."""
    result = cli(night, "incident", "show", OPEN)
    assert result.exit_code == 0
    shown = spread(result.stdout)
    for words in (
        "evidence  1 of 2 regions: 12 of 13 runs failed ***",
        "expected  201",
        "seen  500",
        "picture  /var/lib/probe",
        "try it  probe check checkout --once",
    ):
        assert words in shown
    last = [line.partition("  ")[2] for line in shown.splitlines()[-5:]]
    assert last == [
        "opened  down: POST /api/cart answered 500: ***",
        "→ oncall  opened failed in 200 ms: 500 ***",
        "→ team  opened refused in 100 ms: 410 gone",
        "→ oncall  opened sent in 310 ms: 200 ok",
        "joined  cart fails as well",
    ]
    document = json.loads(cli(night, "incident", "show", OPEN, "--json").stdout)
    assert (document["incident"]["id"], document["incident"]["relapses"]) == (OPEN, 1)
    assert [c["evidence"] for c in document["incident"]["checks"]] == [None, "1 of 2 regions: 12 of 13 runs failed ***"]
    assert [line.get("what") or line["fate"] for line in document["timeline"]] == [
        "opened",
        "failed",
        "refused",
        "sent",
        "joined",
    ]
    assert spread(cli(night, "incident", "show", OLD[:10]).stdout).startswith("RESOLVED  shop.example  lasted 7m")


def test_which_incident(cli: Any, night: Path, day: Path) -> None:
    """The beginning of an id will do while it is plain; a mistake is told what there is."""
    for folder, arguments, said in [
        (night, ("show", "2026112"), f"'2026112' may be any of {OPEN}, {BURNING}, {OLD}"),
        (night, ("show",), f"name one of these: {OPEN}, {BURNING}"),
        (night, ("show", OPEN[:-1] + "x"), f"there is no incident '{OPEN[:-1]}x'; did you mean '{OPEN}'?"),
        (night, ("ack", OLD), f"there is no open incident '{OLD}'; did you mean"),
        (day, ("show",), "no incident is open"),
        (day, ("show", "x"), "there is no incident 'x'; there was none yet"),
        (day, ("ack", "x"), "there is no open incident 'x'; none is open"),
        (night, ("mute", OPEN), "say for how long (--for 2h), or --off"),
        (night, ("mute", OPEN, "--for", "2h", "--off"), "say for how long (--for 2h), or --off"),
        (night, ("mute", OPEN, "--for", "2"), "--for: '2' is not a duration"),
    ]:
        result = cli(folder, "incident", *arguments)
        assert (result.exit_code, result.stdout) == (2, ""), arguments
        assert said in result.stderr


async def test_taking_on_and_muting(cli: Any, night: Path) -> None:
    """What is asked reaches the daemon, with the whole id and a name; the answer says what was done."""
    daemon = FakeDaemon(incidents=(OPEN, BURNING))
    before = datetime.now(UTC)
    async with serve_control(daemon, night / "data"):
        acked = await asyncio.to_thread(cli, night, "incident", "ack", OPEN[:11], "--by", "Ada")
        muted = await asyncio.to_thread(cli, night, "incident", "mute", OPEN, "--for", "2h", "--json")
        unmuted = await asyncio.to_thread(cli, night, "incident", "mute", OPEN, "--off", "--by", "Ada")
        daemon.incidents = (BURNING,)
        gone = await asyncio.to_thread(cli, night, "incident", "ack", OPEN)
        daemon.error = StoreUnavailable(f"the disk is full of {CANARY}")
        full = await asyncio.to_thread(cli, night, "incident", "ack", BURNING)
    assert (acked.exit_code, acked.stdout) == (0, f"{OPEN} is taken on by Ada: no more reminders, no escalation\n")
    assert (muted.exit_code, unmuted.exit_code) == (0, 0), muted.stderr + unmuted.stderr
    assert json.loads(muted.stdout)["done"].startswith(f"{OPEN}: muted until ")
    assert unmuted.stdout == f"{OPEN}: what is said about it is delivered again\n"
    ack, mute, unmute, *_ = daemon.asked
    assert (ack, unmute) == (("ack", IncidentId(OPEN), "Ada"), ("mute", IncidentId(OPEN), None, "Ada"))
    assert isinstance(mute[2], datetime)
    assert before + timedelta(hours=2) <= mute[2] <= datetime.now(UTC) + timedelta(hours=2)
    assert mute[3]
    assert (gone.exit_code, f"there is no open incident '{OPEN}'; did you mean '{BURNING}'?" in gone.stderr) == (
        2,
        True,
    )
    assert (full.exit_code, full.stderr) == (3, "the disk is full of ***\n")


def test_without_a_daemon_nothing_is_changed(cli: Any, night: Path) -> None:
    """Only the daemon writes: who wants to change something is told to start it."""
    for arguments in (("ack", OPEN), ("mute", OPEN, "--for", "1h")):
        result = cli(night, "incident", *arguments)
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"no daemon runs for {night}/data: start it with `probe run`" in result.stderr


def test_nothing_was_stored_yet(cli: Any, tmp_path: Path) -> None:
    """Before the first `probe run`: 3, and what to do."""
    configure(tmp_path)
    for arguments in (
        ("status",),
        ("history", "cart"),
        ("incident", "list"),
        ("incident", "show"),
        ("incident", "ack"),
    ):
        result = cli(tmp_path, *arguments)
        assert result.exit_code == 3
        assert "start `probe run`" in result.stderr
        document = json.loads(cli(tmp_path, *arguments, "--json").stdout)
        assert (document["exit"], "probe run" in document["error"]) == (3, True)


def test_a_configuration_with_mistakes(cli: Any, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks from a shell without the daemon's environment sees what is stored all the same; no file at all is 2."""
    monkeypatch.delenv("CANARY")
    result = CliRunner().invoke(app, ["status", "--config", str(night / "config.toml")])
    assert result.exit_code == 1, result.output
    assert "has mistakes as seen from here" in result.stderr
    assert "DOWN  shop.example" in result.stdout
    assert "checkout          99.9 %" in result.stdout
    (tmp_path / "config.toml").write_text(
        f'[probe]\ndata = "{night}/data"\n[slo.a]\nobjective = "99%"\nchecks = ["nope"]\n'
    )
    result = cli(tmp_path, "status")
    assert result.exit_code == 1
    assert "objectives are left out" in result.stderr
    assert "objective " not in result.stdout
    result = cli(tmp_path, "status", "--config", "nowhere.toml", "--json")
    assert result.exit_code == 2
    assert "nowhere.toml: cannot read it" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize(
    "arguments", [("status",), ("history", "checkout"), ("incident", "list"), ("incident", "show", OPEN)]
)
def test_no_command_shows_a_secret(cli: Any, night: Path, arguments: tuple[str, ...]) -> None:
    """Were one stored unmasked, it would still not be shown: in no encoding, neither to people nor to machines."""
    plain, as_json = cli(night, *arguments), cli(night, *arguments, "--json")
    assert leaks(plain.output, as_json.output, json.dumps(json.loads(as_json.stdout), ensure_ascii=True)) == []
    assert "***" in plain.stdout + as_json.stdout


def leaks(*outputs: str) -> list[str]:
    """Where the canary is found in any encoding."""
    forms = {
        CANARY,
        json.dumps(CANARY)[1:-1],
        urllib.parse.quote(CANARY),
        urllib.parse.quote(CANARY, safe=""),
        urllib.parse.quote_plus(CANARY),
        html.escape(CANARY),
        base64.b64encode(CANARY.encode()).decode()[:-4],
    }
    return [form for output in outputs for form in forms if form in output]


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (0, 0, ""),
        (3, 3, ""),
        (ConfigError((Diagnostic(file="config.toml", line=3, what="no"),)), 2, "config.toml:3: no"),
        (StoreUnavailable("another daemon has it"), 3, "another daemon has it"),
        (ProbeError("cannot listen"), 3, "cannot listen"),
        (ExceptionGroup("tasks", [ExceptionGroup("doors", [ProbeError("cannot listen")])]), 3, "cannot listen"),
    ],
)
def test_run_hands_over_to_the_daemon(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: int | Exception, code: int, said: str
) -> None:
    """The daemon gets the file, the environment and the level; how it ends becomes the exit code."""
    got: list[tuple[object, ...]] = []

    def run(config: Path, environ: object, *, log_level: str | None) -> int:
        got.append((config, environ is os.environ, log_level))
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setitem(sys.modules, "probe.daemon", SimpleNamespace(run=run))
    result = cli(tmp_path, "run", "--config", "a.toml", "--log-level", "debug")
    assert result.exit_code == code
    assert said in result.stderr
    assert got == [(Path("a.toml"), True, "debug")]
    assert cli(tmp_path, "run", "--log-level", "loud").exit_code == 2


def test_a_bug_of_the_daemon_is_not_hidden(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no trouble of ours shows its traceback, alone or beside some."""

    def run(*_: object, log_level: str | None) -> int:
        raise ExceptionGroup("tasks", [ProbeError("cannot listen"), ZeroDivisionError()])

    monkeypatch.setitem(sys.modules, "probe.daemon", SimpleNamespace(run=run))
    with pytest.raises(ExceptionGroup):
        cli(tmp_path, "run")
