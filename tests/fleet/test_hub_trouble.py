"""What happens to transactions when the database, or the way to it, is in trouble."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.connect import Limits
from probe.fleet.hub import Hub
from tests.fleet.hubs import ask, open_hub, together
from tests.fleet.pooler import pgbouncer
from tests.postgres import Postgres, free_port, private_postgres

SHORT = Limits(statement=1.0, lock=0.3, idle=0.5, spare=0.3, whole=1000.0)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One that may be stopped and killed."""
    with private_postgres() as made:
        made.psql("CREATE TABLE noted (what text PRIMARY KEY)")
        yield made


@pytest.fixture
async def hub(server: Postgres) -> AsyncIterator[Hub]:
    made = Hub(Secret(server.url()), node="n1", limits=SHORT)
    async with made.transaction() as connection:
        await connection.exec_driver_sql("TRUNCATE public.noted")
    try:
        yield made
    finally:
        await made.close()


async def note(hub: Hub, what: str) -> None:
    async with hub.transaction() as connection:
        await connection.execute(text("INSERT INTO public.noted VALUES (:what)"), {"what": what})


async def noted(hub: Hub) -> list[str]:
    async with hub.transaction() as connection:
        return list(await connection.scalars(text("SELECT what FROM public.noted ORDER BY what")))


async def backend(hub: Hub) -> int:
    pid: int = await ask(hub, "SELECT pg_backend_pid()")
    return pid


async def test_a_database_that_lets_nobody_in_is_away(server: Postgres) -> None:
    server.psql("CREATE DATABASE shut ALLOW_CONNECTIONS false")
    shut = Hub(Secret(server.url(database="shut")), node="n1", limits=SHORT)
    with pytest.raises(StoreUnavailable, match=r"is not in a state to do it: database .* is not currently") as found:
        await note(shut, "a")
    assert not found.value.lasting
    await shut.close()


class TestOrder:
    async def test_commits_at_the_end_and_keeps_the_connection(self, hub: Hub) -> None:
        first = await backend(hub)
        await note(hub, "a")
        assert await noted(hub) == ["a"]
        assert await backend(hub) == first

    async def test_has_its_limits_and_its_own_search_path(self, hub: Hub) -> None:
        async with hub.transaction() as connection:
            for name, value in (
                ("statement_timeout", "1s"),
                ("lock_timeout", "300ms"),
                ("idle_in_transaction_session_timeout", "500ms"),
                ("search_path", "probe, pg_catalog, pg_temp"),
                ("transaction_isolation", "read committed"),
                ("application_name", "probe n1"),
            ):
                assert await connection.scalar(text(f"SHOW {name}")) == value

    async def test_a_bug_undoes_all_and_passes_through(self, hub: Hub) -> None:
        async def stumble() -> None:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
                raise ValueError("a bug")

        first = await backend(hub)
        with pytest.raises(ValueError, match="a bug"):
            await stumble()
        assert await noted(hub) == []
        assert await backend(hub) == first

    async def test_what_is_wrong_with_a_statement_is_a_bug(self, hub: Hub) -> None:
        first = await backend(hub)
        await note(hub, "a")
        with pytest.raises(IntegrityError):
            await note(hub, "a")
        with pytest.raises(ProgrammingError):
            await ask(hub, "SELEKT 1")
        with pytest.raises(DBAPIError, match="invalid input for query argument"):
            async with hub.transaction() as connection:
                await connection.execute(text("SELECT CAST(:number AS integer)"), {"number": "one"})
        assert await backend(hub) == first

    async def test_an_error_of_the_system_that_is_not_the_databases_is_a_bug(self, hub: Hub) -> None:
        def read(_: object) -> None:
            raise FileNotFoundError("config.toml")

        with pytest.raises(FileNotFoundError):
            async with hub.transaction() as connection:
                await connection.run_sync(read)

    async def test_an_error_that_was_passed_over_is_not_committed_in_silence(self, hub: Hub) -> None:
        async def pass_over() -> None:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
                with pytest.raises(ProgrammingError):
                    await connection.exec_driver_sql("SELECT nonsense")

        with pytest.raises(RuntimeError, match="was passed over"):
            await pass_over()
        assert await noted(hub) == []

    async def test_a_savepoint_may_fail(self, hub: Hub) -> None:
        async with hub.transaction() as connection:
            await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
            with pytest.raises(IntegrityError):
                async with connection.begin_nested():
                    await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
        assert await noted(hub) == ["a"]

    async def test_a_snapshot_reads_one_moment_and_writes_nothing(self, hub: Hub) -> None:
        await note(hub, "a")
        async with hub.transaction(snapshot=True) as connection:
            before = await connection.scalar(text("SELECT count(*) FROM public.noted"))
            await note(hub, "b")
            assert await connection.scalar(text("SELECT count(*) FROM public.noted")) == before == 1
        with pytest.raises(StoreUnavailable, match="takes no writes"):
            async with hub.transaction(snapshot=True) as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('c')")
        await note(hub, "d")  # the mode was that transaction's own

    async def test_a_cancelled_one_undoes_all_and_leaves_nothing_behind(self, hub: Hub) -> None:
        begun = asyncio.Event()

        async def hang() -> None:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
                begun.set()
                await connection.exec_driver_sql("SELECT pg_sleep(10)")

        for _ in range(12):  # more than there are connections
            begun.clear()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(hang())
                await begun.wait()
                task.cancel()
        assert await noted(hub) == []


