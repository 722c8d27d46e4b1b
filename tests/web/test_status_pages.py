"""`/status` as the public asks for it: open, cacheable, made once for all; and the reports of visitors."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from probe.core.access import Access, WebSettings
from probe.core.check import CheckId
from probe.core.incident import Verdict
from probe.core.state import Change
from probe.core.status_page import StatusPage
from probe.web import newest
from tests.view.public import OURS, PAGE, TODAY, fill, incident, standing
from tests.web.public import TOKENS, ShopDesk, served

PARTS = [f"/status/badge/{slug}.svg" for slug in ("pay", "find", "news")]
FILES = [
    "/status",
    "/status/",
    "/status/feed.atom",
    "/status/status.json",
    "/status/badge.svg",
    "/status/status.css",
    *PARTS,
]
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    now = incident("now", Verdict.DOWN, TODAY - HOUR, "checkout", cause=f"{OURS}.now")
    states = {CheckId(f"{OURS}-checkout"): standing(Verdict.DOWN), CheckId(f"{OURS}-search"): standing()}
    fill(folder, Change(incidents={now.cause: now}, checks=states))
    return folder


@pytest.fixture
def desk(written: Path, tmp_path: Path) -> ShopDesk:
    """A desk of its own: what one test tells is not there in another."""
    shutil.copytree(written, tmp_path / "data")
    return ShopDesk(tmp_path / "data")


@pytest.fixture
async def address(desk: ShopDesk) -> AsyncIterator[str]:
    async with served(desk) as found:
        yield found


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def test_anybody_may_read_and_keep_it(address: str, client: aiohttp.ClientSession) -> None:
    """Every file without a session or a cookie, with a policy under which nothing runs; asked again it is 304."""
    for path in FILES:
        async with client.get(address + path, headers={"Cookie": "probe_session=x"}) as answer:
            body, headers = await answer.read(), answer.headers
            assert (answer.status, headers["Cache-Control"]) == (200, "public, max-age=30, stale-if-error=86400"), path
            assert "Set-Cookie" not in headers
            assert "script-src" not in headers["Content-Security-Policy"]
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert OURS.encode() not in body
        async with client.get(address + path, headers={"If-None-Match": f'"other", {headers["ETag"]}'}) as again:
            assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", headers["ETag"]), path
        async with client.head(address + path) as head:
            assert (head.status, head.headers["ETag"]) == (200, headers["ETag"]), path
    async with client.get(f"{address}/status/status.json") as answer:
        found = json.loads(await answer.text())
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert (found["state"], [c["state"] for c in found["components"]]) == ("down", ["down", "ok", "unknown"])
    for path in ("/status/badge/none.svg", "/status/badge/..%2f..%2fstatus.json.svg"):
        async with client.get(address + path) as answer:
            assert answer.status == 404


async def test_without_a_page_there_is_none(desk: ShopDesk, address: str, client: aiohttp.ClientSession) -> None:
    """It says what makes one, and nothing is looked at."""
    desk.status_page = StatusPage()
    async with client.get(f"{address}/status") as answer:
        assert answer.status == 404
        assert "There is no status page here" in await answer.text()
    async with client.post(f"{address}/status/report", data={"component": "pay"}) as answer:
        assert answer.status == 404
    assert desk.looks == 0


async def test_it_is_made_once_for_all(
    desk: ShopDesk, address: str, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask at the same time; and anew when it is configured otherwise."""
    monkeypatch.setattr(newest, "AGAIN", 0.0)
    desk.gate = asyncio.Event()

    async def ask(path: str) -> int:
        async with client.get(address + path) as answer:
            await answer.read()
            return answer.status

    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask(path)) for path in FILES * 4]
        while not desk.looks:
            await asyncio.sleep(0)
        desk.gate.set()
    assert {task.result() for task in asked} == {200}
    assert desk.looks == 1
    desk.status_page = replace(PAGE, title="Otherwise")
    async with client.get(f"{address}/status") as answer:
        assert "<h1>Otherwise</h1>" in await answer.text()
    assert desk.looks == 2


