"""Who only judges is among the nodes of the fleet, too."""

import asyncio
from datetime import timedelta

from probe.cli.fleet_table import concerns_of
from probe.engine.runner import SystemClock
from probe.fleet.calls import HubCalls, Introduction
from probe.fleet.presence import be_known
from probe.fleet.status import fleet_status
from tests.fleet.hubs import installed
from tests.fleet.judging import eventually
from tests.postgres import Database


async def test_who_only_judges_is_known(database: Database) -> None:
    clock = SystemClock()
    who = Introduction(
        region="eu", node="judge", source="judge", role="evaluate", version="1.0", config="abc",
        started=clock.now() - timedelta(hours=1), skew=0.0, queue=0, status={},
    )  # fmt: skip
    async with installed(database) as hub, asyncio.TaskGroup() as group:
        task = group.create_task(be_known(HubCalls(hub, clock), lambda: who))

        async def is_known() -> bool:
            return bool((await fleet_status(hub, "1.0")).nodes)

        await eventually(is_known)
        found = await fleet_status(hub, "1.0")
        (node,) = found.nodes
        assert (node.name, node.role, node.config, node.alive, node.probes) == ("judge", "evaluate", "abc", True, False)
        assert not any("no node that judges" in concern for concern in concerns_of(found))
        assert found.regions == ()  # it is heard in none
        task.cancel()