class TestTrouble:
    async def test_a_slow_statement(self, hub: Hub) -> None:
        with pytest.raises(StoreUnavailable, match=r"ended a statement that took too long.*statement timeout"):
            await ask(hub, "SELECT pg_sleep(10)")
        await note(hub, "a")

    async def test_a_cancelled_statement(self, hub: Hub) -> None:
        async def cancel(pid: int) -> None:
            while not await ask(
                hub,
                f"SELECT pg_cancel_backend({pid}) FROM pg_stat_activity WHERE pid = {pid} AND query LIKE '%pg_sleep%'",
            ):
                await asyncio.sleep(0.005)

        async with hub.transaction() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            async with asyncio.TaskGroup() as group:
                group.create_task(cancel(pid))
                with pytest.raises(DBAPIError, match="user request"):
                    await connection.exec_driver_sql("SELECT pg_sleep(0.8)")
            await connection.rollback()
        await note(hub, "a")

    async def test_a_lock_that_somebody_holds(self, hub: Hub) -> None:
        async with hub.transaction() as connection:
            await connection.exec_driver_sql("LOCK TABLE public.noted")
            with pytest.raises(StoreUnavailable, match="did not give a lock in time"):
                await note(hub, "a")
        await note(hub, "a")

    async def test_two_that_wait_for_each_other(self, server: Postgres) -> None:
        async def lock(hub: Hub, first: str, then: str, met: asyncio.Barrier) -> str:
            try:
                async with hub.transaction() as connection:
                    await connection.execute(text("SELECT FROM public.noted WHERE what = :w FOR UPDATE"), {"w": first})
                    await met.wait()
                    await connection.execute(text("SELECT FROM public.noted WHERE what = :w FOR UPDATE"), {"w": then})
            except StoreUnavailable as error:
                return str(error)
            return ""

        async with open_hub(server.url()) as hub:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('p'), ('q') ON CONFLICT DO NOTHING")
            met = asyncio.Barrier(2)
            said = await together(lock(hub, "p", "q", met), lock(hub, "q", "p", met))
        assert sum(not words for words in said) == 1
        assert "two transactions that wait for each other" in "".join(said)

    async def test_a_transaction_that_does_nothing(self, hub: Hub) -> None:
        async def dawdle() -> None:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
                await asyncio.sleep(0.8)

        with pytest.raises(StoreUnavailable, match=r"did nothing for too long|is lost|lost the connection"):
            await dawdle()
        assert await noted(hub) == []

    async def test_one_that_never_ends(self, server: Postgres) -> None:
        hub = Hub(Secret(server.url()), node="n1", limits=Limits(whole=0.2))
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            async with hub.transaction():
                await asyncio.Event().wait()
        await hub.close()

    async def test_a_connection_that_the_database_ends(self, hub: Hub) -> None:
        async def die() -> None:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
                await connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(StoreUnavailable):
            await die()
        assert await noted(hub) == []

    async def test_connections_that_died_in_the_pool_are_not_noticed(self, hub: Hub) -> None:
        await together(*(ask(hub, "SELECT pg_sleep(0.05)") for _ in range(5)))
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'probe n1' AND pid <> pg_backend_pid()"
        await ask(hub, ended)
        await together(*(note(hub, str(number)) for number in range(5)))
        assert await noted(hub) == list("01234")

    async def test_more_at_once_than_there_are_connections(self, hub: Hub) -> None:
        await together(*(note(hub, f"{number:02}") for number in range(40)))
        assert len(await noted(hub)) == 40

    async def test_a_server_that_does_not_answer(self, server: Postgres, hub: Hub) -> None:
        hasty = Hub(Secret(server.url()), node="n1", limits=Limits(connect=0.8))
        await note(hasty, "a")  # so that a connection waits, which does not answer either
        await asyncio.to_thread(server.pause)
        try:
            with pytest.raises(StoreUnavailable, match=r"did not answer in 0\.8 s"):
                await note(hasty, "b")
        finally:
            await asyncio.to_thread(server.resume)
        assert await noted(hub) == ["a"]
        await hasty.close()

    async def test_a_server_that_stops_to_answer_in_a_transaction(self, server: Postgres, hub: Hub) -> None:
        """The driver would ask over another connection to cancel the statement, and wait for that."""

        async def write() -> None:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
                async with connection.begin_nested():
                    await asyncio.to_thread(server.pause)
                    await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('b')")

        try:
            with pytest.raises(StoreUnavailable, match=r"cannot be reached: it did not answer in time|is lost"):
                await write()
        finally:
            await asyncio.to_thread(server.resume)
        assert await noted(hub) == []

    async def test_a_server_that_is_killed_in_a_transaction(self, server: Postgres, hub: Hub) -> None:
        async def write() -> None:
            async with hub.transaction() as connection:
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('a')")
                await asyncio.to_thread(server.kill)
                await connection.exec_driver_sql("INSERT INTO public.noted VALUES ('b')")

        try:
            with pytest.raises(StoreUnavailable):
                await write()
            with pytest.raises(StoreUnavailable, match=r"cannot be reached: .*Connect call failed") as away:
                await note(hub, "c")
        finally:
            await asyncio.to_thread(server.start)
        assert not away.value.lasting
        await note(hub, "d")
        assert await noted(hub) == ["d"]

    async def test_one_who_listens_listens_again(self, server: Postgres, hub: Hub) -> None:
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'probe ears'"
        async with open_hub(server.url(), node="ears") as ears, ears.listen("news", "more") as heard:
            await heard.wait()
            heard.clear()
            await ask(hub, ended)
            await heard.wait()  # it listens again
            heard.clear()
            await ask(hub, "SELECT pg_notify('more', '')")
            await heard.wait()

    async def test_one_who_listens_hears_of_bugs_as_they_are(self, hub: Hub) -> None:
        with pytest.raises(ValueError, match="a bug"):
            async with hub.listen("news"):
                raise ValueError("a bug")


