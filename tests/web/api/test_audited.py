"""Whatever an operator does by the API can be read in the record of who did what, and what was refused as well."""

from pathlib import Path

import aiohttp

from probe.core.access import Access
from tests.web.whole import served

ACTS = (
    ("/checks/checkout/run", {"regions": ["local"]}, 202, "run from local", "checkout"),
    ("/marks", {"text": "v42"}, 201, "mark deploy", "v42"),
    (
        "/notices",
        {"title": "Paying", "components": ["checkout"], "standing": "investigating", "text": "We look."},
        201,
        "notice",
        "1",
    ),
    ("/notices/1", {"standing": "resolved", "text": "It is over."}, 200, "notice resolved", "1"),
)


async def test_each_act_is_written_down(tmp_path: Path) -> None:
    async with served(tmp_path) as whole, aiohttp.ClientSession() as session:
        root = f"{whole.address}/api/v1"
        for path, body, status, _, _ in ACTS:
            async with session.post(root + path, json=body, headers=whole.header(Access.VIEWER)) as refused:
                assert refused.status == 403
            async with session.post(root + path, json=body, headers=whole.header(Access.OPERATOR)) as answer:
                assert answer.status == status, await answer.text()
        async with session.get(f"{root}/audit", headers=whole.header(Access.OPERATOR)) as answer:
            lines = (await answer.json())["lines"]
    done = [(line["what"], line["object"]) for line in reversed(lines) if line["ok"]]
    assert done == [(what, of) for _, _, _, what, of in ACTS]
    assert [line["object"] for line in reversed(lines) if not line["ok"]] == [f"/api/v1{path}" for path, *_ in ACTS]
