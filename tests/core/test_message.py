"""What is read at 3 a.m., to the letter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from probe.core.budget import Budget, Forecast
from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Verdict
from probe.core.ledger import Counts
from probe.core.message import budget_words, customers, headline
from probe.core.rules import Objective
from probe.core.run import Comparison, Difference, Outcome, RunId, Why
from tests.core.world import World, rules_of, watched


def outage() -> World:
    objective = Objective(name="checkout", checks=frozenset({CheckId("checkout")}), target=0.99)
    w = World(rules_of(watched(regions=("eu", "us")), watched("api"), objectives=[objective]))
    for region in ("eu", "us"):
        w.see(region=region)
    w.see(check="api")
    w.see(Outcome.FAILED, region="eu", picture=True)
    w.see(Outcome.FAILED, region="us", why=Why.CONFIRM)
    w.wait(15)
    w.see(Outcome.FAILED, region="eu", why=Why.CONFIRM)
    w.see(Outcome.FAILED, region="us", why=Why.CONFIRM)
    return w


def test_an_opening() -> None:
    """What customers cannot do, the step, what was expected and seen, since when, where from, and how to try it."""
    message = outage().notes[0].message
    assert message.title == (
        'DOWN: shop.example, checkout fails at step "add to cart": http: POST /api/cart answered 500'
    )
    assert message.body.splitlines() == [
        "Customers: cannot: A guest buys one item",
        "Step:      add to cart",
        "Reason:    http: POST /api/cart answered 500",
        "Expected:  201",
        "Seen:      500",
        'Evidence:  2 of 2 regions: 4 of 5 runs failed at "add to cart" with HTTP 500 since 02:59:59; usual: 1 in 200; no control runs',
        "Since:     2026-11-23 02:59:59 UTC (16 s)",
        "From:      eu, us (2 of 2 regions)",
        "Checks:    checkout",
        "Budget:    checkout: 100% of the error budget left, 66.667% (23.553% to 93.759%) attained",
        "Severity:  page: look now",
        "Try it:    probe check checkout --once",
        f"Incident:  {outage().only.id} (probe incident show {outage().only.id})",
    ]
    assert (message.expected, message.seen, message.step) == ("201", "500", "add to cart")
    assert (message.checks, message.targets, message.regions) == (("checkout",), ("shop",), ("eu", "us"))
    assert message.picture == "/e/shot.png"


def test_what_changed_and_what_is_likely() -> None:
    """What was otherwise than in the last good run, and the cause where the failure itself says it; once it is over, no guess."""
    w = World(rules_of(watched()))
    expired = Failure.of("certificate_expired", "it expired yesterday", url="https://shop.example:443/")
    before = Difference(what="certificate", name="shop.example", before="a", after="b")
    compared = Comparison(good=RunId("good"), at=w.now, differences=(before,))
    for _ in range(3):
        bad = w.run(Outcome.FAILED, failure=expired)
        w.event(replace(bad, observation=replace(bad.observation, compared=compared)))
        w.wait(60)
    lines = w.notes[0].message.body.splitlines()
    at = lines.index("Address:   https://shop.example:443/")
    assert lines[at + 1 : at + 3] == [
        "Changed:   certificate of shop.example: a → b",
        "Likely:    the certificate of shop.example has expired: it was not renewed, or the new one is not in use",
    ]
    w.recover()
    assert "Changed:   certificate of shop.example: a → b" in w.notes[-1].message.body
    assert "Likely" not in w.notes[-1].message.body


def test_no_cause_is_named_that_is_only_possible() -> None:
    """An alert is believed: a guess belongs to the incident's page."""
    assert "Likely" not in outage().notes[0].message.body


def test_a_resolution() -> None:
    """From when to when, and what it cost."""
    w = outage()
    for _ in range(3):
        w.wait(60)
        for region in ("eu", "us"):
            w.see(region=region)
    title, body = w.notes[-1].message.title, w.notes[-1].message.body
    assert title == "RESOLVED: shop.example was down for 1m15s"
    assert "Until:     2026-11-23 03:01:14 UTC" in body
    assert "Customers" not in body
    assert "Try it" not in body


def test_reminders_and_escalations_say_so() -> None:
    """The title begins with it."""
    w = World(rules_of(watched()))
    w.fail(failure=Failure.of("refused", "nobody listens at 127.0.0.1:1\nreally", url="http://127.0.0.1:1/"))
    message = w.notes[0].message
    assert message.title == "DOWN: shop.example, checkout fails: connect: nobody listens at 127.0.0.1:1 really"
    assert "Address:   http://127.0.0.1:1/" in message.body
    assert message.reproduce == "probe check checkout --once --region eu"


