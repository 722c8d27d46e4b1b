"""A worker process as its supervisor sees it: started, fed, watched, and ended with all that belongs to it."""

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import probe
from probe.core.failure import Failure
from probe.core.run import Observation, Why
from probe.core.target import BrowserKind, EvidencePolicy
from probe.worker.partial import Partial, with_log
from probe.worker.scratch import drop_scratch, new_scratch
from probe.worker.tree import MARK, Family, look, own_mark
from probe.worker.wire import Done, Frames, Message, Refused, Stop, Task, pack, unpack

GRACE: Final = 2.0
"""Seconds after a check's timeout in which its worker may clean up and report by itself."""
SETUP_LIMIT: Final = 35.0
"""Seconds for everything before the check's own code begins: they are ours."""
UNDO_MORE: Final = 5.5
"""Seconds more for a run that has something to undo."""
TRACE_MORE: Final = 5.0
"""Seconds more for writing the trace of a run that was asked for one."""
WATCH: Final = 0.5
"""Seconds between two looks at a run's memory."""
MOST_LINES: Final = 200
_MOST_OUTPUT: Final = 64 * 1024


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One worker. `usable` says whether it may get another run."""

    number: int
    scratch_base: Path
    kind: BrowserKind | None
    usable: bool = True
    why_not: str = ""
    runs: int = 0
    born: float = field(default_factory=time.monotonic)
    memory: int = 0
    _partial: Partial | None = None
    _result: Done | Refused | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _output: deque[bytes] = field(default_factory=deque)
    _frames: Frames = field(default_factory=Frames)
    _exited: bool = False
    _broken: Failure | None = None
    _look: bool = True
    _process: "subprocess.Popen[bytes]" = field(init=False)
    _family: Family = field(init=False)
    _sock: socket.socket = field(init=False)
    _scratch: Path = field(init=False)
    _pidfd: int = field(init=False)

    def start(self) -> None:
        """Start the process. It says by itself when it is ready; a task may be sent at once."""
        mark = own_mark(self.number)
        self._scratch = new_scratch(self.scratch_base, mark)
        self._sock, theirs = socket.socketpair()
        self._sock.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(  # our own interpreter and module
                [sys.executable, "-m", "probe.worker", "--fd", str(theirs.fileno()), "--scratch", str(self._scratch)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=_environment(mark, self._scratch),
            )
        self._family = Family(root=self._process.pid, mark=mark)
        self._pidfd = os.pidfd_open(self._process.pid)
        assert self._process.stdout is not None, "asked for above"
        os.set_blocking(self._process.stdout.fileno(), False)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock, self._on_message)
        loop.add_reader(self._process.stdout, self._on_output)
        loop.add_reader(self._pidfd, self._on_exit)

    async def run(self, task: Task, max_memory: int) -> Observation:
        """Run one check. Whatever happens to the worker, there is an observation, in time.

        When cancelled, the check is cancelled too and may clean up, before the worker is killed.
        """
        evidence = task.spec.evidence.of_run(confirms=task.context.why is Why.CONFIRM)
        traced = evidence.trace is not EvidencePolicy.OFF
        self._partial = Partial(spec=task.spec, trace_id=task.context.marks.trace_id, traced=traced)
        self._result = None
        self._output.clear()
        self.runs += 1
        begun = time.monotonic()
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, pack(task))
            return await self._follow(self._partial, begun, max_memory)
        except (BrokenPipeError, ConnectionResetError):
            return self._end(self._partial, self._partial.died(await self._reap()))
        except asyncio.CancelledError:
            await self._stop()
            raise
        finally:
            self._partial = None

    async def _follow(self, partial: Partial, begun: float, max_memory: int) -> Observation:
        looked = time.monotonic()
        while True:
            if self._result is not None:
                return self._finish(self._result, partial)
            if self._broken is not None:
                return self._end(partial, self._broken)
            if self._exited:
                return self._end(partial, partial.died(await self._reap()))
            now = time.monotonic()
            deadline = self._deadline(partial, begun)
            if now >= deadline:
                return self._give_up(partial)
            if self._look and partial.phase == "load":
                self._look = False
                await asyncio.to_thread(self._family.refresh)
            elif partial.begun is not None and now - looked >= WATCH:
                looked = now
                failure = too_much(await asyncio.to_thread(self._family.memory), self._process.pid, max_memory)
                if failure is not None:
                    return self._end(partial, failure)
            self._changed.clear()
            if not self._over():
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, min(deadline, looked + WATCH) - time.monotonic()) + 0.001):
                        await self._changed.wait()

    def _over(self) -> bool:
        return self._result is not None or self._broken is not None or self._exited

    def _deadline(self, partial: Partial, begun: float) -> float:
        if partial.begun is None:
            return begun + SETUP_LIMIT
        end = partial.begun + partial.spec.timeout.total_seconds() + GRACE
        if partial.planned and not partial.blocked:
            end += UNDO_MORE
        if partial.phase == "close" and partial.traced:
            end += TRACE_MORE
        return end

    def _finish(self, result: Done | Refused, partial: Partial) -> Observation:
        if isinstance(result, Refused):
            self.usable, self.why_not = False, "a run could not begin"
            return with_log(Observation(failures=(result.failure,), log=tuple(partial.log)), self._said())
        if result.retire:
            self.usable, self.why_not = False, result.retire
        self.memory = result.memory
        return with_log(result.observation, self._said())

    def _give_up(self, partial: Partial) -> Observation:
        if partial.begun is None:
            return self._end(partial, partial.not_begun(SETUP_LIMIT))
        if partial.phase == "close":
            self.usable, self.why_not = False, "evidence was not written in time"
            return partial.observation(None, time.monotonic(), ("evidence could not be written in time", *self._said()))
        state = look(self._process.pid)
        return self._end(partial, partial.overdue(stopped=state is not None and state.state in "Tt"))

    def _end(self, partial: Partial, failure: Failure) -> Observation:
        self.usable, self.why_not = False, failure.message
        return partial.observation(failure, time.monotonic(), self._said())

    async def _stop(self) -> None:
        """The run is cancelled: let the check clean up, then let go of this worker."""
        self.usable, self.why_not = False, "a run was cancelled"
        if self._partial is None or self._partial.begun is None or self._exited:
            return
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(GRACE + (UNDO_MORE if self._partial.planned else 0.0)):
                await asyncio.get_running_loop().sock_sendall(self._sock, pack(Stop()))
                while not self._over():
                    self._changed.clear()
                    await self._changed.wait()

    async def kill(self) -> None:
        """End the worker and everything that ever came of it, and remove its files."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        loop.remove_reader(self._pidfd)
        if self._process.stdout is not None:
            loop.remove_reader(self._process.stdout)
        await asyncio.to_thread(self._kill)
        self._sock.close()
        os.close(self._pidfd)

    def _kill(self) -> None:
        left = self._family.kill()
        # A frozen file system can keep a killed process for a while; everything else is gone by now.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0 if left else 5.0)
        if self._process.stdout is not None:
            self._process.stdout.close()
        drop_scratch(self._scratch)

    async def _reap(self) -> int:
        with suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(self._process.wait, 2.0)
        return -signal.SIGKILL

    def _on_message(self) -> None:
        try:
            data = self._sock.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._changed.set()
            return
        try:
            for frame in self._frames.feed(data):
                self._hear(unpack(frame))
        except (ValueError, pickle.UnpicklingError, EOFError, AttributeError, TypeError, IndexError, KeyError) as error:
            # The user's code wrote into our socket, or a bug of ours: either way the worker cannot be believed.
            self._broken = Failure.of("worker_died", f"our worker process sent nonsense: {error}")
            self._changed.set()

    def _hear(self, message: Message) -> None:
        if self._partial is None:
            return
        if isinstance(message, Done | Refused):
            self._result = message
        else:
            self._partial.hear(message)
        self._changed.set()

    def _on_output(self) -> None:
        assert self._process.stdout is not None, "asked for at the start"
        try:
            data = os.read(self._process.stdout.fileno(), 65536)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._process.stdout)
            return
        self._output.append(data)
        while sum(map(len, self._output)) > _MOST_OUTPUT and len(self._output) > 1:
            self._output.popleft()

    def _said(self) -> list[str]:
        """The last lines that the run printed."""
        if self._process.stdout is not None and not self._process.stdout.closed:
            for _ in range(64):
                before = len(self._output)
                self._on_output()
                if len(self._output) == before:
                    break
        text = b"".join(self._output)[-_MOST_OUTPUT:].decode(errors="replace")
        self._output.clear()
        return text.splitlines()[-MOST_LINES:]

    def _on_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._exited = True
        self.usable = False
        self._changed.set()


