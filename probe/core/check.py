"""What is to be done: the definition of a check, and of the work it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, NewType

from probe.core.expectation import Expectation
from probe.core.secret import Secret
from probe.core.target import BrowserKind, Evidence

CheckId = NewType("CheckId", str)
WHOLE_RUN: Final = "the whole run"
"""What stands for the step from which on there are side effects, where there are no steps: a request, a test function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where something was declared: a file and a line (from 1)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One HTTP request and what is expected of the answer: what a declarative check does.

    `body` is sent as it is; `max_body` is the largest decompressed body in bytes that is read.
    """

    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    body: Secret | None = None
    follow_redirects: bool = True
    max_redirects: int = 10
    max_body: int = 10 * 2**20
    verify_tls: bool = True
    expectations: tuple[Expectation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """What needs nothing of any target, and so shows whether a region's network works: what a control run asks, all at once.

    `names` are `http(s)://` addresses and names to be resolved, `dns:NAME`; one that answers is enough.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A user's coroutine function, by file and name: run in a worker process, never in ours."""

    file: str
    name: str
    browser: BrowserKind | None = None
    """The browser it drives; `None` for an HTTP check."""
    root: str = ""
    """The folder put on `sys.path` while the file is imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestFunction:
    """One test function of an unchanged pytest-playwright file."""

    file: str
    node: str
    """pytest's node id inside the file, such as `test_buy[chromium]` without the browser part: `test_buy`."""
    browser: BrowserKind = BrowserKind.HEADLESS_SHELL


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A schedule by the wall clock: a cron expression of five fields, read in an IANA time zone."""

    expression: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One thing watched. `every` and `timeout` are the schedule; `id` is stable and unique.

    With `cron` the schedule is that, and `every` is the longest time between two of its runs.

    `kind` is what users see: `http`, `browser` or `playwright-pytest`; `control` for the control of a region.
    """

    id: CheckId
    kind: str
    target: str
    every: timedelta
    timeout: timedelta
    work: HttpCall | Anchors | Function | PytestFunction
    source: Source
    description: str = ""
    steps: tuple[str, ...] = ()
    """Names of the steps as far as they can be read from the source; used to name the steps never reached."""
    tags: tuple[str, ...] = ()
    slo: str | None = None
    regions: tuple[str, ...] = ()
    """The regions it runs from; empty: all."""
    evidence: Evidence = field(default_factory=Evidence)
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    cron: Cron | None = None
    side_effects: str | None = None
    """The step from which on a run does something in the shop that stays, such as an order; `None`: it never does.

    Runs that are made beside the schedule, to confirm or to drill, end before it.
    """
    confirm_with: CheckId | None = None
    """The check that is run in its place when confirmation is asked for; `None`: itself."""

    @property
    def prober(self) -> str:
        """The name in the registry of the prober that executes it."""
        if isinstance(self.work, HttpCall):
            return "http"
        if isinstance(self.work, Anchors):
            return "control"
        return "function" if isinstance(self.work, Function) else "playwright-pytest"

    @property
    def needs_browser(self) -> bool:
        """Whether a run of it starts a browser."""
        return not isinstance(self.work, HttpCall | Anchors) and self.work.browser is not None
