"""What attackers send to every route: it is refused, in words, and no secret of the configuration comes out of any."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from probe.core.access import Access
from probe.web.live import BROADCAST
from tests.canary import told
from tests.cli.world import CANARY, OPEN
from tests.web.test_closed import every_route
from tests.web.whole import Whole, served

FORM = "application/x-www-form-urlencoded"
ODD: tuple[tuple[dict[str, str], bytes], ...] = (
    ({"Content-Type": "multipart/form-data"}, b"no boundary"),
    ({"Content-Type": "multipart/form-data; boundary=x"}, b"nothing of the kind"),
    ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nContent-Disposition: form-data; name=text; filename=a\r\n\r\nb\r\n--x--\r\n"),
    ({"Content-Type": f"{FORM}; charset=nobody-knows"}, b"text=1"),
    ({"Content-Type": FORM}, b"text=%ff%fe&name=%ed%a0%80&check=%00"),
    ({"Content-Type": FORM, "Content-Encoding": "gzip"}, b"not packed"),
    ({"Content-Type": FORM}, b"a=1&" * 10_000),
    ({"Content-Type": "application/json"}, b'{"text": "\\ud800"}'),
    ({"Content-Type": "application/json"}, b"[" * 30_000),
)  # fmt: skip  # a table
LONG = "9" * 5000
QUERIES = (
    "limit=00000001000999",
    "limit=" + "0" * 9 + "1" + "0" * 5000,
    f"limit={LONG}&cursor={LONG}",
    "from=401d",
    f"from={LONG}d",
    "from=2026-01-01T00:00:00Z&to=2029-01-01T00:00:00Z",
    "to=9999-12-31T23:59:59.999999-23:59",
    "cursor=%00%ed%a0%80&check=%ff&region=%00&from=1h",
)


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with served(tmp_path) as found:
        yield found


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def test_whatever_is_sent_is_no_bug_of_ours(whole: Whole, client: aiohttp.ClientSession) -> None:
    """Bodies that are none, to all that take one; queries that are none, to all that is asked."""
    operator = whole.header(Access.OPERATOR)
    for method, path, address in every_route(whole.app):
        for headers, body in ODD if method == "POST" else ():
            async with client.post(
                whole.address + address, headers=operator | headers, data=body, allow_redirects=False
            ) as answer:
                assert answer.status < 500, (path, headers, body[:40], await answer.text())
        for query in QUERIES if method == "GET" and not path.endswith("/events") else ():
            async with client.get(f"{whole.address}{address}?{query}", headers=operator, allow_redirects=False) as got:
                assert got.status in (502, 303) or got.status < 500, (path, query[:40], await got.text())
    async with client.get(f"{whole.address}/api/v1/runs?limit=00000001000999", headers=operator) as answer:
        assert answer.status == 400, "the most rows at once are not to be had around"


async def test_no_page_holds_a_secret(whole: Whole, client: aiohttp.ClientSession) -> None:
    """It stands in every text that is stored, and in what operators write: all that there is to get is looked through."""
    operator = whole.header(Access.OPERATOR)
    written = {
        "/api/v1/marks": {"text": f"released {CANARY}"},
        f"/api/v1/incidents/{OPEN}/notes": {"text": f"it is {CANARY}"},
        "/api/v1/notices": {
            "title": f"we look at {CANARY}",
            "components": ["checkout"],
            "standing": "investigating",
            "text": CANARY,
        },
    }
    for path, body in written.items():
        async with client.post(whole.address + path, headers=operator, json=body) as answer:
            assert answer.status == 201, await answer.text()
            assert told(path, await answer.read(), CANARY) == []
    masked = set()
    for method, path, address in every_route(whole.app):
        if method != "GET" or path.endswith("/events"):
            continue
        for headers in (operator, whole.header(Access.VIEWER), operator | {"Accept": "text/html"}):
            async with client.get(whole.address + address, headers=headers, allow_redirects=False) as answer:
                body = await answer.read()
                assert told(f"{path} {answer.headers}", body, CANARY) == []
                assert told("headers", repr(answer.raw_headers).encode(), CANARY) == []
                masked |= {path} if b"***" in body else set()
    assert {
        "/",
        "/runs/{run}",
        "/incidents/{id}",
        "/incidents/{id}/report.html",
        "/api/v1/overview",
        "/api/v1/incidents/{id}",
        "/api/v1/marks",
        "/status",
        "/status/feed.atom",
        "/notices",
        "/audit",
    } <= masked, "or it was not there to be found"
    kept = [path for path in (whole.folder / "data").iterdir() if path.name.startswith("people")]
    assert kept
    assert [line for path in kept for line in told(path.name, path.read_bytes(), CANARY)] == []
    async with client.get(f"{whole.address}/events", headers=operator) as stream:
        said = b"".join([await stream.content.readline() for _ in range(3)])
        assert b"event: all" in said
        assert told("/events", said, CANARY) == []


async def test_who_leaves_before_it_begins_is_no_bug_of_ours(whole: Whole, caplog: pytest.LogCaptureFixture) -> None:
    """Pages that listen go away at any moment, also as the first byte is written; the log says nothing of that."""
    host, _, port = whole.address.removeprefix("http://").partition(":")
    asked = "".join(f"{name}: {value}\r\n" for name, value in whole.header(Access.VIEWER).items())
    for _ in range(50):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /events HTTP/1.1\r\nHost: {host}\r\n{asked}\r\n".encode())
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()  # a reset, not an end
    while whole.app[BROADCAST].listeners:
        await asyncio.sleep(0.01)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
