"""Everything at a glance."""

from typing import Any, TypedDict

from probe.view.documents.shared import Cell, IncidentRow, ObjectiveRow


class CheckRow(TypedDict):
    """A check in all its regions. `cells` are in the order of the overview's `regions`; `None`: it does not run from there."""

    check: str
    description: str
    kind: str
    verdict: str
    every: float
    tags: list[str]
    incident: str | None
    cells: list[Cell | None]


class TargetRow(TypedDict):
    """A target, with the worst verdict of its checks, worst first."""

    target: str
    host: str
    verdict: str
    checks: list[CheckRow]


class RegionRow(TypedDict):
    """A region: outcomes of its runs in the last hour, `coverage` of what was due then, why it is not listened to, if so."""

    region: str
    outcomes: dict[str, int]
    coverage: float | None
    trouble: str | None


class ChannelRow(TypedDict):
    """A channel: what waits for it, since when, and why it is disabled."""

    channel: str
    pending: int
    oldest: str | None
    disabled: str | None


class Health(TypedDict):
    """The probes themselves. `trouble` is everything that somebody should mend, in words; empty: all is well.

    `daemon` is what the daemon says of itself (`probe.web.ports.Live`); `None`: none answers. `alive` is its last sign of
    life that was stored. `lag` is how late runs began in the last minutes (median and worst, seconds).
    """

    alive: str | None
    trouble: list[str]
    coverage: float | None
    lag: float | None
    worst_lag: float | None
    daemon: dict[str, Any] | None


class VisitorsRow(TypedDict):
    """What visitors of the status page reported of a component lately, and what is usual in as long a time."""

    component: str
    name: str
    count: int
    usual: float
    unusual: bool
    since: str


class Overview(TypedDict):
    """Everything at a glance; open incidents first, pages before tickets."""

    now: str
    regions: list[str]
    incidents: list[IncidentRow]
    targets: list[TargetRow]
    objectives: list[ObjectiveRow]
    places: list[RegionRow]
    channels: list[ChannelRow]
    health: Health
    visitors: list[VisitorsRow]
    recent: list[IncidentRow]
    """Resolved in the last day, newest first."""
