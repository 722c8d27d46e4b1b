"""Keeps what waits for the hub within its bounds on this disk: the policy of docs/fleet.md, one look after the other."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Final

from sqlalchemy import Connection

from probe.errors import StoreUnavailable
from probe.fleet.outbox import read_beside
from probe.ports import REFERENCE
from probe.store import shrink
from probe.store.outbox import forwarded, measure, number_of, oldest_evidence
from probe.store.rollup import roll_up
from probe.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

LOOK: Final = 30.0
"""Seconds between two looks."""
SPARE: Final = 0.9
"""Once it is too much, it is made smaller until this share of what is allowed."""
TURNS: Final = 20
"""Pieces of work between two measures of what they brought."""


Work = Callable[[Connection], int]


class Room:
    """Looks how much waits, and does something about it. `limit` is in bytes, files of evidence (`folder`) included.

    `thinned` and `dropped` count what has no row of its own any more, and what nobody has any more.
    """

    def __init__(self, store: SqliteStore, limit: int, folder: Path | None) -> None:
        self._store = store
        self._limit = limit
        self._folder = folder
        self.thinned = 0
        self.dropped = 0
        self.waiting = 0
        """Bytes that wait, as of the last look."""

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("what waits for the database of the fleet was not measured: %s", error)
            except Exception:  # a bug here must not end the node, which goes on probing
                log.exception("what waits for the database of the fleet was not measured")
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """Measure, and make it smaller when it is too much: first what is missed least."""
        oldest = await self._store.transact(oldest_evidence)
        evidence = await asyncio.to_thread(_evidence, self._folder, oldest)
        files = sum(size for _, size in evidence)
        self.waiting = files + await self._measure()
        if self.waiting > self._limit:
            goal = int(self._limit * SPARE)
            if self.waiting > goal and evidence:
                files -= await asyncio.to_thread(_remove, evidence, self.waiting - goal)
                log.warning("the outbox is full: evidence that waits was removed")
            await self._shrink(goal, files)
        counts = await self._store.transact(_counts)
        self.thinned, self.dropped = counts

    async def _measure(self) -> int:
        return (await read_beside(self._store, lambda c: measure(c, min(forwarded(c).values(), default=0)))).bytes

    async def _shrink(self, goal: int, files: int) -> None:
        while await self._store.transact(roll_up):  # what is melted must have been counted by the hour
            pass
        places = await self._store.transact(_places)
        regions = sorted({region for region, _ in places})
        stages: tuple[tuple[int, str, list[Work]], ...] = (
            (
                logging.WARNING,
                "details of runs that passed were forgotten",
                [partial(shrink.strip, region=r, passed=True) for r in regions],
            ),
            (
                logging.WARNING,
                "runs that passed were melted into fewer",
                [partial(shrink.thin, region=r, place=p) for r, p in places],
            ),
            (
                logging.ERROR,
                "details of runs that did not pass were forgotten",
                [partial(shrink.strip, region=r, passed=False) for r in regions],
            ),
            (
                logging.ERROR,
                "runs were dropped that nobody has, the oldest first",
                [partial(shrink.drop, region=r) for r in regions],
            ),
        )
        for level, words, works in stages:
            done = await self._stage(works, goal, files)
            if done:
                log.log(level, "the outbox is full: %s", words, extra={"rows": done})
            if self.waiting <= goal:
                return

    async def _stage(self, works: list[Work], goal: int, files: int) -> int:
        """Do each of these until nothing comes of it, or it is enough; gives how many rows that changed."""
        done = turn = 0
        for work in works:
            count = 1
            while count:
                if turn % TURNS == 0:
                    self.waiting = files + await self._measure()
                    if self.waiting <= goal:
                        return done
                count = await self._store.transact(work)
                done, turn = done + count, turn + 1
        self.waiting = files + await self._measure()
        return done


def _places(connection: Connection) -> list[tuple[str, int]]:
    return [
        (region, place) for region in sorted(forwarded(connection)) for place in shrink.places_of(connection, region)
    ]


def _counts(connection: Connection) -> tuple[int, int]:
    return number_of(connection, shrink.THINNED), number_of(connection, shrink.DROPPED)


def _evidence(folder: Path | None, since: str | None) -> list[tuple[Path, int]]:
    """The folders of runs whose evidence waits, the oldest first, and how large each is. Their names sort by time. Blocks."""
    if folder is None or since is None:
        return []
    found: list[tuple[Path, int]] = []
    for run in sorted(folder.glob("*/*"), key=lambda path: path.name):
        if run.name >= since and run.name != REFERENCE:
            with suppress(OSError):  # it was forgotten meanwhile, or is not ours
                found.append((run, sum(file.stat().st_size for file in run.iterdir())))
    return found


def _remove(evidence: list[tuple[Path, int]], much: int) -> int:
    """Remove the oldest until so many bytes are free; gives how many are. Blocks."""
    freed = 0
    for run, size in evidence:
        if freed >= much:
            break
        rmtree(run, ignore_errors=True)
        freed += size
    return freed
