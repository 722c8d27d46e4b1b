"""The command as a user types it: a process, its exit code, what it prints. Nothing in here knows the inside."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

CANARY = 'pl@nted"secret"&more/+'


class Answer(BaseHTTPRequestHandler):
    """/ok is well, /bad is not, /echo tells what it was told, /slow takes its time."""

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            time.sleep(3)
        said = f"<h1>Welcome</h1>{self.path} {self.headers.get('X-Access')}".encode()
        self.send_response(500 if self.path.startswith("/bad") else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client has gone, as some tests want
            self.wfile.write(said)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def probe(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "probe", *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "160", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def configure(folder: Path, site: str, *paths: str, more: str = "") -> None:
    checks = "".join(
        f'[[check]]\nname = "{path.strip("/").partition("?")[0]}"\npath = "{path}"\nexpect = {{ status = 200 }}\n'
        for path in paths
    )
    (folder / "config.toml").write_text(
        f'[probe]\ndata = "{folder}/data"\n[defaults]\ntimeout = "10s"\n[targets.site]\nurl = "{site}"\n{more}\n{checks}'
    )


def test_all_passed_is_0(tmp_path: Path, site: str) -> None:
    """A table for people, plain in a pipe."""
    configure(tmp_path, site, "/ok")
    done = probe("check", "--once", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "✓ ok" in done.stdout
    assert "1 run: 1 passed" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_a_failure_is_1_and_named(tmp_path: Path, site: str) -> None:
    """The failing check, its layer, what was expected and what was there; JSON and JUnit say the same."""
    configure(tmp_path, site, "/ok", "/bad")
    done = probe("check", "--once", "--json", "--junit", "out/report.xml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["exit"] == 1
    assert document["summary"]["failed"] == 1
    (bad,) = [run for run in document["runs"] if run["check"] == "bad"]
    assert (bad["failure"]["layer"], bad["failure"]["kind"], bad["failure"]["actual"]) == ("http", "status", "500")
    assert "GET /bad: status is 500, expected 200" in (tmp_path / "out/report.xml").read_text()


def test_only_the_named(tmp_path: Path, site: str) -> None:
    """Names, patterns and tags choose; a name that is not there is a mistake."""
    configure(tmp_path, site, "/ok", "/bad")
    assert probe("check", "ok", "--once", cwd=tmp_path).returncode == 0
    assert probe("check", "o*", "--once", cwd=tmp_path).returncode == 0
    done = probe("check", "okk", "--once", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'ok'" in done.stderr


def test_another_target(tmp_path: Path, site: str) -> None:
    """The same checks, pointed at a preview."""
    configure(tmp_path, "http://127.0.0.1:1", "/ok")
    assert probe("check", "--once", cwd=tmp_path).returncode == 1
    assert probe("check", "--once", "--target", f"site={site}", cwd=tmp_path).returncode == 0
    assert probe("check", "--once", "--target", "stie=http://a", cwd=tmp_path).returncode == 2
    assert probe("check", "--once", "--target", "nonsense", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("toml", "line", "word"),
    [
        ('[targets.a]\nurl = "http://a"\n[[check]]\nname = "x"\npaht = "/"\n', 5, "did you mean 'path'"),
        ('[targets.a]\nurl = "http://a"\n[[check]]\nname = "x"\ntimeout = "5 minutes"\n', 5, "such as"),
        ('[targets.a\nurl = "http://a"\n', 1, ""),
        ('[targets.a]\nurl = "${env:NOT_THERE_XYZ}"\n', 2, "NOT_THERE_XYZ"),
    ],
    ids=["unknown key", "bad duration", "not TOML", "no such variable"],
)
def test_a_mistake_is_2_with_its_line(tmp_path: Path, toml: str, line: int, word: str) -> None:
    """File, line, what is wrong and what would be right; never a traceback."""
    (tmp_path / "config.toml").write_text(toml)
    for command in (["check", "--once"], ["validate"]):
        done = probe(*command, cwd=tmp_path)
        assert done.returncode == 2
        assert f"config.toml:{line}: " in done.stderr
        assert word in done.stderr
        assert "Traceback" not in done.stderr
    document = json.loads(probe("check", "--once", "--json", cwd=tmp_path).stdout)
    assert document["exit"] == 2
    assert document["diagnostics"][0]["line"] == line


def test_no_configuration_is_2(tmp_path: Path) -> None:
    """The first thing a stranger does wrong."""
    done = probe("check", "--once", cwd=tmp_path)
    assert done.returncode == 2
    assert "config.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    """Unknown options and commands, and JSON without an end."""
    assert probe("check", "--onec", cwd=tmp_path).returncode == 2
    assert probe("chekc", cwd=tmp_path).returncode == 2
    assert probe("check", "--json", cwd=tmp_path).returncode == 2
    assert probe(cwd=tmp_path).returncode == 2


def test_no_browser_is_3(tmp_path: Path, site: str) -> None:
    """When Chromium cannot start, the shop is not blamed."""
    configure(tmp_path, site, more="[browser]\nexecutable = '/bin/false'\n")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/page.py").write_text(
        "from probe import journey\n@journey\nasync def page(t):\n    async with t.step('open'):\n        await t.page.goto(t.url())\n"
    )
    done = probe("check", "--once", "--json", cwd=tmp_path)
    assert done.returncode == 3, done.stdout
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["outcome"], run["failure"]["layer"]) == ("errored", "probe")
    assert run["failure"]["kind"] in {"browser_start", "browser_missing"}
    assert "Traceback" not in done.stderr


def test_a_secret_is_in_no_output(tmp_path: Path, site: str) -> None:
    """From the environment into a header, a URL and a form field; echoed by the page, printed by the check, failed on."""
    configure(
        tmp_path,
        site,
        "/bad?key=${env:CANARY}",
        more='headers = { x-access = "${env:CANARY}" }\nsecrets = { password = "${file:secret.txt}" }\n',
    )
    (tmp_path / "secret.txt").write_text(CANARY[::-1] + "\n")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/page.py").write_text(
        """from probe import check, expect, journey

