"""Alerts against the truth: found, missed, woken for nothing."""

from datetime import UTC, datetime, timedelta
from math import inf, isnan
from typing import Any

import pytest

from probe.backtest.alert import Alert, Event
from probe.backtest.score import Truth, percentile, score, truths_of
from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.rules import Severity
from probe.core.run import RunId

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)
TOTAL = Truth(kind="total", start=1000.0, end=2000.0)


def alert(at: float, event: Event = Event.OPENED, incident: str = "a", **given: Any) -> Alert:
    values: dict[str, Any] = {
        "severity": Severity.PAGE, "verdict": Verdict.DOWN, "checks": ("checkout",), "cause": "shop", "since": BEGIN,
        "title": "", "body": "", "page": event is Event.OPENED, **given,
    }  # fmt: skip
    return Alert(at=at, event=event, incident=IncidentId(incident), **values)


def ticket(at: float) -> Alert:
    return alert(at, severity=Severity.TICKET, page=False)


def test_an_outage_that_is_found() -> None:
    """From its start to the page, and from its end to the resolution; the rest of the time is quiet."""
    found = score([alert(1042), alert(2130, Event.RESOLVED)], [TOTAL], 10_000)
    (one,) = found.found
    assert (one.delay, one.recovery, one.pages, one.reopens, one.masked) == (42, 130, 1, 0, False)
    kind = found.kinds["total"]
    assert (kind.count, kind.missed, kind.median, kind.p95, kind.recovery) == (1, 0, 42, 42, 130)
    assert (found.false_pages, found.false_per_month, found.quiet) == ((), 0, 10_000 - 1000 - 900)


def test_an_outage_that_is_missed_is_infinitely_late() -> None:
    """Also when it is noticed only after its end; then the page is not for nothing."""
    for alerts in ([], [alert(2500)]):
        found = score(alerts, [TOTAL], 10_000)
        assert (found.kinds["total"].missed, found.kinds["total"].median) == (1, inf)
        assert found.false_pages == ()


def test_pages_for_nothing() -> None:
    """Outside every outage; those within a minute are one."""
    alerts = [alert(100), alert(130, incident="b"), alert(1042, incident="c"), alert(5000, incident="d")]
    found = score(alerts, [TOTAL], 86_400 * 30 + 1900)
    assert [one.at for one in found.false_pages] == [100, 5000]
    assert found.false_per_month == 2
    assert found.found[0].delay == 42


def test_a_ticket_is_no_page() -> None:
    """A ticket finds a slow burn, or what is only worth one; it is counted where it stands for nothing."""
    slow = Truth(kind="slowburn", start=1000.0, end=9000.0)
    minor = Truth(kind="total", start=1000.0, end=2000.0, page=False)
    assert score([ticket(1100)], [slow], 20_000).found[0].delay == 100
    assert score([ticket(1100)], [minor], 20_000).found[0].delay == 100
    assert score([ticket(1100)], [TOTAL], 20_000).found[0].delay is None
    assert [score([ticket(at)], [TOTAL], 90_000).false_tickets for at in (100, 1500, 16_000, 17_000)] == [1, 0, 0, 1]


def test_a_ticket_that_becomes_a_page_counts_from_then() -> None:
    """The page is what wakes somebody."""
    alerts = [ticket(1010), alert(1100, Event.RAISED, page=True)]
    assert score(alerts, [TOTAL], 10_000).found[0].delay == 100


def test_an_incident_that_is_open_already_masks_an_outage() -> None:
    """Nobody is told anew; nor is an incident that opens again another one."""
    masked = score([alert(500)], [TOTAL], 10_000).found[0]
    assert (masked.delay, masked.masked) == (None, True)
    over = score([alert(500), alert(600, Event.RESOLVED)], [TOTAL], 10_000).found[0]
    assert over.masked is False
    again = [alert(1010), alert(1300, Event.RESOLVED), alert(1400, Event.REOPENED), alert(1500, Event.RESOLVED)]
    found = score(again, [TOTAL], 10_000).found[0]
    assert (found.pages, found.reopens, found.recovery) == (1, 1, 0)


def test_only_alerts_of_its_checks_find_an_outage() -> None:
    """One of another check is for nothing."""
    cart = Truth(kind="total", start=1000.0, end=2000.0, checks=("cart",))
    found = score([alert(1100)], [cart], 10_000)
    assert (found.found[0].delay, len(found.false_pages)) == (None, 1)


def test_recorded_incidents_are_the_truth() -> None:
    """But for our own trouble, and for what lies outside."""
    member = Member(
        check=CheckId("checkout"), regions=("eu",), since=BEGIN, run=RunId("r"), failure=Failure.of("status")
    )

    def incident(hours: float, lasting: float | None, verdict: Verdict = Verdict.DOWN) -> Incident:
        since = BEGIN + timedelta(hours=hours)
        return Incident(
            id=IncidentId(str(hours)),
            cause="shop",
            verdict=verdict,
            severity=Severity.PAGE,
            since=since,
            opened=since,
            members={CheckId("checkout"): member},
            resolved=None if lasting is None else since + timedelta(hours=lasting),
        )

    known = [incident(5, None), incident(1, 1), incident(2, 1, Verdict.PROBE_FAULT), incident(-3, 1), incident(11, 1)]
    found = truths_of(known, BEGIN.timestamp(), 36_000)
    assert [(one.kind, one.start, one.end, one.checks) for one in found] == [
        ("down", 3600, 7200, ("checkout",)),
        ("down", 18_000, 36_000, ("checkout",)),
    ]


def test_percentiles() -> None:
    """Of values there are."""
    assert [percentile([4, 1, 3, 2], share) for share in (0, 0.5, 0.75, 0.95, 1)] == [1, 2, 3, 4, 4]
    assert isnan(percentile([], 0.5))
    assert score([], [], 0).false_per_month == pytest.approx(0)
