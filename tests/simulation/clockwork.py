"""Virtual time, fast and repeatable: a loop that leaps to the next alarm, and one seed for everything that is drawn."""

import asyncio
import logging
import random
import selectors
from collections.abc import Iterator
from contextlib import contextmanager

from probe.engine import recorder, runner, scheduler

FINE = {"TICK": scheduler.TICK, "EVERY": recorder.EVERY}
"""The real pace of scheduler and recorder: while something happens."""
COARSE = {"TICK": 60.0, "EVERY": 90.0}
"""The pace in calm hours, so that weeks take seconds."""


class _Leap(selectors.SelectSelector):
    """Waits for nothing: the time that would have been waited has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Like looptime's, but ten times as fast, for it knows no sockets: a million alarms in some seconds."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now


def pace(*, fine: bool) -> None:
    """How often scheduler and recorder look up, from now on."""
    values = FINE if fine else COARSE
    vars(scheduler)["TICK"], vars(recorder)["EVERY"] = values["TICK"], values["EVERY"]


class _Tokens:
    """Stands in for `secrets`: the ids of runs are drawn from the seed, too."""

    def __init__(self, rand: random.Random) -> None:
        self._rand = rand

    def token_hex(self, size: int) -> str:
        return self._rand.randbytes(size).hex()


class Bugs(logging.Handler):
    """Collects every traceback that was logged: what survives a bug hides it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


@contextmanager
def repeatable(seed: int) -> Iterator[Bugs]:
    """What is drawn comes from the seed, the pace can be changed, and the log is kept out of the terminal."""
    real, logger, bugs = vars(runner)["secrets"], logging.getLogger("probe"), Bugs()
    before = logger.level, logger.propagate
    vars(runner)["secrets"] = _Tokens(random.Random(f"{seed} ids"))
    logger.addHandler(bugs)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield bugs
    finally:
        vars(runner)["secrets"] = real
        logger.removeHandler(bugs)
        logger.level, logger.propagate = before
        pace(fine=True)
