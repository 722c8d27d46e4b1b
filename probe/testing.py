"""For your own tests: run a check against a page or a server of yours, in the test's own process."""

import ast
import asyncio
import inspect
import secrets as random
import tempfile
import textwrap
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from probe import __version__
from probe.authoring.events import nobody
from probe.config.function_source import steps_of
from probe.core.check import CheckId, CheckSpec, Function, Source
from probe.core.duration import parse_duration
from probe.core.run import Run, RunId, Why, finish
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserKind, BrowserSettings, Evidence, Region, Target
from probe.ports import Marks, RunContext


async def run_check(
    function: Any,
    *,
    target: str | Target,
    secrets: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    timeout: str = "30s",  # noqa: ASYNC109  # the check's own, as a decorator takes it
    browser: bool | BrowserKind | None = None,
    executable: str | None = None,
    evidence: Path | None = None,
) -> Run:
    """Run the function of a `@check` or `@journey` once, here and now, and give the run: `run.outcome`, `run.failure`.

    `target` is a URL or a whole `Target`; `secrets` are added to the target's. A journey (or `browser=True`) gets a
    browser of its own: name its `executable` unless it can be found. `evidence` is a folder for its files. The run is
    made in this process: a check that blocks it blocks the test, too.

    Raises `ProberUnavailable` when there is no browser, `TypeError` for what is no coroutine function.

    >>> from probe import check
    >>> @check(every="1m", timeout="5s", target="shop")
    ... async def adds_up(t):
    ...     async with t.step("sum"):
    ...         assert 1 + 1 == 3, "one and one are two"
    >>> import asyncio
    >>> run = asyncio.run(run_check(adds_up, target="http://127.0.0.1:1"))
    >>> print(run.outcome, run.failure.kind, run.failure.step)
    failed assertion sum
    """
    from probe.worker.execute import Execution
    from probe.worker.launch import open_browser

    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{function!r} is no coroutine function: write `async def`")
    kind = _browser_of(function, browser)
    aim = target if isinstance(target, Target) else Target(name="test", url=target)
    given = {**aim.secrets, **{name: Secret(value) for name, value in (secrets or {}).items()}}
    aim = Target(**{**{f: getattr(aim, f) for f in Target.__slots__}, "secrets": given})
    spec = _spec(function, aim, timeout, params, kind)
    started = datetime.now(UTC)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="probe-", ignore_cleanup_errors=True)))
        opened = None
        if kind is not None:
            opened = await open_browser(kind, BrowserSettings(executable=executable), folder)
            stack.push_async_callback(opened.close)
        execution = Execution(
            body=function,
            spec=spec,
            context=_context(aim, tuple(given.values()), started, evidence),
            scratch=folder,
            tell=nobody,
            report=lambda _what: None,
            phase=lambda _name: None,
            browser=opened,
        )
        seen = await execution.run()
    context = execution.context
    return context.redactor.structure(
        finish(
            spec,
            seen,
            id=context.run,
            region=context.region.name,
            why=context.why,
            started=started,
            elapsed=timedelta(seconds=seen.duration or 0.0),
        )
    )


class VirtualClock:
    """A wall clock that goes with the running loop's time, so that with looptime both move together; it can be made to jump.

    A jump forward is also what a suspended machine looks like: its loop's time stands still meanwhile.
    """

    def __init__(self, epoch: datetime | None = None) -> None:
        self._now = epoch or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return self._now + timedelta(seconds=asyncio.get_running_loop().time())

    def jump(self, seconds: float) -> None:
        """Move the hands without time passing."""
        self._now += timedelta(seconds=seconds)


class FakeClock:
    """A clock that stands still until it is moved: wall time for what takes a `Clock`.

    >>> clock = FakeClock(datetime(2026, 11, 23, tzinfo=UTC))
    >>> clock.advance(90)
    >>> clock.now().isoformat()
    '2026-11-23T00:01:30+00:00'
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; negative ones make the clock jump back, as real ones do."""
        self._now += timedelta(seconds=seconds)


def _browser_of(function: Any, browser: bool | BrowserKind | None) -> BrowserKind | None:
    if isinstance(browser, BrowserKind):
        return browser
    declared = getattr(function, "__probe__", None)
    if browser is None:
        browser = getattr(declared, "kind", None) == "journey"
    if not browser:
        return None
    named = getattr(declared, "given", {}).get("browser")
    return BrowserKind(named) if named else BrowserKind.HEADLESS_SHELL


def _spec(
    function: Any, target: Target, limit: str, params: Mapping[str, Any] | None, kind: BrowserKind | None
) -> CheckSpec:
    file, line = inspect.getsourcefile(function) or "?", function.__code__.co_firstlineno
    return CheckSpec(
        id=CheckId(function.__name__),
        kind="http" if kind is None else "browser",
        target=target.name,
        every=timedelta(minutes=1),
        timeout=parse_duration(limit),
        work=Function(file=file, name=function.__qualname__, browser=kind, root=str(Path(file).parent)),
        source=Source(file=file, line=line),
        steps=_steps(function),
        evidence=Evidence(),
        params=dict(params or {}),
    )


def _steps(function: Any) -> tuple[str, ...]:
    """The names of the steps as the source has them, so that those never reached are told as `skipped`."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError):  # typed into a console, or part of an expression: no source to read
        return ()
    return tuple(step.name for step in steps_of(node)) if isinstance(node, ast.AsyncFunctionDef) else ()


def _context(target: Target, secrets: tuple[Secret, ...], started: datetime, evidence: Path | None) -> RunContext:
    trace = random.token_hex(16)
    return RunContext(
        run=RunId(f"test-{started:%H%M%S}-{random.token_hex(4)}"),
        why=Why.MANUAL,
        region=Region(name="test"),
        target=target,
        marks=Marks(
            user_agent=f"probe/{__version__}",
            headers={"x-synthetic-check": "test", "traceparent": f"00-{trace}-{random.token_hex(8)}-01"},
            trace_id=trace,
        ),
        redactor=Redactor((*secrets, *target.headers.values())),
        evidence_dir=evidence,
    )
