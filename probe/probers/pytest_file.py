"""Runs a test function of an existing pytest-playwright file as a check, in a process tree of its own."""

import asyncio
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from probe.core.check import CheckSpec, PytestFunction
from probe.core.duration import format_duration
from probe.core.failure import Failure
from probe.core.run import Observation, Step, StepOutcome
from probe.errors import ProberUnavailable
from probe.net.host import HostMeter, HostWatch
from probe.ports import ProberSettings, RunContext
from probe.worker.browser import Executable, find_browser
from probe.worker.process import GRACE, MOST_LINES, SETUP_LIMIT
from probe.worker.pytest_plugin import ORDER, Order, failure_from
from probe.worker.scratch import drop_scratch, new_scratch, sweep
from probe.worker.tree import MARK, Family, adopt_orphans, end_strays, own_mark

FIRST: Final = 1_000_000
"""Numbers of our processes begin here, those of the workers of a pool at 1."""
_NEEDED: Final = ("pytest", "pytest_playwright", "playwright")
_TICK: Final = 0.05
_numbers = itertools.count(FIRST)


class PytestProber:
    """The prober of `PytestFunction` work: each run is one `python -m pytest FILE::NODE`, ended as a tree.

    >>> async def once(settings, spec, context):
    ...     async with PytestProber(settings) as prober:
    ...         return await prober.probe(spec, context)
    """

    def __init__(self, settings: ProberSettings) -> None:
        self._settings = settings

    async def __aenter__(self) -> Self:
        adopt_orphans()
        await asyncio.to_thread(end_strays)
        await asyncio.to_thread(sweep, self._settings.scratch)
        self._watch = HostWatch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept between runs."""

    async def probe(self, spec: CheckSpec, context: RunContext) -> Observation:
        """Run the test function once, and say what was seen; at the deadline its processes are killed.

        Raises `ProberUnavailable` when there is no browser, or pytest-playwright is not installed.
        """
        work = spec.work
        assert isinstance(work, PytestFunction), "other work has its own prober"
        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise ProberUnavailable(
                Failure.of(
                    "check_unloadable", f"{', '.join(missing)} is missing: run `pip install pytest pytest-playwright`"
                )
            )
        executable = await asyncio.to_thread(find_browser, work.browser, self._settings.browser)
        mark = own_mark(next(_numbers))
        scratch = await asyncio.to_thread(new_scratch, self._settings.scratch, mark)
        order = _order(spec, work, executable, scratch, context.marks.user_agent)
        run = _Run(spec, work, order, scratch, mark, context.target.url)
        meter = HostMeter(self._watch)
        meter.start()
        try:
            await run.follow(self._settings.browser.max_memory)
        finally:
            load = meter.stop()
            await asyncio.to_thread(run.end)
        load = replace(load, waited=None)  # ours was not what the run waited for, and its processes are gone
        seen = replace(run.observation(), host=load, trace_id=context.marks.trace_id)
        return context.redactor.structure(seen)


def _order(spec: CheckSpec, work: PytestFunction, executable: Executable, scratch: Path, user_agent: str) -> Order:
    return Order(
        results=str(scratch / "results.jsonl"),
        file=str(Path(work.file).absolute()),
        executable=executable.path,
        flags=executable.flags,
        sandbox=executable.sandbox,
        user_agent=user_agent,
        timeout=spec.timeout.total_seconds(),
    )


@dataclass(slots=True)
class _Told:
    """The lines of the plugin, read."""

    called: bool = False
    duration: float | None = None
    overdue: dict[str, Any] | None = None
    reports: tuple[dict[str, Any], ...] = ()


class _Run:
    """One pytest process, from start to end."""

    def __init__(self, spec: CheckSpec, work: PytestFunction, order: Order, scratch: Path, mark: str, url: str) -> None:
        self._spec = spec
        self._work = work
        self._order = order
        self._scratch = scratch
        self._output = (scratch / "output").open("w+b")
        self._killed: Failure | None = None
        self._told = _Told()
        self._begun: float | None = None
        self._log: tuple[str, ...] = ()
        command = [sys.executable, "-m", "pytest", f"{order.file}::{work.node}", "-q", "--tb=short"]
        command += ["-p", "no:cacheprovider", "-p", "probe.worker.pytest_plugin"]
        command += ["--browser", "chromium", "--base-url", url, "--output", str(scratch / "artifacts")]
        self._process = subprocess.Popen(  # our own interpreter; the file is the user's check
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=Path(order.file).parent,
            start_new_session=True,
            env={
                **os.environ,
                MARK: mark,
                ORDER: json.dumps(asdict(order)),
                "TMPDIR": str(scratch),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        self._family = Family(root=self._process.pid, mark=mark)

    async def follow(self, max_memory: int) -> None:
        """Wait until pytest ends or has to be ended."""
        from probe.worker.process import too_much

        started = looked = time.monotonic()
        limit = self._order.timeout
        while self._process.poll() is None:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            if self._begun is None and await asyncio.to_thread(self._read):
                self._begun = now
            if self._begun is None and now - started > SETUP_LIMIT:
                self._killed = Failure.of(
                    "browser_start", f"the test did not begin within {format_duration(SETUP_LIMIT)}"
                )
                return
            if self._begun is not None and now - self._begun > limit:
                await asyncio.to_thread(self._read)
                # Its report comes a moment after its end; what hangs has told where by now.
                if self._told.duration is None and now - self._begun > limit + GRACE / 4:
                    self._killed = self._overdue()
                    return
                if now - self._begun > limit + GRACE:
                    return
            if now - looked > 0.5:
                looked = now
                memory = await asyncio.to_thread(self._family.memory)
                self._killed = too_much(memory, self._process.pid, max_memory)
                if self._killed is not None:
                    return

    def _read(self) -> bool:
        """Read the plugin's lines; whether the test's own code has begun."""
        told = _Told()
        with suppress(OSError):
            for line in Path(self._order.results).read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):
                    entry = json.loads(line)
                    match entry.get("event"):
                        case "call":
                            told.called = True
                        case "end":
                            told.duration = float(entry["duration"])
                        case "overdue":
                            told.overdue = entry
                        case "report":
                            told.reports += (entry,)
        self._told = told
        return told.called

    def _overdue(self) -> Failure:
        limit = format_duration(self._order.timeout)
        told = self._told.overdue
        if told is None or told["own"]:
            at = f" at {told['at']}" if told is not None and told["at"] else ""
            return Failure.of("check_blocked", f"the test's own code did not end within {limit}{at}")
        return Failure.of("deadline", f"the test did not end within {limit}: it waits for the browser")

    def end(self) -> None:
        """End what is left of the tree, read what it said, and remove its files. Blocks for milliseconds."""
        self._family.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._read()
        with self._output as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - 65536))
            self._log = tuple(output.read().decode(errors="replace").splitlines()[-MOST_LINES:])
        drop_scratch(self._scratch)

    def observation(self) -> Observation:
        """What was seen, once the run has ended."""
        failures = tuple(f.at(self._work.node) for f in self._failures())
        decider = next((f for f in failures if f.ours), failures[0] if failures else None)
        outcome = StepOutcome.PASSED
        if decider is not None:
            outcome = StepOutcome.ERRORED if decider.ours else StepOutcome.FAILED
        duration = self._told.duration
        if duration is None and self._begun is not None:
            duration = time.monotonic() - self._begun
        step = Step(name=self._work.node, outcome=outcome, start=0.0, duration=duration, failure=decider)
        return Observation(failures=failures, steps=(step,), duration=duration, log=self._log)

    def _failures(self) -> tuple[Failure, ...]:
        if self._killed is not None:
            return (self._killed,)
        told = self._told
        found = [failure_from(f) for report in told.reports for f in report["failures"]]
        if found:
            return tuple(dict.fromkeys(found))
        skipped = next((r for r in told.reports if r["outcome"] == "skipped"), None)
        if skipped is not None:
            return (Failure.of("check_bug", f"the test was skipped: {skipped['why']}"),)
        if told.duration is not None and all(r["outcome"] == "passed" for r in told.reports):
            return ()
        code = self._process.returncode
        if told.called:
            kind = "worker_died" if code is not None and code < 0 else "check_exited"
            return (Failure.of(kind, f"the test's process ended with exit code {code}"),)
        said = next((line for line in self._log if line.startswith(("E ", "ERROR"))), "")
        return (
            Failure.of(
                "check_unloadable", f"pytest could not run {self._work.node} (exit code {code}): {said}".rstrip(": ")
            ),
        )
