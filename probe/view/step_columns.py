"""How long each step of a check takes over time: medians of some runs of each column."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from probe.store.series import Named, Taken
from probe.view.columns import Grid
from probe.view.documents import StepColumn


@dataclass(slots=True)
class _Sampled:
    seq: int
    times: dict[str, list[int]] = field(default_factory=dict)


class StepTimes:
    """The times of steps in some runs of each column of a grid."""

    def __init__(self, taken: Iterable[Taken]) -> None:
        self._columns: dict[tuple[int, int], _Sampled] = {}
        self._order: set[tuple[int, str]] = set()
        for step in taken:
            found = self._columns.setdefault((step.column, step.place), _Sampled(step.seq))
            found.times.setdefault(step.name, []).extend(step.durations)
            self._order.add((step.position, step.name))

    def names(self, last: Sequence[str], declared: Sequence[str]) -> list[str]:
        """The steps of the last run that passed; else those that are declared, and then all that were seen."""
        return list(last) or list(dict.fromkeys((*declared, *(name for _, name in sorted(self._order)))))

    def spokesmen(self) -> list[int]:
        """The numbers of runs that stand for the columns."""
        return [found.seq for found in self._columns.values()]

    def columns(
        self, grid: Grid, names: Sequence[str], places: Mapping[int, str], named: Mapping[int, Named]
    ) -> list[StepColumn]:
        """The columns in which any step was reached, in order. `named` has the runs that stand for them."""
        begins = grid.begins()
        return [
            StepColumn(
                start=begins[column],
                region=places[place],
                run=named[found.seq].id if found.seq in named else None,
                sampled=max(map(len, found.times.values())),
                steps=[
                    round(statistics.median(found.times[name]) / 1_000_000, 4) if name in found.times else None
                    for name in names
                ],
            )
            for (column, place), found in sorted(self._columns.items())
        ]
