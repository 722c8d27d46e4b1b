"""Objectives: what counts, what is left of the budget, and when it burns."""

from datetime import UTC, datetime, timedelta
from math import exp, lgamma, log, log1p
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.binomial import above, at_least, critical
from probe.core.check import CheckId
from probe.core.ledger import Counts, Ledger
from probe.core.rules import Calendar, Objective, Severity
from probe.core.run import Outcome, StepOutcome
from probe.core.slo import (
    BURN_RULES,
    CONFIDENCE,
    FEWEST,
    burning,
    classify,
    cooled,
    evidence,
    length,
    scaled,
    window_of,
)
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


def brute_burn(kinds: str, target: float) -> float | None:
    """The factor of the first rule that holds, by the book."""
    runs = list(reversed(kinds))

    def seen(span: timedelta) -> tuple[int, int, float]:
        """Bad runs, runs, and how many runs there would be, had what was before been seen as well."""
        # A window reaches from the minute of its start through the minute of now.
        width = int(span / MINUTE) + 1
        window = runs[:width]
        counted = window.count("-") + window.count("+")
        return window.count("-"), counted, counted * width / len(window) if window else 0.0

    for rule in BURN_RULES:
        limit = rule.factor * (1 - target)
        bad, _, whole = seen(rule.long)
        few, counted, _ = seen(rule.short)
        if bad < 2 or at_least(bad, whole, limit) > 0.01 or few <= limit * counted:
            continue
        parts = [seen(2**n * rule.short) for n in range(6) if 2**n * rule.short < rule.long]
        if all(above(bad, whole, limit) >= 0.1 for bad, _, whole in parts):
            return rule.factor
    return None


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from("+-."), st.integers(1, 40)), max_size=20),
    st.sampled_from([0.9, 0.99, 0.999]),
)
def test_burn_rates_are_exact(parts: list[tuple[str, int]], target: float) -> None:
    """The rule that holds is the one that a count over the runs themselves gives."""
    kinds = "".join(kind * count for kind, count in parts)
    now = NOW.replace(second=0)
    burn = burning(objective(target=target), ledger_of(kinds, now), now)
    assert (burn.rule.factor if burn else None) == brute_burn(kinds, target)


@given(st.text("+-", min_size=1, max_size=300))
def test_a_burn_is_monotone(kinds: str) -> None:
    """One more bad run never ends a burn that a page was sent for."""
    now = NOW.replace(second=0)
    before, ledger = burning(objective(), ledger_of(kinds, now), now), ledger_of(kinds, now)
    ledger.add(now, bad=1)
    after = burning(objective(), ledger, now)
    assert before is None or (after is not None and after.rule.factor >= before.rule.factor)


@given(st.text("+-", min_size=1, max_size=300), st.sampled_from([0.9, 0.99, 0.999]))
def test_what_burns_has_not_cooled(kinds: str, target: float) -> None:
    """What is told is not over at once, as a page or as a ticket."""
    burn = burning(objective(target=target), ledger_of(kinds), NOW)
    if burn is not None:
        assert not cooled(objective(target=target), ledger_of(kinds), NOW, burn.rule.severity)


