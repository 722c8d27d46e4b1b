"""The schema: made, found, brought up to date, refused."""

from importlib.resources import files

import pytest

from probe.errors import StoreUnavailable
from probe.fleet import install as installing
from probe.fleet.install import check_schema, install, migrations, newest
from tests.fleet.hubs import Given, ask, deliver, installed, open_hub, run, together
from tests.postgres import Database

TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = 'probe'::regnamespace AND relkind IN ('r', 'p')"
STEPS = [
    *migrations(),
    (newest() + 1, "CREATE TABLE probe.more (name text)"),
    (newest() + 2, "ALTER TABLE probe.more ADD age int"),
]


def test_the_migrations_are_numbered_without_gaps_and_are_all_there() -> None:
    assert [number for number, _ in migrations()] == list(range(1, newest() + 1))
    sql = {file.name for file in files("probe.fleet").joinpath("schema").iterdir() if file.name.endswith(".sql")}
    assert len(sql) == newest() + 1  # and the grants


async def test_is_made_once(database: Database) -> None:
    async with open_hub(database.url()) as hub:
        with pytest.raises(StoreUnavailable, match="has no schema of probe's: run `probe fleet init`") as told:
            await check_schema(hub, evaluates=True)
        assert told.value.lasting
        first = await install(hub)
        assert (first.version, first.applied, first.ask) == (newest(), tuple(range(1, newest() + 1)), ())
        again = await install(hub)
        assert (again.version, again.applied) == (newest(), ())
        await check_schema(hub, evaluates=True)
        await check_schema(hub, evaluates=False)


async def test_two_at_the_same_time(database: Database) -> None:
    async with open_hub(database.url()) as one, open_hub(database.url()) as other:
        done = await together(install(one), install(other))
        assert sorted(number for each in done for number in each.applied) == list(range(1, newest() + 1))


async def test_an_old_schema_is_brought_up_to_date_and_refused_until_then(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installed(database) as hub:
        monkeypatch.setattr(installing, "migrations", lambda: STEPS)
        with pytest.raises(
            StoreUnavailable,
            match=rf"has an old schema \({STEPS[-3][0]}, this probe needs {STEPS[-1][0]}\): run `probe fleet init`",
        ):
            await check_schema(hub, evaluates=False)
        assert (await install(hub)).applied == (newest() - 1, newest())
        await run(hub, "INSERT INTO probe.more VALUES ('a', 1)")
        await check_schema(hub, evaluates=True)


async def test_a_migration_is_done_whole_or_not_at_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with installed(database) as hub:
        steps = [*STEPS[:-1], (newest() + 2, "ALTER TABLE probe.more ADD age int; SELECT 1 / 0")]
        monkeypatch.setattr(installing, "migrations", lambda: steps)
        with pytest.raises(Exception, match="division by zero"):
            await install(hub)
        assert await ask(hub, "SELECT max(number) FROM probe.versions") == newest() - 1
        assert (
            await ask(
                hub, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'probe.more'::regclass AND attname = 'age'"
            )
            == 0
        )
        monkeypatch.setattr(installing, "migrations", lambda: STEPS)
        assert (await install(hub)).applied == (newest(),)


async def test_a_newer_schema_is_refused_but_by_agents(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with installed(database) as hub:
        with monkeypatch.context() as later:
            later.setattr(installing, "migrations", lambda: STEPS)
            await install(hub)
        for work in (install(hub), check_schema(hub, evaluates=True)):
            with pytest.raises(
                StoreUnavailable,
                match=rf"made by a newer probe \(schema {STEPS[-1][0]}, this one knows up to {STEPS[-3][0]}\)",
            ) as told:
                await work
            assert told.value.lasting
        await check_schema(hub, evaluates=False)


async def test_somebody_elses_schema_is_left_alone(database: Database) -> None:
    database.psql("CREATE SCHEMA probe; CREATE TABLE probe.patients ()")
    async with open_hub(database.url()) as hub:
        with pytest.raises(StoreUnavailable, match=r"`probe` that is not ours \(in it: patients\)"):
            await install(hub)
        assert await ask(hub, TABLES) == 1


async def test_an_empty_schema_that_an_administrator_made_will_do(database: Database) -> None:
    """Who may not create in the database gets a schema, who may not make roles gets to know what must be made."""
    for role in ("probe_agent", "probe_evaluate"):  # of other tests: roles belong to the server
        database.psql(f"DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role}; END IF; END $$")
    database.psql("CREATE ROLE humble LOGIN PASSWORD 'humble'")
    try:
        async with open_hub(database.url(user="humble", password="humble")) as hub:
            with pytest.raises(
                StoreUnavailable, match=r"run this, and do it again: CREATE SCHEMA probe AUTHORIZATION humble"
            ) as told:
                await install(hub)
            assert told.value.lasting
            database.psql("CREATE SCHEMA probe AUTHORIZATION humble; ALTER ROLE probe_agent RENAME TO hidden")
            try:
                first = await install(hub)
            finally:
                database.psql("ALTER ROLE hidden RENAME TO probe_agent")
            assert first.ask == ("CREATE ROLE probe_agent NOLOGIN",)
            assert await deliver(hub, [Given(1)]) == 1  # the owner alone makes a fleet
            assert (await install(hub)).ask == ()
            await check_schema(hub, evaluates=True)
    finally:
        database.psql("DROP OWNED BY humble; DROP ROLE humble")


async def test_a_role_without_rights_is_told_so(database: Database) -> None:
    database.psql("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        async with installed(database), open_hub(database.url(user="stranger", password="stranger")) as hub:
            for evaluates in (True, False):
                with pytest.raises(StoreUnavailable, match="does not let stranger") as told:
                    await check_schema(hub, evaluates=evaluates)
                assert told.value.lasting
            with pytest.raises(StoreUnavailable, match="refuses it: permission denied for schema probe"):
                await ask(hub, "SELECT probe.bundle('eu', 'h')")
    finally:
        database.psql("DROP OWNED BY stranger; DROP ROLE stranger")