def test_where_it_is_seen_in_a_browser() -> None:
    """With an address for the pages a message leads there; without one it says which command shows it."""
    for pages, ending in (
        ("https://ops.example/probe", "https://ops.example/probe/incidents/"),
        ("", "probe incident show "),
    ):
        w = World(replace(rules_of(watched()), pages=pages))
        w.fail()
        message = w.notes[0].message
        assert ending in message.body.splitlines()[-1]
        assert message.page.startswith(ending if pages else ""), message.page
        assert bool(message.page) is bool(pages)


def test_our_own_trouble_says_that_it_is() -> None:
    """Nobody may take it for the shop."""
    w = World(rules_of(watched()))
    for _ in range(3):
        w.see(Outcome.ERRORED)
    message = w.notes[0].message
    assert message.verdict is Verdict.PROBE_FAULT
    assert message.title == "PROBE: eu, checkout cannot measure: probe: the browser did not start"
    assert message.body.startswith("Means:     probe's own trouble")
    assert "Severity:  ticket: look today" in message.body


def test_many_checks_are_counted() -> None:
    """Five names, and how many more."""
    names = [f"check-{n}" for n in range(9)]
    w = World(rules_of(*(watched(name) for name in names)))
    for name in names:
        w.fail(name)
    for name in names:
        w.recover(name)
    assert "Checks:    check-0, check-1, check-2, check-3, check-4 and 4 more" in w.notes[-1].message.body


def standing(left: float, **given: Any) -> Budget:
    return Budget(
        **{
            "attained": 0.9,
            "left": left,
            "coverage": 1.0,
            "known": True,
            "counts": Counts(9, 1, 0),
            "within": (0.72, 0.98),
            **given,
        }
    )


def test_budgets_in_words() -> None:
    """Left, overspent and since when, not known, or nothing to go by."""
    assert budget_words(standing(0.25)) == "25% of the error budget left, 90% (72% to 98%) attained"
    spent = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
    assert budget_words(standing(-1.5, spent=spent)) == (
        "error budget spent, overspent by 150%, gone since 2026-11-20 03:12:00 UTC, 90% (72% to 98%) attained"
    )
    assert budget_words(standing(0.0)) == "error budget spent, 90% (72% to 98%) attained"
    assert budget_words(standing(1.0, coverage=0.4, known=False)) == (
        "not known: only 40% of what was due has an answer (90% (72% to 98%) of that attained)"
    )
    assert budget_words(Budget(attained=None, left=1.0, coverage=0.0, known=False, counts=Counts())) == (
        "nothing counted yet"
    )


def test_forecasts_in_words() -> None:
    """The likely time and its bounds; the latest is not said where it lies beyond the window."""
    day = timedelta(days=1)
    forecast = Forecast(likely=3 * day, soonest=1.5 * day, latest=6 * day)
    assert budget_words(standing(0.25, forecast=forecast)) == (
        "25% of the error budget left, gone in 3d (36h to 6d) at this rate, 90% (72% to 98%) attained"
    )
    forecast = Forecast(likely=day / 24, soonest=day / 144, latest=None)
    assert "gone in 60m (10m at the soonest) at this rate" in budget_words(standing(0.25, forecast=forecast))


def test_an_objective_that_cannot_be_judged_says_so() -> None:
    """Whatever else is said of it."""
    assert budget_words(standing(0.25, noise=0.0123)) == (
        "25% of the error budget left, 90% (72% to 98%) attained; "
        "the objective is stricter than the probe's own noise of 1.23%: these checks cannot judge it"
    )


def test_what_is_not_in_the_rules_any_more_is_still_told() -> None:
    """A check that was removed while it failed has no promise to quote."""
    w = World(rules_of(watched(promise="")))
    w.fail()
    assert "cannot: checkout" in w.notes[0].message.body
    w.rules = rules_of()
    w.wait(5)
    assert w.notes[-1].message.targets == ()
    assert w.now - w.notes[-1].created == timedelta(0)


def test_what_a_list_says_of_an_incident() -> None:
    """The same line whether it is over or not; what customers suffer, unless it is our own trouble, or not known."""
    w = outage()
    line = 'DOWN: shop.example, checkout fails at step "add to cart": http: POST /api/cart answered 500'
    assert headline(w.only) == line
    assert headline(replace(w.only, resolved=w.now, relapses=1)) == line
    assert customers(replace(w.only, resolved=w.now), w.rules) == "cannot: A guest buys one item"
    for verdict in (Verdict.PROBE_FAULT, Verdict.BLOCKED):
        assert customers(replace(w.only, verdict=verdict), w.rules) == ""
    assert customers(w.only, rules_of()) == ""