@pytest.mark.parametrize("factor", [14.4, 6, 1])
@pytest.mark.parametrize("target", [0.9, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_what_is_just_met_is_seldom_called_too_bad(factor: float, target: float, noise: float) -> None:
    """Counted out, not tried out: of all windows that runs at the very limit give, at most one in a hundred counts.

    For each number of runs there may be in a window: how likely it is that as many are bad as it takes.
    """
    limit = factor * (1 - target) + noise
    for runs in (1, 2, 5, 12, 60, 61, 72, 300, 360, 1800, 4320) if limit < 1 else ():
        enough = max(FEWEST, critical(runs, limit, CONFIDENCE))
        fewer = sum(chance(k, runs, limit) for k in range(min(enough, runs + 1)))
        assert 1 - fewer <= 1 - CONFIDENCE + 1e-9


def chance(bad: int, runs: int, share: float) -> float:
    """Of so many bad runs: a term of the binomial distribution, by logarithms (powers of small shares are too small)."""
    choices = lgamma(runs + 1) - lgamma(bad + 1) - lgamma(runs - bad + 1)
    return exp(choices + bad * log(share) + (runs - bad) * log1p(-share))


def until_told(random: Random, share: float, regions: int = 5) -> timedelta:
    """How long it takes from when that share of runs is bad, at 99.9 %, a run a minute from each region."""
    ledger = Ledger()
    for minute in range(0, 3 * 1440, 30):
        ledger.add(NOW - (minute + 1) * MINUTE, good=30 * regions)
    for minute in range(1440):
        now, bad = NOW + minute * MINUTE, sum(random.random() < share for _ in range(regions))
        ledger.add(now, good=regions - bad, bad=bad)
        if bad and burning(objective(target=0.999), ledger, now):
            return now - NOW
    return timedelta.max


def test_a_slow_burn_is_told_within_the_hour_or_so() -> None:
    """Three to six per cent bad, after three good days."""
    random = Random(4)
    waited = sorted(until_told(random, 0.03 + 0.03 * n / 40) for n in range(40))
    assert waited[20] <= timedelta(minutes=65)
    assert waited[36] <= timedelta(minutes=150)
    assert waited[-1] <= timedelta(hours=5)


def test_stray_failures_never_alert() -> None:
    """At 99.9 % and one run a minute one failure is a burn of 16, and says nothing, nor do a few; enough do."""
    strict = objective(target=0.999)
    for few in range(1, 3):
        assert burning(strict, ledger_of("+" * 60 + "-" * few), NOW) is None
    assert burning(strict, ledger_of("+" * 60 + "-" * 5), NOW) is not None
    rare = objective(target=0.9999)
    assert critical(72, 0.0001, CONFIDENCE) == 1
    assert burning(rare, ledger_of("+" + "." * 59 + "-"), NOW) is None


def test_a_young_objective_has_spent_what_it_was_seen_to_spend() -> None:
    """All of the ten runs there ever were are bad: that is not yet 2 % of the budget of 30 days at 99 %, for sure."""
    assert burning(objective(), ledger_of("+" + "-" * 10), NOW) is None
    burn = burning(objective(), ledger_of("+" + "-" * 17), NOW)
    assert burn is not None
    assert burn.rule.severity is Severity.PAGE
    assert burn.span == 18 * MINUTE


def test_what_is_explained_does_not_burn_again() -> None:
    """After an outage that was told the long window is still red; it takes as many new bad runs as ever."""
    ledger = ledger_of("+" * 40 + "-" * 20)
    assert burning(objective(), ledger, NOW) is not None
    explained = NOW + 3 * MINUTE
    assert burning(objective(), ledger, NOW + 3 * MINUTE, explained) is None
    assert cooled(objective(), ledger, NOW + 3 * MINUTE, explained=explained)
    for minute in range(4, 14):
        ledger.add(NOW + minute * MINUTE, bad=1)
    assert burning(objective(), ledger, NOW + 13 * MINUTE, explained) is None
    assert burning(objective(), ledger, NOW + 13 * MINUTE) is not None
    for minute in range(14, 21):
        ledger.add(NOW + minute * MINUTE, bad=1)
    assert burning(objective(), ledger, NOW + 20 * MINUTE, explained) is not None


def test_a_burn_cools_down_by_what_is_latest() -> None:
    """Over when the last minutes are plainly good, though the hour is not; not while they still may be too bad."""
    assert not cooled(objective(), ledger_of("+" * 40 + "-" * 20), NOW)
    assert not cooled(objective(), ledger_of("+" * 30 + "-" * 20 + "+" * 4 + "-"), NOW)
    assert not cooled(objective(), ledger_of("+" * 30 + "-" * 20 + "+" * 5), NOW)
    assert cooled(objective(), ledger_of("+" * 30 + "-" * 20 + "+" * 11), NOW)
    assert cooled(objective(), ledger_of("+" * 600), NOW)
    assert cooled(objective(), Ledger(), NOW)


def test_a_page_is_over_when_it_burns_slowly() -> None:
    """What was told as a page ends by the rules that page; as a ticket it goes on."""
    ledger = ledger_of("+" * 2000 + "-" * 100 + "+-" * 3 + ("+" * 29 + "-") * 12)
    assert cooled(objective(), ledger, NOW, Severity.PAGE)
    assert not cooled(objective(), ledger, NOW, Severity.TICKET)


def test_what_was_taken_back_never_burns() -> None:
    """Fewer than none are none."""
    ledger = ledger_of("+" * 30)
    ledger.add(NOW, bad=-3)
    assert burning(objective(), ledger, NOW) is None
    assert cooled(objective(), ledger, NOW)
    assert evidence(ledger, timedelta(hours=1), NOW, NOW - timedelta(days=1)).bad == 0


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
    assert burn.rate.median == pytest.approx(burn.counts.ratio / 0.01, rel=0.01)
    assert burn.rate.low < burn.rate.median < burn.rate.high
    assert burn.chance < 1e-6


def test_watched_has_no_objective_by_itself() -> None:
    """The table of which check counts for what is made from the objectives."""
    rules = rules_of(watched(), objectives=[objective(), objective(name="b", checks=frozenset({CheckId("x")}))])
    assert [o.name for o in rules.counted[CheckId("checkout")]] == ["checkout"]
    assert [o.name for o in rules.counted[CheckId("x")]] == ["b"]
