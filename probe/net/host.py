"""How contended our own host is: what tells a slow shop from a slow probe."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from probe.core.run import HostLoad
from probe.net.run_queue import RunQueue

TICK: Final = 0.05
"""Seconds between two looks at the loop's punctuality."""
SAMPLE: Final = 0.1
"""Seconds for which one reading of the processor's pressure is good: a reading costs as much as a tenth of a request."""


class CpuPressure:
    """The share of time in which something waited for a processor: Linux PSI, else the processors' use by others.

    `own` gives the processor seconds of whatever is to be measured, so that it does not count as "others".
    """

    def __init__(
        self, psi: str = "/proc/pressure/cpu", stat: str = "/proc/stat", own: Callable[[], float] = time.process_time
    ) -> None:
        self._own = own
        self._psi = _open(psi)
        self._stat = None if self._psi is not None else _open(stat)
        self._ticks = os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
        self._before = self._now = self._sample()

    def __del__(self) -> None:
        for number in (getattr(self, "_psi", None), getattr(self, "_stat", None)):
            if number is not None:
                os.close(number)

    def read(self) -> tuple[float, float]:
        """The present (instant, seconds waited in all); at most `SAMPLE` seconds old."""
        if time.monotonic() - self._now[0] >= SAMPLE:
            self._before, self._now = self._now, self._sample()
        return self._now

    def share(self, since: tuple[float, float]) -> float:
        """The share (0 to 1) since a reading; for a time too short to be told, that of the last readings."""
        now = self.read()
        if now is since:
            since = self._before
        elapsed = now[0] - since[0]
        return min(1.0, max(0.0, (now[1] - since[1]) / elapsed)) if elapsed > 0 else 0.0

    def _sample(self) -> tuple[float, float]:
        return time.monotonic(), self._waited()

    def _waited(self) -> float:
        if self._psi is not None:
            try:
                return parse_pressure(os.pread(self._psi, 512, 0))
            except OSError:  # PSI may be compiled in but switched off: EOPNOTSUPP at the first read
                os.close(self._psi)
                self._psi = None
                self._stat = _open("/proc/stat")
        if self._stat is not None:
            return parse_busy(os.pread(self._stat, 512, 0)) / self._ticks - self._own() / (os.cpu_count() or 1)
        return 0.0


def parse_pressure(text: bytes) -> float:
    r"""The seconds waited in all, from `/proc/pressure/cpu`.

    >>> parse_pressure(b"some avg10=1.00 avg60=0.50 avg300=0.10 total=2500000\nfull avg10=0.00 total=0\n")
    2.5
    """
    return int(text.partition(b"total=")[2].split(None, 1)[0]) / 1e6


def parse_busy(text: bytes) -> int:
    r"""The ticks of all processors that were used or stolen, from `/proc/stat`: all but idle and waiting for disks.

    >>> parse_busy(b"cpu  10 1 5 100 7 0 2 3 0 0\ncpu0 ...")
    21
    """
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, text.split(None, 10)[1:9])
    return user + nice + system + irq + softirq + steal


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


class Reading(NamedTuple):
    """What a meter counts from: a reading of the whole host's pressure, and of what our loop's thread has waited."""

    pressure: tuple[float, float]
    queued: float | None


class HostWatch:
    """Looks at the loop's punctuality, its thread's wait and the processor's pressure for all the meters of one loop.

    It ticks only while there are meters running; nothing is left to close.
    """

    __slots__ = ("_due", "_loop", "_pressure", "_queue", "_running", "_timer")

    def __init__(self, pressure: CpuPressure | None = None, queue: RunQueue | None = None) -> None:
        self._pressure = pressure or CpuPressure()
        self._queue = queue or RunQueue()
        self._loop = asyncio.get_running_loop()
        self._running: set[HostMeter] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def begin(self, meter: "HostMeter") -> "Reading":
        """Watch for a meter too; the reading to count from."""
        self._running.add(meter)
        if self._timer is None:
            self._schedule()
        return Reading(self._pressure.read(), self._queue.read())

    def end(self, meter: "HostMeter", since: "Reading") -> HostLoad:
        """What the host was like for a meter that is done."""
        self._running.discard(meter)
        overdue = self._loop.time() - self._due  # a tick may be due and not have come yet
        queued = self._queue.read()
        return HostLoad(
            cpu=self._pressure.share(since.pressure),
            loop_lag=max(meter.lag, overdue, 0.0),
            waited=None if queued is None or since.queued is None else queued - since.queued,
        )

    def _schedule(self) -> None:
        self._due = self._loop.time() + TICK
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        if not self._running:
            self._timer = None
            return
        lag = self._loop.time() - self._due
        for meter in self._running:
            meter.lag = max(meter.lag, lag)
        self._schedule()


class HostMeter:
    """Measures our own host during one run, in the loop that measures the run.

    >>> async def measured(run):
    ...     meter = HostMeter()
    ...     meter.start()
    ...     try:
    ...         await run()
    ...     finally:
    ...         load = meter.stop()
    ...     return load

    Many runs at a time share one `watch`.
    """

    __slots__ = ("_since", "_watch", "lag")

    def __init__(self, watch: HostWatch | None = None) -> None:
        self._watch = watch or HostWatch()
        self.lag = 0.0
        """The longest delay of the loop so far, in seconds."""

    def start(self) -> None:
        """Begin."""
        self.lag = 0.0
        self._since = self._watch.begin(self)

    def stop(self) -> HostLoad:
        """End, and say what the host was like since `start`."""
        return self._watch.end(self, self._since)
