"""A check over time."""

from typing import TypedDict

from probe.view.documents.shared import Cell, IncidentRow, MarkRow, ObjectiveRow, Period, RunRow


class Column(TypedDict):
    """The runs of one column of time in one region (`region` `""`: all). Durations are of those that passed."""

    start: str
    region: str
    passed: int
    failed: int
    errored: int
    missed: int
    p50: float | None
    p95: float | None
    p99: float | None


class StepColumn(TypedDict):
    """How long each step took in one column of time: the median of `sampled` runs. `run` is one of them."""

    start: str
    region: str
    run: str | None
    sampled: int
    steps: list[float | None]
    """In the order of the journey's `steps`; `None`: no run reached it."""


class VitalsPoint(TypedDict):
    """Web vitals of the pages of one run: seconds, but for `cls`."""

    at: str
    region: str
    run: str
    url: str
    ttfb: float | None
    fcp: float | None
    lcp: float | None
    cls: float | None
    inp: float | None


class FailureGroup(TypedDict):
    """Failures of one sort at one step: how many, from where, first and last, and the last run of them."""

    step: str | None
    layer: str
    kind: str
    message: str
    count: int
    regions: list[str]
    first: str
    last: str
    run: str


class BurnPoint(TypedDict):
    """How much of the error budget was left at a moment."""

    at: str
    left: float


class Burndown(TypedDict):
    """The budget of an objective that the check counts for, over its window."""

    objective: ObjectiveRow
    points: list[BurnPoint]


class Journey(TypedDict):
    """A check over time. `steps` are the names of its steps; `limits` the `within` of each, as last seen."""

    check: str
    description: str
    kind: str
    target: str
    host: str
    verdict: str
    every: float
    timeout: float
    regions: list[str]
    tags: list[str]
    source: str | None
    period: Period
    steps: list[str]
    limits: list[float | None]
    columns: list[Column]
    step_columns: list[StepColumn]
    vitals: list[VitalsPoint]
    failures: list[FailureGroup]
    budgets: list[Burndown]
    marks: list[MarkRow]
    cells: list[Cell]
    runs: list[RunRow]
    """The newest of the period."""
    incidents: list[IncidentRow]
