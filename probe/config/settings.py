"""What a config says, once read: plain frozen values. No pydantic here, so that everybody may import it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from probe.core.check import CheckSpec
from probe.core.diagnostic import Diagnostic
from probe.core.secret import Secret
from probe.core.target import BrowserSettings, Evidence, Region, Target


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
class Config:
    """Everything a config file says, checked.

    `path` is the file as it was named; relative paths in it are relative to its folder. `regions` are all local
    regions, `region` (where this process runs) first. `data` is absolute, `evidence_dir` lies below it. `declared` are
    the checks of the TOML file alone: `probe.loader.load_checks` adds those of the Python files under `check_paths`.
    `secrets` is every value that must not be shown: what the redactor is made of.
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
