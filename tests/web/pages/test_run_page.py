"""The page of a run and its evidence: what it says, who may have what, and that nothing of a shop is more than text."""

from collections.abc import AsyncIterator
from html import escape

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from probe.core.access import Access
from probe.core.check import CheckId
from probe.web.pages.run_facts import STEPS, chains, changes, listed_steps, named, picture, ways
from probe.web.render import _ENVIRONMENT
from tests.view.outage import JPEG, MARKUP, PNG, leaks
from tests.web.pages import samples_run as samples
from tests.web.pages.inside import Inside, served

RUN = "/runs/checkout-eu-0"
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


async def test_the_reason_comes_first_and_everything_is_there(operator: ClientSession) -> None:
    answer = await operator.get(RUN)
    page = await answer.text()
    assert answer.status == 200
    assert page.index("Why it failed") < page.index("What the customer saw") < page.index("What changed since")
    assert page.index("What changed since") < page.index('<h2 id="steps"') < page.index('<h2 id="requests"')
    for link in ("evidence/screenshot.png", "evidence/reference.jpg", "evidence/console.log"):
        assert f'href="{RUN}/{link}"' in page
    assert f'href="{RUN}/trace"' in page
    assert 'href="/incidents/20261123-030000-abcd"' in page
    assert "probe check checkout --once --region eu" in page
    assert 'action="/checks/checkout/run"' in page


async def test_texts_of_a_shop_are_texts_and_hold_no_secret(operator: ClientSession) -> None:
    """Whatever stands in a failure, a console, a header: it is shown, and is no markup."""
    page = await (await operator.get(RUN)).text()
    assert escape("<script>alert(1)</script>") in page
    assert "<script>alert" not in page
    assert MARKUP not in page
    assert leaks(page.encode()) == []


async def test_viewers_see_no_form(viewer: ClientSession) -> None:
    page = await (await viewer.get(RUN)).text()
    assert "Why it failed" in page
    assert 'action="/checks' not in page


async def test_a_run_without_details_says_so(operator: ClientSession) -> None:
    page = await (await operator.get("/runs/checkout-us-3")).text()
    assert "There is no picture of a good run" not in page
    missing = await operator.get("/runs/never-was")
    assert missing.status == 404


@pytest.mark.parametrize(
    ("name", "kind", "body", "saved"),
    [
        ("screenshot.png", "image/png", PNG, False),
        ("reference.jpg", "image/jpeg", JPEG, False),
        ("network.har", "application/json", b'{"log"', False),
        ("console.log", "text/plain; charset=utf-8", b"[pay] error", False),
        ("trace.zip", "application/zip", b"PK", True),
    ],
)
async def test_evidence_is_shown_or_saved_and_never_run(
    viewer: ClientSession, name: str, kind: str, body: bytes, *, saved: bool
) -> None:
    answer = await viewer.get(f"{RUN}/evidence/{name}")
    assert answer.status == 200
    assert (await answer.read()).startswith(body)
    assert answer.headers["Content-Type"].startswith(kind)
    assert leaks(await answer.read() if not saved else b"") == []
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    assert ("Content-Disposition" in answer.headers) is saved


@pytest.mark.parametrize("name", ["other.png", "..%2f..%2fpeople.sqlite3", "%2e%2e", "screenshot.png%00", ".."])
async def test_only_what_the_run_has_made_can_be_had(viewer: ClientSession, name: str) -> None:
    answer = await viewer.get(f"{RUN}/evidence/{name}")
    assert answer.status == 404


async def test_evidence_of_restricted_checks_is_for_operators(
    inside: Inside, viewer: ClientSession, operator: ClientSession
) -> None:
    inside.desk.restricted = frozenset({CheckId("checkout")})
    try:
        for name in ("screenshot.png", "trace.zip"):
            assert (await viewer.get(f"{RUN}/evidence/{name}")).status == 403
            assert (await operator.get(f"{RUN}/evidence/{name}")).status == 200
        page = await (await viewer.get(RUN)).text()
        assert "Pictures of this check are for operators." in page
        assert "evidence/screenshot.png" not in page
        assert "For operators alone" in await (await viewer.get(f"{RUN}/trace")).text()
        assert "evidence/screenshot.png" in await (await operator.get(RUN)).text()
    finally:
        inside.desk.restricted = frozenset()


async def test_facts_of_a_run() -> None:
    """Chains, names, redirects and changes, from the document alone."""
    run = samples.encoded_run()
    verified, browsers = chains(run)
    assert [(one.sent, one.trusted) for one in verified.certificates] == [(True, True), (True, True), (False, True)]
    assert verified.days is not None
    assert round(verified.days, 2) == 9.01
    assert (browsers.by_browser, browsers.host) == (True, "shop.example")
    assert [(one.host, one.answers) for one in named(run)] == [("shop.example", ("203.0.113.7", "203.0.113.9"))]
    assert [[leg.status for leg in way] for way in ways(run)] == [[301, 200], [None, 200]]
    assert [group.what for group in changes(samples.compared())] == [
        *("build", "status", "header", "script", "text", "timing")
    ]
    text = changes(samples.compared())[4].rows[0]
    assert text.after is not None
    assert [piece.text for piece in text.after if piece.changed] == ["Something", "went wrong, try again"]
    assert [group.rows[0].brief for group in changes(samples.compared())] == [True, True, True, True, False, True]


async def test_without_an_answer_nothing_is_said_to_be_as_it_was() -> None:
    """What never came cannot be compared: the page leads to the way there, not to what lies behind the front."""
    template = _ENVIRONMENT.from_string(
        '{% from "_run_parts.html" import changed with context %}{{ changed(run, compared, ()) }}'
    )
    compared = {**samples.compared(), "differences": []}
    for run, said in (
        ({"http": [], "documents": []}, "No answer came"),
        ({"http": [{}], "documents": []}, "has changed"),
        ({"http": [], "documents": [{}]}, "has changed"),
    ):
        assert said in template.render(run=run, compared=compared, prefix="", now=None)


async def test_of_many_steps_those_that_matter_are_listed() -> None:
    """All of a few; of a loop's, those that did not pass and the first."""
    made = [{"name": f"{n}", "outcome": "failed" if n == 9_999 else "passed"} for n in range(10_000)]
    assert listed_steps(made[:STEPS]) == made[:STEPS]
    assert listed_steps(made) == [*made[: STEPS - 1], made[9_999]]


async def test_pictures_say_why_they_are_not_shown() -> None:
    row = samples.evidence("screenshot", "a.png", restricted=True)
    document = samples.run_document(evidence=[samples.evidence("screenshot", "b.png", available=False), row])
    shown = picture(document, "screenshot", Access.OPERATOR)
    assert shown is not None
    assert (shown.name, shown.hidden) == ("a.png", "")
    closed = picture(document, "screenshot", Access.VIEWER)
    assert closed is not None
    assert closed.hidden == "restricted"
    gone = picture(samples.run_document(evidence=document["evidence"][:1]), "screenshot", Access.VIEWER)
    assert gone is not None
    assert gone.hidden == "gone"
    assert picture(document, "reference", Access.OPERATOR) is None
