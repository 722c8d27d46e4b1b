"""The daemon: builds everything once, wires it, supervises it. Signals, reload, service manager, health."""

import asyncio
import gc
import logging
import os
import random
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from probe import log as logs
from probe.channels import Channels
from probe.core.check import CheckId
from probe.core.diagnostic import Diagnostic
from probe.core.encode import timestamp
from probe.core.incident import IncidentId
from probe.core.rules import Rules
from probe.core.run import Run, Slot, Why
from probe.core.secret import Redactor, Secret
from probe.core.slo import length
from probe.core.state import Ask
from probe.drilling import Drills
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
from probe.store.evidence import forget_evidence
from probe.store.settings import StoreSettings
from probe.store.sqlite import SqliteStore, open_store
from probe.systemd import Notify, watchdog_interval
from probe.web.health import reason
from probe.web.ports import Live
from probe.web.serve import serve_control, serve_health

if TYPE_CHECKING:
    from probe.engine.delivery import Delivery
    from probe.fleet.deliver import FleetDelivery
    from probe.member import Member

log = logging.getLogger("probe")

TIDY: Final = timedelta(hours=1)
"""How often what is old is rolled up and forgotten."""
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
                await doors.enter_async_context(serve_control(daemon, config.data))
                if config.listen is not None:
                    address = await doors.enter_async_context(serve_health(daemon, config.listen))
                    log.info("health pages are at http://%s/healthz", address)
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
    """A running daemon. Implements what the health pages and the control socket ask for (`probe.web.ports.Daemon`)."""

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
        self._is_ready = False
        self._started = self._clock.now()
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
        self._service = Service(store, restored, self._rules(fresh), run_one, self._clock, rand, watch=watch)
        self.drills = Drills(self._service, lambda: self._generation, self._plan, self._clock)
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
                    beat = heartbeat(config.heartbeat_url, config.heartbeat_every, self._is_well)
                    others.append(back.create_task(beat, name="heartbeat"))
                gc.collect()
                gc.freeze()  # what lives as long as the process need not be looked at again and again
                self._is_ready = True
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
        self._is_ready = False
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

    async def _tidy(self) -> None:
        while True:
            try:
                now, config = self._clock.now(), self._generation.config
                self._service.forget(now, self._keep_counts)
                await self._store.tidy(now)
                await asyncio.to_thread(forget_evidence, config.evidence_dir, now - config.store.keep_failures)
            except StoreUnavailable as error:
                log.warning("what is old was not tidied up: %s", error)
            await asyncio.sleep(TIDY.total_seconds())

    async def _manners(self) -> None:
        while True:
            if self._watchdog is not None and (self._stop.is_set() or self.healthy() is None):
                self._notify.watchdog()
            self._notify.status(self._line())
            await asyncio.sleep(min(STATUS, self._watchdog or STATUS))

    def _line(self) -> str:
        broken = self.healthy() if self._is_ready else None
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
            if self._is_ready:  # the stop has not begun meanwhile
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

    # --- what others ask -----------------------------------------------------------------------------------------------

    @property
    def redactor(self) -> Redactor:
        """What takes the secrets of the configuration in use out of every answer."""
        return self._generation.redactor

    def healthy(self) -> str | None:
        """Why it does not do its work, in words; `None`: it does."""
        if not self._is_ready:
            return "it is starting or stopping"
        return reason(
            self._loop.time(),
            ticked=self._service.scheduler.ticked,
            written=self._service.recorder.written,
            queued=self._service.recorder.queued,
            trouble=self._service.recorder.trouble,
        )

    def _is_well(self) -> bool:
        return self.healthy() is None and (self._member is None or self._member.works())

    def concern(self) -> str | None:
        """What somebody should mend though it works."""
        if self._reloads.error:
            return "the last reload was refused, the old configuration is in use"
        return None if self._member is None else self._member.concern()

    def gauges(self) -> Mapping[str, float]:
        """How it is, in numbers."""
        service, delivery = self._service, self._delivery()
        return {
            "probe_config_last_reload_successful": float(not self._reloads.error),
            "probe_healthy": float(self.healthy() is None),
            "probe_incidents_open": len(service.state.incidents),
            "probe_jobs": len(self._generation.jobs),
            "probe_runs_running": service.scheduler.running,
            "probe_runs_waiting": service.scheduler.waiting,
            "probe_slots_missed": service.scheduler.missed,
            "probe_store_waiting": service.recorder.queued,
            "probe_notifications_pending": sum(delivery.pending.values()),
            "probe_channels_disabled": len(delivery.disabled),
            **({} if self._member is None else self._member.gauges()),
        }

    def _delivery(self) -> "Delivery | FleetDelivery":
        """What tells people: where a fleet is judged, not the node's own."""
        return (self._member and self._member.delivery) or self._service.delivery

    def ready(self) -> bool:
        """Whether start-up is complete and the stop has not begun."""
        return self._is_ready

    def status(self) -> Live:
        """What it knows about itself."""
        delivery = self._delivery()
        return Live(
            started=timestamp(self._started),
            pid=os.getpid(),
            config={"path": str(self._generation.config.path), "hash": self._generation.hash},
            reload={
                "at": None if self._reloads.at is None else timestamp(self._reloads.at),
                "ok": not self._reloads.error,
                "error": self._reloads.error,
            },
            jobs=len(self._generation.jobs),
            running=self._service.scheduler.running,
            waiting=self._service.scheduler.waiting,
            missed=self._service.scheduler.missed,
            workers=_children(),
            recorder={"queued": self._service.recorder.queued, "trouble": self._service.recorder.trouble},
            channels={
                name: {"pending": delivery.pending.get(name, 0), "disabled": delivery.disabled.get(name)}
                for name in self._generation.config.channels
            },
            fleet=None if self._member is None else self._member.status(),
        )

    def open_incidents(self) -> Collection[str]:
        """The ids of the incidents that are open."""
        return [incident.id for incident in self._service.state.incidents.values()]

    def places(self) -> Mapping[CheckId, Collection[str]]:
        """The checks, and the regions that each runs from."""
        return {check: watched.regions for check, watched in self._generation.rules.checks.items()}

    async def acknowledge(self, id: IncidentId, by: str) -> None:
        """Somebody takes care of an incident; `KeyError` when it is not open."""
        await (self._service if self._member is None else self._member).acknowledge(id, by)

    async def mute(self, id: IncidentId, until: datetime | None, by: str) -> None:
        """Deliver nothing about an incident until then, `None`: deliver again; `KeyError` when it is not open."""
        await (self._service if self._member is None else self._member).mute(id, until, by)

    async def ask(self, check: CheckId, regions: tuple[str, ...]) -> None:
        """Run a check at once, from these of its regions (empty: from all)."""
        chosen = regions or tuple(self.places()[check])
        self._service.scheduler.ask([Ask(check=check, region=region, why=Why.MANUAL) for region in chosen])


def _say_what_needs_a_restart(old: Generation, new: Generation) -> None:
    for name in ("data", "listen", "heartbeat_url", "heartbeat_every", "store", "grace"):
        if getattr(old.config, name) != getattr(new.config, name):
            log.warning("a change of %s takes effect at the next start", name)


def _children() -> int:
    """How many processes we have started that live: the workers that hold browsers or run checks."""
    try:
        return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    except OSError:  # no Linux, or a kernel without it
        return 0
