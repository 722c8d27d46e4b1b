"""A daemon as a node of a fleet: what it is given to run, its links to the database, and, where it judges, judgement and delivery."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from probe import __version__
from probe.channels import Channels
from probe.config.settings import Fleet
from probe.core.evaluate import Acknowledge, Mute
from probe.core.incident import IncidentId
from probe.core.rules import Rules
from probe.core.run import Run
from probe.core.shards import split
from probe.core.state import Ask, Change
from probe.engine.narrate import narrate
from probe.engine.runner import SystemClock
from probe.engine.scheduler import RunOne
from probe.engine.service import FAREWELL, Service
from probe.errors import ProbeError, StoreUnavailable
from probe.fleet.bucket import BucketDepot
from probe.fleet.calls import HubCalls, Introduction
from probe.fleet.deliver import FleetDelivery
from probe.fleet.evaluator import Evaluator
from probe.fleet.evidence import DatabaseDepot, Depot, Shipper
from probe.fleet.fastpath import FastPath
from probe.fleet.forward import Tap
from probe.fleet.given import Given
from probe.fleet.hub import Hub
from probe.fleet.lease import Lease
from probe.fleet.link import Ears, LinkSettings
from probe.fleet.links import Links
from probe.fleet.outbox import SqliteOutbox
from probe.fleet.partitions import arrange_partitions
from probe.fleet.presence import be_known
from probe.fleet.room import Room
from probe.fleet.sampling import Sampler
from probe.fleet.status import CLOCK
from probe.fleet.tidy import tidy_fleet
from probe.generation import Generation
from probe.loader import LoadedChecks
from probe.ports import ChannelSettings, Clock, Notifier, Record, Store
from probe.store.outbox import told_incidents
from probe.store.settings import StoreSettings
from probe.store.sqlite import SqliteStore
from probe.web.health import reason

log = logging.getLogger(__name__)
TIDY: Final = 3600.0
"""Seconds between two times that the database is tidied up, by one of those who judge."""
RETRY: Final = 60.0
"""Seconds until it is tried again, when somebody else does it or the database is away."""
SAID: Final = 2000
"""Characters of our trouble that the fleet is told: a missing secret may be missed by a thousand checks."""
LAST_RUNS: Final = 3.0
"""Seconds at the end for the last runs to be forwarded: what is left waits on disk for the next start."""


class Member:
    """What a daemon does in its fleet. Get it from `join`.

    First `first`, then `enter`, then `run`. `follow` is called when the fleet may have another configuration.
    """

    def __init__(
        self,
        path: Path,
        local: LoadedChecks,
        read: Callable[[Path], LoadedChecks],
        hub: Hub,
        clock: Clock,
        settings: StoreSettings,
        environ: Mapping[str, str],
    ) -> None:
        assert local.config.fleet is not None, "it is a node of a fleet"
        self.fleet: Fleet = local.config.fleet
        self.follow: Callable[[], None] = lambda: None
        self._hub = hub
        self._clock = clock
        self._settings = settings
        self._local = local
        self._calls = HubCalls(hub, clock)
        self._started = clock.now()
        self._given = Given(hub, self._calls, path, local, read, environ, self._started)
        self._service: Service | None = None
        self._links: Links | None = None
        self._fast: FastPath | None = None
        self._room: Room | None = None
        self._shipper: Shipper | None = None
        self._evaluator: Evaluator | None = None
        self._delivery: FleetDelivery | None = None
        self._channels: Channels | None = None
        self._notifiers: Mapping[str, Notifier] = {}
        self._timeouts: Mapping[str, timedelta] = {}

    # --- what it runs ----------------------------------------------------------------------------------------------------

    async def first(self) -> LoadedChecks:
        """What this node runs now."""
        return await self._given.first()

    async def again(self, *, asked: bool) -> LoadedChecks | None:
        """What this node runs from now on; `None`: nothing else than before."""
        before = self._given.rules
        loaded = await self._given.again(asked=asked)
        if loaded is None and self._given.rules is not before and self._evaluator is not None:
            self._judge_by(*self._given.rules)
        return loaded

    # --- how it is wired -------------------------------------------------------------------------------------------------

    def tapped(self, store: SqliteStore) -> Store:
        """The store of this node, of which the links hear what was written down."""
        return Tap(store, self._recorded)

    def _configured(self, hash: str) -> None:
        if self._given.is_new(hash):
            self.follow()

    def _recorded(self, record: Record) -> None:
        if self._links is not None:
            self._links.recorded(record)

    def sampled(self, run: RunOne, generation: Callable[[], Generation]) -> RunOne:
        """Runs of this node: one that fails has a control sample of its region of the same second."""

        def put(run: Run) -> None:
            assert self._service is not None, "nothing runs before"
            self._service.recorder.put(run)

        return Sampler(run, lambda region: generation().control(region), put).run

    def narrate(self, run: Run | None, change: Change) -> None:
        """Tell in the log what changes; not where the whole fleet is judged, which tells it."""
        if not self.fleet.judges:
            narrate(run, change)

    def rules(self, rules: Rules) -> Rules:
        """What this node judges by itself: what it sees, from where it runs."""
        return rules.within({region.name for region in self._local.config.regions})

    def fast(self, channels: Mapping[str, ChannelSettings]) -> Mapping[str, ChannelSettings]:
        """The channels that this node may use by itself."""
        return {name: channel for name, channel in channels.items() if name in self.fleet.fast_path}

    async def enter(
        self,
        service: Service,
        store: SqliteStore,
        generation: Generation,
        group: asyncio.TaskGroup,
    ) -> Mapping[str, datetime]:
        """Join what the daemon is made of. By region, until when other nodes ran there what we did not."""
        self._service = service
        covered: Mapping[str, datetime] = {}
        config = generation.config
        if self.fleet.probes:
            ears = Ears(
                ask=service.scheduler.ask,
                gone=service.scheduler.take_over,
                configured=self._configured,
                config=lambda: self._given.hash,
                status=self._report,
                well=self._keeps,
            )
            settings = LinkSettings(
                region=config.region.name, node=self.fleet.node, role=self.fleet.role.value, version=__version__,
                started=self._started, catch_up=self.fleet.catch_up,
            )  # fmt: skip
            rand = random.Random()  # noqa: S311  # jitter
            regions = [region.name for region in config.regions]
            self._links = links = Links(self._calls, SqliteOutbox(store), settings, regions, ears, self._clock, rand)
            told = await store.transact(told_incidents)
            self._fast = FastPath(
                links, self.fleet.fast_path, told, service.delivery.announce, service.recorder.settle, self._clock
            )
            self._shipper = self._shipping(store, links)
            service.gate, service.late = self._fast, links.late
            service.scheduler.mine = links.is_mine
            self._room = Room(store, self.fleet.outbox, config.evidence_dir)
            await links.greet()
            covered = links.covered()
        if self.fleet.judges:
            self._channels = Channels(group)
            self._delivery = FleetDelivery(self._hub, self.fleet.node, self._clock, random.Random())  # noqa: S311  # jitter
            version, rules = self._given.rules
            self._evaluator = Evaluator(
                self._hub, split(rules), version, self.fleet.node,
                stale_after=self.fleet.stale_after, outdated=self._outdated,
            )  # fmt: skip
        await self.adopt(generation)
        return covered

    def _shipping(self, store: SqliteStore, links: Links) -> Shipper | None:
        """What brings evidence to where the fleet keeps it; `None`: it stays here."""
        place = self.fleet.evidence
        if place == "off":
            return None
        depot: Depot = DatabaseDepot(self._calls) if place == "database" else BucketDepot(place)
        busy = lambda: links.away > 0 or links.queue > 0  # noqa: E731  # runs come first
        return Shipper(store, depot, until=lambda: links.position, busy=busy)

    async def moved(self, generation: Generation) -> Mapping[str, datetime]:
        """A reload may have changed from where this node probes. By region, until when others ran there what we did not."""
        if self._links is None:
            return {}
        try:
            await self._links.use([region.name for region in generation.config.regions])
        except StoreUnavailable as error:
            log.error("new regions are not linked before the next reload: %s", error)  # noqa: TRY400  # the disk's fault
        return self._links.covered()

    async def adopt(self, generation: Generation) -> None:
        """Judge and deliver by this configuration from now on."""
        if self._channels is None:
            return
        channels = generation.config.channels
        self._notifiers = await self._channels.adopt(channels, generation.redactor)
        self._timeouts = {name: settings.timeout for name, settings in channels.items()}
        self._judge_by(*self._given.rules)

    def _judge_by(self, version: str, rules: Rules) -> None:
        assert self._evaluator is not None and self._delivery is not None, "it judges"  # noqa: PT018  # one thing
        self._evaluator.use(split(rules), version, stale_after=self.fleet.stale_after)
        self._delivery.use(rules, version, self._notifiers, self._timeouts)

    # --- its life --------------------------------------------------------------------------------------------------------

    async def run(self, over: asyncio.Event) -> None:
        """Do the work until `over`; then what was seen last is forwarded, judged and told, if that takes seconds only."""
        async with asyncio.TaskGroup() as group:
            tasks = []
            if self._links is not None and self._fast is not None and self._room is not None:
                tasks = [
                    group.create_task(self._linked(self._links), name="links"),
                    group.create_task(self._fast.run(), name="fast path"),
                    group.create_task(self._room.run(), name="room"),
                ]
            if self._shipper is not None:
                tasks.append(group.create_task(self._shipper.run(), name="evidence"))
            if self._evaluator is not None and self._delivery is not None:
                tasks.append(group.create_task(self._tidy(), name="tidy the fleet"))
                if self._links is None:
                    tasks.append(group.create_task(be_known(self._calls, self._introduction), name="presence"))
                group.create_task(self._evaluator.run(over), name="evaluator")
                group.create_task(self._delivery.run(over, FAREWELL), name="delivery of the fleet")
            await over.wait()
            if self._links is not None:
                await _emptied(self._links)
            for task in tasks:
                task.cancel()
            if self._links is not None:
                await self._links.leave()
        if self._channels is not None:
            self._channels.close()

    def _outdated(self) -> None:
        self.follow()

    async def _linked(self, links: Links) -> None:
        async with self._hub.listen("probe_asks") as asked:
            await links.run(asked)

    async def _tidy(self) -> None:
        """Once an hour, one of those who judge adds up, forgets, and makes room for the days to come."""
        lease = Lease(self._hub, "tidy", f"{self.fleet.node} {uuid4().hex[:8]}", ttl=timedelta(seconds=TIDY - 60))
        while True:
            wait = RETRY
            try:
                if await lease.acquire():
                    await arrange_partitions(self._hub, self._settings)
                    await tidy_fleet(self._hub, self._settings, self._clock.now())
                    await arrange_partitions(self._hub, self._settings)
                    wait = TIDY
            except StoreUnavailable as error:
                log.warning("the database of the fleet was not tidied up: %s", error)
            except Exception:  # a bug here must not end the node, which goes on probing and judging
                log.exception("the database of the fleet was not tidied up")
                wait = TIDY
            await asyncio.sleep(wait)

    # --- what others ask -------------------------------------------------------------------------------------------------

    async def acknowledge(self, id: IncidentId, by: str) -> None:
        """Somebody takes care of an incident; `KeyError` when it is not open. Written down when it returns."""
        await self._judge().act(Acknowledge(incident=id, by=by))

    async def mute(self, id: IncidentId, until: datetime | None, by: str) -> None:
        """Deliver nothing about an incident until then, `None`: deliver again; `KeyError` when it is not open."""
        await self._judge().act(Mute(incident=id, until=until, by=by))

    async def ask(self, asks: Sequence[Ask]) -> None:
        """Have runs made at once in regions that are probed elsewhere."""
        await self._judge().ask(asks)

    def _judge(self) -> Evaluator:
        if self._evaluator is None:
            raise ProbeError("this node only probes: say it to one that judges (probe fleet status names them)")
        return self._evaluator

    def works(self) -> bool:
        """Whether it does for the fleet what it is there for: who judges cannot without the database, who probes can."""
        return self._evaluator is None or self._evaluator.trouble is None

    def concern(self) -> str | None:
        """What somebody should mend though it works."""
        link = None if self._links is None else self._links.home
        if link is not None and link.trouble is not None:
            return f"the database of the fleet is away, probing goes on: {link.trouble}"
        if self._evaluator is not None and self._evaluator.trouble is not None:
            return f"nothing can be judged: {self._evaluator.trouble}"
        if link is not None and abs(link.skew) > CLOCK.total_seconds():
            ahead = "ahead of" if link.skew > 0 else "behind"
            return (
                f"the clock here is {abs(link.skew):.1f} s {ahead} the database's: runs are put right, mend the clock"
            )
        return self._given.trouble or None

    @property
    def delivery(self) -> FleetDelivery | None:
        """What delivers for the whole fleet, where this node judges."""
        return self._delivery

    def gauges(self) -> Mapping[str, float]:
        """How it is, in numbers."""
        found: dict[str, float] = {"probe_fleet_config_accepted": float(not self._given.trouble)}
        if self._links is not None:
            found |= {
                "probe_fleet_connected": float(self._links.home.connected),
                "probe_fleet_queue": self._links.queue,
                "probe_fleet_clock_ahead_seconds": self._links.home.skew,
            }
        if self._evaluator is not None and self._delivery is not None:
            found |= {
                "probe_fleet_judged": self._evaluator.judged,
                "probe_fleet_refused": self._evaluator.refused.total(),
                "probe_fleet_lag_seconds": self._evaluator.lag.total_seconds(),
                "probe_fleet_delivers": float(self._delivery.delivers),
            }
        return found

    def status(self) -> Mapping[str, Any]:
        """How it stands in its fleet."""
        return {
            "node": self.fleet.node,
            "role": self.fleet.role.value,
            "config": self._given.hash,
            "connected": None if self._links is None else self._links.home.connected,
            "queue": None if self._links is None else self._links.queue,
            "delivers": self._delivery is not None and self._delivery.delivers,
            "trouble": self.concern(),
        }

    def _introduction(self) -> Introduction:
        """What a node that only judges says of itself: it has no runs to forward."""
        return Introduction(
            region=self._local.config.region.name, node=self.fleet.node, source=self.fleet.node,
            role=self.fleet.role.value, version=__version__, config=self._given.hash, started=self._started,
            skew=0.0, queue=0, status=self._report(),
        )  # fmt: skip

    def _keeps(self) -> bool:
        """Whether what is run here is written down, or has not been for some seconds only."""
        assert self._service is not None, "nothing runs before"
        recorder, now = self._service.recorder, asyncio.get_running_loop().time()
        trouble = recorder.trouble
        well = reason(now, ticked=now, written=recorder.written, queued=recorder.queued, trouble=trouble) is None
        return trouble is None or well

    def _report(self) -> Mapping[str, object]:
        """What the fleet is told of us beside what every node says."""
        room = self._room
        trouble = self._given.trouble or (self._service and self._service.recorder.trouble) or ""
        return {
            "role": self.fleet.role.value,
            "trouble": trouble[:SAID],
            "thinned": 0 if room is None else room.thinned,
            "dropped": 0 if room is None else room.dropped,
            "bytes": 0 if room is None else room.waiting,
            "evidence": 0 if self._shipper is None else self._shipper.shipped,
        }


@asynccontextmanager
async def join(
    path: Path,
    local: LoadedChecks,
    read: Callable[[Path], LoadedChecks],
    settings: StoreSettings,
    environ: Mapping[str, str],
) -> AsyncIterator[Member]:
    """A node's part in the fleet that its configuration (`path`, as it was read first) names."""
    config = local.config
    assert config.database is not None and config.fleet is not None, "it is a node of a fleet"  # noqa: PT018  # one thing
    hub = Hub(config.database, node=config.fleet.node)
    try:
        yield Member(path, local, read, hub, SystemClock(), settings, environ)
    finally:
        await hub.close()


async def _emptied(links: Links) -> None:
    """Return when the last runs are with the fleet, or after a moment."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_RUNS):
            while links.away == 0 and links.queue:  # noqa: ASYNC110  # a number, not an event: it is over in a moment
                await asyncio.sleep(0.05)
