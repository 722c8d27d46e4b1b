"""An incident: something that customers, or we, are suffering from, from the first bad run to the recovery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.rules import Severity
from probe.core.run import RunId

IncidentId = NewType("IncidentId", str)


class Verdict(StrEnum):
    """What the runs of all regions mean together."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    REGIONAL = "regional"
    THIRD_PARTY = "third_party"
    BLOCKED = "blocked"
    PROBE_FAULT = "probe_fault"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A check that suffers from an incident's cause.

    `regions` are those it has failed from. `failure` is that of the first bad run, `run`, which began at `since`;
    `recovered` is when the first of the good runs began that end it. `evidence` is which runs convinced us, in words,
    `changed` what was otherwise in the first bad run than in the last good one.
    """

    check: CheckId
    regions: tuple[str, ...]
    since: datetime
    run: RunId
    failure: Failure
    picture: str | None = None
    recovered: datetime | None = None
    evidence: str = ""
    changed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Opened, updated, resolved; at most one is open for a cause.

    `members` are in the order in which they came to be known. `cause` is a host (`shop.example`), a region of ours (`probe:eu-west`), or an objective (`slo:checkout`). `since` is
    the start of the first bad run, `opened` when it was decided. `told` are the channels that were told of it, to
    which everything further goes. `announced` counts what was said, and makes each announcement's key its own.
    """

    id: IncidentId
    cause: str
    verdict: Verdict
    severity: Severity
    since: datetime
    opened: datetime
    members: Mapping[CheckId, Member] = field(default_factory=lambda: MappingProxyType({}))
    burns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Objectives that burn → in which words its timeline tells it. An incident without members is about these alone."""
    told: tuple[str, ...] = ()
    announced: int = 0
    relapses: int = 0
    """How often it was resolved, and came back."""
    reminded: datetime | None = None
    acknowledged: datetime | None = None
    acknowledged_by: str = ""
    muted_until: datetime | None = None
    resolved: datetime | None = None
    """When customers could buy again: the start of the good runs that ended it. `None`: it is open."""

    @property
    def first(self) -> Member | None:
        """The member that speaks for all: of those that it opened with, the one that failed first."""
        return next(iter(self.members.values()), None)


class What(StrEnum):
    """What an entry of an incident's timeline tells."""

    OPENED = "opened"
    REOPENED = "reopened"
    EVIDENCE = "evidence"
    JOINED = "joined"
    VERDICT = "verdict"
    SEVERITY = "severity"
    ESCALATED = "escalated"
    REMINDED = "reminded"
    BURN = "burn"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    UNMUTED = "unmuted"
    RECOVERED = "recovered"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the timeline of an incident. `run` is the run that brought it about."""

    incident: IncidentId
    at: datetime
    what: What
    text: str
    run: RunId | None = None
