"""What the web pages need of the daemon, and the shape of what it says about itself."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypedDict

from probe.core.access import WebSettings
from probe.core.check import CheckId, CheckSpec
from probe.core.diagnostic import Diagnostic
from probe.core.fault import FaultKind
from probe.core.incident import IncidentId
from probe.core.rules import Rules
from probe.core.secret import Redactor
from probe.core.status_page import StatusPage
from probe.core.target import Target


class LiveConfig(TypedDict):
    """The configuration in use: the file it was read from, and a hash of all that was read."""

    path: str
    hash: str


class LiveReload(TypedDict):
    """How the last reload ended. `at` is RFC 3339, `None`: there was none. `error` is what was wrong, `""`: nothing."""

    at: str | None
    ok: bool
    error: str


class LiveRecorder(TypedDict):
    """How writing goes: records that wait, and what is wrong with the store (`None`: nothing)."""

    queued: int
    trouble: str | None


class LiveChannel(TypedDict):
    """One channel: notifications that wait for it, and why it is disabled (`None`: it is not)."""

    pending: int
    disabled: str | None


class Live(TypedDict):
    """What a running daemon knows about itself, as JSON. `started` is RFC 3339 in UTC.

    `jobs` are checks times regions; `running` of them are at work, `waiting` for room; `missed` counts slots since the
    start that nothing was done in. `workers` are the browser processes that are alive. `fleet` is how a node of one stands in it.
    """

    started: str
    pid: int
    config: LiveConfig
    reload: LiveReload
    jobs: int
    running: int
    waiting: int
    missed: int
    workers: int
    recorder: LiveRecorder
    channels: Mapping[str, LiveChannel]
    fleet: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the pages need of the configuration in use. `restricted` are the checks whose evidence is for operators."""

    rules: Rules
    checks: Mapping[CheckId, CheckSpec]
    targets: Mapping[str, Target]
    redactor: Redactor
    hash: str
    web: WebSettings
    status_page: StatusPage
    restricted: frozenset[CheckId]


class Health(Protocol):
    """What the health pages ask."""

    @property
    def redactor(self) -> Redactor:
        """What takes the secrets of the configuration in use out of every answer."""
        ...

    def healthy(self) -> str | None:
        """Why it does not do its work, in words; `None`: it does. Cheap: asked for every request."""
        ...

    def concern(self) -> str | None:
        """What somebody should mend though it works, such as a reload that was refused; `None`: nothing."""
        ...

    def gauges(self) -> Mapping[str, float]:
        """How it is, in numbers, by the names that Prometheus will know them by."""
        ...

    def ready(self) -> bool:
        """Whether start-up is complete and the stop has not begun."""
        ...


class Drills(Protocol):
    """The live drills, one at a time."""

    @property
    def report(self) -> Mapping[str, Any] | None:
        """How the present one goes, or how the last one went; `None`: there was none."""
        ...

    def begin(self, check: CheckId, kind: FaultKind) -> None:
        """Begin one; `KeyError` when the check is none, `ProbeError` when it cannot be made now."""
        ...


class Daemon(Health, Protocol):
    """What the pages and the control socket ask as well. `StoreUnavailable` is told as it is, and so is any other `ProbeError`."""

    def known(self) -> Known:
        """The configuration in use, as far as the pages show it."""
        ...

    def status(self) -> Live:
        """What it knows about itself."""
        ...

    def open_incidents(self) -> Collection[str]:
        """The ids of the incidents that are open: to help those who mistype one."""
        ...

    def places(self) -> Mapping[CheckId, Collection[str]]:
        """The checks, and the regions that each runs from."""
        ...

    async def reload(self) -> tuple[Diagnostic, ...]:
        """Read the configuration again. With an error among the diagnostics the old one stays in use."""
        ...

    async def acknowledge(self, id: IncidentId, by: str) -> None:
        """Somebody takes care of an incident; `KeyError` when it is not open. Written down when it returns."""
        ...

    async def mute(self, id: IncidentId, until: datetime | None, by: str) -> None:
        """Deliver nothing about an incident until then, `None`: deliver again; `KeyError` when it is not open."""
        ...

    async def ask(self, check: CheckId, regions: tuple[str, ...]) -> None:
        """Run a check at once, from these of its regions (empty: from all)."""
        ...

    @property
    def drills(self) -> Drills:
        """The live drills."""
        ...