class TestConnecting:
    async def test_says_what_is_wrong_without_the_password(self, server: Postgres) -> None:
        for url, words in (
            (server.url(password="hunter2!"), "does not take the password"),
            (server.url(user="nobody", password="hunter2!"), "does not take the password"),
            (server.url(database="nowhere"), "has no database of that name"),
        ):
            async with open_hub(url) as hub:
                with pytest.raises(StoreUnavailable, match=words) as told:
                    await ask(hub, "SELECT 1")
                assert told.value.lasting
                assert "hunter2" not in str(told.value)

    async def test_nobody_is_there(self) -> None:
        async with open_hub(f"postgresql://ann:hunter2@127.0.0.1:{free_port()}/probe") as hub:
            with pytest.raises(StoreUnavailable, match="cannot be reached") as told:
                await ask(hub, "SELECT 1")
            assert not told.value.lasting
            assert "hunter2" not in str(told.value)

    async def test_something_else_is_there(self) -> None:
        async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
            writer.close()

        async with await asyncio.start_server(babble, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]
            for mode in ("prefer", "disable", "require"):
                async with open_hub(f"postgresql://ann:hunter2@127.0.0.1:{port}/probe?sslmode={mode}") as hub:
                    with pytest.raises(StoreUnavailable):
                        await ask(hub, "SELECT 1")

    async def test_a_server_without_tls_is_not_used_when_tls_is_required(self, server: Postgres) -> None:
        async with open_hub(server.url(sslmode="require")) as hub:
            with pytest.raises(StoreUnavailable, match="rejected SSL upgrade"):
                await ask(hub, "SELECT 1")


