"""What the pages and the control socket ask of the daemon: how it is, what it knows, and what somebody wants done."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from probe.core.check import CheckId
from probe.core.diagnostic import Diagnostic
from probe.core.encode import timestamp
from probe.core.incident import IncidentId
from probe.core.run import Why
from probe.core.secret import Redactor
from probe.core.state import Ask
from probe.drilling import Drills
from probe.engine.service import Service
from probe.generation import Generation
from probe.reloading import Reloads
from probe.web.health import reason
from probe.web.ports import Known, Live

if TYPE_CHECKING:
    from probe.engine.delivery import Delivery
    from probe.fleet.deliver import FleetDelivery
    from probe.member import Member


class Doors:
    """Implements `probe.web.ports.Daemon`. `is_ready` is set by the daemon: start-up is complete, the stop has not begun."""

    def __init__(
        self,
        service: Service,
        generation: Callable[[], Generation],
        drills: Drills,
        reloads: Reloads,
        reload: Callable[[], Awaitable[tuple[Diagnostic, ...]]],
        member: "Member | None",
        started: datetime,
    ) -> None:
        self._service = service
        self._generation = generation
        self._drills = drills
        self._reloads = reloads
        self._reload = reload
        self._member = member
        self._started = started
        self._loop = asyncio.get_running_loop()
        self.is_ready = False

    @property
    def redactor(self) -> Redactor:
        """What takes the secrets of the configuration in use out of every answer."""
        return self._generation().redactor

    def healthy(self) -> str | None:
        """Why it does not do its work, in words; `None`: it does."""
        if not self.is_ready:
            return "it is starting or stopping"
        return reason(
            self._loop.time(),
            ticked=self._service.scheduler.ticked,
            written=self._service.recorder.written,
            queued=self._service.recorder.queued,
            trouble=self._service.recorder.trouble,
        )

    def works(self) -> bool:
        """Whether it does its work, for itself and for its fleet: what the heartbeat tells."""
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
            "probe_jobs": len(self._generation().jobs),
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
        return self.is_ready

    @property
    def drills(self) -> Drills:
        """The live drills."""
        return self._drills

    async def reload(self) -> tuple[Diagnostic, ...]:
        """Read the configuration again; with an error the old one stays."""
        return await self._reload()

    def known(self) -> Known:
        """The configuration in use, as far as the pages show it."""
        generation = self._generation()
        return Known(
            rules=generation.rules,
            checks=generation.checks,
            targets=generation.config.targets,
            redactor=generation.redactor,
            hash=generation.hash,
            web=generation.config.web,
            status_page=generation.config.status_page,
            restricted=generation.restricted,
        )

    def status(self) -> Live:
        """What it knows about itself."""
        delivery = self._delivery()
        return Live(
            started=timestamp(self._started),
            pid=os.getpid(),
            config={"path": str(self._generation().config.path), "hash": self._generation().hash},
            reload={
                "at": None if self._reloads.at is None else timestamp(self._reloads.at),
                "ok": not self._reloads.error,
                "error": self._reloads.error,
            },
            jobs=len(self._generation().jobs),
            running=self._service.scheduler.running,
            waiting=self._service.scheduler.waiting,
            missed=self._service.scheduler.missed,
            workers=_children(),
            recorder={"queued": self._service.recorder.queued, "trouble": self._service.recorder.trouble},
            channels={
                name: {"pending": delivery.pending.get(name, 0), "disabled": delivery.disabled.get(name)}
                for name in self._generation().config.channels
            },
            fleet=None if self._member is None else self._member.status(),
        )

    def open_incidents(self) -> Collection[str]:
        """The ids of the incidents that are open."""
        return [incident.id for incident in self._service.state.incidents.values()]

    def places(self) -> Mapping[CheckId, Collection[str]]:
        """The checks, and the regions that each runs from."""
        return {check: watched.regions for check, watched in self._generation().rules.checks.items()}

    async def acknowledge(self, id: IncidentId, by: str) -> None:
        """Somebody takes care of an incident; `KeyError` when it is not open."""
        await (self._service if self._member is None else self._member).acknowledge(id, by)

    async def mute(self, id: IncidentId, until: datetime | None, by: str) -> None:
        """Deliver nothing about an incident until then, `None`: deliver again; `KeyError` when it is not open."""
        await (self._service if self._member is None else self._member).mute(id, until, by)

    async def ask(self, check: CheckId, regions: tuple[str, ...]) -> None:
        """Run a check at once, from these of its regions (empty: from all)."""
        chosen = regions or tuple(self.places()[check])
        asks = [Ask(check=check, region=region, why=Why.MANUAL) for region in chosen]
        here = {region.name for region in self._generation().config.regions}
        self._service.scheduler.ask([ask for ask in asks if ask.region in here])
        if self._member is not None and (elsewhere := [ask for ask in asks if ask.region not in here]):
            await self._member.ask(elsewhere)


def _children() -> int:
    """How many processes we have started that live: the workers that hold browsers or run checks."""
    try:
        return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    except OSError:  # no Linux, or a kernel without it
        return 0
