"""The wide area network between namespaces, as a process: carries packets with delay, jitter and loss, or not at all.

`python -m tests.lab.wan '{"hosts": {"NAMESPACE": "10.77.0.2", ...}, "seed": 1}'`; then one JSON object a line on its standard
input changes it, and each is answered by a line. It ends when its input does. The kernel's own netem does the same, where
there is one; here it need not be.
"""

import asyncio
import heapq
import json
import os
import random
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.lab.namespaces import tunnel

LARGEST = 2048
AT_ONCE = 64
"""Packets that are read from one device before another has its turn."""
EARLY = 0.0003
"""Seconds that a packet may come too soon, instead of one more turn of the loop for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One direction between two namespaces. Packets stay in order: jitter makes them wait for each other."""

    delay: float = 0.0
    """Seconds."""
    jitter: float = 0.0
    """Seconds that are added at most."""
    loss: float = 0.0
    """Share of packets that are lost."""
    cut: bool = False
    """Nothing comes through, and nobody is told."""


class Wan:
    """Every namespace has one device; where a packet goes is read from its destination address."""

    def __init__(self, hosts: dict[str, str], seed: int) -> None:
        self._chance = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._lines: dict[tuple[str, str], Line] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._on_the_way: list[tuple[float, int, str, bytes]] = []
        self._number = 0
        self._last: dict[tuple[str, str], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._names = {socket.inet_aton(address): name for name, address in hosts.items()}
        self._devices = {name: tunnel(name, address) for name, address in hosts.items()}
        for name, device in self._devices.items():
            self._loop.add_reader(device, self._take, name, device)

    def obey(self, order: dict[str, Any]) -> object:
        """Change a line, or tell what was carried and lost: `{"from": a, "to": b, "line": {...}}`, `{"counts": true}`."""
        if "line" in order:
            self._lines[order["from"], order["to"]] = Line(**order["line"])
            return "ok"
        return [[*key, count] for key, count in self._counts.items()]

    def _take(self, source: str, device: int) -> None:
        for _ in range(AT_ONCE):
            try:
                packet = os.read(device, LARGEST)
            except BlockingIOError:
                return
            target = self._names.get(packet[16:20]) if packet[0] >> 4 == 4 else None
            if target is not None:
                self._carry(source, target, packet)

    def _carry(self, source: str, target: str, packet: bytes) -> None:
        pair = source, target
        line = self._lines.get(pair, Line())
        if line.cut or (line.loss and self._chance.random() < line.loss):
            self._counts[source, target, "lost"] += 1
            return
        self._counts[source, target, "carried"] += 1
        if not line.delay and not line.jitter:
            self._give(target, packet)
            return
        due = max(time.monotonic() + line.delay + self._chance.random() * line.jitter, self._last.get(pair, 0.0))
        self._last[pair] = due
        self._number += 1
        heapq.heappush(self._on_the_way, (due, self._number, target, packet))
        self._arm()

    def _give(self, target: str, packet: bytes) -> None:
        try:
            os.write(self._devices[target], packet)
        except OSError:  # its queue is full: as in life
            self._counts["", target, "lost"] += 1

    def _arm(self) -> None:
        due = self._on_the_way[0][0]
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._deliver)  # the loop's clock is time.monotonic()

    def _deliver(self) -> None:
        self._timer = None
        now = time.monotonic() + EARLY
        while self._on_the_way and self._on_the_way[0][0] <= now:
            _, _, target, packet = heapq.heappop(self._on_the_way)
            self._give(target, packet)
        if self._on_the_way:
            self._arm()


async def main() -> None:
    asked = json.loads(sys.argv[1])
    wan = Wan(asked["hosts"], asked["seed"])
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps("ready"), flush=True)
    while line := await reader.readline():
        print(json.dumps(wan.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
