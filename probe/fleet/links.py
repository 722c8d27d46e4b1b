"""All links of a node: one for its own region, and one for each region that it probes through an egress."""

import asyncio
import logging
import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from probe.core.evaluate import Overdue
from probe.engine.runner import Job
from probe.fleet.calls import Calls
from probe.fleet.link import Ears, Link, LinkSettings
from probe.fleet.outbox import Outbox
from probe.ports import Clock, Record

log = logging.getLogger(__name__)


class Links:
    """The links of a node. To be made inside the running loop, then `greet`, then `run`.

    `regions` are all that run from here. In our own, that of `settings`, the node goes by its name, in the others by
    `NODE/REGION`.
    """

    def __init__(
        self,
        calls: Calls,
        outbox: Outbox,
        settings: LinkSettings,
        regions: Collection[str],
        ears: Ears,
        clock: Clock,
        rand: random.Random,
    ) -> None:
        self._outbox = outbox
        self._make = partial(Link, calls, outbox, ears=ears, clock=clock, rand=rand)
        self._settings = settings
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.home = self._make(settings)
        self._links = {settings.region: self.home}
        self._links |= {region: self._through(region) for region in regions if region != settings.region}

    def _through(self, region: str) -> Link:
        """The link of a region that is probed through an egress."""
        node = f"{self._settings.node}/{region}"
        return self._make(replace(self._settings, node=node, region=region, tells=False))

    async def greet(self) -> bool:
        """Find out where we are, and call for each region, before anything is run. Whether all were answered."""
        await self._only()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(link.greet(), name=f"greet {name}") for name, link in self._links.items()]
        return all(task.result() for task in tasks)

    async def use(self, regions: Collection[str]) -> None:
        """Link these regions from now on, after a reload; our own stays in any case. Before anything of a new one is run."""
        for name in set(self._links) - {*regions, self._settings.region}:
            del self._links[name]
            if (task := self._tasks.pop(name, None)) is not None:
                task.cancel()
        await self._only()
        for name in [name for name in regions if name not in self._links]:
            link = self._through(name)
            await link.greet()
            self._links[name] = link
            self._begin(name, link)

    async def leave(self) -> None:
        """Say everywhere that we probe no more. After `run`: it must not be said again that we do."""
        if self.away == 0:
            async with asyncio.TaskGroup() as group:
                for name, link in self._links.items():
                    group.create_task(link.leave(), name=f"leave {name}")

    async def _only(self) -> None:
        left = await self._outbox.only(tuple(self._links))
        if left:
            log.warning("%d runs of regions that are not probed from here any more are not forwarded", left)

    def _begin(self, name: str, link: Link) -> None:
        if self._group is not None:
            self._tasks[name] = self._group.create_task(link.run(), name=f"link {name}")

    async def run(self, asked: asyncio.Event) -> None:
        """Keep up all links until cancelled. `asked` is set when runs may have been asked for: a hint."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for name, link in self._links.items():
                    self._begin(name, link)
                while True:
                    await asked.wait()
                    asked.clear()
                    for link in self._links.values():
                        link.hurry()
        finally:
            self._group = None

    @property
    def away(self) -> float:
        """Seconds for which the hub has not answered for our own region; 0 while it does."""
        return self.home.away

    @property
    def clear(self) -> float:
        """The loop's time until which everything that was recorded is known to be with the hub."""
        return min(link.forwarder.clear for link in self._links.values())

    @property
    def position(self) -> int:
        """The number of a run up to which all are with the hub."""
        return min(link.forwarder.position for link in self._links.values())

    @property
    def queue(self) -> int:
        """How many runs wait to be forwarded."""
        return sum(link.forwarder.queue for link in self._links.values())

    def recorded(self, record: Record) -> None:
        """A record was written down (for `Tap`)."""
        for link in self._links.values():
            link.forwarder.recorded(record.runs)
        if record.attempts:
            self.home.forwarder.told()

    def late(self, overdue: Overdue) -> None:
        """A run is overdue (for `Service.late`)."""
        if (link := self._links.get(overdue.region)) is not None:
            link.forwarder.late(overdue)

    def is_mine(self, job: Job) -> bool:
        """Whether the slots of a job that come due now are ours (for `Scheduler.mine`)."""
        link = self._links.get(job.region.name)
        return link is None or link.is_mine(job.spec.id)

    def covered(self) -> Mapping[str, datetime]:
        """By region, until when other nodes ran there what we did not (for `Service.plan`)."""
        return {name: until for name, link in self._links.items() if (until := link.covered()) is not None}
