"""Where a node of a fleet gets from what it runs: the fleet's configuration, which nodes that judge publish themselves."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from probe import __version__
from probe.config.accepted import FOLDER
from probe.core.rules import Rules
from probe.errors import ProbeError, StoreUnavailable
from probe.fleet.bundle import Bundle
from probe.fleet.calls import Calls, Introduction
from probe.fleet.configuration import Configuration
from probe.fleet.hub import Hub
from probe.fleet.install import check_schema
from probe.fleet.publication import publication_of
from probe.fleet.publish import Publication, Standing, bundle_for, current, publish, published, regions_of
from probe.loader import LoadedChecks, glance

log = logging.getLogger(__name__)


class Given:
    """What this node is given to run. `path` is its own file, `local` as that was read first."""

    def __init__(
        self,
        hub: Hub,
        calls: Calls,
        path: Path,
        local: LoadedChecks,
        read: Callable[[Path], LoadedChecks],
        environ: Mapping[str, str],
        started: datetime,
    ) -> None:
        assert local.config.fleet is not None, "it is a node of a fleet"
        self._fleet = local.config.fleet
        self._hub = hub
        self._calls = calls
        self._path = path
        self._local = local
        self._read = read
        self._started = started
        self._wanted: str | None = None
        self._configuration = Configuration(
            local.config, local.config.data / FOLDER, read, lambda file: glance(file, environ=environ), self._fetch
        )

    @property
    def hash(self) -> str:
        """What is run now; "" before the first."""
        return self._configuration.hash

    @property
    def rules(self) -> tuple[str, Rules]:
        """What is judged by, with the hash of where it comes from."""
        return self._configuration.rules

    @property
    def trouble(self) -> str:
        """Why this node does not run what the fleet has; "": it does."""
        return self._configuration.trouble

    def is_new(self, hash: str) -> bool:
        """Whether the fleet names another configuration for this region than it did before."""
        if hash in {self.hash, self._wanted}:
            return False
        self._wanted = hash
        return True

    async def first(self) -> LoadedChecks:
        """What this node runs now; where it judges, what it was started with is published, if nobody has seen it yet."""
        if not (self._fleet.judges and self._local.config.is_whole):  # it runs what others publish
            return await self._configuration.first(None)
        publication = await asyncio.to_thread(publication_of, self._local)
        try:
            await check_schema(self._hub, evaluates=True)
            await self._publish(publication, anew=False)
        except StoreUnavailable as error:
            if error.lasting:
                raise
            log.warning("nothing is published: %s", error)
        return await self._configuration.first((publication.hash, publication.whole))

    async def again(self, *, asked: bool) -> LoadedChecks | None:
        """What this node runs from now on; when somebody asked for it, and it judges, its own file is published first."""
        if asked:
            local = await asyncio.to_thread(self._read, self._path)
            if self._fleet.judges and local.config.is_whole:
                await self._publish(await asyncio.to_thread(publication_of, local), anew=True)
            self._configuration.local = local.config
        loaded = await self._configuration.again(asked=asked)
        if self.trouble and asked:
            raise ProbeError(self.trouble)
        return loaded if loaded is not None or not asked else await self._configuration.same()

    async def _publish(self, publication: Publication, *, anew: bool) -> None:
        """Publish it; `anew`: also when it was in force before, and another one is now."""
        known = {one.hash: one for one in await published(self._hub)}
        standing = known[publication.hash].standing if publication.hash in known else None
        others = [one for one in known.values() if one.standing is Standing.CURRENT and one.by != self._fleet.node]
        left = sorted(await regions_of(self._hub, others[0].hash) - set(publication.regions)) if others else []
        if (
            left and standing is None and not anew
        ):  # the file of a second node that judges easily forgets the first's region
            log.error(
                "not published, for it has no region %s, and what %s published has: running that. `probe fleet publish`"
                " puts it in force nevertheless", ", ".join(left), others[0].by,
            )  # fmt: skip
        elif standing is None or (anew and standing is not Standing.CURRENT):
            await publish(self._hub, publication, self._fleet.node)
            log.info("published the configuration", extra={"config": publication.hash})
        elif standing is not Standing.CURRENT:
            log.warning("the fleet has a newer configuration than this node was started with: running that")

    async def _fetch(self) -> tuple[str, Bundle] | None:
        if self._fleet.judges:
            return await current(self._hub)
        region = self._local.config.region.name
        if self._wanted is None:
            await check_schema(self._hub, evaluates=False)
            self._wanted = (await self._calls.sync(self._introduction(region))).config
        wanted = self._wanted
        bundle = None if wanted is None else await bundle_for(self._hub, region, wanted)
        if wanted is None or bundle is None:
            self._wanted = None
            if wanted is not None and not self.hash:
                raise StoreUnavailable(
                    f"the configuration {wanted} has no agents in {region}: add [regions.{region}] with agent = true, and publish it"
                )
            return None
        return wanted, bundle

    def _introduction(self, region: str) -> Introduction:
        """What is said before anything runs: as one that does not probe yet, so that nobody leaves anything to us."""
        return Introduction(
            region=region,
            node=self._fleet.node,
            source=self._fleet.node,
            role="evaluate",
            version=__version__,
            config="",
            started=self._started,
            skew=0.0,
            queue=0,
            status={"role": self._fleet.role.value, "trouble": "it waits for a configuration that it can use"},
        )
