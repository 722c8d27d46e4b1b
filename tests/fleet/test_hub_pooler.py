"""Everything once more through a pooler that gives each transaction another connection."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.connect import Limits
from probe.fleet.hub import Hub
from probe.fleet.install import check_schema, install
from tests.fleet.hubs import Given, ask, deliver, empty, inbox, open_hub, run, shared_database, sync, together
from tests.fleet.pooler import Pooler, pgbouncer
from tests.postgres import Database, Postgres, programs


@pytest.fixture(scope="module")
def pooler(postgres: Postgres) -> Iterator[Pooler]:
    with pgbouncer(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    with shared_database(postgres) as made:
        yield made


@pytest.fixture
async def hub(pooler: Pooler, shared: Database) -> AsyncIterator[Hub]:
    limits = Limits(statement=1.0, lock=0.5, idle=1.0, spare=0.5)
    made = Hub(Secret(pooler.url(database=shared.name)), node="n1", limits=limits)
    await empty(made)
    try:
        yield made
    finally:
        await made.close()


async def test_the_functions(hub: Hub) -> None:
    assert (await install(hub)).applied == ()
    await check_schema(hub, evaluates=True)
    await run(hub, "INSERT INTO probe.asks (region, check_id, why) VALUES ('eu', 'a', 'confirm')")
    rows = [Given(seq, body=str(seq).encode()) for seq in range(1, 101)]
    answer = await sync(hub, status='{"dropped": 3}')
    assert (answer.nodes, answer.asks) == (["n1"], [{"check": "a", "why": "confirm"}])
    assert await together(*(deliver(hub, rows) for _ in range(4))) == [100] * 4
    assert [int(row[-1]) for row in await inbox(hub)] == list(range(1, 101))
    assert await ask(hub, "SELECT status->>'dropped' FROM probe.nodes") == "3"
    await run(hub, "INSERT INTO probe.bundles VALUES ('h', 'eu', 'for eu')")
    assert await ask(hub, "SELECT probe.bundle('eu', 'h')") == b"for eu"


async def test_transactions_of_many_do_not_mix(pooler: Pooler, shared: Database, hub: Hub) -> None:
    """Each of two hubs asks other things at the same time, over two connections to the server."""

    async def twice(hub: Hub, number: int) -> bool:
        async with hub.transaction() as connection:
            first = await connection.scalar(text("SELECT CAST(:n AS integer)"), {"n": number})
            await connection.execute(
                text("INSERT INTO probe.meta VALUES (:key, :n) ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
                {"key": f"k{number}", "n": number},
            )
            second = await connection.scalar(
                text("SELECT value FROM probe.meta WHERE key = :key"), {"key": f"k{number}"}
            )
            return bool(first == second == number)

    async with open_hub(pooler.url(database=shared.name), node="n2") as other:
        done = await together(*(twice((hub, other)[number % 2], number) for number in range(60)))
    assert all(done)


async def test_nothing_is_left_in_the_connections(pooler: Pooler, shared: Database, hub: Hub) -> None:
    await together(*(sync(hub, node=f"n{n}", source=f"s{n}") for n in range(4)))
    async with hub.transaction(snapshot=True) as connection:
        assert await connection.scalar(text("SELECT count(*) FROM probe.nodes")) == 4
        assert await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")) == 0
    show = "SHOW statement_timeout; SHOW lock_timeout; SHOW search_path; SHOW transaction_read_only"
    command = [str(programs() / "psql"), "-XAt", "-d", pooler.url(database=shared.name), "-c", show]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:4] == ["0", "0", '"$user", public', "off"]


async def test_trouble_is_that_of_one_transaction(hub: Hub) -> None:
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await ask(hub, "SELECT pg_sleep(5)")
    await run(hub, "INSERT INTO probe.meta VALUES ('k', 1) ON CONFLICT DO NOTHING")
    with pytest.raises(IntegrityError):
        await run(hub, "INSERT INTO probe.meta VALUES ('k', 2)")
    with pytest.raises(StoreUnavailable):
        await ask(hub, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert (await sync(hub)).nodes == ["n1"]


async def test_cancelled_in_the_middle(hub: Hub) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with hub.transaction() as connection:
            await connection.exec_driver_sql("INSERT INTO probe.meta VALUES ('never', 1)")
            begun.set()
            await connection.exec_driver_sql("SELECT pg_sleep(0.9)")

    for _ in range(4):
        begun.clear()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(hang())
            await begun.wait()
            task.cancel()
    assert await ask(hub, "SELECT count(*) FROM probe.meta WHERE key = 'never'") == 0


async def test_to_listen_does_no_harm(hub: Hub) -> None:
    async with hub.listen("probe_inbox", "probe_asks") as heard:
        await heard.wait()  # it listens, on a connection that is somebody else's by now
        await together(*(deliver(hub, [Given(n)], source=f"s{n}") for n in range(1, 20)))
    assert len(await inbox(hub)) == 19


async def test_the_pooler_is_killed(pooler: Pooler, hub: Hub) -> None:
    assert await deliver(hub, [Given(1)]) == 1
    await asyncio.to_thread(pooler.kill)
    try:
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await deliver(hub, [Given(2)])
    finally:
        await asyncio.to_thread(pooler.start)
    assert await deliver(hub, [Given(2)]) == 2


async def test_the_server_behind_it_is_killed(postgres: Postgres, hub: Hub) -> None:
    assert await deliver(hub, [Given(1)]) == 1
    await asyncio.to_thread(postgres.kill)
    try:
        with pytest.raises(StoreUnavailable):
            await deliver(hub, [Given(2)])
    finally:
        await asyncio.to_thread(postgres.start)
    for _ in range(50):
        try:
            assert await deliver(hub, [Given(2)]) == 2
            break
        except StoreUnavailable:  # the pooler tries again once a second
            await asyncio.sleep(0.1)
    assert len(await inbox(hub)) == 2
