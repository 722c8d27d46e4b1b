"""What a run says while it goes on: so that whoever watches it knows how far it got when it is killed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from probe.core.failure import Failure
from probe.core.run import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntered:
    """A step begins. Times are seconds; `start` counts from the start of the run."""

    name: str
    start: float
    within: float | None = None
    soft: bool = False


@dataclass(frozen=True, slots=True)
class StepLeft:
    """A step has ended."""

    step: Step


@dataclass(frozen=True, slots=True)
class Paused:
    """The clock of the run stood still for so many seconds: we looked at something, and that is none of its time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """Something failed, in no step or not yet at the end of one."""

    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order was placed in the shop."""

    id: str


@dataclass(frozen=True, slots=True)
class UndoPlanned:
    """A clean-up function was registered."""

    name: str


@dataclass(frozen=True, slots=True)
class Undone:
    """A clean-up function ran to its end."""

    name: str


@dataclass(frozen=True, slots=True)
class Spared:
    """The run ends here: from this step on it would have side effects, and it was made beside the schedule."""

    step: str


@dataclass(frozen=True, slots=True)
class Logged:
    """A line for the run's log."""

    line: str


Event: TypeAlias = StepEntered | StepLeft | Paused | Found | Ordered | UndoPlanned | Undone | Spared | Logged
Tell: TypeAlias = Callable[[Event], None]
"""Where events go."""


def nobody(_event: Event) -> None:
    """Nobody listens."""
