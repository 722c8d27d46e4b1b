"""What an exception that left a check means: the target's fault or ours, and in which words."""

import asyncio
import linecache
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import probe
from probe.core.duration import format_duration
from probe.core.explain import STILL_LOADING, explain
from probe.core.failure import CheckFailed, Failure
from probe.worker import playwright_errors as said

if TYPE_CHECKING:
    from probe.net.egress import Egress
    from probe.worker.observer import Observer

_CONFUSED: Final = (
    "Unexpected token",
    "Unknown engine",
    "is not a valid selector",
    "Cannot navigate to invalid URL",
    "Malformed",
    "Unsupported token",
    "missing argument",
    "Element is not an <input>",
    "Unknown key",
)
"""In an error of Playwright: the check itself asks for what cannot be."""


_OURS: Final = str(Path(probe.__file__).parent) + os.sep


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the check's own code is: `file`, and the folder `root` its helpers are imported from."""

    file: str
    root: str = ""

    def owns(self, filename: str) -> bool:
        """Whether a source file is the user's, rather than a library's."""
        if filename == self.file:
            return True
        inside = bool(self.root) and filename.startswith(self.root.rstrip(os.sep) + os.sep)
        return inside and "site-packages" not in filename and not filename.startswith(_OURS)

    def line_of(self, trace: TracebackType | None) -> tuple[str, int] | None:
        """The innermost line of the user's code in a traceback."""
        lines = [(f.f_code.co_filename, n) for f, n in traceback.walk_tb(trace) if self.owns(f.f_code.co_filename)]
        return lines[-1] if lines else None

    def show(self, line: tuple[str, int] | None) -> str:
        """A line for people: `shop.py:31`."""
        return f"{Path(line[0]).name}:{line[1]}" if line else Path(self.file).name


@dataclass(slots=True)
class Causes:
    """Explains exceptions of one run. `observer` is the browser's, if there is one."""

    origin: Origin
    observer: "Observer | None" = None
    tls: Failure | None = None
    """What our own TLS handshake with the target found, where the browser could not judge its private CA."""
    egress: "Egress | None" = None
    """The proxy the browser leaves through: it knows better why a connection failed."""
    browser_alive: bool = True

    def explain(self, error: BaseException, step: str | None, since: float) -> tuple[Failure, ...]:
        """The failures an exception means, the deciding one first."""
        seen = tuple(f.at(step) for one in _leaves(error) for f in self._one(one))
        if self.observer is None:
            return seen
        return explain(seen, self.observer.in_step(since), self.observer.errors_since(since), step=step)

    def _one(self, error: BaseException) -> tuple[Failure, ...]:
        if isinstance(error, CheckFailed):
            return error.failures or (Failure.of("assertion"),)
        if isinstance(error, AssertionError):
            of_page = said.expect_failure(str(error))
            if of_page is not None and self.observer is not None and self.observer.crashed:
                return (Failure.of("page_crashed", f"the page crashed; then {of_page.message}"),)
            return (of_page or self._assertion(error),)
        if isinstance(error, SystemExit | KeyboardInterrupt):
            how = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else "KeyboardInterrupt"
            return (Failure.of("check_exited", f"the check ended its process: {how}{self._at(error)}"),)
        if isinstance(error, MemoryError):
            return (Failure.of("worker_memory", f"the check ran out of memory{self._at(error)}"),)
        if type(error).__module__.startswith("playwright."):
            return (self._playwright(error),)
        if isinstance(error, TimeoutError) and str(error) == "":
            return (Failure.of("deadline", f"a time limit set in the check itself was exceeded{self._at(error)}"),)
        if isinstance(error, asyncio.CancelledError):
            return (Failure.of("check_bug", f"the check cancelled itself{self._at(error)}"),)
        return (self._bug(error),)

    def _at(self, error: BaseException) -> str:
        return f" at {self.origin.show(self.origin.line_of(error.__traceback__))}"

    def _bug(self, error: BaseException) -> Failure:
        text = str(error).strip()
        return Failure.of("check_bug", f"{type(error).__name__}{self._at(error)}{f': {text}' if text else ''}")

    def _assertion(self, error: AssertionError) -> Failure:
        line = self.origin.line_of(error.__traceback__)
        source = linecache.getline(*line).strip() if line else ""
        text = str(error).strip()
        return Failure.of("assertion", f"{text or source or 'an assertion does not hold'} ({self.origin.show(line)})")

    def _playwright(self, error: BaseException) -> Failure:
        text = str(error)
        if self.observer is not None and (self.observer.crashed or "crashed" in text.partition("\n")[0]):
            return Failure.of("page_crashed", f"the page crashed{self._during(text)}")
        if type(error).__name__ == "TargetClosedError" or "has been closed" in text or "Connection closed" in text:
            if not self.browser_alive or "Connection closed" in text:
                return Failure.of("browser_died", f"our browser was killed or crashed{self._during(text)}")
            return Failure.of("page_load", f"the page was closed{self._during(text)}{self._at(error)}")
        if any(token in text for token in _CONFUSED):
            return self._bug(error)
        timeout = said.timeout_of(text)
        if timeout is not None:
            return _navigation_timeout(timeout) if _navigates(timeout.api) else said.action_failure(timeout)
        net = said.net_failure(text)
        if net is not None:
            return self._net(net, text)
        if "Download is starting" in text:
            return Failure.of("unexpected_download", f"a download came in place of a page{self._at(error)}")
        return said.strict_failure(text) or Failure.of("element", f"{_first_line(text)}{self._at(error)}")

    def _net(self, failure: Failure, text: str) -> Failure:
        code = said.net_error(text) or ""
        if "CERT" in code and self.tls is not None:
            return self.tls
        if code.startswith("ERR_ABORTED") and self.observer is not None and not self.browser_alive:
            return Failure.of("browser_died")
        if self.egress is not None and failure.url is not None:
            host = urlsplit(failure.url).hostname
            return (self.egress.failure_for(host) if host else None) or failure
        return failure

    def _during(self, text: str) -> str:
        api = text.partition(":")[0]
        return f" during {api}" if "." in api and " " not in api else ""


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _navigates(api: str) -> bool:
    return api.rpartition(".")[2] in (
        "goto",
        "reload",
        "go_back",
        "go_forward",
        "wait_for_load_state",
        "wait_for_url",
        "set_content",
    )


def _navigation_timeout(timeout: said.Timeout) -> Failure:
    after = format_duration(timeout.seconds)
    return Failure.of(
        "page_load", f"the page did not finish loading within {after}", expected="loaded", actual=STILL_LOADING
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]
