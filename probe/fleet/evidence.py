"""Evidence of failed runs is shipped to where the fleet keeps it: after the runs themselves, slowly, and each file once."""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, select

from probe.core.run import Artifact, Outcome, RunId
from probe.errors import ProbeError
from probe.fleet.calls import Calls
from probe.store.outbox import SHIPPED, forwarded, number_of, put
from probe.store.rows import run_of
from probe.store.schema import details, places, runs
from probe.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

LARGEST: Final = 32 * 2**20
"""Bytes of a file at most: what is larger stays here."""
RATE: Final = 2**20
"""Bytes a second."""
LOOK: Final = 2.0
"""Seconds between two looks when there was nothing to do."""
AGAIN: Final = 30.0
"""Seconds before it is tried again when the place where evidence is kept cannot be reached."""
SOME: Final = 20
"""Runs at a time."""
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*")
"""What the name of a file must be, to be kept: somebody will make a file of it again."""


class Depot(Protocol):
    """Where evidence is kept. Raises `ProbeError` when it cannot be kept now."""

    async def keep(self, region: str, run: str, name: str, body: bytes) -> None:
        """Keep a file of a run. Twice is harmless."""
        ...


class DatabaseDepot:
    """Implements `Depot` in the fleet's database."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def keep(self, region: str, run: str, name: str, body: bytes) -> None:
        """Keep a file of a run."""
        await self._calls.keep_evidence(region, run, name, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A failed run with evidence: its number, where it was made, and its files."""

    seq: int
    region: str
    run: RunId
    artifacts: tuple[Artifact, ...]


def read_waiting(connection: Connection, until: int) -> tuple[tuple[Waiting, ...], int]:
    """The next failed runs up to a number whose evidence was not looked after, and how far one looked.

    We may speak no more for regions that are not probed from here any more.
    """
    wanted = (
        select(runs, places.c.check_id, places.c.region, details.c.body)
        .select_from(runs.join(places, places.c.id == runs.c.place).join(details, details.c.run == runs.c.seq))
        .where(details.c.run > number_of(connection, SHIPPED), details.c.run <= until, details.c.passed.is_(False))
        .where(runs.c.outcome == Outcome.FAILED.value, places.c.region.in_(forwarded(connection)))
        .order_by(runs.c.seq)
        .limit(SOME)
    )
    rows = connection.execute(wanted).all()
    found = []
    for row in rows:
        run = run_of(row, row.check_id, row.region, row.body)
        if run.observation.artifacts:
            found.append(Waiting(seq=row.seq, region=row.region, run=run.id, artifacts=run.observation.artifacts))
    return tuple(found), rows[-1].seq if len(rows) == SOME else until


class Shipper:
    """Ships what waits. `until` gives the number up to which the runs are with the hub, `busy` whether more of them wait."""

    def __init__(self, store: SqliteStore, depot: Depot, until: Callable[[], int], busy: Callable[[], bool]) -> None:
        self._store = store
        self._depot = depot
        self._until = until
        self._busy = busy
        self._failed = ""
        self._looked = 0
        self.shipped = 0
        """Files, since the start."""

    async def run(self) -> None:
        """Ship until cancelled."""
        while True:
            try:
                more = not self._busy() and await self.step()
            except ProbeError as error:
                if str(error) != self._failed:
                    log.warning("evidence stays here for now: %s", error)
                self._failed = str(error)
                await asyncio.sleep(AGAIN)
                continue
            except Exception:  # a bug here must not end the node, which goes on probing
                log.exception("evidence stays here for now")
                await asyncio.sleep(AGAIN)
                continue
            if not more:
                await asyncio.sleep(LOOK)

    async def step(self) -> bool:
        """Ship the evidence of some runs; whether there may be more."""
        until = self._until()
        waiting, looked = await self._store.transact(partial(read_waiting, until=until))
        for one in waiting:
            for artifact in one.artifacts:
                await self._ship(one, artifact)
            await self._store.transact(partial(put, numbers={SHIPPED: one.seq}))
        self._failed = ""
        if looked > self._looked:
            self._looked = looked
            await self._store.transact(partial(put, numbers={SHIPPED: looked}))
        return looked < until

    async def _ship(self, one: Waiting, artifact: Artifact) -> None:
        path = Path(artifact.path)
        if not NAME.fullmatch(path.name) or artifact.size > LARGEST:
            log.warning(
                "a piece of evidence stays here: it is too large, or its name is none", extra={"path": str(path)}
            )
            return
        body = await asyncio.to_thread(_read, path)
        if body is None:
            return
        await self._depot.keep(one.region, one.run, path.name, body)
        self.shipped += 1
        await asyncio.sleep(len(body) / RATE)


def _read(path: Path) -> bytes | None:
    """What is in a file; `None` when it is gone: there was no room for it, or it was forgotten. Blocks."""
    try:
        return path.read_bytes()
    except OSError:
        return None
