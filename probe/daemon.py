"""The daemon: builds everything once, wires it, supervises it. Signals, reload, service manager, health."""

import asyncio
import gc
import logging
import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from probe import log as logs
from probe.channels import Channels
from probe.core.diagnostic import Diagnostic
from probe.core.rules import Rules
from probe.core.run import Run, Slot, Why
from probe.core.secret import Redactor, Secret
from probe.core.slo import length
from probe.doors import Doors
from probe.drilling import Drills
from probe.engine.compare import Comparer
from probe.engine.narrate import narrate
from probe.engine.runner import Job, SystemClock, Watch
from probe.engine.scheduler import RunOne
from probe.engine.service import Service
from probe.errors import ProbeError, StoreUnavailable
from probe.generation import Generation, keep
from probe.heartbeat import heartbeat
from probe.loader import LoadedChecks, load
from probe.ports import Restored, Store
from probe.reloading import FromFile, Reloads, Source
from probe.shown import open_shown, tidy_people
from probe.store.evidence import forget_evidence
from probe.store.lastgood import last_good
from probe.store.settings import StoreSettings
from probe.store.sqlite import SqliteStore, open_store
from probe.systemd import Notify, watchdog_interval
from probe.web.access.links import Links
from probe.web.serve import serve_control, serve_pages

if TYPE_CHECKING:
    from probe.member import Member

log = logging.getLogger("probe")

TIDY: Final = timedelta(hours=1)
"""How often what is old is rolled up and forgotten."""
GARBAGE: Final = (10_000, 20, 100)
"""After how many new objects garbage is looked for, by generation, as in `gc.set_threshold`."""
STATUS: Final = 10.0
"""Seconds between two lines of status for the service manager."""
DAY: Final = timedelta(days=1)
LEAST_COUNTS: Final = timedelta(days=100)
"""How long counts of objectives are kept at least: a longer window may come with the next reload."""

Adapt = Callable[[LoadedChecks], LoadedChecks]


def run(
    path: Path, environ: Mapping[str, str], *, log_level: str | None = None, adapt: Adapt = lambda loaded: loaded
) -> int:
    """Run until SIGTERM or SIGINT; the exit code. `adapt` may change every configuration that is read.

    Raises `ConfigError` for a configuration that cannot be used, `ProbeError` when there is no place to run.
    """
    known: set[Secret] = set()  # of earlier readings, too: runs and channels that had them may still go on

    def read(file: Path) -> LoadedChecks:
        loaded = adapt(load(file, environ=environ))
        config = loaded.config
        known.update(config.secrets)
        logs.configure(log_level or config.log_level, config.log == "json", Redactor(known))
        for warning in loaded.warnings:
            log.warning("%s", warning)
        return loaded

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every start
    asyncio.run(_run(path, read(path), read, environ))
    return 0


async def _run(
    path: Path, loaded: LoadedChecks, read: Callable[[Path], LoadedChecks], environ: Mapping[str, str]
) -> None:
    async with AsyncExitStack() as stack:
        source: Source = FromFile(path, read)
        member = None
        if loaded.config.fleet is not None:
            from probe.member import join  # a daemon that stands alone needs no PostgreSQL

            source = member = await stack.enter_async_context(
                join(path, loaded, read, _store_settings(loaded), environ)
            )
            loaded = await member.first()
        store = await stack.enter_async_context(open_store(_store_settings(loaded)))
        restored = await store.restore()
        config = loaded.config
        async with asyncio.TaskGroup() as group:
            daemon = Daemon(source, environ, store, group, member)
            await daemon.prepare(loaded, restored)
            async with AsyncExitStack() as doors:
                links = Links()
                await doors.enter_async_context(serve_control(daemon.doors, config.data, links))
                if config.listen is not None:
                    opened = partial(open_shown, config)
                    address = await doors.enter_async_context(
                        serve_pages(daemon.doors, links, opened, config.listen, SystemClock())
                    )
                    log.info("the pages are at http://%s", address)
                await daemon.run()


