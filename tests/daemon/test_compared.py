"""What changed since the last good run, under the real daemon: also when that run was before a restart."""

import asyncio
from pathlib import Path

from probe.core.changes import words_of
from probe.core.run import Run
from probe.store.reader import open_reader
from tests.daemon.scene import check, scene


def stored(data: Path, id: str) -> Run | None:
    """A run with all that was seen."""
    with open_reader(data) as reader:
        return reader.run(id)


async def test_a_failed_run_says_what_changed(tmp_path: Path) -> None:
    """The first one after a restart is put beside the last good one of before."""
    async with scene(tmp_path) as place:
        place.configure(check("cart"))
        await place.up()
        good = "SELECT id FROM runs WHERE outcome = 'passed' ORDER BY started DESC"
        await place.wait(lambda: place.rows(good), "a run passes")
        await place.daemon.stop()
        place.shop.broken.add("cart")
        await place.up()
        bad = "SELECT id FROM runs WHERE outcome = 'failed' ORDER BY started"
        found = await place.wait(lambda: place.rows(bad), "a run fails")
        run = await asyncio.to_thread(stored, place.data, found[0][0])
        assert run is not None
        assert run.observation.compared is not None
        assert run.observation.compared.good == (await place.rows(good))[0][0]
        assert [words_of(difference) for difference in run.observation.compared.differences] == [
            "status of GET /cart: 200 → 500"
        ]
