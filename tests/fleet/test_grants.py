"""What a compromised agent can do with its credentials: nothing but speak for its own region. Tried over a real connection."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from probe.core.secret import Secret
from probe.errors import ProbeError, StoreUnavailable
from probe.fleet.hub import Hub
from probe.fleet.install import check_schema, install
from probe.fleet.roles import add_agent, add_evaluator, list_agents, remove_agent, role_of
from probe.fleet.tried import ATTEMPTS, tried_grants
from tests.fleet.hubs import Given, ask, deliver, empty, inbox, installed, open_hub, run, shared_database, sync
from tests.postgres import Database, Postgres, fresh_database

OTHER = {"region": "us", "node": "n1", "source": "s1"}


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    with shared_database(postgres) as made:
        yield made


@pytest.fixture
async def hub(shared: Database) -> AsyncIterator[Hub]:
    """The owner's, with something in it for everybody, and a node of the region `us`."""
    async with installed(shared, node="owner") as made:  # again, since a test may have changed grants
        await empty(made)
        await run(
            made,
            "INSERT INTO probe.bundles VALUES ('h', 'eu', 'for eu'), ('h', 'us', 'for us')",
            "INSERT INTO probe.checks VALUES ('shop', 'shop')",
            "INSERT INTO probe.shards (name, version, awake) VALUES ('shop', 'h', true)",
        )
        await sync(made, "us", "us1", source="us-source")
        await deliver(made, [Given(1, body=b"theirs")], region="us", node="us1", source="us-source")
        await run(made, "INSERT INTO probe.asks (region, check_id, why) VALUES ('us', 'shop', 'confirm')")
        yield made


@pytest.fixture
async def agent(shared: Database, hub: Hub) -> AsyncIterator[Hub]:
    """With the credentials of an agent of `eu`, as an attacker has them."""
    role, password = await add_agent(hub, "eu")
    assert password is not None
    async with open_hub(shared.url(user=role, password=password.reveal())) as made:
        yield made
    await run(hub, f"DROP OWNED BY {role}")
    await remove_agent(hub, role)


async def refused(hub: Hub, statement: str, words: str = "permission denied") -> None:
    with pytest.raises(StoreUnavailable, match=words) as told:
        await run(hub, statement)
    assert told.value.lasting


