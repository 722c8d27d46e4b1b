"""The objectives of a month."""

from typing import TypedDict


class Cost(TypedDict):
    """What an incident cost an objective: bad runs, and the share of the month's budget that they used."""

    incident: str
    title: str
    since: str
    until: str | None
    bad: int
    budget: float


class Excluded(TypedDict):
    """Time that did not count, and why. `runs`: how many were not counted."""

    start: str
    end: str
    why: str
    runs: int


class ObjectiveMonth(TypedDict):
    """An objective in a month. `met` is `None` while it cannot be said (coverage too low, nothing counted)."""

    objective: str
    promised: float
    checks: list[str]
    step: str | None
    under: float | None
    good: int
    bad: int
    lost: int
    attained: float | None
    met: bool | None
    budget: float
    """Bad runs that were allowed in the month."""
    used: float
    """Share of the budget that was used; more than 1: overspent."""
    coverage: float
    least_coverage: float
    costs: list[Cost]
    excluded: list[Excluded]
    days: list[tuple[str, int, int, int]]
    """Day, good, bad, lost."""


class SloReport(TypedDict):
    """All objectives in a month (`2026-11`). `complete`: the month is over. `until` is how far it goes."""

    month: str
    start: str
    until: str
    complete: bool
    objectives: list[ObjectiveMonth]
