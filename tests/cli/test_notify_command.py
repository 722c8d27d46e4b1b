"""`probe notify test`, against a real service of the address."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from probe.cli import app
from tests.cli.world import configure, spread

TOKEN = "T0-c4nary_c4nary"


class Hook(BaseHTTPRequestHandler):
    """A service with a webhook: /ok takes it, /gone does not, and both repeat what they were called with."""

    seen: list[dict[str, Any]] = []  # noqa: RUF012  # the server makes a new handler for each request

    def do_POST(self) -> None:
        self.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        said = f"you called {self.path}".encode()
        self.send_response(200 if self.path.startswith("/ok") else 410)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def channels(folder: Path, hook: str) -> None:
    path = "${env:CANARY}"
    configure(
        folder,
        f"""
[channels.good]
kind = "webhook"
url = "{hook}/ok/{path}"
key = "{path}"
[channels.bad]
kind = "webhook"
url = "{hook}/gone/{path}"
[channels.nowhere]
kind = "webhook"
url = "http://127.0.0.1:1/{path}"
""",
    )


def test_each_channel_is_tried(cli: Any, tmp_path: Path, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each service's real answer, with the time it took; what did not take it is 1. The message says that it is a test."""
    channels(tmp_path, hook)
    monkeypatch.setenv("CANARY", TOKEN)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["notify", "test"])
    assert result.exit_code == 1, result.output
    rows = spread(result.stdout).splitlines()
    assert rows[1].startswith("✓ good  webhook  ")
    assert "200 OK: you called /ok/***" in rows[1]
    assert rows[2].startswith("✗ bad  webhook  ")
    assert "410 Gone: you called /" in rows[2]
    assert rows[2].endswith("(it will not work before it is set right)")
    assert rows[3].startswith("✗ nowhere  webhook  ")
    assert rows[3].endswith("(it may work later)")
    assert rows[-1] == "2 of 3 did not take it"
    assert TOKEN not in result.output
    assert "TEST: probe on " in json.dumps(Hook.seen)
    assert len(Hook.seen) == 2


def test_chosen_channels_are_tried(cli: Any, tmp_path: Path, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are named, as JSON; one that there is not is a mistake, and nothing is sent."""
    channels(tmp_path, hook)
    monkeypatch.setenv("CANARY", TOKEN)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["notify", "test", "good", "--json"])
    document = json.loads(result.stdout)
    (only,) = document["channels"]
    assert (result.exit_code, document["exit"], only["channel"], only["ok"]) == (0, 0, "good", True)
    Hook.seen.clear()
    result = CliRunner().invoke(app, ["notify", "test", "good", "bda"])
    assert (result.exit_code, "there is no channel 'bda'; did you mean 'bad'?" in result.stderr) == (2, True)
    assert Hook.seen == []


def test_what_the_terminal_shows_is_not_in_the_json(cli: Any, tmp_path: Path) -> None:
    """A channel that prints prints beside the document."""
    configure(tmp_path, '[channels.here]\nkind = "terminal"\n')
    result = cli(tmp_path, "notify", "test", "--json")
    assert [c["channel"] for c in json.loads(result.stdout)["channels"]] == ["here"]
    assert "TEST: probe on " in result.stderr
    assert "TEST: probe on " in cli(tmp_path, "notify", "test").stdout


def test_no_channel_to_try(cli: Any, tmp_path: Path) -> None:
    """Nobody would be told: a mistake, with what to write."""
    configure(tmp_path)
    result = cli(tmp_path, "notify", "test")
    assert (result.exit_code, "write a [channels.NAME] table" in result.stderr) == (2, True)
    assert (
        json.loads(cli(tmp_path, "notify", "test", "--json").stdout)["diagnostics"][0]["what"] == "there is no channel"
    )
