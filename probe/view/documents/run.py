"""A run with everything that was seen."""

from typing import Any, TypedDict


class EvidenceRow(TypedDict):
    """A file of evidence: `kind` is `screenshot`, `reference` (how it looked in a good run), `trace`, `har`, `console` or `log`.

    `restricted`: for operators alone. `available`: it can be had from here.
    """

    kind: str
    name: str
    size: int
    type: str
    restricted: bool
    available: bool


class Request(TypedDict):
    """One request on the wire, for the waterfall. `start` counts from the first one; `party` is `own`, `third` or `listed` (a third party that is configured)."""

    method: str
    url: str
    host: str
    status: int | None
    error: str | None
    type: str
    party: str
    step: str | None
    start: float
    duration: float
    phases: dict[str, float | None]
    size: int | None


class DifferenceRow(TypedDict):
    """One thing that is otherwise than in the last good run; see `probe.core.run.Difference`. `words` says it in a line."""

    what: str
    name: str
    before: str | None
    after: str | None
    words: str


class Compared(TypedDict):
    """A failed run beside the last good one."""

    good: str
    at: str
    differences: list[DifferenceRow]


class RunDocument(TypedDict):
    """A run with everything that was seen. `run` is as docs/json.md has it. `details`: whether all of it is still kept."""

    run: dict[str, Any]
    details: bool
    description: str
    requests: list[Request]
    evidence: list[EvidenceRow]
    compared: Compared | None
    incident: str | None
    before: str | None
    """The run of the same check and region before it, by id."""
    after: str | None
    last_good: str | None
    regions: list[str]
    """From where the check can be run again now."""
    reproduce: str
