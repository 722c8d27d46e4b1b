"""The four functions of an agent, as the owner of the database may call them for any region."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.exc import DBAPIError

from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub
from tests.fleet.hubs import (
    Given,
    ask,
    deliver,
    deliver_on,
    empty,
    inbox,
    open_hub,
    run,
    shared_database,
    sync,
    together,
)
from tests.postgres import Database, Postgres


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    with shared_database(postgres) as made:
        yield made


@pytest.fixture
async def hub(shared: Database) -> AsyncIterator[Hub]:
    async with open_hub(shared.url()) as made:
        await empty(made)
        yield made


class TestSync:
    async def test_says_what_is_known_and_who_else_lives(self, hub: Hub) -> None:
        first = await sync(hub, node="n2")
        await deliver(hub, [Given(7)])
        second = await sync(hub, node="n1", source="s1")
        assert (first.acked, first.nodes) == (0, ["n2"])
        assert (second.acked, second.nodes) == (7, ["n1", "n2"])
        assert abs((second.now - first.now).total_seconds()) < 60
        assert second.config is None
        assert second.asks == []

    async def test_nodes_that_only_judge_or_are_silent_or_elsewhere_do_not_probe_with_us(self, hub: Hub) -> None:
        await sync(hub, node="judge", role="evaluate", source="s2")
        await sync(hub, node="old", source="s3")
        await sync(hub, "us", node="other", source="s4")
        await sync(hub, node="both", role="all", source="s5")
        await run(hub, "UPDATE probe.nodes SET seen = seen - interval '11 s' WHERE name = 'old'")
        assert (await sync(hub)).nodes == ["both", "n1"]

    async def test_a_region_is_heard_from_its_probing_nodes(self, hub: Hub) -> None:
        await sync(hub, "judges", node="judge", role="evaluate")
        await sync(hub, source="s2")
        await run(hub, "UPDATE probe.regions SET heard = heard - interval '1 h'")
        await sync(hub, source="s2")
        assert await ask(hub, "SELECT count(*) FROM probe.regions") == 1
        assert await ask(
            hub, "SELECT heard > clock_timestamp() - interval '1 min' FROM probe.regions WHERE name = 'eu'"
        )

    async def test_the_canary_region_gets_the_canary(self, hub: Hub) -> None:
        await run(
            hub,
            "INSERT INTO probe.configs (hash, by, body, standing, canary) VALUES"
            " ('new', 'ann', '', 'canary', 'us'), ('now', 'ann', '', 'current', NULL), ('old', 'ann', '', 'former', NULL)",
        )
        assert (await sync(hub)).config == "now"
        assert (await sync(hub, "us", node="n2", source="s2")).config == "new"

    async def test_an_ask_is_taken_once_and_an_old_one_never(self, hub: Hub) -> None:
        await run(
            hub,
            "INSERT INTO probe.asks (region, check_id, why) VALUES ('eu', 'a', 'confirm'), ('us', 'b', 'confirm'), ('eu', 'c', 'control')",
            "INSERT INTO probe.asks (region, check_id, why, asked) VALUES ('eu', 'late', 'confirm', clock_timestamp() - interval '61 s')",
        )
        answers = await together(*(sync(hub, node=f"n{number}", source=f"s{number}") for number in range(4)))
        asks = [item for answer in answers for item in answer.asks]
        assert asks == [{"check": "a", "why": "confirm"}, {"check": "c", "why": "control"}]
        assert await ask(hub, "SELECT string_agg(check_id, ',' ORDER BY id) FROM probe.asks WHERE taken IS NULL") == "b"
        assert await ask(hub, "SELECT count(*) FROM probe.asks WHERE check_id = 'late'") == 0

    async def test_somebody_who_holds_the_row_of_the_region_is_not_waited_for(self, hub: Hub) -> None:
        await sync(hub)
        async with hub.transaction() as connection:
            await connection.exec_driver_sql("SELECT FROM probe.regions FOR UPDATE")
            assert (await sync(hub)).nodes == ["n1"]

    async def test_a_node_stays_in_its_region(self, hub: Hub) -> None:
        await sync(hub)
        await sync(hub, "us", source="s2")  # the owner speaks for both: it has moved
        assert await ask(hub, "SELECT region FROM probe.nodes WHERE name = 'n1'") == "us"

    async def test_a_clock_is_off_by_a_number_of_seconds(self, hub: Hub) -> None:
        for skew in (float("nan"), float("inf"), 1e10):
            with pytest.raises(DBAPIError, match="skew must be a number of seconds"):
                await sync(hub, skew=skew)
            with pytest.raises(DBAPIError, match="skew must be a number of seconds"):
                await deliver(hub, [Given(1)], skew=skew)


class TestDeliver:
    async def test_each_row_once_and_in_order(self, hub: Hub) -> None:
        assert await deliver(hub, [Given(2, body=b"2"), Given(1, body=b"1"), Given(5, body=b"5")]) == 5
        assert await deliver(hub, [Given(4, body=b"late"), Given(5, body=b"again"), Given(9, body=b"9")]) == 9
        assert await deliver(hub, [Given(3), Given(9)]) == 9
        assert await deliver(hub, []) == 9
        assert [row[-1] for row in await inbox(hub)] == [b"1", b"2", b"5", b"9"]

    async def test_goes_to_the_shard_of_its_check_and_a_control_run_to_all_that_are_awake(self, hub: Hub) -> None:
        await run(
            hub,
            "INSERT INTO probe.checks (id, shard) VALUES ('cart', 'cart'), ('pay', 'cart'), ('mail', 'mail')",
            "INSERT INTO probe.shards (name, version, awake) VALUES ('', 'h', true), ('cart', 'h', true), ('mail', 'h', false), ('web', 'h', true)",
        )
        rows = [
            Given(1, check="pay"),
            Given(2, "control", "ground"),
            Given(3, "overdue", "mail"),
            Given(4, check="gone"),
        ]
        await deliver(hub, rows)
        assert [(shard, check) for shard, _, _, check, _ in await inbox(hub)] == [
            ("cart", "pay"),
            ("", "ground"),
            ("cart", "ground"),
            ("web", "ground"),
            ("mail", "mail"),
            ("", "gone"),
        ]

    async def test_the_same_batch_at_the_same_time_is_stored_once(self, hub: Hub) -> None:
        rows = [Given(seq, body=str(seq).encode()) for seq in range(1, 101)]
        assert await together(*(deliver(hub, rows) for _ in range(6))) == [100] * 6
        assert [int(row[-1]) for row in await inbox(hub)] == list(range(1, 101))

    async def test_whoever_comes_second_waits_and_finds_it_done(self, hub: Hub) -> None:
        """What is known of a source is read under its lock, not before."""
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        await deliver(hub, [Given(1)])
        async with asyncio.TaskGroup() as group, hub.transaction() as first:
            await first.exec_driver_sql("SELECT FROM probe.sources FOR NO KEY UPDATE")
            second = group.create_task(deliver(hub, [Given(2, body=b"2"), Given(3, body=b"3")]))
            while not await ask(hub, waits):
                await asyncio.sleep(0.01)
            await first.exec_driver_sql("UPDATE probe.sources SET acked = 2")
        assert second.result() == 3
        assert [row[-1] for row in await inbox(hub)] == [b"x", b"3"]

    async def test_what_was_rolled_back_is_sent_again(self, hub: Hub) -> None:
        async def break_off() -> None:
            async with hub.transaction() as connection:
                await deliver_on(connection, [Given(1)])
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await break_off()
        assert await deliver(hub, [Given(1), Given(2)]) == 2
        assert len(await inbox(hub)) == 2

    async def test_a_source_belongs_to_the_region_that_used_it_first(self, hub: Hub) -> None:
        await deliver(hub, [Given(1)])
        for call in (deliver(hub, [Given(2)], region="us"), sync(hub, "us", node="n2")):
            with pytest.raises(StoreUnavailable, match="this source belongs to another region") as refused:
                await call
            assert refused.value.lasting
        assert len(await inbox(hub)) == 1

    async def test_what_is_against_the_rules_is_refused_whole(self, hub: Hub) -> None:
        many = "2001 rows at once are too many: up to 2000 are taken"
        odd = "a row has no number, no body, or a kind that is not known"
        for rows, words in (
            ([Given(seq) for seq in range(1, 2002)], many),
            ([Given(1, body=bytes(2**20 + 1)), Given(2)], "a body is larger than 1 MiB"),
            ([Given(1), Given(1)], "two rows have one number"),
            ([Given(0), Given(1)], odd),
            ([Given(1, kind="own"), Given(2)], odd),
            ([Given(1, check="c" * 301)], odd),
        ):
            with pytest.raises(DBAPIError, match=words):
                await deliver(hub, rows)
        assert await inbox(hub) == []

    async def test_the_largest_batch_is_taken(self, hub: Hub) -> None:
        assert await deliver(hub, [Given(seq) for seq in range(1, 2001)]) == 2000
        assert await deliver(hub, [Given(2001, body=bytes(2**20))]) == 2001

    async def test_tells_those_who_listen(self, shared: Database, hub: Hub) -> None:
        async with open_hub(shared.url(), node="n2") as other, other.listen("probe_inbox") as heard:
            await heard.wait()  # it listens
            heard.clear()
            await deliver(hub, [Given(1), Given(2)])
            await heard.wait()


class TestBundle:
    async def test_gives_what_the_region_may_know(self, hub: Hub) -> None:
        await run(hub, "INSERT INTO probe.bundles VALUES ('h', 'eu', 'for eu'), ('h', 'us', 'for us')")
        assert await ask(hub, "SELECT probe.bundle('eu', 'h')") == b"for eu"
        assert await ask(hub, "SELECT probe.bundle('eu', 'other')") is None


class TestEvidence:
    async def test_is_kept_once(self, hub: Hub) -> None:
        await run(hub, "SELECT probe.keep_evidence('eu', 'r1', 'a/shot 1.png', 'first')")
        await run(hub, "SELECT probe.keep_evidence('eu', 'r1', 'a/shot 1.png', 'second')")
        assert await ask(hub, "SELECT body FROM probe.evidence WHERE run = 'r1' AND region = 'eu'") == b"first"

    async def test_has_a_name_that_can_be_a_file(self, hub: Hub) -> None:
        for name in ("", ".", "..", "../x", "a/../x", "/etc/passwd", "a//b", "a/", "a\\b", "a\nb", "n" * 301):
            quoted = name.replace("\\", "\\\\").replace("\n", "\\n")
            with pytest.raises(DBAPIError, match=r"a piece of evidence|name must be a name"):
                await run(hub, f"SELECT probe.keep_evidence('eu', 'r1', E'{quoted}', 'x')")

    async def test_is_not_larger_than_32_mib(self, hub: Hub) -> None:
        with pytest.raises(DBAPIError, match="larger than 32 MiB"):
            await run(hub, "SELECT probe.keep_evidence('eu', 'r1', 'x', convert_to(repeat('x', 33554433), 'UTF8'))")
