"""What a config says, once read: plain frozen values. No pydantic here, so that everybody may import it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from probe.core.check import CheckSpec
from probe.core.diagnostic import Diagnostic
from probe.core.drilled import PlannedDrill
from probe.core.maintenance import Window
from probe.core.rules import Calendar, Route
from probe.core.secret import Secret
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

    `path` is the file as it was named; relative paths in it are relative to its folder. `regions` are all local
    regions, `region` (where this process runs) first. `data` is absolute, `evidence_dir` lies below it. `declared` are
    the checks of the TOML file alone: `probe.loader.load_checks` adds those of the Python files under `check_paths`.
    `secrets` is every value that must not be shown: what the redactor is made of.

    The daemon's part: `listen` is host and port of the health pages (port 0: any that is free), `heartbeat_url` is
    called every `heartbeat_every` while all is well, `grace` is how long a stop waits for runs, `log` is `console` or
    `json`. `routes` are complete: without any in the file there is one, to all channels. `controls` are unscheduled
    checks, by region; their targets are in `control_targets`.
    """

    path: Path
    region: Region = field(default_factory=lambda: Region(name="local"))
    regions: tuple[Region, ...] = ()
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
    slos: Mapping[str, Slo] = field(default_factory=lambda: MappingProxyType({}))
    channels: Mapping[str, ChannelSettings] = field(default_factory=lambda: MappingProxyType({}))
    routes: tuple[Route, ...] = ()
    windows: tuple[Window, ...] = ()
    drills: tuple[PlannedDrill, ...] = ()
    controls: Mapping[str, CheckSpec] = field(default_factory=lambda: MappingProxyType({}))
    control_targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Where each key of the file stands, for what is found out later."""

    @property
    def folder(self) -> Path:
        """The folder of the config file: what relative paths are relative to."""
        return self.path.parent

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
