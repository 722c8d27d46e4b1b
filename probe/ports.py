"""The ports: what the engine needs of the world. Tiny on purpose; one contract test suite each."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from probe.core.check import CheckSpec
from probe.core.run import Observation, RunId, Why
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserSettings, Region, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberSettings:
    """What every prober is built from. `scratch` is a folder of ours for temporary files, removed at the end."""

    browser: BrowserSettings
    scratch: Path
    secrets: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a prober is told about one run, besides the check.

    `marks` are the headers by which the shop can tell synthetic requests (User-Agent suffix, marker header,
    traceparent, baggage). `evidence_dir` is where this run's artifacts go; it is made by whoever writes the first one;
    `None`: keep none.
    """

    run: RunId
    why: Why
    region: Region
    target: Target
    marks: "Marks"
    redactor: Redactor
    evidence_dir: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How a synthetic request is told from a customer's. `headers` go to the target's own hosts only."""

    user_agent: str
    """A product token such as `probe/0.1.0`: HTTP checks send it alone, a browser appends it to its own."""
    headers: Mapping[str, str]
    trace_id: str


class Prober(Protocol):
    """Executes checks of one sort.

    `probe` returns within `spec.timeout` plus two seconds of clean-up, raises nothing but `CancelledError` and
    `ProberUnavailable`, and leaves no process, task or temporary file behind, also when
    cancelled.
    """

    async def probe(self, spec: CheckSpec, context: RunContext) -> Observation:
        """Run the check once and say what was seen."""
        ...


class ProberFactory(Protocol):
    """What the registry names: gives a prober for the time of a `async with`."""

    def __call__(self, settings: ProberSettings) -> AbstractAsyncContextManager[Prober]:
        """A prober, built from the settings, open for the time of the context."""
        ...


class Clock(Protocol):
    """Wall time: aware UTC. Durations come from `time.monotonic`, never from here."""

    def now(self) -> datetime:
        """The present moment."""
        ...
