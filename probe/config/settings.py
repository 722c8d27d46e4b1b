"""What a config says, once read: plain frozen values. No pydantic here, so that everybody may import it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from probe.core.access import WebSettings
from probe.core.check import CheckSpec
from probe.core.diagnostic import Diagnostic
from probe.core.drilled import PlannedDrill
from probe.core.maintenance import Window
from probe.core.rules import Calendar, Route
from probe.core.secret import Secret
from probe.core.status_page import StatusPage
from probe.core.target import BrowserSettings, Evidence, Region, Target
from probe.ports import ChannelSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a check gets that does not say otherwise.

    `timeout` is cut to the interval of a check that runs more often than that. `target` is the only configured
    target when none is named; `None`: a check must name one.
    """

    every: timedelta = timedelta(minutes=1)
    timeout: timedelta = timedelta(seconds=30)
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """How long what is stored is kept, and the bytes of disk set aside for the day it is full; 0: none.

    `keep_details` holds for everything seen by a run that passed, `keep_runs` for the run itself, `keep_failures` for
    runs that did not pass, with all details; `keep_hours` and `keep_days` for the sums of an hour and of a day.
    """

    keep_details: timedelta = timedelta(hours=24)
    keep_runs: timedelta = timedelta(days=14)
    keep_failures: timedelta = timedelta(days=90)
    keep_hours: timedelta = timedelta(days=400)
    keep_days: timedelta = timedelta(days=1825)
    ballast: int = 32 * 2**20


class Role(StrEnum):
    """What a node of a fleet does."""

    ALL = "all"
    """It probes, and it judges and delivers for the whole fleet."""
    AGENT = "agent"
    """It only probes, from its own region."""
    EVALUATE = "evaluate"
    """It only judges and delivers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How a node takes part in a fleet. `node` is its name there.

    `outbox` is the bytes that may wait on its disk for the database, `catch_up` how many runs a second are delivered
    after an absence. After `stale_after` without a word a region is said to be silent. `evidence` is where that of
    failed runs goes: `database`, `off`, or `s3://bucket/prefix`. `fast_path` are the channels by which the node pages by
    itself while it cannot reach the database.
    """

    node: str
    role: Role = Role.ALL
    outbox: int = 2**30
    catch_up: int = 500
    stale_after: timedelta = timedelta(seconds=45)
    evidence: str = "database"
    fast_path: tuple[str, ...] = ()

    @property
    def probes(self) -> bool:
        """Whether it makes runs."""
        return self.role is not Role.EVALUATE

    @property
    def judges(self) -> bool:
        """Whether it judges and delivers."""
        return self.role is not Role.AGENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The second promise of an objective: a share of runs (or of one step) takes no longer than `under`."""

    under: timedelta
    target: float
    step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """An objective as it is written. Which checks count is known when all are loaded: `probe.config.rules`.

    `target` and `coverage` are shares, 0 to 1. `checks` are the ids that it names; others name it.
    """

    name: str
    target: float
    window: timedelta | Calendar = timedelta(days=30)
    checks: tuple[str, ...] = ()
    step: str | None = None
    latency: Latency | None = None
    coverage: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a config file says, checked.

    `path` is the file as it was named; relative paths in it are relative to its folder. `region` is where this process
    runs; `regions` are those that it probes from, that one first; `all_regions` the names of all that the fleet probes
    from, in a single node the same. `data` is absolute, `evidence_dir` lies below it. `declared` are
    the checks of the TOML file alone: `probe.loader.load_checks` adds those of the Python files under `check_paths`.
    `secrets` is every value that must not be shown: what the redactor is made of.

    The daemon's part: `listen` is host and port of the health pages (port 0: any that is free), `heartbeat_url` is
    called every `heartbeat_every` while all is well, `grace` is how long a stop waits for runs, `log` is `console` or
    `json`. `routes` are complete: without any in the file there is one, to all channels. `controls` are unscheduled
    checks, by region; their targets are in `control_targets`.

    The fleet's part: `database` is the URL of its PostgreSQL, `fleet` what this node does in it; both `None` for a
    single node. `document` is what was read, before any `${…}` was filled in: what can be published.
    """

    path: Path
    region: Region = field(default_factory=lambda: Region(name="local"))
    regions: tuple[Region, ...] = ()
    all_regions: tuple[str, ...] = ()
    targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    browser: BrowserSettings = field(default_factory=BrowserSettings)
    evidence: Evidence = field(default_factory=Evidence)
    defaults: Defaults = field(default_factory=Defaults)
    http_concurrency: int = 16
    marker_header: str = "x-synthetic-check"
    user_agent: str | None = None
    """The product token sent as `User-Agent`; `None`: `probe/<version>`."""
    data: Path = Path("~/.local/state/probe")
    check_paths: tuple[Path, ...] = ()
    declared: tuple[CheckSpec, ...] = ()
    secrets: tuple[Secret, ...] = ()
    listen: tuple[str, int] | None = ("127.0.0.1", 9464)
    heartbeat_url: Secret | None = None
    heartbeat_every: timedelta = timedelta(minutes=1)
    grace: timedelta = timedelta(seconds=30)
    log: str = "console"
    log_level: str = "info"
    store: StoreLimits = field(default_factory=StoreLimits)
    database: Secret | None = None
    fleet: Fleet | None = None
    slos: Mapping[str, Slo] = field(default_factory=lambda: MappingProxyType({}))
    channels: Mapping[str, ChannelSettings] = field(default_factory=lambda: MappingProxyType({}))
    routes: tuple[Route, ...] = ()
    windows: tuple[Window, ...] = ()
    drills: tuple[PlannedDrill, ...] = ()
    status_page: StatusPage = field(default_factory=StatusPage)
    web: WebSettings = field(default_factory=WebSettings)
    controls: Mapping[str, CheckSpec] = field(default_factory=lambda: MappingProxyType({}))
    control_targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Where each key of the file stands, for what is found out later."""
    document: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def folder(self) -> Path:
        """The folder of the config file: what relative paths are relative to."""
        return self.path.parent

    @property
    def is_whole(self) -> bool:
        """Whether it says what is watched, and not only what one node does in a fleet: then it can be published."""
        return bool(self.targets)

    @property
    def only(self) -> str | None:
        """The one region whose checks this node knows, when it is an agent."""
        return self.region.name if self.fleet is not None and self.fleet.role is Role.AGENT else None

    @property
    def evidence_dir(self) -> Path:
        """Where screenshots, traces and the like are kept."""
        return self.data / "evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A config that can be used, and what is worth a warning about it."""

    config: Config
    warnings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A config as far as it could be read. With an error among the `diagnostics` it serves only to find more of them.

    `None`: nothing could be read at all.
    """

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
