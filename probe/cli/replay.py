"""Runs judged again by one configuration, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from probe.backtest.alert import Alert, Event
from probe.backtest.loop import Played, play_together
from probe.backtest.rules import unknown_to
from probe.backtest.score import Score, Truth, score
from probe.cli.source import Source
from probe.core.check import CheckId
from probe.core.rules import Rules
from probe.errors import ProbeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What one configuration made of the runs. `stood_in`: extra runs whose answers are those of scheduled ones."""

    name: str
    played: Played
    score: Score | None
    asked: int
    stood_in: int
    notes: tuple[str, ...]

    @property
    def opened(self) -> tuple[Alert, ...]:
        """The alerts that open an incident."""
        return tuple(alert for alert in self.played.alerts if alert.event is Event.OPENED)

    @property
    def pages(self) -> int:
        """How often somebody would have been woken."""
        return sum(alert.page for alert in self.played.alerts)

    @property
    def share(self) -> float:
        """Extra runs for each run of the schedule."""
        return (self.played.confirms + self.played.controls) / max(1, self.played.scheduled)


def replay(
    source: Source,
    rules: Rules,
    truths: tuple[Truth, ...] | None,
    *,
    name: str = "",
    progress: Callable[[float], None] | None = None,
) -> Replay:
    """Judge by these rules. `ProbeError` when they watch none of the checks."""
    watched = [r for r in source.recordings if CheckId(r.setting.check) in rules.checks]
    notes = unknown_to(rules, source.recordings)
    if not watched:
        raise ProbeError("\n".join((f"{name} watches none of the checks of these runs", *notes)))
    for recording in watched:
        recording.asked = recording.stood_in = 0
    length = max(recording.setting.length for recording in watched)
    told = None if progress is None else lambda at: progress(at / (length or 1.0))
    played = play_together(watched, rules, progress=told)
    return Replay(
        name=name,
        played=played,
        score=None if truths is None else score(played.alerts, truths, played.seconds),
        asked=sum(recording.asked for recording in watched),
        stood_in=sum(recording.stood_in for recording in watched),
        notes=notes,
    )
