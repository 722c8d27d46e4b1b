"""Shards that could not be judged: each is tried alone, with ever less of it at a time, so that it holds up no other.

What cannot be written down though nothing else is in the way is stored without judgement, then given up: one row at a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

FULL: Final = 500
"""Rows of a shard that are judged at a time."""
STEPS: Final = (FULL, 50, 5, 1)
"""Rows at a time, after so many failures."""
BARE: Final = len(STEPS)
"""The step at which one row is stored without judgement."""
EMPTY: Final = BARE + 1
"""The step at which no row is taken: whether the rest of the shard can be written."""
DROP: Final = EMPTY + 1
"""The step at which one row is given up: all went well without it."""
CALM: Final = 20
"""Successes after which more is taken at a time."""
LONGEST: Final = 60.0
"""Seconds until a shard is tried again that cannot be judged at all."""


@dataclass(slots=True)
class Ward:
    """How a shard is taken that is in trouble. `again` is the loop's time at which it is tried next."""

    step: int = 0
    again: float = 0.0
    calm: int = 0
    failures: int = 0

    @property
    def rows(self) -> int:
        """Rows at a time."""
        return 0 if self.step == EMPTY else STEPS[min(self.step, BARE - 1)]


class Quarantine:
    """All shards that are in trouble."""

    def __init__(self) -> None:
        self._wards: dict[str, Ward] = {}

    @property
    def names(self) -> list[str]:
        """The shards that are not taken together with others."""
        return list(self._wards)

    def due(self, now: float) -> tuple[str, Ward] | None:
        """The shard that is to be tried next, alone; `None`: none is to be now."""
        found = [(ward.again, name) for name, ward in self._wards.items() if ward.again <= now]
        return (min(found)[1], self._wards[min(found)[1]]) if found else None

    def failed(self, names: Iterable[str], now: float, *, bug: bool) -> None:
        """These could not be judged together. A `bug` is in what is there; else the database was in the way."""
        for name in names:
            ward = self._wards.get(name)
            if ward is None:
                self._wards[name] = Ward()
                continue
            ward.failures += 1
            ward.calm = 0
            last = EMPTY if bug else BARE - 1
            ward.again = now + min(LONGEST, 0.1 * 2 ** min(ward.failures, 10))
            ward.step = BARE - 1 if ward.step == DROP else min(ward.step + 1, max(last, ward.step))

    def well(self, name: str, now: float, *, emptied: bool) -> None:
        """It was judged, alone; `emptied`: nothing is left of it."""
        ward = self._wards.get(name)
        if ward is None:
            return
        ward.again = now
        if ward.step == EMPTY:
            ward.step = DROP
        elif ward.step >= BARE:
            ward.step, ward.failures = BARE - 1, 0
        elif emptied or ward.step == 0:
            del self._wards[name]
        else:
            ward.failures, ward.calm = 0, ward.calm + 1
            if ward.calm >= CALM:
                ward.step, ward.calm = ward.step - 1, 0

    def forget(self, name: str) -> None:
        """There is no such shard any more."""
        self._wards.pop(name, None)