class TestAgent:
    async def test_does_its_work(self, hub: Hub, agent: Hub) -> None:
        await check_schema(agent, evaluates=False)
        with pytest.raises(StoreUnavailable, match="does not let probe_agent_eu judge"):
            await check_schema(agent, evaluates=True)
        assert (await sync(agent)).nodes == ["n1"]
        assert await deliver(agent, [Given(1, body=b"ours"), Given(2, "control")]) == 2
        assert await ask(agent, "SELECT probe.bundle('eu', 'h')") == b"for eu"
        await run(agent, "SELECT probe.keep_evidence('eu', 'r1', 'shot.png', 'x')")
        assert [row[-1] for row in await inbox(hub)] == [b"theirs", b"ours", b"x", b"x"]

    async def test_cannot_speak_for_another_region(self, hub: Hub, agent: Hub) -> None:
        words = "refuses it: probe_agent_eu may not speak for the region"
        for work in (sync(agent, "us"), deliver(agent, [Given(2)], **OTHER), deliver(agent, [Given(2)], region="")):
            with pytest.raises(StoreUnavailable, match=words) as told:
                await work
            assert told.value.lasting
        for statement in (
            "SELECT probe.bundle('us', 'h')",
            "SELECT probe.bundle(NULL, 'h')",
            "SELECT probe.keep_evidence('us', 'r1', 'shot.png', 'x')",
            "SELECT probe.deliver(NULL, 'n1', 's1', 0, '{1}', '{run}', '{shop}', ARRAY['x'::bytea])",
        ):
            await refused(agent, statement, words)
        assert [row[-1] for row in await inbox(hub)] == [b"theirs"]

    async def test_cannot_take_what_belongs_to_another_region(self, hub: Hub, agent: Hub) -> None:
        """Its source, its node, its asks, its evidence."""
        with pytest.raises(StoreUnavailable, match="this source belongs to another region"):
            await deliver(agent, [Given(2)], source="us-source")
        with pytest.raises(StoreUnavailable, match="this source belongs to another region"):
            await sync(agent, source="us-source")
        with pytest.raises(
            StoreUnavailable, match=r"the node 'us1' belongs to another region .*Give this node another name"
        ):
            await sync(agent, node="us1")
        assert (await sync(agent)).asks == []
        await run(agent, "SELECT probe.keep_evidence('eu', 'r1', 'shot.png', 'forged')")
        await run(hub, "SELECT probe.keep_evidence('us', 'r1', 'shot.png', 'theirs')")
        await run(agent, "SELECT probe.keep_evidence('eu', 'r1', 'shot.png', 'forged')")
        assert await ask(hub, "SELECT body FROM probe.evidence WHERE (run, region) = ('r1', 'us')") == b"theirs"
        assert (await sync(hub, "us", "us1", source="us-source")).asks == [{"check": "shop", "why": "confirm"}]

    async def test_can_touch_no_table_sequence_or_other_function(self, hub: Hub, agent: Hub) -> None:
        async with hub.transaction() as connection:
            found = await connection.exec_driver_sql(
                "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'probe'::regnamespace AND relkind IN ('r', 'p', 'S')"
            )
            relations: list[Any] = list(found)
            functions = set(
                await connection.scalars(
                    text("SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'probe'::regnamespace")
                )
            )
        assert len(relations) > 30
        for name, kind in relations:
            if kind == "S":
                await refused(agent, f"SELECT nextval('probe.{name}')")
                await refused(agent, f"SELECT last_value FROM probe.{name}")
                continue
            await refused(agent, f"SELECT FROM probe.{name} LIMIT 1")
            await refused(agent, f"DELETE FROM probe.{name}")
        assert len(functions) == 8
        may = {
            one.split("(")[0]
            for one in functions
            if await ask(agent, f"SELECT has_function_privilege('{one}', 'EXECUTE')")
        }
        assert may == {"sync", "deliver", "bundle", "keep_evidence"}

    async def test_cannot_change_what_is_judged_or_who_it_is(self, agent: Hub) -> None:
        for statement, words in (
            ("UPDATE probe.checks SET shard = 'none'", "permission denied"),
            ("INSERT INTO probe.agents VALUES ('probe_agent_eu', 'us')", "permission denied"),
            ("INSERT INTO probe.runs_default (seq) VALUES (1)", "permission denied"),
            ("DROP SCHEMA probe CASCADE", "must be owner"),
            ("ALTER TABLE probe.checks DISABLE TRIGGER ALL", "must be owner"),
            (
                "CREATE OR REPLACE FUNCTION probe.may_speak_for(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
                "permission denied",
            ),
            ("CREATE TABLE probe.mine ()", "permission denied"),
            ("SELECT probe.arrange_partitions('runs', 0, '1 h', '1 h')", "permission denied"),
            ("SET ROLE probe_evaluate", "permission denied to set role"),
            ("SET SESSION AUTHORIZATION probe", "permission denied to set session authorization"),
            ("GRANT probe_evaluate TO probe_agent_eu", "must have admin option"),
            ("CREATE ROLE mine", "permission denied to create role"),
            ("SELECT rolpassword FROM pg_authid", "permission denied"),
            ("SELECT pg_read_file('postgresql.conf')", "permission denied"),
            ("COPY (SELECT 1) TO PROGRAM 'true'", "must be superuser|permission denied"),
        ):
            await refused(agent, statement, words)

    async def test_cannot_stand_in_for_what_our_functions_mean(self, shared: Database, hub: Hub, agent: Hub) -> None:
        """Tables, functions and operators of its own, in pg_temp and in public, with a search path that prefers them."""
        shared.psql("GRANT ALL ON SCHEMA public TO PUBLIC")  # as before PostgreSQL 15
        traps = [
            statement
            for schema in ("pg_temp", "public")
            for statement in (
                f"CREATE TABLE {schema}.agents (role name, region text)",
                f"INSERT INTO {schema}.agents VALUES (session_user, 'us')",
                f"CREATE TABLE {schema}.sources AS SELECT 's1'::text AS source, 'us'::text AS region, 0::bigint AS acked",
                f"CREATE FUNCTION {schema}.may_speak_for(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
                f"CREATE FUNCTION {schema}.must_speak_for(text) RETURNS void LANGUAGE sql AS 'SELECT'",
                f"CREATE FUNCTION {schema}.pg_has_role(name, name, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
                f"CREATE FUNCTION {schema}.length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
                f"CREATE FUNCTION {schema}.same(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
                f"CREATE OPERATOR {schema}.= (LEFTARG = name, RIGHTARG = name, FUNCTION = {schema}.same)",
                f"CREATE FUNCTION {schema}.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
                f"CREATE OPERATOR {schema}.= (LEFTARG = text, RIGHTARG = text, FUNCTION = {schema}.same)",
            )
        ]
        for statement in traps:
            await run(agent, statement)
        async with agent.transaction() as connection:
            for path in ("pg_temp, public, pg_catalog, probe", "public, pg_temp, pg_catalog"):
                await connection.exec_driver_sql(f"SET LOCAL search_path = {path}")
                for call in (
                    "SELECT probe.bundle('us', 'h')",
                    "SELECT probe.deliver('us', 'n1', 's1', 0, '{2}', '{run}', '{shop}', ARRAY['x'::bytea])",
                ):
                    with pytest.raises(DBAPIError, match="may not speak for the region"):
                        async with connection.begin_nested():
                            await connection.exec_driver_sql(call)
        assert [row[-1] for row in await inbox(hub)] == [b"theirs"]

    async def test_speaks_no_more_once_it_is_removed(self, shared: Database, hub: Hub) -> None:
        role, password = await add_agent(hub, "ap")
        assert password is not None
        async with (
            open_hub(shared.url(user=role, password=password.reveal())) as made,
            made.transaction() as open_one,
        ):
            assert await remove_agent(hub, role) == ()
            with pytest.raises(DBAPIError):
                await open_one.exec_driver_sql("SELECT probe.bundle('ap', 'h')")
            await open_one.rollback()
        async with open_hub(shared.url(user=role, password=password.reveal())) as made:
            with pytest.raises(StoreUnavailable, match="does not take the password"):
                await ask(made, "SELECT 1")
        with pytest.raises(KeyError):
            await remove_agent(hub, role)


