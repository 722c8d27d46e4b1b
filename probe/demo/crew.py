"""The parent's side of the app workers: start them, tell them their faults, stop them in their tracks, end them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from probe.demo.errors import DemoError
from probe.demo.plan import WORKERS, Plan
from probe.demo.sockets import Door

_START: Final = 20.0
_ACKNOWLEDGE: Final = 3.0
_END: Final = 2.0


@dataclass(slots=True)
class _Worker:
    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    unanswered: int = 0


class Crew:
    """The workers. Made in a thread (`launch`), because starting a process blocks."""

    def __init__(self, process: "subprocess.Popen[bytes]", channels: Sequence[socket.socket]) -> None:
        self._process = process
        self._channels = channels
        self._workers: list[_Worker] = []
        self._stopped = False

    @classmethod
    def launch(cls, plan_for: "PlanFor", doors: Sequence[Door]) -> "Crew":
        """Start the nursery, which forks the workers. Blocks for as long as it takes to start a process."""
        listening = [door.listen() for door in doors]
        pairs = [socket.socketpair() for _ in range(WORKERS)]
        theirs = [*listening, *(pair[1] for pair in pairs)]
        try:
            plan = plan_for(tuple(s.fileno() for s in listening), tuple(pair[1].fileno() for pair in pairs))
            process = subprocess.Popen(
                [sys.executable, "-m", "probe.demo.nursery"],
                stdin=subprocess.PIPE,
                pass_fds=[s.fileno() for s in theirs],
                # Ctrl-C in the terminal is for the parent, which ends the workers in its turn.
                start_new_session=True,
            )
        except BaseException:
            for pair in pairs:
                pair[0].close()
            raise
        finally:
            for given in theirs:
                given.close()
        assert process.stdin is not None
        process.stdin.write(plan.to_line())
        process.stdin.flush()
        return cls(process, [pair[0] for pair in pairs])

    async def ready(self) -> None:
        """Until every worker serves."""
        try:
            async with asyncio.timeout(_START):
                for channel in self._channels:
                    reader, writer = await asyncio.open_unix_connection(sock=channel)
                    worker = _Worker(0, reader, writer)
                    self._workers.append(worker)
                    worker.pid = int(json.loads(await reader.readline())["pid"])
        except (TimeoutError, ValueError) as error:
            raise DemoError("the shop's app workers did not start: what they wrote to stderr says why") from error

    @property
    def pids(self) -> tuple[int, ...]:
        """The workers' process ids."""
        return tuple(worker.pid for worker in self._workers)

    async def tell(self, faults: Sequence[frozenset[str]]) -> None:
        """Give each worker its faults; returns when they are in effect (a stopped worker hears of it when it goes on)."""
        for worker, its in zip(self._workers, faults, strict=True):
            worker.unanswered += 1
            worker.writer.write(json.dumps(sorted(its)).encode() + b"\n")
        if self._stopped:
            return
        try:
            async with asyncio.timeout(_ACKNOWLEDGE):
                for worker in self._workers:
                    while worker.unanswered and await worker.reader.readline():
                        worker.unanswered -= 1
        except (TimeoutError, ConnectionError):
            pass  # a worker that somebody killed or stopped is no reason to refuse a fault; the panel shows its state

    async def freeze(self, *, stopped: bool) -> None:
        """SIGSTOP or SIGCONT for all workers; returns when they have really stopped."""
        if stopped == self._stopped:
            return
        self._stopped = stopped
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGSTOP if stopped else signal.SIGCONT)
            except ProcessLookupError:
                continue
        for _ in range(100):
            if not stopped or "running" not in await self.states():
                return
            await asyncio.sleep(0.01)

    async def states(self) -> tuple[str, ...]:
        """What each worker process is: running, stopped or dead."""
        return await asyncio.to_thread(lambda: tuple(_state(pid) for pid in self.pids))

    async def end(self) -> None:
        """Kill the workers, stopped or not. They keep nothing that would be lost."""
        for worker in self._workers:
            worker.writer.close()
        await asyncio.to_thread(self.kill)

    def kill(self) -> None:
        """The same from a thread, also for a crew that never got ready."""
        for channel in self._channels[len(self._workers) :]:
            channel.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _state(pid: int) -> str:
    try:
        # "PID (name) STATE ...", and a name may hold anything, brackets too.
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "dead"
    return {"T": "stopped", "t": "stopped", "Z": "dead", "X": "dead"}.get(state, "running")


class PlanFor:
    """A plan that lacks only the file descriptors: filled in by the crew, which makes them."""

    def __init__(self, **ports: int | str) -> None:
        self._ports = ports

    def __call__(self, listening: tuple[int, ...], control: tuple[int, ...]) -> Plan:
        """The plan."""
        values: dict[str, object] = {**self._ports, "listening": listening, "control": control}
        return Plan(**values)  # type: ignore[arg-type]  # the ports are ints, the secret a string: see Ground
