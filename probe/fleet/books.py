"""What was tried to be told, written down in the hub: kept in memory, and tried again, until it is."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Connection, select, text

from probe.core.notification import Attempt, Notification
from probe.core.state import Change
from probe.engine.recorder import WAITS
from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub
from probe.ports import Record
from probe.store.fleet import FleetWriting
from probe.store.schema import attempts

log = logging.getLogger(__name__)

GROUP: Final = 500
"""Entries in one transaction at most."""
STUBBORN: Final = 5
"""Failures after which one entry is given up that we have a bug with."""
_HINT: Final = text("SELECT pg_notify('probe_outbox', '')")


class Books:
    """Takes attempts and notifications at once, and writes them down when that is possible, in their order.

    What is lost when we are killed is tried again by whoever delivers then, with the same key.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: deque[Attempt | Notification] = deque()
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._trouble = False

    @property
    def keys(self) -> frozenset[str]:
        """Whose attempts are not written down yet: the hub does not know what has become of them."""
        return frozenset(one.key for one in self._waiting if isinstance(one, Attempt))

    def settle(self, attempt: Attempt) -> None:
        """Write down what became of an attempt."""
        self._add((attempt,))

    def say(self, notifications: Sequence[Notification]) -> None:
        """Write down what is to be said beside what judgement says; it comes back when the outbox is read."""
        self._add(notifications)

    async def written(self) -> None:
        """Return when all that was given until now is written down."""
        await self._empty.wait()

    async def run(self, stop: asyncio.Event, grace: float) -> None:
        """Write until `stop`; then what is left, for no longer than `grace` seconds."""
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write_all(), name="books")
            await stop.wait()
            try:
                async with asyncio.timeout(grace):
                    await self.written()
            except TimeoutError:
                log.error("attempts could not be written down: they are made again", extra={"lost": len(self._waiting)})  # noqa: TRY400  # the traceback of a deadline says nothing
            writing.cancel()

    def _add(self, given: Sequence[Attempt | Notification]) -> None:
        self._waiting += given
        if self._waiting:
            self._empty.clear()
            self._work.set()

    async def _write_all(self) -> None:
        failures, size = 0, GROUP
        while True:
            await self._work.wait()
            self._work.clear()
            while group := tuple(islice(self._waiting, size)):
                try:
                    await self._write(group)
                except StoreUnavailable as error:
                    self._fails(str(error))
                    await asyncio.sleep(WAITS[min(failures, len(WAITS) - 1)])
                    failures += 1
                    continue
                except Exception:  # a bug here must neither end the alerts nor stop what comes after
                    log.exception("attempts cannot be written down")
                    failures, size = failures + 1, 1
                    if len(group) > 1 or failures < STUBBORN:
                        await asyncio.sleep(WAITS[0])
                        continue
                failures, self._trouble = 0, False
                for _ in group:
                    self._waiting.popleft()
            size = GROUP
            self._empty.set()

    async def _write(self, group: Sequence[Attempt | Notification]) -> None:
        async with self._hub.transaction() as connection:
            await connection.run_sync(write_down, group)
            if any(isinstance(one, Notification) for one in group):
                await connection.execute(_HINT)

    def _fails(self, why: str) -> None:
        if not self._trouble:
            log.warning("attempts wait to be written down: %s", why, extra={"waiting": len(self._waiting)})
        self._trouble = True


def write_down(connection: Connection, group: Sequence[Attempt | Notification]) -> None:
    """Into the tables, each attempt once: whether the last COMMIT came about may not be known."""
    tried = [one for one in group if isinstance(one, Attempt)]
    rows = select(attempts.c.key, attempts.c.at).where(attempts.c.key.in_({one.key for one in tried}))
    known = {(key, at) for key, at in connection.execute(rows)} if tried else set()
    said = tuple(one for one in group if isinstance(one, Notification))
    record = Record(
        changes=(Change(notifications=said),) if said else (),
        attempts=tuple(one for one in tried if (one.key, one.at) not in known),
    )
    FleetWriting(connection).write([record])
