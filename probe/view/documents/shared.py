"""What several documents show: a stretch of time, why something does not pass, runs, incidents and objectives in a row."""

from typing import TypedDict


class Period(TypedDict):
    """The stretch of time that a document is about, and the width of its columns in seconds."""

    start: str
    end: str
    column: float


class Failing(TypedDict):
    """Why something does not pass, in short."""

    layer: str
    kind: str
    message: str
    step: str | None


class Cell(TypedDict):
    """A check in a region. `state`: `passed failed errored missed aborted`, or `unknown` (stale, or never run), or `blind` (the region's own network fails).

    `bars` are the outcomes of its last runs, oldest first, a letter each (`p f e m a`); `heights` as many digits: how long
    each took beside what is usual there (4: as usual, 9: more than twice). `at` is when the last one ended, `run` its id.
    """

    region: str
    state: str
    bars: str
    heights: str
    at: str | None
    age: float | None
    run: str | None
    failing: Failing | None


class RunRow(TypedDict):
    """A run as a list shows it. `slots` is more than 1 where it stands for as many."""

    run: str
    check: str
    region: str
    why: str
    outcome: str
    started: str
    duration: float
    slots: int
    lag: float
    maintenance: str | None
    stopped_before: str | None
    failing: Failing | None


class RunPage(TypedDict):
    """Runs, newest first; `next` is what to ask for to go on (`cursor`), `None`: that was all."""

    runs: list[RunRow]
    next: str | None


class IncidentRow(TypedDict):
    """An incident as a list shows it. `title` says it in a line; `customers` what they cannot do, in words."""

    id: str
    title: str
    cause: str
    verdict: str
    severity: str
    since: str
    opened: str
    resolved: str | None
    lasted: float
    checks: list[str]
    regions: list[str]
    failing: Failing | None
    customers: str
    told: list[str]
    acknowledged: str | None
    acknowledged_by: str | None
    muted_until: str | None
    relapses: int


class IncidentPage(TypedDict):
    """Incidents, newest first; `next` as in a `RunPage`."""

    incidents: list[IncidentRow]
    next: str | None


class ObjectiveRow(TypedDict):
    """An objective as it stands. `state`: `ok burning spent unknown`. `words` says it in a line."""

    objective: str
    promised: float
    window: str
    checks: list[str]
    step: str | None
    under: float | None
    attained: float | None
    attained_within: list[float] | None
    left: float
    coverage: float
    good: int
    bad: int
    lost: int
    state: str
    words: str


class MarkRow(TypedDict):
    """A moment or a stretch that graphs show: `kind` is `deploy`, `build` (a build id that was first seen then), `maintenance` or `incident`, or a user's own."""

    kind: str
    at: str
    until: str | None
    text: str
    incident: str | None