@journey
async def page(t):
    async with t.step("open"):
        await t.page.goto(t.url("/bad"))
        await t.page.set_content("<form><input type=password name=p><input name=q><button>go</button></form>")
        await t.page.locator("[name=p]").fill(t.secrets["password"])
        await t.page.locator("[name=q]").fill(t.secrets["password"])
        await t.page.evaluate("s => console.error('console ' + s)", t.secrets["password"])
        print("printed", t.secrets["password"])
        await t.page.goto(t.url("/echo?" + t.secrets["password"]))
        await expect(t.page.get_by_text("nobody " + t.secrets["password"])).to_be_visible(timeout=500)

@check
async def api(t):
    r = await t.http.post("/echo", data={"p": t.secrets["password"]}, params={"q": t.secrets["password"]})
    r.expect(body=t.secrets["password"] + "x")
    raise RuntimeError("kaput " + t.secrets["password"])
"""
    )
    done = probe(
        "check", "--once", "--json", "--trace", "--junit", "r.xml", "--evidence", "proof", cwd=tmp_path, CANARY=CANARY
    )
    table = probe("check", "--once", "--evidence", "proof2", cwd=tmp_path, CANARY=CANARY)
    assert done.returncode == 1, done.stdout + done.stderr
    written = [p for folder in ("proof", "proof2") for p in (tmp_path / folder).rglob("*") if p.is_file()]
    assert {p.suffix for p in written} >= {".png", ".zip", ".har"}, written
    found = leaks(done.stdout, done.stderr, table.stdout, table.stderr, tmp_path / "r.xml", *written)
    assert found == []


def leaks(*outputs: str | Path) -> list[str]:
    """Where the canary, or its mirror image, is found in any encoding, also inside zips."""
    import base64
    import html
    import urllib.parse
    import zipfile

    forms = set()
    for secret in (CANARY, CANARY[::-1]):
        forms |= {
            secret,
            json.dumps(secret)[1:-1],
            urllib.parse.quote(secret),
            urllib.parse.quote(secret, safe=""),
            urllib.parse.quote_plus(secret),
            html.escape(secret),
            base64.b64encode(secret.encode()).decode()[:-4],
        }
    found = []
    for output in outputs:
        if isinstance(output, str):
            parts = {"output": output.encode()}
        elif zipfile.is_zipfile(output):
            with zipfile.ZipFile(output) as archive:
                parts = {f"{output}!{name}": archive.read(name) for name in archive.namelist()}
        else:
            parts = {str(output): output.read_bytes()}
        found += [f"{form} in {name}" for name, data in parts.items() for form in forms if form.encode() in data]
    return found


def test_interrupted_runs_are_told_and_nothing_is_left(tmp_path: Path, site: str) -> None:
    """Ctrl-C ends at once, says what had not ended, and leaves no process."""
    configure(tmp_path, site, "/slow")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/page.py").write_text(
        "from probe import journey\n@journey\nasync def page(t):\n    async with t.step('open'):\n        await t.page.goto(t.url('/slow'))\n"
    )
    mark = f"PROBE_TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "probe", "check", "--once", "--json"],
        cwd=tmp_path,
        env={**os.environ, mark.partition("=")[0]: mark.partition("=")[2]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while len(marked(mark)) < 4 and time.monotonic() < deadline:  # until the browser runs
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    document = json.loads(out)
    assert document["interrupted"]
    assert document["summary"]["aborted"] >= 1
    assert "Traceback" not in err
    deadline = time.monotonic() + 5
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(mark) == []


def marked(mark: str) -> list[str]:
    name, _, value = mark.partition("=")
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
        except psutil.Error:
            continue
    return found


def test_a_person_sees_a_live_table(tmp_path: Path, site: str) -> None:
    """On a terminal: colours, and a table that is redrawn."""
    configure(tmp_path, site, "/ok", "/bad")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "probe", "check", "--once"],
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        shown += data
    os.close(ours)
    assert process.wait(timeout=20) == 1
    assert b"\x1b[" in shown
    assert "✗".encode() in shown
    assert b"status is 500, expected 200" in shown


def test_repeats_until_interrupted(tmp_path: Path, site: str) -> None:
    """Without --once: a line a run in a pipe, again and again, until Ctrl-C."""
    configure(tmp_path, site, "/ok")
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace('timeout = "10s"', 'timeout = "500ms"\nevery = "500ms"'))
    process = subprocess.Popen(
        [sys.executable, "-m", "probe", "check"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert [line.startswith("✓ ok from local: passed in") for line in lines] == [True] * 3
    assert process.returncode == 130
    assert "Traceback" not in err


def test_validate_says_what_it_means(tmp_path: Path, site: str) -> None:
    """Checks, regions, runs an hour."""
    configure(tmp_path, site, "/ok", "/bad", more='[regions.us]\nsource_address = "127.0.0.2"\n')
    done = probe("validate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 checks from 2 regions: 240 runs an hour" in done.stdout


def test_completion_and_version(tmp_path: Path) -> None:
    """What packagers and shells ask for."""
    assert probe("--version", cwd=tmp_path).stdout.startswith("probe ")
    shown = probe(
        "--show-completion", cwd=tmp_path, SHELL="/bin/bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
    )
    assert shown.returncode in {0, 1, 2}
    assert "Traceback" not in shown.stderr
