"""Hands over to the hub what waits in the outbox of one region: in order, in batches, at a limited rate after an absence.

The hub's word about what it has is the truth. What was sent and not acknowledged is sent again, which changes nothing there.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from probe.core.evaluate import Overdue
from probe.core.run import Outcome, Run
from probe.errors import StoreUnavailable
from probe.fleet.calls import Calls, Introduction, Row
from probe.fleet.inbox import Kind, pack
from probe.fleet.outbox import Outbox
from probe.ports import Record, Restored, Store
from probe.store.outbox import WINDOW, Batch

log = logging.getLogger(__name__)

ROOM: Final = 1000
"""Numbers of the source from one run to the next: between them is room for what is told without being a run."""
BATCH: Final = 500
"""Runs in one call at most: half as many after a call that failed, for the way may be too narrow, and then slowly more again."""
PATIENCE: Final = 30.0
"""Seconds for one batch."""
FRESH: Final = 30.0
"""Seconds for which it is worth a word that a run is overdue."""
QUEUED: Final = 500
"""Overdue runs that wait at most."""
IDLE: Final = 1000
"""After so many numbers without a run of ours it is noted how far we looked."""


@dataclass(slots=True)
class Rate:
    """No more than `most` things in a second, counted by a monotonic clock in seconds."""

    most: int
    level: float
    at: float

    def room(self, now: float) -> int:
        """How many may go now."""
        self.level = min(self.most, self.level + (now - self.at) * self.most)
        self.at = now
        return int(self.level)

    def wait(self, count: int) -> float:
        """Seconds until so many may go."""
        return max(0.0, (min(count, self.most) - self.level) / self.most)


class Forwarder:
    """Forwards the runs of one region. `who` gives our introduction. To be made inside the running loop.

    `clear` is the loop's time until which everything that was recorded is known to be with the hub. `tells`: it also
    hands over what was told from here (one region of a node does).
    """

    def __init__(
        self,
        calls: Calls,
        outbox: Outbox,
        who: Callable[[], Introduction],
        region: str,
        *,
        catch_up: int,
        tells: bool = True,
    ) -> None:
        self._calls = calls
        self._outbox = outbox
        self._who = who
        self._region = region
        self._tells = tells
        self._time = asyncio.get_running_loop().time
        self._rate = Rate(catch_up, catch_up, self._time())
        self._news = asyncio.Event()
        self._may = asyncio.Event()
        self._dirty = self._told = True
        self._overdue: deque[tuple[float, Overdue]] = deque(maxlen=QUEUED)
        self._joined = 0
        self._noted = 0
        self._acked: int | None = None
        self._calling = 0
        self._most = BATCH
        self.position = 0
        self.queue = 0
        self.clear = float("-inf")

    @property
    def acked(self) -> int:
        """The number of the source up to which the hub has everything, as far as we know."""
        return self._acked or 0

    def begin(self, joined: int, position: int) -> None:
        """Begin behind this run of the database; `joined` is the last before it joined the fleet."""
        self._joined, self._acked = joined, None
        self.position = self._noted = max(joined, position)

    def recorded(self, runs: Iterable[Run]) -> None:
        """These runs were written down: those that are trouble are handed over at once, the others in a second."""
        ours = [run for run in runs if run.region == self._region]
        if ours:
            self._dirty = True
            self.queue += len(ours)
            if any(run.outcome is not Outcome.PASSED for run in ours):
                self._news.set()

    def told(self) -> None:
        """Something was told from here."""
        self._told = True

    def late(self, overdue: Overdue) -> None:
        """A run is overdue. It is said when the hub can be reached now, or never."""
        if overdue.region == self._region:
            self._overdue.append((self._time(), overdue))
            self._news.set()

    @property
    def calls_made(self) -> int:
        """Goes up when a call begins and when it ends."""
        return self._calling

    def heard(self, acked: int, *, calls_made: int) -> bool:
        """The hub says how far it has the source; `calls_made` is as it was when it was asked. False: it is another source's.

        A hub that has less than it said before was restored from a backup: it gets again what it lost. One that has more
        than we ever sent knows a later state of this database, which was restored from a backup.
        """
        seq = acked // ROOM
        if self._acked is None and seq > max(self._noted, self._joined) + 2 * WINDOW:
            return False
        if self._acked is None or (acked < self._acked and calls_made == self._calling and not calls_made % 2):
            if self._acked is not None:
                log.warning("the database of the fleet has less than before: forwarding again from there")
            self._acked = acked
            self.position = max(self._joined, seq)
            self._dirty = True
        self._may.set()
        return True

    def pause(self) -> None:
        """The hub cannot be reached: wait until it is heard."""
        self._may.clear()

    async def run(self) -> None:
        """Forward until cancelled."""
        failed = ""
        while True:
            await self._may.wait()
            try:
                rest = await self._step()
            except StoreUnavailable as error:
                self._may.clear()  # the next answer to a sync lets us try again
                if str(error) != failed:
                    log.warning("nothing is forwarded: %s", error, extra={"region": self._region})
                failed = str(error)
                continue
            except Exception:  # a bug here must not end the node, which goes on probing
                self._may.clear()
                log.exception("a batch was not forwarded", extra={"region": self._region})
                continue
            failed = ""
            await self._pause(self._rate.wait(self._most) if rest else 1.0, hurried=not rest)

    async def _pause(self, seconds: float, *, hurried: bool) -> None:
        """Wait; news of trouble end it when we are not catching up."""
        if not hurried:
            await asyncio.sleep(seconds)
            return
        alarm = asyncio.get_running_loop().call_later(seconds, self._news.set)
        try:
            await self._news.wait()
        finally:
            alarm.cancel()
            self._news.clear()

    async def _step(self) -> bool:
        """Hand over one batch; whether there is more."""
        began = self._time()
        told = await self._outbox.told() if self._tells and self._told else ()
        batch = await self._read(began)
        first = max(self.acked, self.position * ROOM) + 1
        told = told[: max(0, (self.position + 1) * ROOM - first)]
        rows = [Row(first + n, Kind.TOLD, one.check, pack((one.attempt,))) for n, one in enumerate(told)]
        rows += [Row(parcel.seq * ROOM, parcel.kind, parcel.check, parcel.body) for parcel in batch.parcels]
        if not batch.behind:
            rows += self._late_rows(max([self.acked, batch.until * ROOM, *(row.seq for row in rows)]) + 1, batch.until)
        if rows:
            await self._deliver(rows)
        self._rate.level -= len(batch.parcels)
        if batch.parcels or batch.until - self._noted >= IDLE:
            await self._outbox.forwarded(self._region, batch.until)  # before anything behind it is sent
            self._noted = batch.until
        if told:
            await self._outbox.told_until(told[-1].number)
        elif self._tells:
            self._told = False
        self.position, self.queue = batch.until, batch.behind
        self._dirty = self._dirty or batch.behind > 0
        if not batch.behind:
            self.clear = began
        return batch.behind > 0

    async def _read(self, now: float) -> Batch:
        if not self._dirty:
            return Batch(parcels=(), until=self.position, behind=0)
        self._dirty = False
        try:
            return await self._outbox.batch(self._region, self.position, min(self._most, max(1, self._rate.room(now))))
        except BaseException:
            self._dirty = True
            raise

    def _late_rows(self, first: int, position: int) -> list[Row]:
        """What is overdue, as far as it is fresh, and there is room for it before the next run."""
        now = self._time()
        rows: list[Row] = []
        while self._overdue:
            at, overdue = self._overdue.popleft()
            number = first + len(rows)
            if now - at <= FRESH and number < (position + 1) * ROOM:
                rows.append(Row(number, Kind.OVERDUE, overdue.check, pack(overdue)))
        return rows

    async def _deliver(self, rows: list[Row]) -> None:
        self._calling += 1
        try:
            async with asyncio.timeout(PATIENCE):
                self._acked = await self._calls.deliver(self._who(), rows)
            self._most = min(BATCH, self._most + max(1, self._most // 8))
        except TimeoutError:
            self._fails(len(rows))
            raise StoreUnavailable(f"the database of the fleet did not take a batch in {PATIENCE:g} s") from None
        except BaseException:
            self._fails(len(rows))
            raise
        finally:
            self._calling += 1

    def _fails(self, rows: int) -> None:
        self._dirty, self._most = True, max(1, min(self._most, rows) // 2)


class Tap:
    """A store of which it is told what was written down. Implements `Store`."""

    def __init__(self, store: Store, written: Callable[[Record], None]) -> None:
        self._store = store
        self._written = written

    async def restore(self) -> Restored:
        """What was remembered."""
        return await self._store.restore()

    async def commit(self, record: Record) -> None:
        """Write it down, and tell."""
        await self._store.commit(record)
        self._written(record)

    async def tidy(self, now: datetime) -> None:
        """Roll up and forget."""
        await self._store.tidy(now)
