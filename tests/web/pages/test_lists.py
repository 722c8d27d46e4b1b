"""Journeys, runs and incidents behind the real gate, over a real store: what they show, what they refuse, and running again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from probe.core.access import Access
from tests.web.pages.inside import Inside, served

READS = {"Accept": "text/html"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    async with served(tmp_path_factory.mktemp("lists")) as found:
        yield found


async def read(inside: Inside, path: str) -> tuple[int, str]:
    headers = inside.header(Access.VIEWER, **READS)
    async with aiohttp.ClientSession(inside.address, headers=headers) as client, client.get(path) as answer:
        return answer.status, await answer.text()


async def test_a_journey_is_shown_with_what_is_behind_its_numbers(inside: Inside) -> None:
    status, html = await read(inside, "/checks/checkout?from=1h")
    assert status == 200
    assert "<h1><bdi>checkout</bdi></h1>" in html
    assert "/runs?check=checkout&amp;outcome=failed&amp;from=" in html
    assert 'class="mark mark--incident"' in html or 'class="band band--incident"' in html


async def test_runs_are_filtered_and_incidents_are_listed(inside: Inside) -> None:
    _, failed = await read(inside, "/runs?check=checkout&outcome=failed")
    assert "outcome--failed" in failed
    assert "outcome--passed" not in failed
    _, incidents = await read(inside, "/incidents?open=true")
    assert "open for" in incidents


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/checks/none", 404),
        ("/checks/checkout?from=soon", 400),
        ("/runs?outcome=broken", 400),
        ("/runs?cursor=nonsense", 400),
        ("/incidents?cursor=nonsense", 400),
        ("/nowhere", 404),
    ],
)
async def test_what_cannot_be_shown_is_a_page_that_says_so(inside: Inside, path: str, status: int) -> None:
    found, html = await read(inside, path)
    assert found == status
    assert html.count("<h1>") == 1
    assert "To the overview" in html
    assert "Traceback" not in html


async def test_an_agent_says_what_it_is_and_keeps_nothing_that_is_said_to_it(inside: Inside) -> None:
    """Nobody who looks at its fleet would ever see it; but its own region can be probed from there."""
    daemon, header = inside.desk.daemon, inside.header(Access.OPERATOR)
    assert "only probes" not in (await read(inside, "/"))[1]
    daemon.fleet = {"role": "agent"}
    asked = len(daemon.asked)
    try:
        assert "only probes" in (await read(inside, "/"))[1]
        async with aiohttp.ClientSession(inside.address, headers=header) as client:
            for path, said in (
                ("/incidents/any/ack", {}),
                ("/incidents/any/mute", {"until": None}),
                ("/incidents/any/notes", {"text": "we look"}),
                ("/marks", {"kind": "deploy", "text": "v2"}),
                ("/notices", {"title": "Slow", "components": [], "standing": "investigating", "text": "We look."}),
                ("/notices/1", {"standing": "resolved", "text": "Over."}),
            ):
                async with client.post(f"/api/v1{path}", json=said) as answer:
                    assert (answer.status, "only probes" in await answer.text()) == (409, True), path
            assert len(daemon.asked) == asked
            async with client.post("/api/v1/checks/checkout/run", json={"regions": ["eu-west"]}) as answer:
                assert answer.status == 202
    finally:
        daemon.fleet = None
        del daemon.asked[asked:]


async def test_running_again_is_for_operators_and_leads_back(inside: Inside) -> None:
    async with aiohttp.ClientSession(inside.address) as client:
        asks = {"url": "/checks/checkout/run", "data": {"region": "eu-west"}, "allow_redirects": False}
        async with client.post(headers=inside.header(Access.VIEWER), **asks) as answer:  # type: ignore[arg-type]  # as they are named
            assert answer.status == 403
        async with client.post(headers=inside.header(Access.OPERATOR), **asks) as answer:  # type: ignore[arg-type]  # see above
            assert (answer.status, answer.headers["Location"]) == (303, "/checks/checkout?asked=1")
    assert inside.desk.daemon.asked == [("run", "checkout", ("eu-west",))]
