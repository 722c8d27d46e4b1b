"""Live drills: a fault is planted into a check's runs under the daemon, and it is seen whether, and when, people are told.

The drilled check has an id and an incident of its own, and counts for no objective; everything else is as ever: its
schedule, its regions, the judgement, the channels.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from probe.core.check import CheckId, PytestFunction
from probe.core.cron import times
from probe.core.drilled import MARK, PREFIX, PlannedDrill, drilled, is_drill, watched_as_drill
from probe.core.encode import timestamp
from probe.core.fault import Drill, Fault, FaultKind
from probe.core.incident import Incident, IncidentId, Verdict
from probe.core.notification import Attempt, Fate, Message, Notification, Reason
from probe.core.rules import Rules, Severity
from probe.core.run import Outcome, Run, Slot, Why
from probe.drill.plan import limits_of, plan
from probe.engine.runner import Job, Watch
from probe.engine.service import Service
from probe.errors import ProbeError
from probe.generation import Generation
from probe.ports import Clock

log = logging.getLogger(__name__)

LOOK: Final = 0.25
"""Seconds between two looks at how far a drill is."""
LONGEST: Final = 10
"""Intervals of the check that a drill waits until it is detected, and again until somebody is told."""
TO_JUDGE: Final = timedelta(minutes=5)
"""The shortest time that it waits to be detected: what one region sees alone is looked at for two minutes."""
TO_TELL: Final = timedelta(seconds=10)
"""The shortest time that it waits until somebody is told."""
AHEAD: Final = timedelta(days=366)


@dataclass(slots=True)
class Report:
    """How a drill goes. `detected`, `told` and `resolved` are seconds since the fault was planted.

    `state` is `preparing`, `planted`, `told` (the fault is gone again) or `over`; `trouble` is what went wrong.
    """

    check: CheckId
    kind: FaultKind
    began: datetime
    state: str = "preparing"
    request: str = ""
    step: str | None = None
    planted: datetime | None = None
    incident: IncidentId | None = None
    verdict: str = ""
    detected: float | None = None
    told: float | None = None
    channels: dict[str, float] = field(default_factory=dict)
    """The channels that took the alert, and after how many seconds."""
    routed: tuple[str, ...] = ()
    resolved: float | None = None
    trouble: str = ""

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "check": self.check,
            "fault": self.kind.value,
            "began": timestamp(self.began),
            "state": self.state,
            "step": self.step,
            "request": self.request or None,
            "planted": None if self.planted is None else timestamp(self.planted),
            "incident": self.incident,
            "verdict": self.verdict or None,
            "detected": _rounded(self.detected),
            "told": _rounded(self.told),
            "channels": {name: _rounded(seconds) for name, seconds in self.channels.items()},
            "resolved": _rounded(self.resolved),
            "trouble": self.trouble or None,
        }


class Drills:
    """The drills of a daemon: one at a time. `replan` has the service plan anew with what `added` gives."""

    def __init__(
        self, service: Service, generation: Callable[[], Generation], replan: Callable[[], None], clock: Clock
    ) -> None:
        self._service = service
        self._generation = generation
        self._replan = replan
        self._clock = clock
        self._planted: dict[CheckId, Drill] = {}
        self._cause = ""
        """What the incident of the present drill is put down to."""
        self._report: Report | None = None
        self._wanted = asyncio.Event()
        service.heard = self._hear

    @property
    def report(self) -> dict[str, Any] | None:
        """How the present drill goes, or how the last one went; `None`: there was none."""
        return None if self._report is None else self._report.document()

    def begin(self, check: CheckId, kind: FaultKind) -> None:
        """Begin a drill. `KeyError` when the check is none, `ProbeError` when a drill goes on or this cannot be drilled."""
        job = next((job for job in self._generation().jobs if job.spec.id == check), None)
        if job is None:
            raise KeyError(check)
        if self._generation().config.fleet is not None:
            raise ProbeError("live drills are made by single nodes: in a fleet others tell people")
        if isinstance(job.spec.work, PytestFunction):
            raise ProbeError("pytest files drive a browser of their own: nothing can be planted there")
        if self._report is not None and self._report.state != "over":
            raise ProbeError(f"a drill of {self._report.check!r} goes on: one at a time")
        self._report = Report(check=check, kind=kind, began=self._clock.now())
        self._wanted.set()

    def added(self, rules: Rules, jobs: tuple[Job, ...]) -> tuple[Rules, tuple[Job, ...]]:
        """Rules and jobs, with those of the drill that goes on."""
        more = [watched_as_drill(w) for w in rules.checks.values() if drilled(w.id) in self._planted]
        if not more:
            return rules, jobs
        checks = MappingProxyType({**rules.checks, **{watched.id: watched for watched in more}})
        return replace(rules, checks=checks), (*jobs, *(_job(j) for j in jobs if drilled(j.spec.id) in self._planted))

    async def run_one(
        self, generation: Generation, job: Job, why: Why, *, slot: Slot | None, due: float | None, watch: Watch
    ) -> Run:
        """Make a run: one of a drilled check has the fault in it."""
        if not is_drill(job.spec.id):
            return await generation.run(job, why, slot=slot, due=due, watch=watch)
        if why is Why.SCHEDULED:
            why = Why.DRILL
        drill = self._planted.get(job.spec.id, Drill(spare=True))
        return await generation.run(job, why, slot=slot, due=due, watch=_Whole(watch), drill=drill)

    async def run(self) -> None:
        """Make the drills that are asked for or planned, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._scheduled(), name="planned drills")
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                report = self._report
                if report is not None and report.state == "preparing":
                    await self._make(report)

    async def _scheduled(self) -> None:
        """Begin each planned drill at its time, or when the one before it is over."""
        since, due = self._clock.now(), list[PlannedDrill]()
        while True:
            await asyncio.sleep(1.0)
            now = self._clock.now()
            for planned in self._generation().config.drills:
                if planned not in due and times(planned.cron, planned.timezone, since, now):
                    due.append(planned)
            since = max(since, now)
            if due and (self._report is None or self._report.state == "over"):
                self._begin_planned(due.pop(0))

    def _begin_planned(self, planned: PlannedDrill) -> None:
        try:
            self.begin(planned.check, planned.fault)
        except (KeyError, ProbeError) as error:
            log.warning("a planned drill was not made: %s", error, extra={"check": planned.check})

    # --- one drill ----------------------------------------------------------------------------------------------------

    async def _make(self, report: Report) -> None:
        try:
            await self._drill(report)
        except ProbeError as error:
            report.trouble = str(error)
        except Exception as error:  # a bug in a drill must not stop the daemon, and is no drill that arrived
            log.exception("a drill has a bug", extra={"check": report.check})
            report.trouble = f"a bug in probe: {type(error).__name__}: {error}"
        finally:
            self._planted.clear()
            self._replan()
            report.state = "over"
        if report.trouble:
            log.error("a drill did not arrive: %s", report.trouble, extra={"check": report.check})
            self._raise_alarm(report)
        else:
            extra = {"check": report.check, "detected": _rounded(report.detected), "told": _rounded(report.told)}
            log.info("a drill arrived", extra=extra)

    async def _drill(self, report: Report) -> None:
        fault = await self._place(report)
        report.request, report.step = fault.request, fault.step
        key = drilled(report.check)
        watched = self._generation().rules.checks.get(report.check)
        if watched is None:
            raise ProbeError("it is no longer configured")
        to_judge = max(TO_JUDGE, watched.every * LONGEST).total_seconds()
        to_tell = max(TO_TELL, watched.every * LONGEST).total_seconds()
        self._planted[key] = Drill(fault=fault, spare=True)
        self._cause = f"{PREFIX}{watched.cause}"
        report.planted, report.state = self._clock.now(), "planted"
        self._replan()
        if not await self._until(lambda: self._seen(report), to_judge):
            raise ProbeError(f"{report.kind} at {report.request} was not detected within {to_judge:.0f} s")
        if not await self._until(lambda: report.told is not None, to_tell):
            what = f"it was detected after {report.detected:.1f} s"
            raise ProbeError(f"{what}, and no channel took the alert in {to_tell:.0f} s more")
        report.state = "told"
        self._planted.clear()
        self._replan()  # the incident of what is no longer watched is resolved
        await self._until(lambda: self._open() is None, to_tell)
        report.resolved = self._since(report)

    async def _place(self, report: Report) -> Fault:
        """Where the fault is planted: in the first step of a clean run that has a place for it."""
        generation = self._generation()
        found = next((job for job in generation.jobs if job.spec.id == report.check), None)
        if found is None:
            raise ProbeError("it is no longer configured")
        job = _job(found)
        clean = await generation.run(job, Why.DRILL, drill=Drill(record=True, spare=True))
        notes = clean.observation.drill
        if clean.outcome is not Outcome.PASSED or notes is None:
            why = "" if clean.failure is None else f": {clean.failure}"
            raise ProbeError(f"its clean run {clean.outcome}{why}; a drill needs a check that passes")
        limits = limits_of(job.spec) | {s.name: s.within for s in clean.observation.steps if s.within is not None}
        place = next((fault for fault in plan(notes.asked, limits) if fault.kind is report.kind), None)
        if place is None:
            raise ProbeError(f"there is no place for {report.kind} in what the check asks for before its side effects")
        return place

    def _seen(self, report: Report) -> bool:
        incident = self._open()
        if incident is not None and report.detected is None:
            report.detected, report.incident = self._since(report), incident.id
            report.verdict, report.routed = incident.verdict.value, incident.told
        return report.detected is not None

    def _open(self) -> Incident | None:
        return self._service.state.incidents.get(self._cause)

    def _hear(self, attempt: Attempt) -> None:
        """An attempt to notify: one of the drill's, that a channel took, is what a drill is for."""
        report = self._report
        if report is None or report.state != "planted" or attempt.fate is not Fate.SENT:
            return
        if self._seen(report) and attempt.key.startswith(f"{report.incident}:"):
            report.told = self._since(report) if report.told is None else report.told
            report.channels.setdefault(attempt.key.rpartition(":")[2], self._since(report))

    async def _until(self, holds: Callable[[], bool], limit: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while not holds():
            if loop.time() >= end:
                return False
            await asyncio.sleep(LOOK)
        return True

    def _since(self, report: Report) -> float:
        assert report.planted is not None, "asked for when the fault is planted"
        return (self._clock.now() - report.planted).total_seconds()

    def _raise_alarm(self, report: Report) -> None:
        """Say through every other channel that a drill did not arrive."""
        now, watched = self._clock.now(), self._generation().rules.checks.get(report.check)
        cause = f"{PREFIX}{report.check if watched is None else watched.cause}"
        channels = tuple(self._generation().config.channels)
        others = tuple(name for name in channels if name not in report.routed) or channels
        message = Message(
            title=f"{MARK} did not arrive: {report.check}",
            body=f"{MARK} of {report.check!r} with the fault {report.kind.value!r}, begun {report.began:%Y-%m-%d %H:%M:%S} UTC:\n"
            f"{MARK} {report.trouble}\n"
            f"{MARK} Had this been a real outage, nobody would have been told. Channels asked: "
            f"{', '.join(report.routed) or 'none'}",
            verdict=Verdict.PROBE_FAULT,
            severity=Severity.TICKET,
            since=report.began,
            checks=(report.check,),
            cause=cause,
            reproduce=f"probe drill --live {report.check}",
            drill=True,
        )
        stamp = f"{now:%Y%m%dT%H%M%S.%f}"
        self._service.recorder.say(
            tuple(
                Notification(
                    key=f"{cause}:{stamp}:{name}",
                    channel=name,
                    incident=IncidentId(f"drill-{report.check}-{stamp}"),
                    reason=Reason.OPENED,
                    number=1,
                    created=now,
                    message=message,
                )
                for name in others
            )
        )


@dataclass(frozen=True, slots=True)
class _Whole:
    """A watch who is told of runs that ended before side effects as of whole ones: the fault was planted before them."""

    watch: Watch

    def started(self, job: Job) -> None:
        """The job has its place."""
        self.watch.started(job)

    def ended(self, job: Job, run: Run) -> None:
        """The job has ended."""
        self.watch.ended(job, replace(run, observation=replace(run.observation, stopped_before=None)))


def _job(job: Job) -> Job:
    """The job of the drilled check."""
    return Job(replace(job.spec, id=drilled(job.spec.id), slo=None), job.region)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
