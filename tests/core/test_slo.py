"""Objectives: what counts, what is left of the budget, and when it burns."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.ledger import Counts, Ledger
from probe.core.rules import Calendar, Objective, Severity
from probe.core.run import Outcome, StepOutcome
from probe.core.slo import BURN_RULES, budget, burning, classify, cooled, length, scaled, window_of
from tests.core.builders import NOW
from tests.core.world import World, rules_of, step, watched

MINUTE = timedelta(minutes=1)


def objective(**given: Any) -> Objective:
    return Objective(**{"name": "checkout", "checks": frozenset({CheckId("checkout")}), "target": 0.99, **given})


def ledger_of(kinds: str, end: datetime = NOW) -> Ledger:
    """One run a minute, the last at `end`: `+` good, `-` bad, anything else lost."""
    ledger = Ledger()
    for back, kind in enumerate(reversed(kinds)):
        name = {"+": "good", "-": "bad"}.get(kind, "lost")
        ledger.add(end - back * MINUTE, **{name: 1})
    return ledger


@pytest.mark.parametrize(
    ("outcome", "given", "counts"),
    [
        (Outcome.PASSED, {}, Counts(good=1)),
        (Outcome.FAILED, {}, Counts(bad=1)),
        (Outcome.ERRORED, {}, Counts(lost=1)),
        (Outcome.MISSED, {}, Counts(lost=1)),
        (Outcome.ABORTED, {}, Counts(lost=1)),
        (Outcome.FAILED, {"maintenance": "deploy"}, Counts(lost=1)),
    ],
)
def test_availability_counts_answers_only(outcome: Outcome, given: dict[str, Any], counts: Counts) -> None:
    """What is ours, was not run, or fell into maintenance, is neither good nor bad."""
    assert classify(World(rules_of()).run(outcome, **given), objective()) == counts


@pytest.mark.parametrize(
    ("outcome", "steps", "available", "fast"),
    [
        (Outcome.PASSED, (step("pay", seconds=2.9),), "good", "good"),
        (Outcome.PASSED, (step("pay", seconds=3.1),), "good", "bad"),
        (Outcome.FAILED, (step("pay", StepOutcome.FAILED, 1.0),), "bad", "bad"),
        (Outcome.FAILED, (step("pay", StepOutcome.SKIPPED, None),), "lost", "lost"),
        (Outcome.FAILED, (step("pay", seconds=1.0), step("thank", StepOutcome.FAILED)), "good", "good"),
        (Outcome.PASSED, (), "lost", "lost"),
    ],
)
def test_a_step_counts_for_itself(outcome: Outcome, steps: Any, available: str, fast: str) -> None:
    """A step that was not reached is lost; one that passed is good whatever came after it."""
    run = World(rules_of()).run(outcome, steps=steps)
    assert classify(run, objective(step="pay")) == Counts(**{available: 1})
    assert classify(run, objective(step="pay", under=3.0)) == Counts(**{fast: 1})


def test_latency_of_a_whole_run() -> None:
    """Without a step the run's own time counts; a failed run is not fast."""
    world = World(rules_of())
    assert classify(world.run(took=2.0), objective(under=3.0)) == Counts(good=1)
    assert classify(world.run(took=4.0), objective(under=3.0)) == Counts(bad=1)
    assert classify(world.run(Outcome.FAILED, took=1.0), objective(under=3.0)) == Counts(bad=1)


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        (Calendar.WEEK, datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)),
        (Calendar.MONTH, datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (Calendar.QUARTER, datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (timedelta(days=1), NOW - timedelta(days=1), NOW),
    ],
)
def test_windows(window: Any, start: datetime, end: datetime) -> None:
    """Calendar windows begin and end with the calendar, rolling ones end now."""
    assert window_of(window, NOW) == (start, end)
    assert window_of(window, start)[0] <= start
    assert length(window) in (timedelta(days=n) for n in (1, 7, 30, 90))


@given(st.text("+-.", max_size=200), st.text("+-.", max_size=50))
def test_the_budget_is_exact_and_monotone(before: str, after: str) -> None:
    """As counted by hand; one more bad run never leaves more, one more good run never less."""
    kinds = before + after
    found = budget(objective(window=timedelta(days=1)), ledger_of(kinds), NOW)
    good, bad, lost = kinds.count("+"), kinds.count("-"), len(kinds) - kinds.count("+") - kinds.count("-")
    assert found.counts == Counts(good, bad, lost)
    if good + bad:
        assert found.attained == good / (good + bad)
        assert found.known == ((good + bad) / len(kinds) >= 0.9)
        first = ledger_of(kinds).first()
        assert first is not None
        elapsed = max(NOW - max(NOW - timedelta(days=1), first), MINUTE)
        assert found.left == pytest.approx(1 - bad / (0.01 * (good + bad) * (timedelta(days=1) / elapsed)))
        worse, better = ledger_of(kinds), ledger_of(kinds)
        worse.add(NOW, bad=1)
        better.add(NOW, good=1)
        less = budget(objective(window=timedelta(days=1)), worse, NOW).left
        assert less < found.left if good else less == pytest.approx(found.left)
        assert budget(objective(window=timedelta(days=1)), better, NOW).left >= found.left
    else:
        assert (found.attained, found.known, found.left) == (None, False, 1.0)


def test_a_calendar_budget_is_that_of_the_whole_window() -> None:
    """Half-way through a week that was watched from its start, half of the week's runs are still to come."""
    end = datetime(2026, 11, 26, 12, tzinfo=UTC)
    ledger = Ledger()
    for minute in range(3 * 1440 + 720):
        ledger.add(datetime(2026, 11, 23, tzinfo=UTC) + minute * MINUTE, good=1)
    ledger.add(end - MINUTE, bad=50)
    left = budget(objective(window=Calendar.WEEK), ledger, end).left
    assert left == pytest.approx(1 - 50 / (0.01 * (5040 + 50) * 2))