def too_much(memory: dict[int, tuple[str, int]], worker: int, most: int) -> Failure | None:
    """The failure of a tree that holds more than it may; the biggest part of it decides whose fault that is."""
    total = sum(held for _, held in memory.values())
    if total <= most:
        return None
    pid, (name, held) = max(memory.items(), key=lambda item: item[1][1])
    amount = f"{total / 2**20:.0f} MiB, more than {most / 2**20:.0f} MiB"
    if pid != worker and ("chrom" in name or "headless" in name or "chrome" in name):
        return Failure.of("page_memory", f"the run's processes held {amount}; a page alone {held / 2**20:.0f} MiB")
    return Failure.of("worker_memory", f"the run's processes held {amount}; {name!r} alone {held / 2**20:.0f} MiB")


def _environment(mark: str, scratch: Path) -> dict[str, str]:
    environment: dict[str, Any] = {
        **os.environ,
        MARK: mark,
        "TMPDIR": str(scratch),
        "PYTHONUNBUFFERED": "1",
        # A font that a third party never sends would hold up every screenshot.
        "PW_TEST_SCREENSHOT_NO_FONTS_READY": "1",
    }
    home = Path(probe.__file__).parent.parent
    if home.name not in ("site-packages", "dist-packages"):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH"))))
    return environment
