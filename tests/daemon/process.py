"""The daemon as a process of its own, as a service manager starts it and anybody may kill it."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, TypeVar

import psutil

from probe.store.settings import DATABASE

T = TypeVar("T")


@dataclass
class DaemonProcess:
    """`probe run` with a configuration; its standard error is added to `log`. `marker` is in the environment of all its processes."""

    config: Path
    log: Path
    marker: str
    starts: int = 0
    program: str = "tests.daemon.hasty"
    """What is run: the daemon whose judgement is in a hurry, or `probe` itself."""
    inside: tuple[str, ...] = ()
    """Words before its command that put it somewhere else: into a network namespace."""
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; `None`: it runs."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            log.flush()
            self._process = await asyncio.create_subprocess_exec(
                *(*self.inside, sys.executable, "-m", self.program, "run", "--config", str(self.config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PROBE_TEST": self.marker, "PYTHONFAULTHANDLER": "1"},
            )

    def signal(self, number: Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def end(self, number: Signals, within: float) -> int:
        """Send a signal that ends it, and wait; `TimeoutError` when it has not ended after `within` seconds."""
        assert self._process is not None
        self.signal(number)
        async with asyncio.timeout(within):
            return await self._process.wait()

    async def kill(self) -> int:
        return await self.end(SIGKILL, 10)

    async def stop(self) -> int:
        """The graceful stop."""
        return await self.end(SIGTERM, 45)

    def children(self) -> list[psutil.Process]:
        """All processes that come from it."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def is_up(self) -> bool:
        """Whether it has said, since it was started, that it watches: from then on it listens to SIGHUP."""
        return "watching" in self.log.read_text(errors="replace").rpartition("--- start ")[2]

    def said(self, last: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-last:])


def marked(marker: str) -> list[psutil.Process]:
    """The living processes that carry the marker."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("PROBE_TEST") == marker and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_marked(marker: str) -> None:
    """Leave nothing behind, whatever went wrong."""
    for process in marked(marker):
        with suppress(psutil.Error):
            process.kill()


async def rows(data: Path, query: str, *values: Any) -> list[Any]:
    """What the database in a data folder holds; `sqlite3.OperationalError` while it cannot be read."""
    return await asyncio.to_thread(_rows, data, query, values)


def _rows(data: Path, query: str, values: tuple[Any, ...]) -> list[Any]:
    connection = sqlite3.connect(f"file:{data / DATABASE}?mode=ro", uri=True, timeout=2)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


async def until(look: Callable[[], Awaitable[T | None]], within: float, what: str, every: float = 0.1) -> T:
    """The first truthy answer of `look`; an `AssertionError` that says `what` was awaited when there is none in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not (found := await look()):
        assert loop.time() < end, f"{what}: not within {within:g} s"
        await asyncio.sleep(every)
    return found
