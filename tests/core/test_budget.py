"""Budgets: what is left, since when there is none, and when there will be none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.budget import Forecast, budget, noise_of, pace
from probe.core.check import CheckId
from probe.core.duration import about
from probe.core.habits import Habits, Rate
from probe.core.ledger import Counts, Ledger
from probe.core.rules import Calendar
from probe.core.slo import Noise, burning
from probe.core.state import CheckState, State
from tests.core.builders import NOW
from tests.core.test_slo import MINUTE, ledger_of, objective

DAY = timedelta(days=1)


def steady(days: int, *bad_every: int, end: datetime = NOW) -> Ledger:
    """Days of a run a minute; on each of the last days one in so many is bad (0: none)."""
    ledger, marks = Ledger(), [0] * (days - len(bad_every)) + list(bad_every)
    for day, every in enumerate(marks):
        for minute in range(1440):
            at = end - (days - day) * DAY + minute * MINUTE
            ledger.add(at, **{"bad" if every and minute % every == 0 else "good": 1})
    return ledger


@given(st.text("+-.", max_size=200), st.text("+-.", max_size=50))
def test_the_budget_is_exact_and_monotone(before: str, after: str) -> None:
    """As counted by hand; one more bad run never leaves more, one more good run never less."""
    kinds = before + after
    found = budget(objective(window=DAY), ledger_of(kinds), NOW)
    good, bad, lost = kinds.count("+"), kinds.count("-"), len(kinds) - kinds.count("+") - kinds.count("-")
    assert found.counts == Counts(good, bad, lost)
    if good + bad:
        assert found.attained == good / (good + bad)
        assert found.within is not None
        assert found.within[0] <= found.attained <= found.within[1]
        assert found.known == ((good + bad) / len(kinds) >= 0.9)
        first = ledger_of(kinds).first()
        assert first is not None
        elapsed = max(NOW - max(NOW - DAY, first), MINUTE)
        assert found.left == pytest.approx(1 - bad / (0.01 * (good + bad) * (DAY / elapsed)))
        assert (found.spent is None) == (found.left > 0)
        assert found.forecast is None or (found.left > 0 and found.known)
        worse, better = ledger_of(kinds), ledger_of(kinds)
        worse.add(NOW, bad=1)
        better.add(NOW, good=1)
        less = budget(objective(window=DAY), worse, NOW).left
        assert less < found.left if good else less == pytest.approx(found.left)
        assert budget(objective(window=DAY), better, NOW).left >= found.left
    else:
        assert (found.attained, found.known, found.left, found.within) == (None, False, 1.0, None)


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
    """Below the wanted coverage an objective is not known, however good the rest was, and nothing is foretold."""
    assert not budget(objective(), ledger_of("+" * 80 + "." * 20), NOW).known
    assert budget(objective(), ledger_of("+" * 90 + "." * 10), NOW).known
    assert budget(objective(), ledger_of("-." * 60), NOW).forecast is None


def test_when_it_will_be_gone() -> None:
    """Two per cent bad at 99 % for three of thirty days: an eighth is spent, the rest lasts half as long as it may."""
    ledger = steady(24, 50, 50, 50)
    found = budget(objective(), ledger, NOW)
    assert found.left == pytest.approx(1 - 3 * 2 / 30, abs=0.06)
    assert found.forecast is not None
    assert about(found.forecast.likely) == "12d"
    assert found.forecast.soonest < found.left * 30 * DAY / 2 < found.forecast.likely * 1.05
    assert found.forecast.latest is not None
    assert found.forecast.soonest < found.forecast.likely < found.forecast.latest


def test_what_lasts_is_not_foretold() -> None:
    """Half as fast as it may, or an outage that is over: the budget lasts beyond the window."""
    assert budget(objective(), steady(5, 200, 200, 200, 200, 200), NOW).forecast is None
    assert budget(objective(), steady(5), NOW).forecast is None
    over = steady(5)
    for minute in range(200):
        over.add(NOW - DAY + minute * MINUTE, good=-1, bad=1)
    assert budget(objective(), over, NOW).left < 0.6
    assert budget(objective(), over, NOW).forecast is None


def test_a_forecast_that_may_last_has_no_latest() -> None:
    """A tenth faster than it may, as far as can be told: perhaps that is just what is allowed."""
    found = budget(objective(), steady(3, 90, 90, 90), NOW).forecast
    assert found is not None
    assert found.latest is None
    assert about(found.likely) == "24d"


def test_of_a_calendar_window_only_the_rest_counts() -> None:
    """What would be gone in a month is not gone by Sunday; what is gone in a day, is."""
    friday = datetime(2026, 11, 27, tzinfo=UTC)
    slow, fast = steady(4, 0, 0, 0, 70, end=friday), steady(4, 0, 0, 0, 20, end=friday)
    assert budget(objective(window=Calendar.WEEK), slow, friday).forecast is None
    assert isinstance(budget(objective(window=7 * DAY), slow, friday).forecast, Forecast)
    assert isinstance(budget(objective(window=Calendar.WEEK), fast, friday).forecast, Forecast)


def test_since_when_it_is_spent() -> None:
    """The minute of the bad run that used up the last of it."""
    ledger = ledger_of("+" * 600 + "-" * 60 + "+" * 60)
    found = budget(objective(window=DAY, target=0.9), ledger, NOW)
    assert found.spent is None
    found = budget(objective(window=DAY, target=0.99), ledger, NOW)
    may = 0.01 * 720 * (DAY / (719 * MINUTE))
    assert found.left < 0
    assert found.spent == NOW - 119 * MINUTE + int(may) * MINUTE


def test_where_a_rule_holds_its_long_window_is_the_pace() -> None:
    """What was told is what the forecast goes by."""
    ledger = ledger_of("+" * 400 + "-" * 30)
    burn = burning(objective(), ledger, NOW)
    assert burn is not None
    assert pace(objective(), ledger, NOW) == burn.rate


def test_an_objective_that_is_stricter_than_the_noise() -> None:
    """Said of the budget, when it is sure; and nothing burns by that noise."""
    strict = objective(target=0.999)
    ledger = steady(3, 200, 200, 200)
    assert burning(strict, ledger, NOW) is not None
    noise = Noise(failed=50, runs=10_000)
    assert burning(strict, ledger, NOW, noise=noise) is None
    assert budget(strict, ledger, NOW, noise).noise == 0.005
    assert budget(strict, ledger, NOW, Noise(failed=2, runs=1000)).noise is None
    assert budget(strict, ledger, NOW, Noise(failed=5, runs=900)).noise is None
    assert budget(objective(target=0.999, step="pay"), ledger, NOW, noise).noise is None, "other steps fail as well"
    assert budget(strict, Ledger(), NOW, noise).noise == 0.005


def test_noise_is_that_of_the_checks_that_count() -> None:
    """As they have learned it; a promise of time knows of none."""
    state = State(
        checks={
            CheckId("checkout"): CheckState(
                habits=Habits(rates={"eu": Rate(runs=1000, served=1, path=2), "us": Rate(runs=800, served=0, path=1)})
            ),
            CheckId("other"): CheckState(habits=Habits(rates={"eu": Rate(runs=1000, served=0, path=300)})),
        }
    )
    assert noise_of(state, objective(checks=frozenset({CheckId("checkout"), CheckId("new")}))) == Noise(4, 1800)
    assert noise_of(state, objective(under=1.0)) == Noise()
    assert noise_of(State(), objective()).share == 0.0
