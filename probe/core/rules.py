"""What judgement needs to know of the configuration: what is watched, what is promised, and who is told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from probe.core.check import CheckId
from probe.core.maintenance import Window


class Severity(StrEnum):
    """How soon somebody must look: at the next opportunity, or now."""

    TICKET = "ticket"
    PAGE = "page"


class Calendar(StrEnum):
    """Windows of an objective that begin anew with the calendar, in UTC."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A check, as judgement sees it.

    `cause` is what its failures are put down to together with those of other checks: the host of its target. `every`
    is the longest time between two of its runs in a region. `promise` is what its customers want to do, in words.
    `spared` are the steps that runs made to confirm do not reach, because they do something that stays. `confirm_with` is
    the check to be run in its place when confirmation is asked for.
    """

    id: CheckId
    target: str
    cause: str
    regions: tuple[str, ...]
    every: timedelta
    timeout: timedelta
    promise: str = ""
    tags: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    confirm_with: CheckId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One promise that is kept by counting: which runs count, which of them are good, and how many must be.

    A run of one of `checks` is good when it passed; with `step`, when that step passed; with `under` (seconds), when
    the step, or the whole run, took no longer. `target` is the share of good runs, 0 to 1. `coverage` is the share of
    the schedule that must have been counted for the objective to be known at all.
    """

    name: str
    checks: frozenset[CheckId]
    target: float
    window: timedelta | Calendar = timedelta(days=30)
    step: str | None = None
    under: float | None = None
    coverage: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Who else is told when nobody has acknowledged for `after`."""

    after: timedelta
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who is told of which incidents. What is empty or `None` holds for all. All routes that match count."""

    channels: tuple[str, ...]
    severity: Severity | None = None
    checks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    remind: timedelta | None = None
    escalate: Escalation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that judgement goes by. `controls` names the control check of a region, where it has one.

    `counted` gives the objectives that a check counts for. In a fleet the checks are judged in parts (core/shards.py):
    `known` are checks that are judged in another part, which are named here, and routed by, when they suffer from
    trouble of our own. `own` says whether that trouble is told from here. `pages` is the address by which people reach our
    pages, without a slash at its end; `""`: it is not known.
    """

    checks: Mapping[CheckId, Watched] = field(default_factory=lambda: MappingProxyType({}))
    objectives: Mapping[str, Objective] = field(default_factory=lambda: MappingProxyType({}))
    routes: tuple[Route, ...] = ()
    windows: tuple[Window, ...] = ()
    controls: Mapping[str, CheckId] = field(default_factory=lambda: MappingProxyType({}))
    known: Mapping[CheckId, Watched] = field(default_factory=lambda: MappingProxyType({}))
    own: bool = True
    pages: str = ""
    counted: Mapping[CheckId, tuple[Objective, ...]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[CheckId, tuple[Objective, ...]] = {}
        for objective in self.objectives.values():
            for check in objective.checks:
                found[check] = (*found.get(check, ()), objective)
        object.__setattr__(self, "counted", MappingProxyType(found))

    def watched(self, check: CheckId) -> Watched | None:
        """A check, wherever it is judged; `None`: there is none of that id any more."""
        return self.checks.get(check) or self.known.get(check)

    def regions(self) -> tuple[str, ...]:
        """All regions that anything is watched from, in order."""
        every = (*self.checks.values(), *self.known.values())
        return tuple(sorted({region for watched in every for region in watched.regions}))

    def within(self, regions: Collection[str]) -> "Rules":
        """The rules for runs from some of the regions alone: what a node of a fleet judges by while it is cut off.

        Objectives stay, with the checks that are left: what was counted elsewhere is not known here.
        """
        checks = {
            check: replace(watched, regions=here)
            for check, watched in self.checks.items()
            if (here := tuple(region for region in watched.regions if region in regions))
        }
        controls = {region: check for region, check in self.controls.items() if region in regions}
        return replace(self, checks=MappingProxyType(checks), controls=MappingProxyType(controls))
