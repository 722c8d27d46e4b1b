"""What judgement remembers: small values for each check, region and objective, and what one event changes in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from probe.core.check import CheckId
from probe.core.confirm import FULL, Purse, Suspicion
from probe.core.detector import Evidence
from probe.core.fact import Fact
from probe.core.failure import Failure
from probe.core.habits import UNKNOWN, Habits
from probe.core.holds import Held
from probe.core.incident import Entry, Incident, Verdict
from probe.core.ledger import Ledger
from probe.core.notification import Notification
from probe.core.run import Outcome, RunId, Slot, Why

RETURNS: Final = timedelta(minutes=30)
"""Trouble of a cause that comes back so soon after its incident was resolved is the same incident."""


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
    """A check in one region: its last slot, and the trouble that it has there.

    Only runs that say something about the target (`passed`, `failed`) make trouble; `errors` counts runs of our own
    trouble since the last of these. `fails` are the failed runs since `since`, when the first of them began, `at` is the
    end of the last run that counted. `bad` is what they were counted as: taken back, should it turn out that it was us.
    """

    slot: Slot | None = None
    outcome: Outcome | None = None
    at: datetime | None = None
    since: datetime | None = None
    fails: int = 0
    errors: int = 0
    run: RunId | None = None
    """The first run of the present trouble."""
    failure: Failure | None = None
    """Of the first run of the present trouble."""
    trouble: Failure | None = None
    """Our own, of the last run that errored, while `errors` are not none."""
    picture: str | None = None
    bad: tuple[Tally, ...] = ()
    changed: str = ""
    """What was otherwise in the first run of the present trouble than in the last good one, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Trouble that was told: when it began, its last bad run, and the share of bad runs."""

    since: float
    last: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """A check in all its regions: the runs that matter now, what is usual, and what is suspected, held back and told.

    `held` and `opened` are by the key of a trouble (core/holds.py). `suspicion` is `None` while nothing speaks against the
    target. `purse` is what may be spent on extra runs. `verdict` is the one that stands.
    """

    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    trail: tuple[Fact, ...] = ()
    habits: Habits = UNKNOWN
    suspicion: Suspicion | None = None
    held: Mapping[str, Held] = field(default_factory=lambda: MappingProxyType({}))
    opened: Mapping[str, Opened] = field(default_factory=lambda: MappingProxyType({}))
    purse: Purse = FULL
    verdict: Verdict = Verdict.OK

    def anew(self) -> "CheckState":
        """The state from which it is judged as if it were new, but for its slots."""
        return CheckState(places={name: Place(slot=p.slot, outcome=p.outcome) for name, p in self.places.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionState:
    """One of our own regions: whether its control run, which needs nothing of any target, works.

    `blind` is since when it does not: what fails there now says nothing about targets; `ill` is when a control run
    failed last. `asked` is when a control run was first asked for that has not answered, `tried` when one was last asked for,
    `answered` when the last one ended, or a control sample was well that was taken as a run failed; `sampled` is when
    that was last. `silent` is since when nothing was heard from the region: it takes no part in any judgement.
    `errors` are the runs in a row that could not be made there, by check, where these are not judged here.
    """

    blind: datetime | None = None
    ill: datetime | None = None
    asked: datetime | None = None
    tried: datetime | None = None
    answered: datetime | None = None
    failure: Failure | None = None
    run: RunId | None = None
    sampled: datetime | None = None
    silent: datetime | None = None
    errors: Mapping[CheckId, int] = field(default_factory=lambda: MappingProxyType({}))


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


class Weighed(NamedTuple):
    """A trail, and what it says."""

    trail: tuple[Fact, ...]
    evidence: Evidence


NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class Change(NamedTuple):
    """What one event changes: new values for what is named, things to write down, to count, to say and to do."""

    checks: Mapping[CheckId, CheckState] = NOTHING
    regions: Mapping[str, RegionState] = NOTHING
    objectives: Mapping[str, ObjectiveState] = NOTHING
    incidents: Mapping[str, Incident] = NOTHING
    """By cause. One that is resolved leaves the state."""
    tallies: tuple[Tally, ...] = ()
    entries: tuple[Entry, ...] = ()
    notifications: tuple[Notification, ...] = ()
    asks: tuple[Ask, ...] = ()
    weighed: Mapping[CheckId, Weighed] = NOTHING
    """What came of weighing the trails of checks: kept so as not to do it again, and never stored."""


def _is_hot(check: CheckState) -> bool:
    return check.suspicion is not None and check.suspicion.is_hot


@dataclass(slots=True)
class State:
    """All that is remembered. Changed by `apply` alone.

    `incidents` are the open ones, by cause, `closed` those that were resolved not long ago; `ledgers` hold the counts of
    each objective; `suspects` are the checks for which there may be more to ask as time passes.
    """

    checks: dict[CheckId, CheckState] = field(default_factory=dict)
    regions: dict[str, RegionState] = field(default_factory=dict)
    objectives: dict[str, ObjectiveState] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    closed: dict[str, Incident] = field(default_factory=dict)
    weighed: dict[CheckId, Weighed] = field(default_factory=dict, compare=False)
    suspects: set[CheckId] = field(init=False)

    def __post_init__(self) -> None:
        self.suspects = {name for name, check in self.checks.items() if _is_hot(check)}

    @property
    def awake(self) -> bool:
        """Whether the passing of time can change anything: something is suspected, open, or blind."""
        return bool(self.suspects or self.incidents) or any(r.blind is not None for r in self.regions.values())

    def apply(self, change: Change) -> None:
        """Take over what an event has changed."""
        self.checks.update(change.checks)
        for name, check in change.checks.items():
            suspicion = check.suspicion
            if suspicion is None:
                self.suspects.discard(name)
                self.weighed.pop(name, None)
            elif suspicion.is_hot:
                self.suspects.add(name)
            else:
                self.suspects.discard(name)
        if change.weighed:
            self.weighed.update(change.weighed)
        if change.regions:
            self.regions.update(change.regions)
        if change.objectives:
            self.objectives.update(change.objectives)
        for cause, incident in change.incidents.items():
            if incident.resolved is None:
                self.incidents[cause] = incident
                self.closed.pop(cause, None)
            else:
                self.incidents.pop(cause, None)
                limit = incident.resolved - RETURNS
                self.closed = {c: i for c, i in self.closed.items() if i.resolved is not None and i.resolved >= limit}
                self.closed[cause] = incident
        for tally in change.tallies:
            self.ledgers.setdefault(tally.objective, Ledger()).add(
                tally.at, good=tally.good, bad=tally.bad, lost=tally.lost
            )
