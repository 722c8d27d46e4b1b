"""The ports: what the engine needs of the world. Tiny on purpose; one contract test suite each."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from probe.core.check import CheckSpec
from probe.core.fault import Drill
from probe.core.notification import Attempt, Notification
from probe.core.run import Observation, Run, RunId, Why
from probe.core.secret import Redactor, Secret
from probe.core.state import Change, State
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
    `None`: keep none. `reference_dir` is where the pictures are of how the check looks from this region when all is well.
    `drill` is what a drill asks of the run.
    """

    run: RunId
    why: Why
    region: Region
    target: Target
    marks: "Marks"
    redactor: Redactor
    evidence_dir: Path | None = None
    reference_dir: Path | None = None
    drill: Drill | None = None

    @property
    def spares(self) -> bool:
        """Whether the run ends before the side effects of its check; a drill may keep them from the shop instead."""
        return self.why.spares and (self.drill is None or self.drill.spare)


REFERENCE: Final = "reference"
"""The folder of these pictures, by region: it lies among those of the runs of a check, and is none of them."""

RUNNING: Final[ContextVar[Mapping[str, str]]] = ContextVar("RUNNING", default=MappingProxyType({}))
"""Check, run and region that the present task works for: every line that is logged on the way says which."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is written in one transaction: runs, what they changed, what is to be said, and what was tried.

    `changes` are in the order in which they came about. `alive` is a sign of life: until when we were surely running.
    """

    runs: tuple[Run, ...] = ()
    changes: tuple[Change, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    alive: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was remembered when we were last running.

    `pending` are the notifications whose fate is open, in their order, `tries` how often each was tried, `again` when
    it is tried next.
    """

    state: State = field(default_factory=State)
    pending: tuple[Notification, ...] = ()
    tries: Mapping[str, int] = field(default_factory=dict)
    again: Mapping[str, datetime] = field(default_factory=dict)
    alive: datetime | None = None


class Store(Protocol):
    """Our memory. What `commit` has returned from survives whatever is killed, and a loss of power.

    A run, or a notification, that is committed again is stored once. All methods raise `StoreUnavailable`, and have
    then changed nothing: the same record may be committed again later.
    """

    async def restore(self) -> Restored:
        """What was remembered: once, at the start."""
        ...

    async def commit(self, record: Record) -> None:
        """Write it down, all of it or nothing."""
        ...

    async def tidy(self, now: datetime) -> None:
        """Roll up and forget what is older than it is kept for. May take long; commits go on meanwhile."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """What a notifier is built from: where a channel leads to. `key` signs what is sent, where a kind can do that.

    `kind` is the notifier's name in the registry. `urls` are one for most kinds, each instance of a cluster for
    `alertmanager`. `timeout` is how long one attempt may take.
    """

    name: str
    kind: str
    urls: tuple[Secret, ...] = ()
    key: Secret | None = None
    timeout: timedelta = timedelta(seconds=30)


class Notifier(Protocol):
    """Sends to one channel.

    `send` returns what the service answered (for the log of attempts, without secrets), or raises `NotifyError`.
    It may be called again with the same notification, whose `key` tells the service that it is the same. `repeat` is
    how often `refresh` is called with the latest notification of every incident that is open and was told here;
    `None`: never.
    """

    repeat: timedelta | None

    async def send(self, notification: Notification) -> str:
        """Send it once."""
        ...

    async def send_digest(self, notifications: Sequence[Notification]) -> str:
        """Send several as one message: there are more than anybody would read one by one."""
        ...

    async def refresh(self, notifications: Sequence[Notification]) -> str:
        """Say that these are still so."""
        ...


class NotifierFactory(Protocol):
    """What the registry names: gives a notifier for the time of a `async with`."""

    def __call__(self, settings: ChannelSettings, redactor: Redactor) -> AbstractAsyncContextManager[Notifier]:
        """A notifier, built from the settings; `ProbeError` says why they cannot be used."""
        ...
