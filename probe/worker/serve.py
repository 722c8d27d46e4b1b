"""The worker process: reads tasks from its supervisor, runs them one at a time, and says what happens."""

import argparse
import asyncio
import os
import selectors
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from probe.core.check import Function
from probe.core.failure import Failure
from probe.core.run import ConsoleLine, PageRequest
from probe.core.target import BrowserKind
from probe.errors import ProberUnavailable
from probe.worker import tree
from probe.worker.execute import Execution
from probe.worker.launch import OpenBrowser, open_browser
from probe.worker.load import load_function
from probe.worker.wire import (
    Beat,
    Done,
    Frames,
    Message,
    Noticed,
    Phase,
    Refused,
    Stop,
    Task,
    folder_of,
    pack,
    unpack_trusted,
)

BEAT: Final = 0.25
"""Seconds between two signs of life."""
LATE: Final = 0.5
"""Seconds without a turn of the loop from which it is told what holds it up."""


class Link:
    """The worker's end of the socket to its supervisor. `send` may be called from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._lock = threading.Lock()
        self._frames = Frames()

    def send(self, message: Message) -> None:
        """Say something; a supervisor that is gone is noticed elsewhere."""
        data = pack(message)
        with self._lock, suppress(OSError):
            self.sock.sendall(data)

    def receive(self) -> list[Any]:
        """The orders that have come. `EOFError` when the supervisor is gone."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        return [unpack_trusted(frame) for frame in self._frames.feed(data)]