class TestRoles:
    def test_names(self) -> None:
        assert role_of("eu-west") == "probe_agent_eu_west"
        assert role_of('a"; DROP ROLE x; --') == "probe_agent_a_drop_role_x"
        assert role_of("—") == "probe_agent_region"
        assert len(role_of("x" * 80)) == 63
        assert role_of("x" * 80) != role_of("x" * 81)

    async def test_made_given_a_new_password_listed_and_removed(self, shared: Database, hub: Hub) -> None:
        role, first = await add_agent(hub, "eu")
        again, second = await add_agent(hub, "eu")
        assert (again, first == second) == (role, False)
        assert first is not None
        assert second is not None
        async with open_hub(shared.url(user=role, password=first.reveal())) as old:
            with pytest.raises(StoreUnavailable, match="does not take the password"):
                await ask(old, "SELECT 1")
        await add_agent(hub, "eu", "second_of_eu", Secret("it's chosen"))
        async with open_hub(shared.url(user="second_of_eu", password="it's chosen")) as new:
            assert (await sync(new)).nodes == ["n1"]
        assert [(one.role, one.region, one.exists) for one in await list_agents(hub)] == [
            (role, "eu", True),
            ("second_of_eu", "eu", True),
        ]
        for one in (role, "second_of_eu"):
            assert await remove_agent(hub, one) == ()
        assert await list_agents(hub) == ()

    async def test_no_password_is_in_the_log_of_statements(self, shared: Database, hub: Hub) -> None:
        await run(hub, "SET LOCAL log_statement = 'all'")
        role, password = await add_agent(hub, "eu", password=Secret("in-no-log-4711"))
        assert password is not None
        assert await ask(hub, f"SELECT rolpassword LIKE 'SCRAM-SHA-256$4096:%' FROM pg_authid WHERE rolname = '{role}'")
        assert "in-no-log-4711" not in shared.server.said(1000)
        await remove_agent(hub, role)

    async def test_names_that_are_somebody_elses_are_refused(self, hub: Hub) -> None:
        role, _ = await add_agent(hub, "eu-west")
        with pytest.raises(ProbeError, match="speaks for the region eu-west: name another one"):
            await add_agent(hub, "eu_west")
        with pytest.raises(ProbeError, match="there is a role probe already"):
            await add_agent(hub, "eu", "probe")
        for name in ("pg_mine", "x" * 64):
            with pytest.raises(ProbeError, match="cannot be the name of a role"):
                await add_agent(hub, "eu", name)
        with pytest.raises(ProbeError, match="is that of a region's agents"):
            await add_evaluator(hub, role)
        await remove_agent(hub, role)

    async def test_a_node_that_judges_may_do_all_but_decide_who_speaks_for_whom(
        self, shared: Database, hub: Hub
    ) -> None:
        password = await add_evaluator(hub, "judge")
        assert password is not None
        try:
            async with open_hub(shared.url(user="judge", password=password.reveal())) as judge:
                await check_schema(judge, evaluates=True)
                assert (await sync(judge, "us", "n9", source="s9")).nodes == ["n9", "us1"]
                assert len(await inbox(judge)) == 1
                await run(
                    judge,
                    "DELETE FROM probe.inbox",
                    "INSERT INTO probe.marks (at, kind, text, author, checks) VALUES (1, 'deploy', 'v2', 'ci', '[]')",
                    "DELETE FROM probe.sessions",
                    "UPDATE probe.shards SET generation = 2",
                    "SELECT nextval('probe.run_numbers')",
                )
                await refused(judge, "INSERT INTO probe.agents VALUES ('judge', 'us')")
                await refused(judge, "UPDATE probe.versions SET number = 9")
                await refused(judge, "DROP TABLE probe.runs", "must be owner")
        finally:
            shared.psql("DROP OWNED BY judge; DROP ROLE judge")

    async def test_whoever_may_not_make_roles_is_told_what_to_have_made(self, shared: Database, hub: Hub) -> None:
        shared.psql("CREATE ROLE humble LOGIN PASSWORD 'humble'; GRANT probe TO humble; ALTER ROLE humble NOINHERIT")
        shared.psql("GRANT USAGE ON SCHEMA probe TO humble; GRANT ALL ON probe.agents TO humble")
        try:
            async with open_hub(shared.url(user="humble", password="humble")) as humble:
                with pytest.raises(ProbeError, match="we may not make roles") as told:
                    await add_agent(humble, "af")
                make = str(told.value).splitlines()[1].strip()
                assert (
                    make
                    == 'CREATE ROLE "probe_agent_af" LOGIN CONNECTION LIMIT 40 PASSWORD \'...\'; GRANT probe_agent TO "probe_agent_af";'
                )
                shared.psql(make.replace("...", "by-hand"))
                assert await add_agent(humble, "af") == ("probe_agent_af", None)
                assert await remove_agent(humble, "probe_agent_af") == (
                    'DROP OWNED BY "probe_agent_af"',
                    'DROP ROLE "probe_agent_af"',
                )
        finally:
            shared.psql("DROP OWNED BY humble; DROP ROLE humble; DROP ROLE IF EXISTS probe_agent_af")


