"""A hub on a fresh database, and the four functions as an agent calls them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.secret import Secret
from probe.fleet.hub import Hub
from probe.fleet.install import install
from tests.postgres import Database, Postgres, fresh_database

T = TypeVar("T")
SYNC = text(
    "SELECT * FROM probe.sync(:region, :node, :source, :role, '1.0', 'h', coalesce(CAST(:started AS timestamptz), clock_timestamp()), :skew, 0,"
    " CAST(:status AS jsonb))"
)
DELIVER = text(
    "SELECT probe.deliver(:region, :node, :source, CAST(:skew AS float8), CAST(:seqs AS bigint[]), CAST(:kinds AS text[]),"
    " CAST(:checks AS text[]), CAST(:bodies AS bytea[]))"
)


class Given(NamedTuple):
    seq: int
    kind: str = "run"
    check: str = "shop"
    body: bytes = b"x"


@asynccontextmanager
async def open_hub(url: str, *, node: str = "n1") -> AsyncIterator[Hub]:
    hub = Hub(Secret(url), node=node)
    try:
        yield hub
    finally:
        await hub.close()


@asynccontextmanager
async def installed(database: Database, *, node: str = "n1") -> AsyncIterator[Hub]:
    """A hub of the owner, with the schema."""
    async with open_hub(database.url(), node=node) as hub:
        await install(hub)
        yield hub


@contextmanager
def shared_database(server: Postgres) -> Iterator[Database]:
    """A database with the schema, for all tests of a module: each calls `empty`."""

    async def make(database: Database) -> None:
        async with installed(database):
            pass

    with fresh_database(server, f"test_{uuid4().hex[:12]}") as made:
        asyncio.run(make(made))
        yield made


async def empty(hub: Hub) -> None:
    """Everything away that a test left."""
    await run(
        hub,
        "TRUNCATE probe.inbox, probe.sources, probe.nodes, probe.regions, probe.asks, probe.checks, probe.shards,"
        " probe.configs, probe.bundles, probe.evidence, probe.agents",
    )


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """What they give, all at the same time."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]


async def sync(
    hub: Hub,
    region: str = "eu",
    node: str = "n1",
    *,
    source: str = "s1",
    role: str = "agent",
    skew: float = 0.0,
    status: str = "{}",
    started: datetime | None = None,
) -> Any:
    async with hub.transaction() as connection:
        given = {
            "region": region,
            "node": node,
            "source": source,
            "role": role,
            "skew": skew,
            "status": status,
            "started": started,
        }
        return (await connection.execute(SYNC, given)).one()


async def deliver_on(
    connection: AsyncConnection,
    rows: Sequence[Given],
    *,
    region: str = "eu",
    node: str = "n1",
    source: str = "s1",
    skew: float = 0.0,
) -> int:
    acked: int = await connection.scalar(
        DELIVER,
        {
            "region": region,
            "node": node,
            "source": source,
            "skew": skew,
            "seqs": [row.seq for row in rows],
            "kinds": [row.kind for row in rows],
            "checks": [row.check for row in rows],
            "bodies": [row.body for row in rows],
        },
    )
    return acked


async def deliver(hub: Hub, rows: Sequence[Given], **whose: Any) -> int:
    async with hub.transaction() as connection:
        return await deliver_on(connection, rows, **whose)


async def inbox(hub: Hub) -> list[Any]:
    """All that waits: `(shard, source, kind, check_id, body)`, in order."""
    async with hub.transaction() as connection:
        found = await connection.execute(
            text("SELECT shard, source, kind, check_id, body FROM probe.inbox ORDER BY id")
        )
        return [tuple(row) for row in found]


async def run(hub: Hub, *statements: str) -> None:
    async with hub.transaction() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def ask(hub: Hub, statement: str) -> Any:
    async with hub.transaction() as connection:
        return (await connection.exec_driver_sql(statement)).scalar()