class TestFailover:
    async def test_the_other_host_is_used_while_the_first_is_away_or_a_standby(
        self, server: Postgres, postgres: Postgres
    ) -> None:
        port = "SELECT current_setting('port')::integer"
        url = f"postgresql://probe:probe@127.0.0.1:{server.port},127.0.0.1:{postgres.port}/postgres?target_session_attrs=read-write"
        async with open_hub(url) as hub:
            assert await ask(hub, port) == server.port
            await asyncio.to_thread(server.kill)
            try:
                assert await ask(hub, port) == postgres.port
                (server.data / "standby.signal").touch()
            finally:
                await asyncio.to_thread(server.start)
        try:
            async with open_hub(url) as hub:
                assert await ask(hub, port) == postgres.port
                async with hub.transaction(snapshot=True) as connection:
                    assert await connection.scalar(text(port)) == postgres.port
            async with open_hub(server.url()) as hub:
                with pytest.raises(StoreUnavailable, match="takes no writes: it is a standby") as told:
                    await ask(hub, port)
                assert not told.value.lasting
                async with hub.transaction(snapshot=True) as connection:
                    assert await connection.scalar(text(port)) == server.port
                await asyncio.to_thread(server.psql, "SELECT pg_promote()")
                assert await ask(hub, port) == server.port
        finally:
            (server.data / "standby.signal").unlink(missing_ok=True)

    async def test_a_server_behind_a_pooler_becomes_a_standby_under_a_connection_that_stays(
        self, server: Postgres
    ) -> None:
        with pgbouncer(server) as pooler:
            async with open_hub(pooler.url(database="postgres")) as hub:
                assert await ask(hub, "SELECT 1") == 1
                (server.data / "standby.signal").touch()
                try:
                    await asyncio.to_thread(server.stop)
                    await asyncio.to_thread(server.start)
                    with pytest.raises(StoreUnavailable, match="takes no writes: it is a standby"):
                        await _reached(hub)
                    await asyncio.to_thread(server.psql, "SELECT pg_promote()")
                    assert await _reached(hub) == 1
                finally:
                    (server.data / "standby.signal").unlink(missing_ok=True)


async def _reached(hub: Hub) -> int:
    """Ask until it is the server that answers: the pooler tries to reach it once a second."""
    while True:
        try:
            number: int = await ask(hub, "SELECT 1")
            return number
        except StoreUnavailable as error:
            if "standby" in str(error):
                raise
            await asyncio.sleep(0.05)