class TestTried:
    async def test_everything_is_as_it_should_be_and_nothing_stays(self, hub: Hub) -> None:
        tried = await tried_grants(hub)
        assert [one for one in tried if not one.well] == []
        assert len(tried) == len(ATTEMPTS)
        answers = {one.what: one.answer for one in tried}
        assert answers["report for its own region"] == "it was done"
        assert "may not speak for the region" in answers["deliver a run of another region"]
        assert answers["read runs"] == "permission denied for table runs"
        assert await list_agents(hub) == ()
        assert await ask(hub, "SELECT count(*) FROM pg_roles WHERE rolname LIKE '%trial%'") == 0
        assert await ask(hub, "SELECT count(*) FROM probe.nodes WHERE name LIKE 'trial%'") == 0

    async def test_a_grant_too_many_is_found(self, hub: Hub) -> None:
        await run(hub, "GRANT SELECT ON probe.configs TO probe_agent", "GRANT UPDATE ON probe.checks TO PUBLIC")
        wrong = [one.what for one in await tried_grants(hub) if not one.well]
        assert wrong == ["read configurations", "change checks"]

    async def test_a_grant_that_is_missing_is_found(self, hub: Hub) -> None:
        await run(hub, "REVOKE EXECUTE ON FUNCTION probe.sync FROM probe_agent")
        wrong = [one.what for one in await tried_grants(hub) if not one.well]
        assert wrong == ["report for its own region"]

    async def test_an_owner_who_is_no_superuser_can_do_it_all(self, postgres: Postgres) -> None:
        postgres.psql("CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'keeper'")
        try:
            with fresh_database(postgres, "kept") as kept:
                kept.psql("ALTER DATABASE kept OWNER TO keeper")
                async with open_hub(kept.url(user="keeper", password="keeper")) as hub:
                    assert (await install(hub)).ask == ()
                    assert [one for one in await tried_grants(hub) if not one.well] == []
        finally:
            postgres.psql("DROP ROLE keeper")
