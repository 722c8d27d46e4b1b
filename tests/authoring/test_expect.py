"""`expect` is Playwright's for pages and ours for answers."""

from datetime import UTC, datetime

import pytest

from probe import expect
from probe.authoring.findings import Findings
from probe.authoring.response import Response
from probe.core.exchange import Exchange, Hop, Phases


def test_ours_for_answers() -> None:
    findings = Findings()
    hop = Hop(method="GET", url="http://x/", status=500, phases=Phases())
    exchange = Exchange(
        method="GET", url="http://x/", status=500, reason="", headers=(), body=b"", hops=(hop,), duration=0.1,
        started=datetime(2026, 1, 1, tzinfo=UTC), wire_size=0,
    )  # fmt: skip
    expect(Response(exchange, findings)).status(200)
    assert [f.kind for f in findings.take()] == ["status"]


def test_playwrights_for_the_rest() -> None:
    with pytest.raises(ValueError, match="Unsupported type"):
        expect(object())  # type: ignore[call-overload]  # that is the point