def _store_settings(loaded: LoadedChecks) -> StoreSettings:
    limits = loaded.config.store
    return StoreSettings(
        path=loaded.config.data,
        keep_details=limits.keep_details,
        keep_runs=limits.keep_runs,
        keep_failures=limits.keep_failures,
        keep_hours=limits.keep_hours,
        keep_days=limits.keep_days,
        keep_counts=max([LEAST_COUNTS, *(length(o.window) + DAY for o in loaded.rules.objectives.values())]),
        ballast=limits.ballast,
        forwards=loaded.config.fleet is not None,
    )


class Daemon:
    """A running daemon. What others may ask of it is behind its `doors`."""

    def __init__(
        self,
        source: Source,
        environ: Mapping[str, str],
        store: SqliteStore,
        group: asyncio.TaskGroup,
        member: "Member | None" = None,
    ) -> None:
        self._member = member
        self._store = store
        self._group = group
        self._clock = SystemClock()
        self._loop = asyncio.get_running_loop()
        self._notify = Notify(environ)
        self._watchdog = watchdog_interval(environ)
        self._channels = Channels(group)
        self._stop = asyncio.Event()
        self._reloads = Reloads(source, self._take, self._reloading, self._clock)
        self._keep_counts = store.settings.keep_counts

    # --- its life ----------------------------------------------------------------------------------------------------

    async def prepare(self, loaded: LoadedChecks, restored: Restored) -> None:
        """Build everything: from then on it can be asked how it is."""
        self._generation = fresh = await self._make(loaded)
        store: Store = self._store
        run_one: RunOne = self._run_one
        if self._member is not None:
            store, run_one = self._member.tapped(self._store), self._member.sampled(run_one, lambda: self._generation)
        rand = random.Random()  # noqa: S311  # jitter
        watch = narrate if self._member is None else self._member.narrate
        run_one = Comparer(run_one, self._last_good).run
        self._service = Service(store, restored, self._rules(fresh), run_one, self._clock, rand, watch=watch)
        self.drills = Drills(self._service, lambda: self._generation, self._plan, self._clock)
        started = self._clock.now()
        self.doors = Doors(
            self._service, lambda: self._generation, self.drills, self._reloads, self.reload, self._member, started
        )
        covered: Mapping[str, datetime] = {}
        if self._member is not None:
            self._member.follow = self._reloads.follow
            covered = await self._member.enter(self._service, self._store, fresh, self._group)
        await self._open_channels()
        self._plan(restored.alive, covered)

    async def run(self) -> None:
        """Do the work until a signal asks for the stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_stop, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._reloads.ask)
        config = self._generation.config
        try:
            async with asyncio.TaskGroup() as back:
                others = [
                    back.create_task(self._tidy(), name="tidy"),
                    back.create_task(self._manners(), name="service manager"),
                    back.create_task(self.drills.run(), name="drills"),
                ]
                back.create_task(self._reloads.run(self._stop), name="reload")
                if config.heartbeat_url is not None:
                    beat = heartbeat(config.heartbeat_url, config.heartbeat_every, self.doors.works)
                    others.append(back.create_task(beat, name="heartbeat"))
                settle()
                self.doors.is_ready = True
                self._notify.ready(self._line())
                jobs = len(self._generation.jobs)
                log.info("watching", extra={"checks": len(self._generation.rules.checks), "jobs": jobs})
                over = asyncio.Event()
                async with asyncio.TaskGroup() as fleet:
                    if self._member is not None:
                        fleet.create_task(self._member.run(over), name="fleet")
                    await self._service.run(self._stop, config.grace)
                    over.set()
                for task in others:
                    task.cancel()
                self._reloads.follow()
        finally:
            self._channels.close()
            self._generation.retire()
        log.info("stopped")

    def _on_stop(self, number: int) -> None:
        if self._stop.is_set():
            os._exit(128 + number)  # the second one: now
        log.info("stopping: runs get their time to end; a second signal ends at once")
        self.doors.is_ready = False
        self._notify.stopping("letting runs end")
        self._stop.set()

    async def _make(self, loaded: LoadedChecks) -> Generation:
        ready: asyncio.Future[Generation] = self._loop.create_future()
        self._group.create_task(keep(loaded, lambda: not self._store.low_on_space, ready), name="generation")
        return await ready

    async def _open_channels(self) -> None:
        wanted = self._generation.config.channels
        if self._member is not None:
            await self._member.adopt(self._generation)
            wanted = self._member.fast(wanted)
        notifiers = await self._channels.adopt(wanted, self._generation.redactor)
        self._service.use(notifiers, {name: settings.timeout for name, settings in wanted.items()})

    def _rules(self, generation: Generation) -> Rules:
        return generation.rules if self._member is None else self._member.rules(generation.rules)

    def _plan(self, alive: datetime | None = None, covered: Mapping[str, datetime] | None = None) -> None:
        now = self._generation
        rules, jobs = self.drills.added(self._rules(now), now.jobs)
        self._service.plan(rules, jobs, now.unscheduled, alive=alive, covered=covered)

    async def _run_one(self, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch) -> Run:
        return await self.drills.run_one(self._generation, job, why, slot=slot, due=due, watch=watch)

    async def _last_good(self, check: str, region: str) -> Run | None:
        since = self._clock.now() - DAY
        return await self._store.transact(partial(last_good, check=check, region=region, since=since))

    async def _tidy(self) -> None:
        while True:
            try:
                now, config = self._clock.now(), self._generation.config
                self._service.forget(now, self._keep_counts)
                await self._store.tidy(now)
                await asyncio.to_thread(forget_evidence, config.evidence_dir, now - config.store.keep_failures)
                await asyncio.to_thread(tidy_people, config, now)
            except StoreUnavailable as error:
                log.warning("what is old was not tidied up: %s", error)
            await asyncio.sleep(TIDY.total_seconds())

    async def _manners(self) -> None:
        while True:
            if self._watchdog is not None and (self._stop.is_set() or self.doors.healthy() is None):
                self._notify.watchdog()
            self._notify.status(self._line())
            await asyncio.sleep(min(STATUS, self._watchdog or STATUS))

    def _line(self) -> str:
        broken = self.doors.healthy() if self.doors.is_ready else None
        return broken or f"{len(self._generation.jobs)} jobs, {len(self._service.state.incidents)} incidents open"

    # --- reload --------------------------------------------------------------------------------------------------------

    async def reload(self) -> tuple[Diagnostic, ...]:
        """Read the configuration again; with an error the old one stays. Unchanged checks keep schedule and state.

        It goes on when whoever asked does not wait for it any more. `ProbeError` when the stop has begun.
        """
        if self._stop.is_set():
            raise ProbeError("it is stopping")
        return await self._reloads.answer()

    @contextmanager
    def _reloading(self) -> Iterator[None]:
        """What the service manager is told of a reload."""
        self._notify.reloading()
        try:
            yield
        finally:
            if self.doors.is_ready:  # the stop has not begun meanwhile
                self._notify.ready(self._line())

    async def _take(self, loaded: LoadedChecks) -> tuple[Diagnostic, ...]:
        fresh = await self._make(loaded)
        old, self._generation = self._generation, fresh
        self._plan(covered=None if self._member is None else await self._member.moved(fresh))
        old.retire()
        await self._open_channels()
        _say_what_needs_a_restart(old, fresh)
        log.info("reloaded", extra={"jobs": len(fresh.jobs), "config": fresh.hash})
        return loaded.warnings


def settle() -> None:
    """What lives as long as the process need not be looked at again and again, and garbage not after every page.

    A large page is tens of thousands of objects, none of them garbage: by the usual thresholds each took a third of its time
    to look for some, and held up everything for up to 80 ms (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def _say_what_needs_a_restart(old: Generation, new: Generation) -> None:
    for name in ("data", "listen", "heartbeat_url", "heartbeat_every", "store", "grace"):
        if getattr(old.config, name) != getattr(new.config, name):
            log.warning("a change of %s takes effect at the next start", name)
