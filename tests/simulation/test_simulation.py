"""The whole daemon through its worst weeks, in virtual time. More of them: `python -m tests.simulation --seeds 1-50`."""

import pytest

from probe.core.run import Outcome
from tests.simulation.life import Broken, simulate
from tests.simulation.promises import Promises
from tests.simulation.script import Act


@pytest.mark.parametrize("seed", [2, 5])  # clocks go forward when even, back when odd; 5 has control checks
def test_days_in_which_everything_goes_wrong(seed: int) -> None:
    """Outages, jumps, a change of clocks, a store and channels that fail, reloads, crashes: every promise is kept."""
    told = simulate(seed, 3.7)
    # They were days worth the name.
    assert set(told.acts) >= {Act.BEGIN, Act.STRAY, Act.JUMP, Act.STORE_FAILS, Act.MOOD, Act.RELOAD, Act.CRASH}
    assert {run.outcome for run in told.store.runs} >= set(Outcome) - {Outcome.ABORTED}
    assert len(told.store.runs) > 8000
    assert len(told.store.incidents) > 5
    assert told.arrivals > 30
    assert told.counted > 1500


def test_a_seed_tells_the_same_story_twice() -> None:
    """Same seed, same rows: what is found once is found again."""
    first, second = simulate(8, 1.0).store, simulate(8, 1.0).store
    assert len(first.runs) > 1500
    assert first.runs == second.runs
    assert first.entries == second.entries
    assert first.notifications == second.notifications
    assert first.attempts == second.attempts
    assert first.state.incidents == second.state.incidents


def test_a_broken_promise_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed is in the message."""
    monkeypatch.setattr(Promises, "agree", lambda promises, _service: promises.broken.append("this was not kept"))
    with pytest.raises(Broken, match=r"(?s)this was not kept.*python -m tests\.simulation --seeds 5 --days 1 --tell"):
        simulate(5, 1.0)
