"""Which regions are silent, by the database's clock: looked at by whoever judges the shard that tells of our own regions."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.silence import Hearing, silence
from probe.store.schema import EPOCH, MICROSECOND

LAPSE: Final = timedelta(seconds=5)
"""When nobody has listened for so long, every region gets the time anew in which it must be heard."""
EXPECTED: Final = "expected:"
"""What begins the key in `meta` that says since when a region belongs to the fleet (publish.py writes it)."""

_REGIONS: Final = text("SELECT name, heard, silent FROM probe.regions")
_SINCE: Final = text(
    "SELECT key, value FROM probe.meta WHERE key IN ('listening', 'listened') OR starts_with(key, :expected)"
)
_LISTENED: Final = text(
    "INSERT INTO probe.meta (key, value) VALUES ('listened', :now), ('listening', :since)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
# An agent that was cut off within a call holds its region's row for seconds: it is looked at again the next time.
_SAY: Final = text(
    "UPDATE probe.regions SET silent = :silent"
    " WHERE name IN (SELECT name FROM probe.regions WHERE name = :name FOR NO KEY UPDATE SKIP LOCKED) RETURNING name"
)
_ENTER: Final = text(
    "INSERT INTO probe.regions (name, silent) VALUES (:name, :silent) ON CONFLICT (name) DO NOTHING RETURNING name"
)


class Listening:
    """What is known of regions' silence. `stale_after` is after how long without a word a region is silent."""

    def __init__(self, stale_after: timedelta) -> None:
        self.stale_after = stale_after
        self._back: dict[str, datetime | None] = {}

    async def silent(
        self, connection: AsyncConnection, regions: tuple[str, ...], now: datetime, *, listens: bool
    ) -> dict[str, datetime | None]:
        """Since when each of the regions is silent; `None`: it is not.

        Who `listens` looks at it anew, and writes it down: within the transaction that holds the shard which tells it.
        """
        rows = {row.name: row for row in await connection.execute(_REGIONS)}
        said: dict[str, datetime | None] = {name: rows[name].silent if name in rows else None for name in regions}
        if listens:
            since = await self._since(connection, regions, now)
            for name in regions:
                was = Hearing(said[name], self._back.get(name))
                heard = rows[name].heard if name in rows else None
                hearing = silence(heard, was, now, self.stale_after, listening=since[name])
                self._back[name] = hearing.back
                if hearing.silent != was.silent and await self._say(
                    connection, name, hearing.silent, known=name in rows
                ):
                    said[name] = hearing.silent
        return said

    async def _since(self, connection: AsyncConnection, regions: tuple[str, ...], now: datetime) -> dict[str, datetime]:
        """Since when somebody listens for each region without a lapse; we do now."""
        found: Mapping[str, datetime] = {
            row.key: EPOCH + row.value * MICROSECOND for row in await connection.execute(_SINCE, {"expected": EXPECTED})
        }
        since, last = found.get("listening"), found.get("listened")
        if since is None or last is None or abs(now - last) > LAPSE:
            since = now
        moments = {"now": (now - EPOCH) // MICROSECOND, "since": (since - EPOCH) // MICROSECOND}
        await connection.execute(_LISTENED, moments)
        return {name: max(since, found.get(EXPECTED + name, since)) for name in regions}

    async def _say(self, connection: AsyncConnection, name: str, silent: datetime | None, *, known: bool) -> bool:
        written = await connection.execute(_SAY if known else _ENTER, {"name": name, "silent": silent})
        return written.one_or_none() is not None
