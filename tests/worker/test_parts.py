"""The pure parts of the worker: messages, words of Playwright, discovery, trees."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from probe.core.run import ConsoleLine, Observation, RunId, Why
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserKind, BrowserSettings, Region, Target
from probe.errors import ProberUnavailable
from probe.ports import Marks, RunContext
from probe.worker import browser, playwright_errors, tree
from probe.worker.awaited import selector_words
from probe.worker.cleaning import cleaned_lines
from probe.worker.marking import origin_of
from probe.worker.scratch import LONGEST, new_scratch, sweep
from probe.worker.wire import Done, Frames, Noticed, pack, unpack, unpack_trusted


def test_messages_survive_the_wire_in_pieces() -> None:
    message = Done(observation=Observation(console=(ConsoleLine(level="error", text="x"),)), memory=3)
    data = pack(message) + pack(Noticed(ConsoleLine(level="log", text="y")))
    frames = Frames()
    found = [unpack(f) for i in range(len(data)) for f in frames.feed(data[i : i + 1])]
    assert found == [message, Noticed(ConsoleLine(level="log", text="y"))]
    with pytest.raises(ValueError, match="a frame of"):
        list(Frames().feed(b"\xff\xff\xff\xff"))


@pytest.mark.parametrize("evil", [os.system, subprocess.Popen, Path, Exception, pickle.loads])
def test_nothing_but_our_own_data_comes_from_a_worker(evil: object) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return evil, ("true",)

    with pytest.raises(pickle.UnpicklingError, match="no place in a message"):
        unpack(pickle.dumps(Evil()))


def test_orders_carry_read_only_mappings_and_secrets() -> None:
    context = RunContext(
        run=RunId("r"),
        why=Why.MANUAL,
        region=Region(name="here"),
        target=Target(name="t", url="http://x", secrets=MappingProxyType({"p": Secret("hunter2")})),
        marks=Marks(user_agent="u", headers={}, trace_id="t"),
        redactor=Redactor([Secret("hunter2")]),
        evidence_dir=Path("/x"),
    )
    back = unpack_trusted(pack(context)[4:])  # type: ignore[arg-type]  # a part of an order
    assert back.target.secrets["p"].reveal() == "hunter2"
    assert back.redactor.text("hunter2") == "***"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Page.goto: net::ERR_NAME_NOT_RESOLVED at http://x/", "name_not_found"),
        ("Page.goto: net::ERR_CONNECTION_RESET at http://x/", "connection_reset"),
        ("Page.goto: net::ERR_CERT_DATE_INVALID at https://x/", "certificate_expired"),
        ("Page.goto: net::ERR_CERT_COMMON_NAME_INVALID at https://x/", "certificate_wrong_host"),
        ("Page.goto: net::ERR_CERT_AUTHORITY_INVALID at https://x/", "certificate_untrusted"),
        ("Page.goto: net::ERR_SSL_PROTOCOL_ERROR at https://x/", "tls_handshake"),
        ("Page.goto: net::ERR_HTTP2_PROTOCOL_ERROR at https://x/", "http_protocol"),
        ("Page.goto: net::ERR_EMPTY_RESPONSE at http://x/", "closed_early"),
        ("Page.goto: net::ERR_INVALID_HTTP_RESPONSE at http://x/", "http_protocol"),
        ("Page.goto: net::ERR_CONTENT_LENGTH_MISMATCH at http://x/", "incomplete_body"),
        ("Page.goto: net::ERR_INCOMPLETE_CHUNKED_ENCODING at http://x/", "incomplete_body"),
        ("Page.goto: net::ERR_SOCKS_CONNECTION_FAILED at http://x/", "egress_failed"),
        ("Page.goto: net::ERR_INTERNET_DISCONNECTED at http://x/", "no_network"),
        ("Page.goto: net::ERR_SOMETHING_NEW at http://x/", "page_load"),
    ],
)
def test_network_errors(text: str, kind: str) -> None:
    failure = playwright_errors.net_failure(text)
    assert failure is not None
    assert failure.kind == kind
    assert "ERR_" in failure.message


def test_every_network_error_has_a_known_kind() -> None:
    from probe.core.failure import KINDS

    assert {kind for kind, _ in playwright_errors.NET_ERRORS.values()} <= set(KINDS)
    assert playwright_errors.net_failure("no error of the network") is None


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("- waiting for locator('#x')", "not found"),
        ("- locator resolved to <b>\n- element is not visible", "hidden"),
        ("- locator resolved to <b>\n- element is not visible\n- element is not enabled", "disabled"),
        ("- locator resolved to <b>\n- <div id=cookie> intercepts pointer events", "covered by <div id=cookie>"),
        ("- locator resolved to <b>", "found, but not ready"),
    ],
)
def test_why_an_element_was_not_ready(log: str, words: str) -> None:
    assert playwright_errors.obstacle(log) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'Page.wait_for_selector: Timeout 1000ms exceeded.\nCall log:\n  - waiting for locator("#zz") to be visible\n',
            "#zz was not visible within 1 s: not found",
        ),
        (
            'Page.expect_response: Timeout 1000ms exceeded while waiting for event "response"\n===== logs =====\n'
            'waiting for response "**/never"\n=====',
            "Page.expect_response: response did not come about within 1 s",
        ),
    ],
)
def test_waiting_in_words(text: str, message: str) -> None:
    timeout = playwright_errors.timeout_of(text)
    assert timeout is not None
    assert playwright_errors.action_failure(timeout).message == message


@pytest.mark.parametrize(
    ("text", "message", "actual"),
    [
        (
            "Page title expected to be 'Cart'\nActual value: Shop \nCall log:\n"
            '  - Expect "to_have_title" with timeout 700ms\n    8 × locator resolved to <html>…</html>\n',
            "page is expected to have title 'Cart'; after 700 ms: Shop",
            "Shop",
        ),
        (
            "Locator expected not to be visible\nActual value: visible \nCall log:\n"
            '  - Expect "not_to_be_visible" get_by_role("heading") with timeout 700ms\n',
            "heading is expected not to be visible; after 700 ms: visible",
            "visible",
        ),
        (
            "the cart is there\nActual value: None\nError: element(s) not found \nCall log:\n"
            '  - Expect "to_be_visible" get_by_role("heading", name="Your cart") with timeout 700ms\n',
            "the cart is there; after 700 ms: not found",
            "not found",
        ),
    ],
)
def test_expect_in_words(text: str, message: str, actual: str) -> None:
    failure = playwright_errors.expect_failure(text)
    assert failure is not None
    assert (failure.message, failure.actual) == (message, actual)


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ('internal:role=button[name="Pay"i]', "button 'Pay'"),
        ("internal:role=button", "button"),
        ('internal:label="Email"i', "field 'Email'"),
        ('internal:testid=[data-testid="x"s] >> a >> nth=1', "a in test id 'x' (number 2)"),
        ('internal:attr=[placeholder="Name"i]', "field 'Name'"),
        ("#cart", "#cart"),
    ],
)
def test_selectors_in_words(selector: str, words: str) -> None:
    assert selector_words(selector) == words


def test_the_browser_is_found_in_order(tmp_path: Path) -> None:
    def tool(name: str) -> str:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return str(path)

    shell, full = tool("chromium-headless-shell"), tool("chromium")
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    find = browser.find_browser
    assert find(BrowserKind.HEADLESS_SHELL, None, environment).path == shell
    assert find(BrowserKind.CHROMIUM, None, environment).path == full
    named = {**environment, browser.ENVIRONMENT: full}
    assert find(BrowserKind.HEADLESS_SHELL, None, named) == browser.Executable(path=full, shell=False)
    settings = BrowserSettings(executable=shell)
    assert find(BrowserKind.CHROMIUM, settings, named).path == shell
    with pytest.raises(ProberUnavailable, match=r"'/nowhere'.*make setup"):
        find(BrowserKind.CHROMIUM, BrowserSettings(executable="/nowhere"), environment)
    own = tmp_path / ".cache/ms-playwright/chromium-1200/chrome-linux/chrome"
    own.parent.mkdir(parents=True)
    own.write_text("")
    own.chmod(0o755)
    bare = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    assert find(BrowserKind.CHROMIUM, None, bare).path == str(own)
    assert "WebUIOmniboxPopup" in " ".join(find(BrowserKind.CHROMIUM, None, bare).flags)
    own.unlink()
    with pytest.raises(ProberUnavailable, match="no browser was found"):
        find(BrowserKind.CHROMIUM, None, bare)


def test_a_detached_orphan_is_killed_with_its_tree() -> None:
    tree.adopt_orphans()
    mark = tree.own_mark(77)
    code = "import subprocess, sys; subprocess.Popen(['setsid', 'sleep', '600']); print('up', flush=True); input()"
    root = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, tree.MARK: mark},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert root.stdout is not None
    assert root.stdin is not None
    root.stdout.readline()
    time.sleep(0.2)
    root.kill()
    root.wait()
    family = tree.Family(root=root.pid, mark=mark)
    assert [p.name for p in family.refresh()] == ["sleep"]
    assert family.kill() == []
    assert family.refresh() == []
    root.stdout.close()
    root.stdin.close()


def test_what_dead_supervisors_left_is_swept(tmp_path: Path) -> None:
    dead = "999999999.1.1"
    stray = subprocess.Popen(["sleep", "600"], env={**os.environ, tree.MARK: dead})
    (tmp_path / f"pw-{dead}").mkdir()
    mine = new_scratch(tmp_path, tree.own_mark(1))
    assert stray.pid in tree.end_strays()
    assert stray.wait() == -9
    assert tmp_path / f"pw-{dead}" in sweep(tmp_path)
    assert mine.exists() is (len(str(mine)) <= LONGEST or mine.parent != tmp_path)
    mine.rmdir()


def test_headers_are_dropped_by_name_in_every_line() -> None:
    line = b'{"a":{"headers":[{"name":"Set-Cookie","value":"sid=1"}],"cookies":[{"name":"x","value":"y"}]},"extraHTTPHeaders":{"Authorization":"z"}}'
    assert cleaned_lines(line + b"\nnot json\n") == (
        b'{"a":{"headers":[{"name":"Set-Cookie","value":"***"}],"cookies":[{"name":"x","value":"***"}]},'
        b'"extraHTTPHeaders":{"Authorization":"***"}}\n'
    )


def test_what_hides_secrets_in_pictures_is_in_no_trace() -> None:
    """The expression that finds them has them, with the signs escaped that mean something in it."""
    line = b'{"type":"before","method":"screenshot","params":{"mask":[{"selector":"internal:text=/a\\\\.b\\\\/c/"}],"type":"png"}}'
    assert cleaned_lines(line) == b'{"type":"before","method":"screenshot","params":{"type":"png"}}\n'


def test_origins() -> None:
    assert origin_of("https://ada:pw@Shop.example:8443/cart?x=1") == "https://shop.example:8443"


@pytest.mark.parametrize("journey", [False, True], ids=["http", "browser"])
def test_a_killed_supervisor_takes_its_workers_along(tmp_path: Path, journey: bool) -> None:
    """kill -9 of the supervisor in the middle of a run: no worker, driver or browser is left."""
    code = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from datetime import timedelta
from probe.core.check import *; from probe.core.run import *; from probe.core.secret import *; from probe.core.target import *
from probe.ports import *; from probe.worker.pool import WorkerPool
kind = BrowserKind.HEADLESS_SHELL if {journey} else None
file = {str(Path(__file__).parent / "data" / "hostile.py")!r}
spec = CheckSpec(id=CheckId("x"), kind="http", target="s", every=timedelta(60), timeout=timedelta(seconds=60),
    work=Function(file=file, name="loops", browser=kind, root=""), source=Source(file=file, line=1))
run = RunContext(run=RunId("r"), why=Why.MANUAL, region=Region(name="h"), target=Target(name="s", url="http://127.0.0.1:1"),
    marks=Marks(user_agent="u", headers={{}}, trace_id="t"), redactor=Redactor())
async def main():
    async with WorkerPool(BrowserSettings(), Path({str(tmp_path / "k")!r})) as pool:
        await pool.run(spec, run)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    end = time.monotonic() + 10
    marked: list[int] = []
    while time.monotonic() < end:
        time.sleep(0.2)
        marked = [p for p in tree.processes() if (tree.mark_of(p) or "").startswith(f"{process.pid}.")]
        if len(marked) >= (3 if journey else 1):
            break
    time.sleep(1.0)
    assert marked
    process.kill()
    process.wait()
    end = time.monotonic() + 6
    while (left := _living(marked)) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []


def _living(marked: list[int]) -> list[tree.Process]:
    """Those of the marked processes that live, and who lives in a session that one of them began."""
    return [p for p in tree.processes().values() if not p.dead and (p.pid in marked or p.session in marked)]
