"""Kill, pause and cut a whole fleet at random: nothing accepted is lost, nothing decided twice, nothing of ours is the shop's."""

from pathlib import Path

import pytest

from tests.lab.chaos import chaos, plan
from tests.lab.verify import broken_promises
from tests.lab.world import REGIONS

SEED, ACTS = 980, 9
"""Among them: the database, two agents and both that judge are killed, one stands still, one region has no network, one cannot deliver."""


def test_a_seed_is_a_plan() -> None:
    assert plan(7, 50) == plan(7, 50)
    assert plan(7, 50) != plan(8, 50)


@pytest.mark.timeout(180)
async def test_a_short_day(lab: None, tmp_path: Path) -> None:
    """One outage, one region away for long, and whatever the seed does meanwhile: see verify.py. `make chaos` has longer ones."""
    async with chaos(tmp_path, SEED, acts=ACTS) as end:
        assert await broken_promises(end.fleet, end.accepted, end.expected) == [], end.fleet.story()
    # It was a day worth the name.
    assert end.done.total() == ACTS
    assert len(end.done) >= 5
    assert all(len(end.accepted.runs[region]) > 20 for region in REGIONS)
