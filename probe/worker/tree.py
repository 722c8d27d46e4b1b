"""Process trees: who belongs to a worker, how much memory they hold, and the end of all of them.

Process groups and sessions miss Chromium, which the driver puts into a session of its own, and `waitpid(-1)` steals
the exit codes of other people's children. So a tree is found by walking /proc: descendants, members of every session
that was ever begun in the tree, and orphans that came back to us and carry our mark in their environment.
"""

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MARK: Final = "PROBE_WORKER"
"""Environment variable that every process of a worker inherits: `<supervisor's pid>.<its start time>.<number>`."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/PID/stat. `started` (clock ticks since boot) with `pid` names a process for ever."""

    pid: int
    parent: int
    session: int
    started: int
    state: str
    name: str

    @property
    def dead(self) -> bool:
        """Whether it has ended and only waits to be reaped."""
        return self.state in "ZX"


def adopt_orphans() -> None:
    """Make this process the parent of all its descendants whose own parent dies (child subreaper)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """Have the kernel send `signum` to this process when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signum)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:  # pragma: no cover  # needs a kernel without prctl
        raise OSError(ctypes.get_errno(), "prctl")


def look(pid: int) -> Process | None:
    """What the kernel says about one process; `None` when it is gone."""
    try:
        # Not Path.read_bytes: this is called for every process of the host, and three times as fast.
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  # see above
            line = file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    head, _, tail = line.rpartition(b")")
    values = tail.split()
    return Process(
        pid=pid,
        parent=int(values[1]),
        session=int(values[3]),
        started=int(values[19]),
        state=values[0].decode(),
        name=head.partition(b"(")[2].decode(errors="replace"),
    )


def processes() -> dict[int, Process]:
    """Every process of this host, by pid."""
    found = (look(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208  # speed, see look()
    return {p.pid: p for p in found if p is not None}


def own_mark(number: int) -> str:
    """The mark of this process's worker `number`."""
    me = look(os.getpid())
    return f"{os.getpid()}.{me.started if me else 0}.{number}"


def mark_of(pid: int) -> str | None:
    """The mark in a process's environment, if it has one and we may look."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = MARK.encode() + b"="
    return next((v[len(prefix) :].decode() for v in environment.split(b"\0") if v.startswith(prefix)), None)


def owner_lives(mark: str) -> bool:
    """Whether the supervisor that gave this mark still runs."""
    pid, _, rest = mark.partition(".")
    owner = look(int(pid)) if pid.isdigit() else None
    return owner is not None and not owner.dead and str(owner.started) == rest.partition(".")[0]


def held_memory(pid: int) -> int:
    """Bytes of memory that only this process holds: its resident set without what is shared or file-backed.

    The sum over a tree is what killing it gives back; plain resident sets count Chromium's text pages ten times.
    """
    try:
        values = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return 0
    return (int(values[1]) - int(values[2])) * _PAGE if len(values) > 2 else 0


@dataclass(slots=True)
class Family:
    """All processes that come from one root, however they detached themselves.

    `refresh` may be called at any time; what it has once seen it remembers, so that processes whose parent died
    between two looks are still known.
    """

    root: int
    mark: str
    sessions: set[int] = field(default_factory=set)
    seen: dict[int, int] = field(default_factory=dict)
    """pid → start time."""

    def refresh(self) -> list[Process]:
        """The members that exist now (zombies too), the root among them."""
        world = processes()
        children: dict[int, list[Process]] = {}
        for process in world.values():
            children.setdefault(process.parent, []).append(process)
        members: dict[int, Process] = {}
        queue = [p for p in world.values() if self._belongs(p)]
        while queue:
            process = queue.pop()
            if process.pid in members:
                continue
            members[process.pid] = process
            self.seen[process.pid] = process.started
            if process.session == process.pid and process.pid not in self.sessions:
                # The head of a session inside the tree: all that is in the session is ours as well.
                self.sessions.add(process.pid)
                queue += [p for p in world.values() if p.session == process.pid]
            queue += children.get(process.pid, ())
        self.seen = {pid: started for pid, started in self.seen.items() if pid in members}
        return list(members.values())

    def _belongs(self, process: Process) -> bool:
        if process.pid == self.root or self.seen.get(process.pid) == process.started:
            return True
        if process.session in self.sessions:
            return True
        # Orphans of ours come to us (subreaper), or to init when we were not yet one.
        if not self.mark or process.dead or process.parent not in (1, os.getpid()):
            return False
        return mark_of(process.pid) == self.mark

    def memory(self) -> dict[int, tuple[str, int]]:
        """What each living member holds: pid → (name, bytes)."""
        return {p.pid: (p.name, held_memory(p.pid)) for p in self.refresh() if not p.dead}

    def kill(self, *, patience: float = 5.0) -> list[Process]:
        """Kill every member and reap what is our child. Blocks for milliseconds; gives what is left after `patience` s.

        The root is stopped first, so that it starts nothing new, and stays the parent of its orphans to the end.
        """
        end = time.monotonic() + patience
        with suppress(ProcessLookupError):
            if self._is_alive(self.root):
                os.kill(self.root, signal.SIGSTOP)
        while True:
            members = self.refresh()
            others = [p for p in members if p.pid != self.root and not p.dead]
            end_all(others)
            if not others:
                end_all([p for p in members if p.pid == self.root and not p.dead])
            self.reap(members)
            left = [p for p in self.refresh() if not (p.dead and (p.pid == self.root or p.parent != os.getpid()))]
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.005)

    def _is_alive(self, pid: int) -> bool:
        process = look(pid)
        return process is not None and not process.dead and self.seen.get(pid, process.started) == process.started

    def reap(self, members: Iterable[Process]) -> None:
        """Collect those members that are our own dead children, each by its id; the root is its starter's to reap."""
        for process in members:
            if process.parent == os.getpid() and process.pid != self.root:
                with suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)


def end_all(members: Iterable[Process]) -> None:
    """Kill each of these processes, unless another one has its id by now."""
    for process in members:
        now = look(process.pid)
        if now is not None and now.started == process.started:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)


def end_strays() -> list[int]:
    """Kill what dead supervisors left behind: every process that carries the mark of one. Gives the pids."""
    found = []
    for process in processes().values():
        mark = mark_of(process.pid)
        if mark is not None and not owner_lives(mark):
            end_all([process])
            found.append(process.pid)
    return found
