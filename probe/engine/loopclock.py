"""Wall time that goes with the loop's clock: it stays steady while the wall clock jumps, until the jump is looked at."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from probe.ports import Clock

JUMP: Final = timedelta(seconds=1)
"""From which difference the wall clock is said to have jumped: what an NTP client slews is less."""
_STALLED: Final = 0.5
"""Seconds between two readings from which we were stopped ourselves in between, and the readings do not fit."""


class LoopClock:
    """Turns moments of the wall into times of the running loop, and back. To be made inside the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._wall, self._at = clock.now(), self._loop.time()

    def now(self) -> datetime:
        """The present moment, as if the wall clock had not jumped since the last `look`."""
        return self._wall + timedelta(seconds=self._loop.time() - self._at)

    def when(self, moment: datetime) -> float:
        """The loop's time at a moment of the wall."""
        return self._at + (moment - self._wall).total_seconds()

    def look(self) -> timedelta | None:
        """How far the wall clock has jumped since the last look, which is then taken over; `None`: not at all.

        A suspended machine looks like a jump forward: the loop's clock stands still meanwhile. Many small steps count
        as one, as soon as together they are a second.
        """
        at = self._loop.time()
        wall = self._clock.now()
        jump = wall - self._wall - timedelta(seconds=at - self._at)
        if abs(jump) <= JUMP or self._loop.time() - at > _STALLED:
            return None
        self._wall, self._at = wall, at
        return jump