async def test_whoever_goes_away_takes_nothing_with_them(desk: ShopDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One who asked first and left before the answer: the next one is answered, after a pause."""
    monkeypatch.setattr(newest, "AGAIN", 0.01)
    desk.gate = asyncio.Event()
    first = asyncio.get_running_loop().create_task(newest.newest(desk))
    while not desk.looks:
        await asyncio.sleep(0)
    first.cancel()
    desk.gate.set()
    assert (await newest.newest(desk)).document["state"] == "down"
    assert desk.looks == 2


async def test_when_nothing_can_be_read(
    desk: ShopDesk, address: str, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At first it says so. Once there was a page, it stays, and says that the present is not known."""
    monkeypatch.setattr(newest, "FRESH", 0.0)
    monkeypatch.setattr(newest, "AGAIN", 0.0)
    desk.trouble = f"the disk of {OURS} is full"
    async with client.get(f"{address}/status") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
        assert OURS not in await answer.text()
    desk.trouble = ""
    async with client.get(f"{address}/status/status.json") as answer:
        before = json.loads(await answer.text())
    desk.trouble = "the disk is full"
    async with client.get(f"{address}/status/status.json") as answer:
        after = json.loads(await answer.text())
    assert {(part["state"], part["since"]) for part in after["components"]} == {("unknown", before["now"])}
    assert [part["days"] for part in after["components"]] == [part["days"] for part in before["components"]]


async def test_behind_a_prefix(desk: ShopDesk, client: aiohttp.ClientSession) -> None:
    """Every address on the page leads below it."""
    desk.settings = WebSettings(url="http://127.0.0.1/ops")
    async with served(desk) as address:
        async with client.get(f"{address}/ops/status") as answer:
            text = await answer.text()
        assert 'href="/ops/status/feed.atom"' in text
        assert 'action="/ops/status/report"' in text
        async with client.get(f"{address}/ops/status/badge/pay.svg") as answer:
            assert "Outage" in await answer.text()
        said = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
        send = client.post(
            f"{address}/ops/status/report", data={"component": "pay"}, headers=said, allow_redirects=False
        )
        async with send as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/ops/status/thanks")


async def counted(desk: ShopDesk, slug: str = "pay") -> int:
    return await desk.people(lambda people: people.reports(slug, TODAY - 9000 * HOUR, TODAY + 90_000 * HOUR))  # type: ignore[no-any-return]  # a desk of the tests


async def test_visitors_report(desk: ShopDesk, address: str, client: aiohttp.ClientSession) -> None:
    """With a button of the page: counted once by whoever presses it again and again, without a cookie, with thanks."""
    own = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
    for _ in range(3):
        async with client.post(f"{address}/status/report", data={"component": "pay"}, headers=own) as answer:
            assert (answer.status, answer.url.path) == (200, "/status/thanks")
            assert "Thank you" in await answer.text()
            assert all("Set-Cookie" not in one.headers for one in (answer, *answer.history))
    for headers in ({"Origin": address}, {"Sec-Fetch-Site": "none"}):
        async with client.post(f"{address}/status/report", data={"component": "find"}, headers=headers) as answer:
            assert answer.status == 200
    assert (await counted(desk), await counted(desk, "find")) == (1, 1)


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({}, {"component": "pay"}, 403),  # no browser of today
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"component": "pay"}, 403),
        ({"Origin": "https://evil.example"}, {"component": "pay"}, 403),
        ({"Origin": "null"}, {"component": "pay"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, {"component": "pay"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, {"component": "paying"}, 404),
        ({"Sec-Fetch-Site": "same-origin"}, {}, 404),
        ({"Sec-Fetch-Site": "same-origin", "Content-Type": "multipart/form-data"}, b"nonsense", 404),
    ],
)
async def test_what_is_not_counted(
    desk: ShopDesk,
    address: str,
    client: aiohttp.ClientSession,
    headers: dict[str, str],
    data: dict[str, str] | bytes,
    status: int,
) -> None:
    """What another site sent, and what is about nothing that there is."""
    async with client.post(f"{address}/status/report", data=data, headers=headers) as answer:
        assert answer.status == status
        assert "not counted" in await answer.text()
    assert await counted(desk) == 0


async def test_reports_can_be_off_and_can_fail(desk: ShopDesk, address: str, client: aiohttp.ClientSession) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    desk.trouble = f"the disk of {OURS} is full"
    async with client.post(f"{address}/status/report", data={"component": "pay"}, headers=own) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
        assert OURS not in await answer.text()
    desk.trouble, desk.status_page = "", replace(PAGE, reports=False)
    async with client.post(f"{address}/status/report", data={"component": "pay"}, headers=own) as answer:
        assert answer.status == 404
    async with client.get(f"{address}/status") as answer:
        assert "<form" not in await answer.text()


