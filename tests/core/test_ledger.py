"""Counts by the minute and the hour are what a count of the runs themselves gives."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from probe.core.ledger import Counts, Ledger
from tests.core.builders import NOW

START = datetime(2026, 11, 20, tzinfo=UTC)
runs = st.lists(st.tuples(st.integers(0, 5 * 86400), st.sampled_from(["good", "bad", "lost"])), max_size=60)


def brute(events: list[tuple[int, str]], start: datetime, end: datetime) -> Counts:
    floor = start.replace(second=0, microsecond=0)
    seen = [kind for at, kind in events if floor <= START + timedelta(seconds=at - at % 60) < end]
    return Counts(seen.count("good"), seen.count("bad"), seen.count("lost"))


@given(runs, st.integers(0, 5 * 86400), st.integers(0, 86400 * 2))
def test_a_window_is_exact_to_the_minute(events: list[tuple[int, str]], start: int, span: int) -> None:
    """Whatever the window, as a brute-force count over the runs by the minute they were due."""
    ledger = Ledger()
    for at, kind in events:
        ledger.add(START + timedelta(seconds=at), **{kind: 1})
    begin, end = START + timedelta(seconds=start), START + timedelta(seconds=start + span)
    assert ledger.between(begin, end) == brute(events, begin, end)


@given(runs, st.integers(0, 5 * 24), st.integers(0, 48))
def test_what_is_forgotten_by_the_minute_is_exact_to_the_hour(
    events: list[tuple[int, str]], start: int, span: int
) -> None:
    """Old minutes are folded into hours, and whole windows of hours stay what they were."""
    ledger = Ledger()
    for at, kind in events:
        ledger.add(START + timedelta(seconds=at), **{kind: 1})
    ledger.forget(START + timedelta(days=6))
    begin, end = START + timedelta(hours=start), START + timedelta(hours=start + span)
    assert not ledger.minutes
    assert ledger.between(begin, end) == brute(events, begin, end)


def test_old_hours_are_dropped_when_asked_for() -> None:
    """Nothing before the limit stays; what is after it does."""
    ledger = Ledger()
    ledger.add(START, bad=1)
    ledger.add(START + timedelta(days=2), good=1)
    assert ledger.first() == START
    ledger.forget(START, all_before=START + timedelta(days=1))
    assert ledger.between(START, START + timedelta(days=9)) == Counts(good=1)
    assert ledger.first() == START + timedelta(days=2)
    assert Ledger().first() is None


def test_a_late_run_of_an_old_hour_counts_for_the_hour() -> None:
    """Its minutes are forgotten: a cut hour is counted whole, never in part."""
    ledger = Ledger()
    ledger.add(START, good=2)
    ledger.forget(START + timedelta(days=4))
    ledger.add(START + timedelta(minutes=50), bad=1)
    assert ledger.between(START + timedelta(minutes=30), START + timedelta(hours=1)) == Counts(good=2, bad=1)


def test_shares() -> None:
    """The ratio is of what counts, the coverage of what was due; nothing counted is no ratio."""
    assert Counts(3, 1, 4).ratio == 0.25
    assert Counts(3, 1, 4).coverage == 0.5
    assert (Counts().ratio, Counts().coverage) == (0.0, 0.0)
    assert Ledger().between(NOW, NOW) == Counts()


@given(runs, st.integers(0, 5 * 86400), st.integers(1, 20), st.booleans())
def test_when_so_many_were_bad(events: list[tuple[int, str]], start: int, wanted: int, old: bool) -> None:
    """To the minute of the run that made it so many, or its hour; never: nothing."""
    ledger = Ledger()
    for at, kind in events:
        ledger.add(START + timedelta(seconds=at), **{kind: 1})
    unit = 3600 if old else 60
    if old:
        ledger.forget(START + timedelta(days=6))
    begin = start - start % unit
    bad = sorted(at for at, kind in events if kind == "bad" and at >= begin)
    found = ledger.reached(START + timedelta(seconds=start), wanted)
    if len(bad) < wanted:
        assert found is None
    else:
        assert found == START + timedelta(seconds=bad[wanted - 1] // unit * unit)


@given(runs, runs)
def test_an_amended_ledger_is_another(events: list[tuple[int, str]], more: list[tuple[int, str]]) -> None:
    """It is as if they had been added, and the first one is as it was."""
    ledger, both = Ledger(), Ledger()
    for at, kind in events:
        ledger.add(START + timedelta(seconds=at), **{kind: 1})
    for at, kind in events + more:
        both.add(START + timedelta(seconds=at), **{kind: 1})
    hours, minutes = dict(ledger.hours), {hour: dict(found) for hour, found in ledger.minutes.items()}
    amended = ledger.amended((START + timedelta(seconds=at), Counts(**{kind: 1})) for at, kind in more)
    assert (amended.hours, amended.minutes) == (both.hours, both.minutes)
    assert (ledger.hours, ledger.minutes) == (hours, minutes)
