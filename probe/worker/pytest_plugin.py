"""The pytest plugin that is loaded with an existing pytest-playwright file, so that it runs unchanged as a check.

It gives the browser that was found and our mark in its user agent, and writes what happens as lines of JSON.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from probe.core.failure import Failure, Layer
from probe.worker.causes import Causes, Origin

ORDER: Final = "PROBE_PYTEST"
"""Environment variable with what the plugin has to know, as JSON: see `Order`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the supervisor tells the plugin. `results` is the file the lines go to; `timeout` is seconds."""

    results: str
    file: str
    executable: str
    flags: tuple[str, ...]
    sandbox: bool
    user_agent: str
    timeout: float


KEY: Final = pytest.StashKey[Order]()


@dataclass(slots=True)
class Reporter:
    """Writes what happens."""

    order: Order
    started: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, event: str, **more: Any) -> None:
        """Write one line."""
        with self._lock, Path(self.order.results).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **more}) + "\n")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Any:
        """Mark the time in which the test's own code runs."""
        self.started = time.monotonic()
        self.say("call", node=item.nodeid)
        watch = threading.Timer(self.order.timeout, self._overdue, args=(threading.get_ident(),))
        watch.daemon = True
        watch.start()
        yield
        watch.cancel()
        self.say("end", duration=time.monotonic() - self.started)

    def _overdue(self, main: int) -> None:
        """At the deadline: whether the test waits for the browser, or stands in its own code."""
        frame = sys._current_frames().get(main)
        origin = Origin(file=self.order.file, root=str(Path(self.order.file).parent))
        while frame is not None:
            name = frame.f_code.co_filename
            if "/playwright/" in name:
                break
            if origin.owns(name):
                self.say("overdue", own=True, at=origin.show((name, frame.f_lineno)))
                return
            frame = frame.f_back
        self.say("overdue", own=False, at="")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        """Classify what was raised, here where the exception still is one."""
        outcome = yield
        report = outcome.get_result()
        failures: tuple[Failure, ...] = ()
        if call.excinfo is not None and not report.skipped:
            causes = Causes(origin=Origin(file=self.order.file, root=str(Path(self.order.file).parent)))
            failures = causes.explain(call.excinfo.value, None, 0.0)
        self.say(
            "report",
            when=report.when,
            outcome=report.outcome,
            failures=[asdict(f) for f in failures],
            why=str(call.excinfo.value)[:300] if call.excinfo is not None else "",
        )


def failure_from(data: dict[str, Any]) -> Failure:
    """A failure from its line."""
    return Failure(**{**data, "layer": Layer(data["layer"])})


def pytest_configure(config: pytest.Config) -> None:
    """Register after pytest-playwright, whose fixtures ours stand before."""
    order = json.loads(os.environ[ORDER])
    config.stash[KEY] = Order(**{**order, "flags": tuple(order["flags"])})
    config.pluginmanager.register(Reporter(config.stash[KEY]), "probe-reporter")
    config.pluginmanager.register(import_module("probe.worker.pytest_fixtures"), "probe-fixtures")
