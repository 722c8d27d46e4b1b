"""What the fleet runs, put in force in a real database; and how the fleet stands."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from probe.cli.fleet_table import concerns_of
from probe.core.rules import Rules
from probe.core.shards import split
from probe.errors import ProbeError, StoreUnavailable
from probe.fleet.bundle import Bundle
from probe.fleet.evaluator import server_now
from probe.fleet.hub import Hub
from probe.fleet.listening import Listening
from probe.fleet.publish import KEPT, Publication, Standing, bundle_for, current, publish, published
from probe.fleet.roles import add_agent
from probe.fleet.status import fleet_status
from probe.store.schema import EPOCH
from tests.core.world import rules_of, watched
from tests.fleet.hubs import Given, deliver, installed, open_hub, sync
from tests.postgres import Database


@pytest.fixture
async def hub(database: Database) -> AsyncIterator[Hub]:
    async with installed(database) as made:
        yield made


def publication(rules: Rules, *, note: str = "", regions: tuple[str, ...] = ("eu", "us")) -> Publication:
    document = {"probe": {"user_agent": note}} if note else {}
    return Publication(
        whole=Bundle(document=document, files={"checks/a.py": note}),
        regions={region: Bundle(document=document, files={f"checks/{region}.py": note}) for region in regions},
        rules=rules,
    )


async def rows(hub: Hub, statement: str) -> list[Any]:
    async with hub.transaction() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


TWO = rules_of(watched("a", cause="a.example"), watched("b", cause="b.example"))
TOGETHER = rules_of(watched("a", cause="a.example"), watched("b", cause="a.example"))


async def test_what_is_published_is_in_force_everywhere(hub: Hub) -> None:
    one = publication(TWO)
    await publish(hub, one, "ann")
    found = await current(hub)
    assert found is not None
    assert found == (one.hash, found[1])
    assert found[1].files == one.whole.files
    assert await rows(hub, "SELECT id, shard FROM probe.checks ORDER BY id") == [("a", "a"), ("b", "b")]
    assert {(name, version) for name, version in await rows(hub, "SELECT name, version FROM probe.shards")} == {
        (name, one.hash) for name in split(TWO)
    }
    bundle = await bundle_for(hub, "us", one.hash)
    assert bundle is not None
    assert bundle.files == {"checks/us.py": ""}
    assert await bundle_for(hub, "us", "unknown") is None


async def test_what_is_judged_together_changes_under_all_locks(hub: Hub) -> None:
    await publish(hub, publication(TWO), "ann")
    await deliver(hub, [Given(1, check="b")])
    before = dict(await rows(hub, "SELECT name, generation FROM probe.shards"))
    await publish(hub, publication(TOGETHER, note="2"), "ann")
    assert await rows(hub, "SELECT id, shard FROM probe.checks ORDER BY id") == [("a", "a"), ("b", "a")]
    assert await rows(hub, "SELECT shard FROM probe.inbox") == [("a",)]  # what waits moves on
    after = dict(await rows(hub, "SELECT name, generation FROM probe.shards"))
    assert set(after) == {"", "a"}
    assert after["a"] > before["a"]  # nobody goes on from what was so before


async def test_it_waits_for_who_judges(hub: Hub) -> None:
    await publish(hub, publication(TWO), "ann")
    async with hub.transaction() as connection:
        await connection.execute(text("SELECT name FROM probe.shards WHERE name = 'a' FOR UPDATE"))
        with pytest.raises(StoreUnavailable):  # its patience ends before ours
            await publish(hub, publication(TOGETHER, note="2"), "ann")
    found = await current(hub)
    assert found is not None
    assert found[0] == publication(TWO).hash


async def test_a_new_region_gets_its_time(hub: Hub) -> None:
    """Others are listened for since long ago: it is not silent before it was expected for as long as others may be."""
    stale, listening = timedelta(seconds=45), Listening(timedelta(seconds=45))

    async def look(*regions: str, after: timedelta) -> list[str]:
        async with hub.transaction() as connection:
            now = await server_now(connection) + after
            await connection.execute(
                text("UPDATE probe.meta SET value = :now WHERE key = 'listened'"),
                {"now": (now - EPOCH) // timedelta(microseconds=1)},
            )
            found = await listening.silent(connection, regions, now, listens=True)
        return [name for name, silent in found.items() if silent is not None]

    await publish(hub, publication(rules_of(watched("a", regions=("eu",)))), "ann")
    await look("eu", after=-timedelta(hours=1))
    await publish(hub, publication(rules_of(watched("a", regions=("eu", "us"))), note="2"), "ann")
    await rows(hub, "UPDATE probe.meta SET value = value - 3600000000 WHERE key = 'expected:eu' RETURNING 1")
    assert await look("eu", "us", after=stale - timedelta(seconds=1)) == ["eu"]
    assert await look("eu", "us", after=stale + timedelta(seconds=5)) == ["eu", "us"]
    await publish(hub, publication(rules_of(watched("a", regions=("us",))), note="3"), "ann")
    assert await rows(hub, "SELECT name FROM probe.regions") == [("us",)]  # nobody speaks of one that is no more
    await publish(hub, publication(rules_of(watched("a", regions=("eu", "us"))), note="4"), "ann")
    assert await look("eu", "us", after=timedelta(seconds=1)) == ["us"]


async def test_a_canary_is_run_by_its_region_alone(hub: Hub) -> None:
    first, second = publication(TWO), publication(TOGETHER, note="2")
    await publish(hub, first, "ann")
    await publish(hub, second, "ann", canary="us")
    assert (await sync(hub, "us", node="n2", source="s2")).config == second.hash
    assert (await sync(hub, "eu")).config == first.hash
    assert await rows(hub, "SELECT id, shard FROM probe.checks ORDER BY id") == [("a", "a"), ("b", "b")]
    assert {(one.hash, one.standing, one.canary) for one in await published(hub)} == {
        (first.hash, Standing.CURRENT, None),
        (second.hash, Standing.CANARY, "us"),
    }
    await publish(hub, second, "ann")
    assert (await sync(hub, "eu")).config == second.hash
    assert {one.standing for one in await published(hub)} == {Standing.CURRENT, Standing.FORMER}


async def test_a_canary_is_given_up(hub: Hub) -> None:
    first = publication(TWO)
    await publish(hub, first, "ann")
    await publish(hub, publication(TOGETHER, note="2"), "ann", canary="us")
    await publish(hub, first, "ann")
    assert (await sync(hub, "us", node="n2", source="s2")).config == first.hash


async def test_a_canary_needs_a_region_and_something_new(hub: Hub) -> None:
    first = publication(TWO)
    await publish(hub, first, "ann")
    with pytest.raises(ProbeError, match=r"no region mars.*eu, us"):
        await publish(hub, publication(TWO, note="2"), "ann", canary="mars")
    with pytest.raises(ProbeError, match="nothing to try"):
        await publish(hub, first, "ann", canary="us")
    assert (await current(hub) or ("",))[0] == first.hash


async def test_old_ones_are_forgotten(hub: Hub) -> None:
    for number in range(KEPT + 3):
        await publish(hub, publication(TWO, note=str(number)), "ann")
    assert len(await published(hub)) == KEPT
    assert len(await rows(hub, "SELECT DISTINCT hash FROM probe.bundles")) == 1


async def test_an_agent_reads_its_own_and_publishes_nothing(hub: Hub, database: Database) -> None:
    one = publication(TWO)
    await publish(hub, one, "ann")
    role, password = await add_agent(hub, "eu")
    assert password is not None
    async with open_hub(database.url(user=role, password=password.reveal()), node="agent") as stolen:
        assert await bundle_for(stolen, "eu", one.hash) is not None
        with pytest.raises((StoreUnavailable, ProbeError)):
            await bundle_for(stolen, "us", one.hash)
        with pytest.raises((StoreUnavailable, ProbeError)):
            await publish(stolen, publication(TOGETHER, note="evil"), "eve")
        with pytest.raises((StoreUnavailable, ProbeError)):
            await current(stolen)


async def test_the_fleet_says_how_it_stands(hub: Hub) -> None:
    one = publication(TWO)
    await publish(hub, one, "ann")
    await sync(hub, "eu", node="n1", skew=-3.5, status='{"trouble": "no CARD", "dropped": 4}')
    await deliver(hub, [Given(1, check="a"), Given(2, check="b")])
    found = await fleet_status(hub, "1.0")
    (node,) = found.nodes
    assert (node.name, node.region, node.alive) == ("n1", "eu", True)
    assert node.skew == timedelta(seconds=-3.5)
    assert any("no CARD" in concern for concern in node.concerns)
    assert any("3.5 s behind" in concern for concern in node.concerns)
    assert any("4 runs were dropped" in concern for concern in node.concerns)
    assert any(f"not {one.hash}" in concern for concern in node.concerns)
    assert not any("probe 1.0" in concern for concern in node.concerns)
    assert any("probe 1.0" in concern for concern in (await fleet_status(hub, "2.0")).nodes[0].concerns)
    assert (found.waiting, found.unsent, found.incidents, found.deliverer) == (2, 0, 0, None)
    assert found.lag < timedelta(seconds=30)
    assert [(region.name, region.nodes, region.silent) for region in found.regions] == [("eu", 1, None)]


async def test_an_agent_that_waits_is_said_to_be_one(hub: Hub) -> None:
    """It says that it does not probe, so that nobody leaves anything to it; but it judges nothing."""
    await sync(hub, "eu", node="n1", role="evaluate", status='{"role": "agent", "trouble": "it waits"}')
    found = await fleet_status(hub, "1.0")
    (node,) = found.nodes
    assert (node.role, node.alive, node.probes) == ("agent", True, False)
    assert "n1: it waits" in concerns_of(found)
    assert any("no node that judges" in concern for concern in concerns_of(found))


async def test_a_node_that_fell_silent_is_not_alive(hub: Hub) -> None:
    await sync(hub, "eu", node="n1")
    async with hub.transaction() as connection:
        await connection.execute(text("UPDATE probe.nodes SET seen = seen - interval '1 minute'"))
    found = await fleet_status(hub, "1.0")
    assert [node.alive for node in found.nodes] == [False]
    assert found.regions[0].nodes == 0


async def test_two_processes_of_one_name_are_told_and_a_restart_is_not(hub: Hub) -> None:
    older, younger = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC)

    async def concerns() -> list[str]:
        return [c for node in (await fleet_status(hub, "1.0")).nodes for c in node.concerns if "by this name" in c]

    for started in (older, older, younger, younger):
        await sync(hub, started=started)
    assert await concerns() == []
    await sync(hub, started=older)
    for started in (younger, older, younger):  # whoever of them spoke last
        assert len(await concerns()) == 1
        await sync(hub, started=started)
    await sync(hub, started=younger)
    assert await concerns() == []
