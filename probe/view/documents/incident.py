"""An incident with everything: what is broken, for whom, since when, and why."""

from typing import TypedDict

from probe.view.documents.run import RunDocument
from probe.view.documents.shared import Failing, IncidentRow, MarkRow, ObjectiveRow, RunRow


class Suffering(TypedDict):
    """A check that an incident is about."""

    check: str
    regions: list[str]
    since: str
    recovered: str | None
    run: str
    failing: Failing
    expected: str | None
    actual: str | None
    url: str | None
    evidence: str
    description: str


class Line(TypedDict):
    """A line of the timeline. `what` is a word of docs/json.md, or `first_bad`, `confirmed`, `note`, `told`, `mark`.

    Of `told`: `channel`, `reason`, `fate`, and in `text` what the channel answered (the receipt).
    """

    at: str
    what: str
    text: str
    run: str | None
    by: str | None
    channel: str | None
    reason: str | None
    fate: str | None


class Cause(TypedDict):
    """What is likely the reason, with what speaks for it and against it, in words. `confidence` is `likely`, `possible` or `unclear`."""

    layer: str
    words: str
    confidence: str
    evidence_for: list[str]
    evidence_against: list[str]
    look_at: list[str]


class Place(TypedDict):
    """A region as the incident sees it: whether it is affected, and the runs that say so."""

    region: str
    affected: bool
    words: str
    first_bad: str | None
    last_good: str | None


class NoteRow(TypedDict):
    """A note of an operator."""

    id: int
    at: str
    by: str
    text: str


class IncidentDocument(TypedDict):
    """An incident with everything: what is broken (`checks`, `steps`), for whom (`places`, `customers`), since when, and why (`cause`)."""

    incident: IncidentRow
    now: str
    checks: list[Suffering]
    places: list[Place]
    cause_words: Cause
    first_run: RunDocument | None
    """The run that speaks for all: its evidence and comparison are the incident's."""
    timeline: list[Line]
    notes: list[NoteRow]
    runs: list[RunRow]
    """Of the affected checks, around the beginning: newest first."""
    budgets: list[ObjectiveRow]
    marks: list[MarkRow]
    reproduce: str
