"""What is made of the runs with faults."""

import pytest

from probe.core.check import CheckId, CheckSpec
from probe.core.failure import Failure
from probe.core.fault import Fault, FaultKind
from probe.core.run import Outcome, Run
from probe.drill.score import Finding, Score, judge
from tests.drill.builders import SHOP, asked, declared, page, run, spec

CART = asked("add", "GET /cart", page("<p>EUR 42.00</p>"))
PICTURE = asked("add", "GET cdn.example/a.png", page("", kind="image/png"), "image")
COUNTER = asked("add", "GET metrics.example/a.js", page(""), "script")
SEEN = Failure.of("element", "heading 'Your cart' is expected\nmore", step="pay")
ALL = (CART, PICTURE, COUNTER)


def fault(kind: FaultKind = FaultKind.SERVER_ERROR, method: str = "GET", place: str = f"{SHOP}/cart") -> Fault:
    return Fault(kind=kind, step=None if kind.foreign else "add", method=method, place=place, seconds=2.0)


def test_noticed_where_and_why() -> None:
    """The step and the first line of the reason."""
    trial = judge(fault(), run(Outcome.FAILED, SEEN), spec(), ALL)
    assert (trial.finding, trial.step, trial.reason) == (Finding.NOTICED, "pay", "heading 'Your cart' is expected")
    assert (trial.seconds, trial.hint) == (1.0, "")


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (run(hits=0), "met no request"),
        (run(Outcome.FAILED, SEEN, hits=0), "heading"),
        (run(Outcome.ERRORED, Failure.of("browser_died")), "browser"),
        (run(Outcome.ERRORED, Failure.of("host_starved"), hits=0), "too busy"),
        (run(Outcome.PASSED, strayed=("POST /x",)), "did not: POST /x"),
        (run(Outcome.ABORTED), ""),
    ],
)
def test_unmeasured(seen: Run, why: str) -> None:
    """A fault that met nothing, and our own trouble, say nothing about the check."""
    trial = judge(fault(), seen, spec(), ALL)
    assert trial.finding is Finding.UNMEASURED
    assert why in trial.reason


def test_a_check_that_stumbles_is_blind() -> None:
    """Its own mistake is told as ours, and pages nobody."""
    trial = judge(fault(), run(Outcome.ERRORED, Failure.of("check_bug", "KeyError: 'sku'")), spec(), ALL)
    assert trial.finding is Finding.BLIND
    assert "never pages: KeyError" in trial.reason
    assert trial.hint == "step 'add': expect what GET /cart answers before its parts are used"


def test_third_parties_that_a_journey_does_without() -> None:
    """A counter may be blocked; pictures are seen, and a hanging script is waited for."""
    blocked = fault(FaultKind.BLOCKED, "", "metrics.example")
    assert judge(blocked, run(), spec(), ALL).finding is Finding.TOLERATED
    assert judge(fault(FaultKind.BLOCKED, "", "cdn.example"), run(), spec(), ALL).finding is Finding.BLIND
    assert judge(fault(FaultKind.HANGING, "", "metrics.example"), run(), spec(), ALL).finding is Finding.BLIND


@pytest.mark.parametrize(
    ("kind", "check", "words"),
    [
        (FaultKind.WRONG_PRICE, spec(), "step 'add': add an assertion on the price (42.00) that GET /cart brings"),
        (FaultKind.WRONG_TEXT, spec(), "on the text that GET /cart brings"),
        (FaultKind.STALE, spec(), "only the right answer of GET /cart"),
        (FaultKind.SLOW, spec(), 't.step(…, within="…") (GET /cart took 2 s longer'),
        (FaultKind.SCRIPT_ERROR, spec(), 't.page.on("pageerror", …)'),
        (FaultKind.REFUSED, spec(), "what GET /cart brings, and on its status"),
        (FaultKind.EMPTY, declared(), 'expect = { body = "…" }'),
        (FaultKind.SERVER_ERROR, declared(), "expect = { status = 200 }"),
        (FaultKind.SLOW, declared(), 'expect = { within = "…" }'),
        (FaultKind.HANGING, spec(), "or limit the step"),
        (FaultKind.BLOCKED, spec(), "naturalWidth"),
    ],
)
def test_how_to_mend_it(kind: FaultKind, check: CheckSpec, words: str) -> None:
    """In the terms of the check: its step, what is shown there, its table."""
    place = "cdn.example" if kind.foreign else f"{SHOP}/cart"
    trial = judge(fault(kind, "" if kind.foreign else "GET", place), run(), check, ALL)
    assert trial.finding is Finding.BLIND
    assert words in trial.hint


def test_what_was_changed_is_seen_afterwards() -> None:
    """A request that changes something has done something."""
    assert "has done: its status" in judge(fault(FaultKind.EMPTY, "POST"), run(), spec(), ALL).hint
    price = judge(fault(FaultKind.WRONG_PRICE, place=f"{SHOP}/other"), run(), spec(), ALL)
    assert price.hint.endswith("on the price that GET /other brings")


def test_the_score() -> None:
    """Noticed of all that count; the same advice once; none without faults."""
    noticed = judge(fault(), run(Outcome.FAILED, SEEN), spec(), ALL)
    blind, unmeasured = judge(fault(), run(), spec(), ALL), judge(fault(), run(hits=0), spec(), ALL)
    score = Score(check=CheckId("buy"), trials=(noticed, noticed, noticed, blind, blind, unmeasured))
    assert (score.noticed, score.counted, score.share, len(score.hints)) == (3, 5, 0.6, 1)
    assert Score(check=CheckId("buy")).share is None


def test_a_busy_host_does_not_hide_what_was_planted() -> None:
    """The planted delay alone is beyond the limit: that it was found is no mistake of a busy host."""
    starved = Failure.of("host_starved", "this host was too busy (…); seen: step 'add' took 3 s", step="add")
    trial = judge(fault(FaultKind.SLOW), run(Outcome.ERRORED, starved), spec(), ALL)
    assert (trial.finding, trial.step, trial.reason) == (Finding.NOTICED, "add", "step 'add' took 3 s")
    assert judge(fault(), run(Outcome.ERRORED, starved), spec(), ALL).finding is Finding.UNMEASURED
