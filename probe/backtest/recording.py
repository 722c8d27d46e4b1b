"""A world made of runs that were recorded: what an extra run would have returned is looked up among them."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise, repeat
from math import isnan, nan
from typing import Final

from probe.backtest.sample import Sample, Setting

NEAR: Final = 15.0
"""Seconds after a moment within which a recorded extra run answers for one that is begun then."""
SAME: Final = 0.001
"""Seconds by which roundings may disagree."""
BEFORE: Final = 2.0
"""Seconds before it within which one answers when there is none after: the daemon's clock ticks in a phase of its own."""
STALE: Final = 2.0
"""Intervals beyond which no run of the schedule stands in: the region was silent."""

Extras = Mapping[str, list[Sample]]
"""Region → what extra runs returned there, in the order of their beginnings."""


class Scheduled:
    """Runs of the schedule in columns: a passed one takes 17 bytes, for there may be millions. The others are whole.

    Each of its steps takes 8 bytes more.
    """

    def __init__(self) -> None:
        self.at = array("d")
        self.seconds = array("d")
        self.region = array("B")
        self.steps: dict[str, array[float]] = {}
        """Step → seconds; not a number where a run has none. A column may be shorter than the others."""
        self.whole: dict[int, Sample] = {}
        """Place in the columns → the run, where there is more to say of it."""

    def __len__(self) -> int:
        return len(self.at)

    def add_passed(self, at: float, seconds: float, region: int, steps: Mapping[str, float] | None) -> None:
        """Take one in of which there is no more to say; `region` as below."""
        for name, took in steps.items() if steps else ():
            column = self.steps.setdefault(name, array("d"))
            column.extend(repeat(nan, len(self.at) - len(column)))
            column.append(took)
        self.at.append(at)
        self.seconds.append(seconds)
        self.region.append(region)

    def passed(self, index: int, region: str) -> Sample:
        """A run that is in the columns alone."""
        if not self.steps:
            return Sample(self.at[index], region, "passed", self.seconds[index])
        steps = {
            name: took
            for name, column in self.steps.items()
            if index < len(column) and not isnan(took := column[index])
        }
        return Sample(self.at[index], region, "passed", self.seconds[index], None, None, steps or None)

    def add(self, sample: Sample, region: int) -> None:
        """Take one in; `region` is the place of its region among those of the check."""
        self.whole[len(self.at)] = sample
        self.at.append(sample.at)
        self.seconds.append(sample.seconds)
        self.region.append(region)


class Recording:
    """A `World` of recorded runs. Times are seconds since `setting.start`.

    An extra run returns what the first recorded one of its region within 15 s did (or one two seconds before). Where there is none the next run of the
    schedule that had not ended yet stands in: not one that was judged already, which would confirm itself. `asked` counts
    the extra runs, `stood_in` those of them.
    """

    def __init__(self, setting: Setting, runs: Scheduled, extras: Extras, controls: Extras) -> None:
        self.asked = self.stood_in = 0
        self._setting = setting
        self._runs = runs
        self._extras = extras
        self._controls = controls
        self._order = _by_end(runs)
        self._places: dict[str, _Ends] = {}

    @property
    def setting(self) -> Setting:
        """What was watched."""
        return self._setting

    @property
    def runs(self) -> int:
        """How many runs of the schedule there are."""
        return len(self._runs)

    @property
    def has_extras(self) -> bool:
        """Whether what extra runs would have returned was recorded at all."""
        return any(self._extras.values())

    def has_control(self, region: str) -> bool:
        """Whether control runs of a region were recorded."""
        return bool(self._controls.get(region))

    def scheduled(self) -> Iterator[Sample]:
        """The runs of the schedule, in the order in which they ended."""
        at, seconds, region = self._runs.at, self._runs.seconds, self._runs.region
        names, whole, plain = self._setting.regions, self._runs.whole, not self._runs.steps
        for index in self._order:
            if index in whole:
                yield whole[index]
            elif not plain:
                yield self._runs.passed(index, names[region[index]])
            else:  # by far the most, and the quickest way
                yield Sample(at[index], names[region[index]], "passed", seconds[index])

    def extra(self, at: float, region: str) -> Sample | None:
        """What an extra run begun now returns."""
        self.asked += 1
        found = _first(self._extras.get(region, []), at)
        if found is None:
            found = self._stand_in(at, region)
            self.stood_in += found is not None
        return found

    def control(self, at: float, region: str) -> Sample | None:
        """What a control run begun now returns, where one was recorded."""
        return _first(self._controls.get(region, []), at)

    def _stand_in(self, at: float, region: str) -> Sample | None:
        """The nearest run of the schedule of those that nobody had judged yet."""
        ends = self._places.get(region)
        if ends is None:
            ends = self._places[region] = _Ends(self._runs, self._order, self._setting.regions.index(region))
        for index in ends.after(at):
            begun = self._runs.at[index]
            if begun > at + STALE * self._setting.every:
                return None
            sample = self._runs.whole.get(index)
            if sample is None:
                return self._runs.passed(index, region)
            if sample.outcome in ("passed", "failed"):
                return sample
        return None


class _Ends:
    """When the runs of one region ended, in order, and which they are."""

    def __init__(self, runs: Scheduled, order: "range | list[int]", region: int) -> None:
        regions = runs.region
        self._places = array("L", (index for index in order if regions[index] == region))
        self._ends = array("d", (runs.at[index] + runs.seconds[index] for index in self._places))

    def after(self, at: float) -> Iterator[int]:
        """Those that ended after a moment."""
        start = bisect_left(self._ends, at + 1e-6)  # the one that asks ended at this very moment
        return (self._places[number] for number in range(start, len(self._places)))


def _by_end(runs: Scheduled) -> "range | list[int]":
    """The places of the runs, in the order in which they ended."""
    ends = array("d", map(float.__add__, runs.at, runs.seconds))
    if all(before <= after for before, after in pairwise(ends)):
        return range(len(ends))
    return sorted(range(len(ends)), key=ends.__getitem__)


def _first(samples: list[Sample], at: float) -> Sample | None:
    """The first that began at that moment or soon after, else the last that began just before it."""
    index = bisect_left(samples, at - SAME, key=lambda sample: sample.at)
    if index < len(samples) and samples[index].at - at <= NEAR:
        return samples[index]
    if index and at - samples[index - 1].at <= BEFORE:
        return samples[index - 1]
    return None
