"""The page of an incident: the four answers, what operators do, and what can be taken along."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import escape
from io import BytesIO
from zipfile import ZipFile

import pytest
import pytest_asyncio
from aiohttp import ClientSession, CookieJar

from probe.core.access import Access
from probe.errors import StoreUnavailable
from probe.web.answers import Refused
from probe.web.pages.incident import mute_until
from probe.web.pages.objectives import around, months_before
from tests.view.outage import ID, MARKUP, leaks
from tests.web.pages.inside import COOKIE, NOW, Inside, served

PAGE = f"/incidents/{ID}"
READS = {"Accept": "text/html"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    async with served(tmp_path_factory.mktemp("outage")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def operator(inside: Inside) -> AsyncIterator[ClientSession]:
    async with ClientSession(inside.address, headers=inside.header(**READS)) as session:
        yield session


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(inside: Inside) -> AsyncIterator[ClientSession]:
    async with ClientSession(inside.address, headers=inside.header(Access.VIEWER, **READS)) as session:
        yield session


def words(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


async def test_four_answers_come_first(operator: ClientSession) -> None:
    page = await (await operator.get(PAGE)).text()
    said = words(page)
    assert said.index("What") < said.index("For whom") < said.index("Since") < said.index("Why")
    assert "and still" in said
    for place in ("eu", "us"):
        assert re.search(rf'class="place place--bad"><bdi>{place}</bdi>', page)
    assert re.search(r'class="place place--fine"><bdi>ap</bdi>', page)
    assert "evidence/screenshot.png" in page
    assert "evidence/reference.jpg" in page
    assert "What changed since it was last good" in page


async def test_texts_of_a_shop_and_of_people_are_texts(operator: ClientSession) -> None:
    page = await (await operator.get(PAGE)).text()
    assert escape("<script>alert(1)</script>") in page
    assert "<script>alert" not in page
    assert MARKUP not in page
    assert leaks(page.encode()) == []


async def test_viewers_see_no_form_and_may_do_nothing(inside: Inside, viewer: ClientSession) -> None:
    page = await (await viewer.get(PAGE)).text()
    assert "For whom" in page
    assert f'action="{PAGE}' not in page
    for act in ("ack", "mute", "notes"):
        answer = await viewer.post(f"{PAGE}/{act}", data={"text": "x", "for": "1h"}, allow_redirects=False)
        assert answer.status == 403
    assert inside.desk.daemon.asked == []


async def test_operators_act_by_forms(inside: Inside) -> None:
    """As a browser sends them: with the cookie of the session and its word; back to the page each time."""
    await asyncio.to_thread(inside.log_in, NOW)
    jar = CookieJar(unsafe=True)
    jar.update_cookies({"probe_session": COOKIE})
    async with ClientSession(inside.address, cookie_jar=jar, headers=READS) as browser:

        async def sent(act: str, **fields: str) -> tuple[int, str]:
            answer = await browser.post(f"{PAGE}/{act}", data=fields, allow_redirects=False)
            return answer.status, answer.headers.get("Location", "")

        assert (await sent("ack"))[0] == 403
        word = {"csrf": "the-csrf-word"}
        assert await sent("ack", **word) == (303, PAGE)
        assert await sent("mute", **word, **{"for": "4h"}) == (303, PAGE)
        assert await sent("mute", **word, **{"for": "until", "until": "2026-11-24T09:30"}) == (303, PAGE)
        assert await sent("mute", **word, **{"for": "off"}) == (303, PAGE)
        assert await sent("notes", **word, text="rolling back") == (303, f"{PAGE}#notes")
        assert (await sent("notes", **word, text="  "))[0] == 422
        assert (await sent("mute", **word))[0] == 422
        assert (await sent("mute", **word, **{"for": "until", "until": f"{NOW:%Y-%m-%dT%H:%M}"}))[
            0
        ] == 422  # it is over
    assert inside.desk.daemon.asked == [
        ("ack", ID, "jo"),
        ("mute", ID, NOW + timedelta(hours=4), "jo"),
        ("mute", ID, datetime(2026, 11, 24, 9, 30, tzinfo=UTC), "jo"),
        ("mute", ID, None, "jo"),
    ]
    assert [(note.by, note.text) for note in await asyncio.to_thread(inside.notes)][-1] == ("jo", "rolling back")
    written = await asyncio.to_thread(inside.audited)
    assert ("jo", "post", f"{PAGE}/ack", False) in written
    assert {("jo", "acknowledge", ID, True), ("jo", "note", ID, True), ("jo", "unmute", ID, True)} <= set(written)
    assert any(what.startswith("mute until ") and ok for _, what, _, ok in written)


async def test_what_cannot_be_done_is_told(inside: Inside, operator: ClientSession) -> None:
    """An incident that is not open any more, and a store that cannot be written, with what to do."""
    word = {"for": "1h"}
    inside.desk.daemon.incidents = ("another",)
    gone = await operator.post(f"{PAGE}/ack")
    assert gone.status == 404
    assert "no open incident" in words(await gone.text())
    inside.desk.daemon.incidents = (ID,)
    inside.desk.daemon.error = StoreUnavailable("the disk is full: make room")
    full = await operator.post(f"{PAGE}/mute", data=word)
    inside.desk.daemon.error = None
    assert full.status == 503
    assert "The disk is full: make room" in words(await full.text())
    assert (await operator.get("/incidents/never-was")).status == 404


@pytest.mark.parametrize(
    ("how", "until", "meant"),
    [
        ("1h", "", NOW + timedelta(hours=1)),
        ("off", "", None),
        ("tomorrow", "", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("until", "2026-11-23T12:00", datetime(2026, 11, 23, 12, tzinfo=UTC)),
    ],
)
async def test_until_when_it_is_muted(how: str, until: str, meant: datetime | None) -> None:
    assert mute_until(how, until, NOW) == meant


@pytest.mark.parametrize(("how", "until"), [("", ""), ("until", ""), ("until", "soon"), ("9h", "")])
async def test_a_mute_without_an_end_is_refused(how: str, until: str) -> None:
    with pytest.raises(Refused):
        mute_until(how, until, NOW)


async def test_the_post_mortem_can_be_read_anywhere(viewer: ClientSession) -> None:
    draft = await viewer.get(f"{PAGE}/report.md")
    assert draft.headers["Content-Disposition"] == f'attachment; filename="incident-{ID}.md"'
    assert leaks(await draft.read()) == []
    report = await viewer.get(f"{PAGE}/report.html")
    page = await report.text()
    assert "data:image/png;base64," in page
    assert "script" not in report.headers["Content-Security-Policy"].replace("script-src 'none'", "")
    assert "sandbox" in report.headers["Content-Security-Policy"]
    assert leaks(page.encode()) == []


async def test_the_bundle_is_a_zip(operator: ClientSession) -> None:
    answer = await operator.get(f"{PAGE}/bundle.zip")
    body = await answer.read()
    assert answer.headers["Content-Disposition"] == f'attachment; filename="incident-{ID}.zip"'
    with ZipFile(BytesIO(body)) as packed:
        assert "incident.json" in packed.namelist()
    assert leaks(body) == []


async def test_promises_and_their_months(operator: ClientSession) -> None:
    page = words(await (await operator.get("/objectives")).text())
    assert "buying" in page
    assert "99.9 %" in page
    assert "2026-11" in page
    month = words(await (await operator.get("/objectives/2026-11")).text())
    assert "Objectives in 2026-11" in month
    assert "buying" in month
    table = await operator.get("/objectives/2026-11.csv")
    assert table.content_type == "text/csv"
    assert "buying" in await table.text()
    for wrong in ("banana", "2026-13", "2026-1", "2026-13.csv"):
        assert (await operator.get(f"/objectives/{wrong}")).status == 404


async def test_months() -> None:
    assert months_before(datetime(2027, 1, 31, tzinfo=UTC), 2) == ["2027-01", "2026-12"]
    assert around("2027-01") == ("2026-12", "2027-02")


async def test_a_mark_by_a_form(inside: Inside, operator: ClientSession) -> None:
    answer = await operator.post("/marks", data={"text": "shop 43", "at": "2026-11-23T03:04"}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    found = await inside.desk.people(lambda people: people.marks(NOW - timedelta(days=1), NOW))
    assert ("deploy", "shop 43") in [(mark.kind, mark.text) for mark in found]
    for wrong in ({"text": ""}, {"text": "x", "at": "yesterday"}, {"text": "x", "check": "nothing"}):
        refused = await operator.post("/marks", data=wrong, allow_redirects=False)
        assert refused.status in (400, 404, 422)