def test_no_data_is_not_good_data() -> None:
    """Below the wanted coverage an objective is not known, however good the rest was."""
    assert not budget(objective(), ledger_of("+" * 80 + "." * 20), NOW).known
    assert budget(objective(), ledger_of("+" * 90 + "." * 10), NOW).known


def brute_burn(kinds: str, target: float, fewest: int) -> float | None:
    """The factor of the first rule that holds, by the book."""
    runs = list(reversed(kinds))
    for rule in BURN_RULES:
        # A window reaches from the minute of its start through the minute of now.
        long = runs[: int(rule.long / MINUTE) + 1]
        short = runs[: int(rule.short / MINUTE) + 1]
        ratios = [
            window.count("-") / counted if (counted := window.count("-") + window.count("+")) else 0.0
            for window in (long, short)
        ]
        ratios[0] *= len(long) / (rule.long / MINUTE + 1)  # what was before is taken to have been good
        enough = long.count("-") >= fewest and short.count("-") >= min(2, fewest)
        if enough and all(ratio > rule.factor * (1 - target) for ratio in ratios):
            return rule.factor
    return None


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from("+-."), st.integers(1, 40)), max_size=20),
    st.sampled_from([0.9, 0.99, 0.999]),
    st.integers(1, 5),
)
def test_burn_rates_are_exact(parts: list[tuple[str, int]], target: float, fewest: int) -> None:
    """The rule that holds is the one that a count over the runs themselves gives."""
    kinds = "".join(kind * count for kind, count in parts)
    now = NOW.replace(second=0)
    burn = burning(objective(target=target, min_bad=fewest), ledger_of(kinds, now), now)
    assert (burn.rule.factor if burn else None) == brute_burn(kinds, target, fewest)


@given(st.text("+-", min_size=1, max_size=300))
def test_a_burn_is_monotone(kinds: str) -> None:
    """One more bad run never ends a burn that a page was sent for."""
    now = NOW.replace(second=0)
    before, ledger = burning(objective(), ledger_of(kinds, now), now), ledger_of(kinds, now)
    ledger.add(now, bad=1)
    after = burning(objective(), ledger, now)
    assert before is None or (after is not None and after.rule.factor >= before.rule.factor)


def test_one_stray_failure_never_pages() -> None:
    """At 99.9 % and one run a minute one failure is a burn of 16, and says nothing."""
    strict = objective(target=0.999)
    assert burning(strict, ledger_of("+" * 60 + "-"), NOW) is None
    assert burning(strict, ledger_of("+" * 60 + "---"), NOW) is not None


def test_a_young_objective_has_spent_what_it_was_seen_to_spend() -> None:
    """Nine of the ten runs there ever were are bad: that is not yet 2 % of the budget of 30 days at 99 %; ten are."""
    assert burning(objective(), ledger_of("+" + "-" * 8), NOW) is None
    burn = burning(objective(), ledger_of("+" + "-" * 9), NOW)
    assert burn is not None
    assert burn.rule.severity is Severity.PAGE


def test_what_is_explained_does_not_burn_again() -> None:
    """After an outage that was told the long window is still red; it takes as many new bad runs."""
    ledger = ledger_of("+" * 40 + "-" * 20)
    assert burning(objective(), ledger, NOW) is not None
    explained = NOW + 3 * MINUTE
    assert burning(objective(), ledger, NOW + 3 * MINUTE, explained) is None
    ledger.add(NOW + 4 * MINUTE, bad=3)
    assert burning(objective(), ledger, NOW + 4 * MINUTE, explained) is not None


def test_a_burn_cools_down_by_its_short_window() -> None:
    """Over when the last minutes are good, though the hour is not; not while they still are half too bad."""
    assert not cooled(objective(), ledger_of("+" * 40 + "-" * 20), NOW)
    assert not cooled(objective(), ledger_of("+" * 30 + "-" * 20 + "+" * 4 + "-"), NOW)
    assert cooled(objective(), ledger_of("+" * 30 + "-" * 20 + "+" * 10), NOW)
    assert cooled(objective(), ledger_of("+" * 600), NOW)


@pytest.mark.parametrize(("days", "hours"), [(30, 1), (90, 3), (7, 0.2333)])
def test_rules_are_scaled_to_the_window(days: int, hours: float) -> None:
    """The same share of the budget: 2 % in the long window of the fast rule."""
    rule = scaled(BURN_RULES[0], timedelta(days=days))
    assert rule.long / timedelta(hours=1) == pytest.approx(hours, rel=0.01)
    assert rule.factor * rule.long / timedelta(days=days) == pytest.approx(0.02)
    assert scaled(BURN_RULES[0], timedelta(days=1)).short == MINUTE, "nothing is shorter than a minute"


def test_severities() -> None:
    """Fast burns page, slow ones make a ticket."""
    assert [rule.severity for rule in BURN_RULES] == [Severity.PAGE, Severity.PAGE, Severity.TICKET]
    burn = burning(objective(), ledger_of("+" * 60 + "-" * 60), NOW)
    assert burn is not None
    assert burn.rate == pytest.approx(burn.long.ratio / 0.01)


def test_watched_has_no_objective_by_itself() -> None:
    """The table of which check counts for what is made from the objectives."""
    rules = rules_of(watched(), objectives=[objective(), objective(name="b", checks=frozenset({CheckId("x")}))])
    assert [o.name for o in rules.counted[CheckId("checkout")]] == ["checkout"]
    assert [o.name for o in rules.counted[CheckId("x")]] == ["b"]
