"""A lease: who of many does what one is enough for. It only saves work: everything holds though two believe they have it."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import TextClause, text

from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub

log = logging.getLogger(__name__)

TTL: Final = timedelta(seconds=6)
"""How long a lease lasts that nobody renews."""
RENEW: Final = 2.0
"""Seconds between two renewals."""
MARGIN: Final = 0.5
"""Seconds before its end from which its holder does not rely on it: clocks do not all go at one pace."""

_ACQUIRE: Final = text(
    "INSERT INTO probe.leases AS held (name, holder, epoch, until)"
    " VALUES (:name, :holder, 1, clock_timestamp() + make_interval(secs => :ttl))"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = held.epoch + 1, until = excluded.until"
    " WHERE held.until IS NULL OR held.until < clock_timestamp() OR held.holder = excluded.holder"
    " RETURNING epoch"
)
_RENEW: Final = text(
    "UPDATE probe.leases SET until = clock_timestamp() + make_interval(secs => :ttl)"
    " WHERE name = :name AND holder = :holder AND epoch = :epoch RETURNING epoch"
)
_RELEASE: Final = text(
    "UPDATE probe.leases SET until = clock_timestamp() WHERE name = :name AND holder = :holder AND epoch = :epoch"
)


def boot_time() -> float:
    """Seconds since the host was started, those included in which it, or we, were suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """One lease, as one process sees it. `holder` names that process, and no other.

    The database's clock decides when it ends for everybody else; ours, counted from before we asked, when it does for us:
    that is never later.
    """

    def __init__(
        self, hub: Hub, name: str, holder: str, *, ttl: timedelta = TTL, clock: Callable[[], float] = boot_time
    ) -> None:
        self.name = name
        self.epoch: int | None = None
        """Which of all its terms is ours; `None`: none."""
        self._hub = hub
        self._ttl = ttl.total_seconds()
        self._asked = {"name": name, "holder": holder, "ttl": self._ttl}
        self._clock = clock
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds for which we surely have it; 0: not any more, or never had."""
        return 0.0 if self.epoch is None else max(0.0, self._until - MARGIN - self._clock())

    @property
    def held(self) -> bool:
        """Whether we surely have it now."""
        return self.left > 0

    async def acquire(self) -> bool:
        """Take it if nobody has it: whether we do now. `StoreUnavailable` when the database cannot be asked."""
        return await self._ask(_ACQUIRE)

    async def renew(self) -> bool:
        """Keep it for another while: whether we still have it. `StoreUnavailable` when the database cannot be asked."""
        if self.epoch is None:
            return False
        return await self._ask(_RENEW)

    async def release(self) -> None:
        """Leave it to others at once. `StoreUnavailable` when the database cannot be told: then it ends by itself."""
        epoch, self.epoch = self.epoch, None
        if epoch is not None:
            async with self._hub.transaction() as connection:
                await connection.execute(_RELEASE, {**self._asked, "epoch": epoch})

    async def _ask(self, statement: TextClause) -> bool:
        asked = self._clock()
        async with self._hub.transaction() as connection:
            epoch = await connection.scalar(statement, {**self._asked, "epoch": self.epoch})
        self.epoch, self._until = epoch, asked + self._ttl
        return epoch is not None


async def keep(lease: Lease) -> None:
    """Renew it again and again. Returns when it is, or may be, another's: then whoever has it stops what it is for.

    A database that cannot be asked is asked again until the lease has run out.
    """
    while left := lease.left:
        await asyncio.sleep(min(RENEW, left))
        try:
            async with asyncio.timeout(lease.left):
                if not await lease.renew():
                    return
        except (StoreUnavailable, TimeoutError) as error:
            log.warning(
                "a lease could not be renewed: %s", str(error) or "no answer in time", extra={"lease": lease.name}
            )
