"""Kill it at random moments: nothing accepted is lost, nothing is said twice, and it is as if nothing had happened."""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.rig import KILLS, chaos
from tests.chaos.verify import broken_promises
from tests.chaos.world import SHAKY, STEADY
from tests.daemon.inbox import Mood


@pytest.mark.timeout(180)
async def test_a_short_night(tmp_path: Path) -> None:
    """Eight kills of daemon, workers, browser and driver, while the shop breaks and a channel misbehaves: see verify.py."""
    async with chaos(tmp_path, seed=4, kills=8, pause=(0.2, 2.5), settle=90) as end:
        broken = broken_promises(end)
        arrivals = end.world.inbox.arrivals
        connection = sqlite3.connect(f"file:{end.database}?mode=ro", uri=True)
        outcomes = dict(connection.execute("SELECT outcome, count(*) FROM runs GROUP BY outcome"))
        connection.close()
    assert broken == []
    # It was a night worth the name.
    assert sum(end.seen.acts[act] for act in KILLS) == 8
    assert end.seen.acts["daemon"] >= 2
    assert set(outcomes) >= {"passed", "failed", "aborted"}
    assert len(end.seen.runs) > 60
    moods = Counter(arrival.mood for arrival in arrivals if arrival.channel == SHAKY)
    assert moods[Mood.OK] < moods.total()
    assert {notice["reason"] for a in arrivals if a.channel == STEADY for notice in a.notices} >= {"opened", "resolved"}