# --- the operators' side ------------------------------------------------------------------------------------------------

OPERATOR = {"Authorization": f"Bearer {TOKENS[Access.OPERATOR]}", "Accept": "text/html"}
VIEWER = {"Authorization": f"Bearer {TOKENS[Access.VIEWER]}", "Accept": "text/html"}
NOTICE = {
    "title": "Cards <b>fail</b>",
    "component": "pay",
    "standing": "investigating",
    "text": "We look.",
    "begins": "",
    "ends": "",
}


async def test_a_notice_from_first_to_last(
    desk: ShopDesk, address: str, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written with the form, read by the public, resolved; and it is on record who did it."""
    monkeypatch.setattr(newest, "FRESH", 0.0)
    monkeypatch.setattr(newest, "AGAIN", 0.0)
    send = client.post(f"{address}/notices", data=NOTICE, headers=OPERATOR, allow_redirects=False)
    async with send as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/notices")
    async with client.get(f"{address}/status") as answer:
        assert "Cards &lt;b&gt;fail&lt;/b&gt;" in await answer.text()
    async with client.get(f"{address}/status/status.json") as answer:
        (told,) = json.loads(await answer.text())["notices"]
    assert (told["standing"], told["components"], told["begins"]) == ("investigating", ["pay"], "2026-11-27T03:00:00Z")
    more = {"standing": "resolved", "text": "Over."}
    async with client.post(f"{address}/notices/{told['id']}", data=more, headers=OPERATOR) as answer:
        assert answer.status == 200
        assert "Cards &lt;b&gt;fail&lt;/b&gt;" in await answer.text()
    async with client.get(f"{address}/status/status.json") as answer:
        found = json.loads(await answer.text())
    assert [u["standing"] for u in found["past"][0]["updates"]] == ["investigating", "resolved"]
    lines, _ = await desk.people(lambda people: people.audited())
    assert [(line.who, line.what) for line in lines] == [
        ("operator", "notice resolved"),
        ("operator", "notice"),
    ]


async def test_mistakes_are_told_and_nothing_is_lost(address: str, client: aiohttp.ClientSession) -> None:
    """The page comes back with what was written; nothing is told."""
    wrong = {**NOTICE, "text": "", "component": "gone", "title": 'My "words"'}
    async with client.post(f"{address}/notices", data=wrong, headers=OPERATOR) as answer:
        text = await answer.text()
        assert answer.status == 422
        assert "components: there is no &#39;gone&#39;" in text
        assert "text: say something" in text
        assert 'value="My &#34;words&#34;"' in text
    for data, status in (({"standing": "resolved", "text": "x"}, 404), ({}, 404)):
        async with client.post(f"{address}/notices/77", data=data, headers=OPERATOR) as answer:
            assert answer.status == status
    async with client.post(f"{address}/notices", data=NOTICE, headers=OPERATOR) as answer:
        assert answer.status == 200
    async with client.post(
        f"{address}/notices/1", data={"standing": "completed", "text": "x"}, headers=OPERATOR
    ) as answer:
        assert answer.status == 422
        assert "standing: say one of investigating" in await answer.text()


async def test_from_an_incident(address: str, client: aiohttp.ClientSession) -> None:
    """The parts that it is about, and since when, are filled in; the words are the operator's."""
    async with client.get(f"{address}/notices?incident={OURS}-now", headers=OPERATOR) as answer:
        text = await answer.text()
        assert answer.status == 200
    assert 'value="Problems with Pay &amp; go"' in text
    assert 'value="pay" checked' in text
    assert 'value="find" checked' not in text
    assert 'name="begins" value="2026-11-27T02:00"' in text
    async with client.get(f"{address}/notices?incident=none", headers=OPERATOR) as answer:
        assert answer.status == 404


async def test_only_operators_tell(desk: ShopDesk, address: str, client: aiohttp.ClientSession) -> None:
    """Who may look sees the public page."""
    async with client.get(f"{address}/notices", headers=VIEWER) as answer:
        assert answer.status == 403
    async with client.post(f"{address}/notices", data=NOTICE, headers=VIEWER) as answer:
        assert answer.status == 403
    assert await desk.people(lambda people: people.notices(TODAY - HOUR)) == ()
