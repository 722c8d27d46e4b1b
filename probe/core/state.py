"""What judgement remembers: small values for each check, region and objective, and what one event changes in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from probe.core.check import CheckId
from probe.core.failure import Failure
from probe.core.incident import Entry, Incident
from probe.core.ledger import Ledger
from probe.core.notification import Notification
from probe.core.run import Outcome, RunId, Slot, Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Runs to be counted for an objective: `good`, `bad`, or `lost` (no answer: they lower coverage). May be negative.

    `at` is when they were due.
    """

    objective: str
    at: datetime
    good: int = 0
    bad: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A check in one region: its last slot, and the rows of good and bad runs that it stands in.

    Only runs that say something about the target (`passed`, `failed`) make or break the rows `fails` and `passes`;
    `errors` counts runs of our own trouble since the last of these. `since` is the start of the first run of the
    present row, `at` the end of the last run that counted. `bad` is what a failing row was counted as: taken back, should
    it turn out that it was us.
    """

    slot: Slot | None = None
    outcome: Outcome | None = None
    at: datetime | None = None
    since: datetime | None = None
    fails: int = 0
    passes: int = 0
    errors: int = 0
    run: RunId | None = None
    """The first run of the present failing row."""
    failure: Failure | None = None
    """Of the first run of the present failing row."""
    trouble: Failure | None = None
    """Our own, of the last run that errored, while `errors` are not none."""
    picture: str | None = None
    bad: tuple[Tally, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """A check in all its regions. `asked` is when confirmation was last asked for; `None`: nothing is suspected."""

    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    asked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionState:
    """One of our own regions: whether its control run, which needs nothing of any target, works.

    `blind` is since when it does not: what fails there now says nothing about targets. `asked` is when a control run
    was last asked for, `answered` when the last one ended.
    """

    blind: datetime | None = None
    asked: datetime | None = None
    answered: datetime | None = None
    failure: Failure | None = None
    run: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveState:
    """`explained` is until when its bad runs belong to an incident that was told already."""

    explained: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A run that is wanted at once, beside the schedule."""

    check: CheckId
    region: str
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one event changes: new values for what is named, things to write down, to count, to say and to do."""

    checks: Mapping[CheckId, CheckState] = field(default_factory=lambda: MappingProxyType({}))
    regions: Mapping[str, RegionState] = field(default_factory=lambda: MappingProxyType({}))
    objectives: Mapping[str, ObjectiveState] = field(default_factory=lambda: MappingProxyType({}))
    incidents: Mapping[str, Incident] = field(default_factory=lambda: MappingProxyType({}))
    """By cause. One that is resolved leaves the state."""
    tallies: tuple[Tally, ...] = ()
    entries: tuple[Entry, ...] = ()
    notifications: tuple[Notification, ...] = ()
    asks: tuple[Ask, ...] = ()


@dataclass(slots=True)
class State:
    """All that is remembered. Changed by `apply` alone.

    `incidents` are the open ones, by cause; `ledgers` hold the counts of each objective; `suspects` are the checks
    that confirmation was asked for.
    """

    checks: dict[CheckId, CheckState] = field(default_factory=dict)
    regions: dict[str, RegionState] = field(default_factory=dict)
    objectives: dict[str, ObjectiveState] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    suspects: set[CheckId] = field(init=False)

    def __post_init__(self) -> None:
        self.suspects = {name for name, check in self.checks.items() if check.asked is not None}

    def apply(self, change: Change) -> None:
        """Take over what an event has changed."""
        self.checks.update(change.checks)
        for name, check in change.checks.items():
            if check.asked is None:
                self.suspects.discard(name)
            else:
                self.suspects.add(name)
        self.regions.update(change.regions)
        self.objectives.update(change.objectives)
        for cause, incident in change.incidents.items():
            if incident.resolved is None:
                self.incidents[cause] = incident
            else:
                self.incidents.pop(cause, None)
        for tally in change.tallies:
            self.ledgers.setdefault(tally.objective, Ledger()).add(
                tally.at, good=tally.good, bad=tally.bad, lost=tally.lost
            )
