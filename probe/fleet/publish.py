"""What the whole fleet runs: published once, by whoever may judge, and taken over by every node.

A new configuration changes which checks are judged together, so it is put in force under the locks of all shards: no
evaluator is in the middle of anything, and none goes on by the old one, because no shard has its version any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.check import CheckId
from probe.core.rules import Rules
from probe.core.shards import split
from probe.errors import ProbeError
from probe.fleet.bundle import Bundle, unpack
from probe.fleet.hub import Hub
from probe.fleet.listening import EXPECTED

KEPT: Final = 20
"""Former configurations that are kept, to know an old one when a node comes with it."""


class Standing(StrEnum):
    """What a published configuration is now."""

    CURRENT = "current"
    CANARY = "canary"
    """Run by one region only, to see how it goes; everything is judged by the current one."""
    FORMER = "former"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A configuration that was published, without its content. `canary` is the region that tries it."""

    hash: str
    at: datetime
    by: str
    standing: Standing
    canary: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is to be published: the whole for nodes that judge, for each region what its agents may know."""

    whole: Bundle
    regions: Mapping[str, Bundle]
    rules: Rules

    @property
    def hash(self) -> str:
        """What it is known by, everywhere in the fleet."""
        return self.whole.hash


async def publish(hub: Hub, publication: Publication, by: str, *, canary: str | None = None) -> None:
    """Put it in force; with `canary` only for the agents of that region, until it is published for all.

    `ProbeError` for a canary region that has no agents, `StoreUnavailable` when the database cannot be reached: then
    nothing has changed.
    """
    if canary is not None and canary not in publication.regions:
        known = ", ".join(sorted(publication.regions)) or "none"
        raise ProbeError(f"there is no region {canary} to try it in: the configuration has {known}")
    async with hub.transaction() as connection:
        await connection.execute(text("SELECT name FROM probe.shards ORDER BY name FOR UPDATE"))
        standing = await connection.scalar(
            text("SELECT standing FROM probe.configs WHERE hash = :hash"), {"hash": publication.hash}
        )
        if canary is not None and standing == Standing.CURRENT:
            raise ProbeError(f"{publication.hash} is in force everywhere: there is nothing to try in {canary}")
        gone = [Standing.CANARY] if canary is not None else [Standing.CANARY, Standing.CURRENT]
        await connection.execute(
            text(
                "UPDATE probe.configs SET standing = 'former', canary = NULL WHERE standing = ANY(CAST(:gone AS text[]))"
            ),
            {"gone": [str(one) for one in gone]},
        )
        await connection.execute(
            text(
                "INSERT INTO probe.configs (hash, published, by, body, standing, canary)"
                " VALUES (:hash, clock_timestamp(), :by, :body, :standing, :canary)"
                " ON CONFLICT (hash) DO UPDATE SET published = excluded.published, by = excluded.by,"
                " standing = excluded.standing, canary = excluded.canary"
            ),
            {
                "hash": publication.hash,
                "by": by,
                "body": publication.whole.pack(),
                "standing": str(Standing.CURRENT if canary is None else Standing.CANARY),
                "canary": canary,
            },
        )
        for region, bundle in publication.regions.items():
            await connection.execute(
                text(
                    "INSERT INTO probe.bundles (hash, region, body) VALUES (:hash, :region, :body)"
                    " ON CONFLICT (hash, region) DO UPDATE SET body = excluded.body"
                ),
                {"hash": publication.hash, "region": region, "body": bundle.pack()},
            )
        if canary is None:
            await _arrange(connection, publication)
        await _forget(connection)


async def _arrange(connection: AsyncConnection, publication: Publication) -> None:
    """Lay down which checks are judged together, from now on by this version."""
    shards = split(publication.rules)
    home: dict[CheckId, str] = {check: name for name, rules in shards.items() for check in rules.checks}
    await connection.execute(text("DELETE FROM probe.checks"))
    if home:
        await connection.execute(
            text("INSERT INTO probe.checks (id, shard) VALUES (:id, :shard)"),
            [{"id": check, "shard": name} for check, name in home.items()],
        )
    await connection.execute(
        text("DELETE FROM probe.shards WHERE NOT name = ANY(CAST(:names AS text[]))"), {"names": list(shards)}
    )
    await connection.execute(
        # Whatever is remembered may belong to another shard now: nobody goes on from a cache, all look at once.
        text(
            "INSERT INTO probe.shards (name, version, awake, tick) VALUES (:name, :version, true, clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET version = excluded.version, generation = probe.shards.generation + 1,"
            " awake = true, tick = excluded.tick"
        ),
        [{"name": name, "version": publication.hash} for name in shards],
    )
    await _expect(connection, sorted({*publication.rules.regions(), *publication.rules.controls}))
    await connection.execute(
        text(
            "UPDATE probe.inbox AS waiting SET shard = coalesce((SELECT shard FROM probe.checks WHERE id = waiting.check_id), '')"
            " WHERE kind IN ('run', 'overdue')"
        )
    )
    await connection.execute(
        text("DELETE FROM probe.inbox WHERE NOT shard = ANY(CAST(:names AS text[]))"), {"names": list(shards)}
    )


async def _expect(connection: AsyncConnection, regions: list[str]) -> None:
    """Note from when on a new region is listened for: what was not expected before cannot have been silent."""
    given = {"regions": regions, "expected": EXPECTED}
    await connection.execute(
        text(
            "DELETE FROM probe.meta WHERE starts_with(key, :expected)"
            " AND NOT substr(key, length(:expected) + 1) = ANY(CAST(:regions AS text[]))"
        ),
        given,
    )
    await connection.execute(
        text(
            "INSERT INTO probe.meta (key, value) SELECT :expected || name, extract(epoch FROM clock_timestamp()) * 1000000"
            " FROM unnest(CAST(:regions AS text[])) AS name ON CONFLICT (key) DO NOTHING"
        ),
        given,
    )
    await connection.execute(  # an agent that was cut off within a call holds its row: it is left for the next time
        text(
            "DELETE FROM probe.regions WHERE name IN (SELECT name FROM probe.regions"
            " WHERE NOT name = ANY(CAST(:regions AS text[])) FOR UPDATE SKIP LOCKED)"
        ),
        given,
    )


async def _forget(connection: AsyncConnection) -> None:
    """Drop the contents of old configurations: an agent that runs one has it, and gets the present one."""
    await connection.execute(
        text(
            "DELETE FROM probe.configs WHERE standing = 'former' AND hash NOT IN"
            " (SELECT hash FROM probe.configs ORDER BY published DESC LIMIT :kept)"
        ),
        {"kept": KEPT},
    )
    await connection.execute(
        text("DELETE FROM probe.bundles WHERE hash NOT IN (SELECT hash FROM probe.configs WHERE standing <> 'former')")
    )


async def published(hub: Hub) -> tuple[Published, ...]:
    """What was published, the latest first."""
    async with hub.transaction() as connection:
        found = await connection.execute(
            text("SELECT hash, published, by, standing, canary FROM probe.configs ORDER BY published DESC")
        )
        return tuple(
            Published(hash=row.hash, at=row.published, by=row.by, standing=Standing(row.standing), canary=row.canary)
            for row in found
        )


async def current(hub: Hub) -> tuple[str, Bundle] | None:
    """What everything is judged by, with its hash; `None`: nothing was published yet."""
    async with hub.transaction() as connection:
        row = (
            await connection.execute(text("SELECT hash, body FROM probe.configs WHERE standing = 'current'"))
        ).one_or_none()
    return None if row is None else (row.hash, unpack(row.body))


async def regions_of(hub: Hub, hash: str) -> set[str]:
    """The regions that a configuration has; none when it is not kept any more."""
    async with hub.transaction() as connection:
        found = await connection.scalars(text("SELECT region FROM probe.bundles WHERE hash = :hash"), {"hash": hash})
        return set(found)


async def bundle_for(hub: Hub, region: str, hash: str) -> Bundle | None:
    """What the agents of a region may know of a configuration; `None`: it is not kept any more."""
    async with hub.transaction() as connection:
        body = await connection.scalar(text("SELECT probe.bundle(:region, :hash)"), {"region": region, "hash": hash})
    return None if body is None else unpack(body)
