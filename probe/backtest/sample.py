"""What a world answers when a run is made in it: the one thing that recordings and simulated worlds have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is known beside of a run that was really made. `slots`: how many a missed one stands for."""

    id: str | None = None
    slot: int | None = None
    slots: int = 1
    message: str | None = None
    maintenance: str | None = None
    stopped_before: str | None = None


class Sample(NamedTuple):
    """One run, as a world gives it. Times are seconds; `at` is when it began, since the beginning of the world.

    `outcome` is that of `probe.core.run.Outcome`, `kind` a key of `probe.core.failure.KINDS` when it failed. `steps` are
    the seconds that each step that was reached took, where they are known; `recorded` what else is, of a recorded run.
    """

    at: float
    region: str
    outcome: str
    seconds: float
    step: str | None = None
    kind: str | None = None
    steps: Mapping[str, float] | None = None
    recorded: Recorded | None = None

    @property
    def ended(self) -> float:
        """When its result was known."""
        return self.at + self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The one check that is watched in a world. Times are seconds; `start` is when it begins, since 1970."""

    check: str
    regions: tuple[str, ...]
    every: float
    timeout: float
    steps: tuple[str, ...] = ()
    length: float = 0.0
    objective: float | None = None
    start: float = 0.0


class World(Protocol):
    """A closed-loop oracle: what would a run made now return? So that rules that ask for extra runs are scored fairly."""

    @property
    def setting(self) -> Setting:
        """What is watched."""
        ...

    def scheduled(self) -> Iterable[Sample]:
        """The runs of the schedule, in the order in which they ended: the same for every judge."""
        ...

    def extra(self, at: float, region: str) -> Sample | None:
        """What an extra run begun now returns; `None`: nobody knows."""
        ...

    def control(self, at: float, region: str) -> Sample | None:
        """What a control run of the region begun now returns; `None`: nobody knows, or there is none."""
        ...
