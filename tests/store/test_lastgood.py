"""The last good run of a place, as a comparison needs it."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from probe.core.run import Observation, Run, RunId
from probe.ports import Record
from probe.store.lastgood import last_good
from probe.store.sqlite import SqliteStore
from tests.core.builders import NOW
from tests.store.builders import failed, run, store_in

pytestmark = pytest.mark.asyncio


async def found(store: SqliteStore, since: datetime = NOW, region: str = "eu") -> Run | None:
    return await store.transact(partial(last_good, check="cart", region=region, since=since))


async def test_the_newest_whole_run_of_the_place_that_passed(tmp_path: Path) -> None:
    """Not of another region, not a failed one, none from before, and none that was spared where there is a whole one."""
    spared = Observation(stopped_before="checkout")
    async with store_in(tmp_path) as store:
        assert await found(store) is None
        await store.commit(
            Record(
                runs=(
                    run(1),
                    run(2),
                    run(3, observation=spared),
                    failed(4),
                    run(5, id=RunId("us"), region="us", observation=spared),
                )
            )
        )
        assert await found(store) == run(2)
        assert await found(store, since=NOW + timedelta(minutes=2, seconds=30)) == run(3, observation=spared)
        assert await found(store, since=NOW + timedelta(minutes=4)) is None
        assert (await found(store, region="us")) == run(5, id=RunId("us"), region="us", observation=spared)
        assert await found(store, region="else") is None


async def test_one_whose_details_are_forgotten_is_none(tmp_path: Path) -> None:
    """There is nothing to compare with."""
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=(replace(run(1), observation=Observation()),)))
        assert await found(store) is None