@dataclass(slots=True)
class Worker:
    """One worker: a link, and perhaps a browser."""

    link: Link
    scratch: Path
    turned: float = field(default_factory=time.monotonic)
    """When the loop last turned."""
    running: Execution | None = None
    orders: "asyncio.Queue[Task]" = field(default_factory=asyncio.Queue)
    _browser: OpenBrowser | None = None

    async def serve(self) -> None:
        """Run tasks until the supervisor is gone."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.link.sock, self._read)
        self._turn()
        self.link.send(Phase("ready"))
        while True:
            task = await self.orders.get()
            folder = folder_of(self.scratch, task.context.run)
            folder.mkdir(exist_ok=True)
            try:
                await self._run(task, folder)
            except ProberUnavailable as unavailable:
                self.link.send(Refused(unavailable.failure))
            except Exception as error:  # noqa: BLE001  # a bug of ours must not look like the worker's death
                traceback.print_exc()
                self.link.send(Refused(Failure.of("internal", f"a bug in probe: {type(error).__name__}: {error}")))
            finally:
                self.running = None
                shutil.rmtree(folder, ignore_errors=True)

    async def _run(self, task: Task, folder: Path) -> None:
        work = task.spec.work
        assert isinstance(work, Function), "the supervisor sends nothing else"
        if work.browser is not None:
            self.link.send(Phase("browser"))
            await self._open(work.browser, task)
        children = tuple(p.pid for p in tree.processes().values() if p.parent == os.getpid())
        self.link.send(Phase("load", children))
        function = load_function(work)
        self.running = execution = Execution(
            body=function,
            spec=task.spec,
            context=task.context,
            scratch=folder,
            tell=self.link.send,
            report=self._report,
            phase=lambda name: self.link.send(Phase(name)),
            browser=self._browser if work.browser is not None else None,
        )
        owner = os.getpid()
        try:
            observation = await execution.run()
        except Exception as error:
            if self._browser is None or not type(error).__module__.startswith("playwright."):
                raise
            # The browser died, or would give no page, before any of the user's code ran.
            raise ProberUnavailable(
                Failure.of("browser_start", f"the browser gave no page: {str(error).strip().partition(chr(10))[0]}")
            ) from error
        if os.getpid() != owner:
            os._exit(0)  # a child that the user's code forked has come back: it is not the worker
        sys.stdout.flush()
        sys.stderr.flush()
        memory = self._end_strangers(children)
        self.link.send(Done(observation=observation, retire=execution.retire, memory=memory))

    def _end_strangers(self, children: tuple[int, ...]) -> int:
        """End what the user's code has started and left: all below us but the driver and what is below it.

        Orphans of theirs have come to us (we are a subreaper). Gives the bytes that the rest holds.
        """
        me = os.getpid()
        for _ in range(20):
            members = tree.Family(root=me, mark="").refresh()
            kept = set(children) | {me}
            while more := {p.pid for p in members if p.parent in kept - {me} and p.pid not in kept}:
                kept |= more
            strangers = [p for p in members if p.pid not in kept]
            tree.end_all([p for p in strangers if not p.dead])
            for process in strangers:
                if process.parent == me:
                    with suppress(ChildProcessError):
                        os.waitpid(process.pid, os.WNOHANG)
            if not strangers:
                break
            time.sleep(0.002)
        return sum(tree.held_memory(pid) for pid in kept)

    async def _open(self, kind: BrowserKind, task: Task) -> OpenBrowser:
        if self._browser is not None and (self._browser.kind is not kind or not self._browser.alive):
            await self._browser.close()
            self._browser = None
        if self._browser is None:
            self._browser = await open_browser(kind, task.browser, self.scratch)
        return self._browser

    def _report(self, what: ConsoleLine | PageRequest) -> None:
        self.link.send(Noticed(what))

    def _read(self) -> None:
        try:
            orders = self.link.receive()
        except (EOFError, OSError):
            end_all()
        for order in orders:
            if isinstance(order, Stop):
                if self.running is not None:
                    self.running.stop()
            else:
                self.orders.put_nowait(order)

    def _turn(self) -> None:
        self.turned = time.monotonic()
        asyncio.get_running_loop().call_later(BEAT / 2, self._turn)


def beat(worker: Worker, main: int) -> None:
    """Runs in a thread: tells the supervisor that we live, and ends everything when the supervisor does not."""
    watch = selectors.DefaultSelector()
    # The loop reads the socket; here only its end matters, which a zero-byte peek tells.
    watch.register(worker.link.sock, selectors.EVENT_READ)
    while True:
        time.sleep(BEAT)
        if watch.select(0) and _is_closed(worker.link.sock):
            end_all()
        late = time.monotonic() - worker.turned
        if worker.running is not None:
            worker.link.send(Beat(late=late, at=_where(worker.running, main) if late > LATE else ""))


def _is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _where(running: Execution, main: int) -> str:
    """The line of the user's code that the main thread is at."""
    frame = sys._current_frames().get(main)
    while frame is not None:
        if running.origin.owns(frame.f_code.co_filename):
            return running.origin.show((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return ""


def end_all() -> None:
    """End this worker and everything below it, at once: its supervisor is gone, and so is the reason for it."""
    family = tree.Family(root=os.getpid(), mark=os.environ.get(tree.MARK, ""))
    for _ in range(50):
        others = [p for p in family.refresh() if p.pid != os.getpid() and not p.dead]
        if not others:
            break
        tree.end_all(others)
        time.sleep(0.01)
    folder = os.environ.get("TMPDIR", "")
    if Path(folder).name.startswith("pw-"):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """`python -m probe.worker --fd N --scratch DIR`."""
    parser = argparse.ArgumentParser(prog="probe.worker")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    options = parser.parse_args()
    tree.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: end_all())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tree.die_with_parent(signal.SIGTERM)
    sock = socket.socket(fileno=options.fd)
    selector = selectors.DefaultSelector()
    # A child forked by the user's code shares our sockets and our loop: take both away, so that it cannot speak for us.
    os.register_at_fork(after_in_child=lambda: _cut(sock, selector))
    worker = Worker(link=Link(sock), scratch=options.scratch)
    thread = threading.Thread(target=beat, args=(worker, threading.get_ident()), name="probe beat", daemon=True)
    thread.start()
    owner = os.getpid()
    try:
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
            runner.run(worker.serve())
    finally:
        if os.getpid() != owner:
            os._exit(0)


def _cut(sock: socket.socket, selector: selectors.BaseSelector) -> None:
    with suppress(OSError):
        os.close(sock.fileno())
    with suppress(OSError, AttributeError):
        os.close(selector.fileno())  # type: ignore[attr-defined]  # every selector of Linux has one
