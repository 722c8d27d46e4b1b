"""What rules look at: the runs of a world in the order in which they ended, and which of them were bad."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Protocol

from probe.backtest.sample import Sample, Setting

FOLLOWING = 6
"""As many good runs after a bad one matter to rules, also where slow retries settle a region's status minutes later."""


class Alert(NamedTuple):
    """Something that a rule said. `what` is open, reopen or resolve; `key` tells alerts that are open beside each other apart."""

    at: float
    what: str
    key: str
    page: bool = True


class Retryable(Protocol):
    """A world in which each retry has an answer."""

    @property
    def setting(self) -> Setting:
        """What is watched."""
        ...

    def extra(self, at: float, region: str) -> Sample:
        """What a retry begun now returns."""
        ...


@dataclass(frozen=True, kw_only=True)
class History:
    """The scheduled runs of a world. `limit` is a static assertion on the duration: what takes longer (seconds) is bad, too."""

    world: Retryable
    samples: Sequence[Sample]
    limit: float | None = None
    _shares: dict[tuple[float, float], list[float]] = field(default_factory=dict)
    _retries: dict[tuple[float, str], Sample] = field(default_factory=dict)

    @property
    def regions(self) -> tuple[str, ...]:
        return self.world.setting.regions

    def is_bad(self, sample: Sample) -> bool:
        """Whether a rule takes this run for a failure."""
        return sample.outcome == "failed" or (self.limit is not None and sample.seconds > self.limit)

    @cached_property
    def ended(self) -> list[float]:
        """When each run ended."""
        return [sample.at + sample.seconds for sample in self.samples]

    @cached_property
    def bad(self) -> list[bool]:
        """Whether each run was bad."""
        return [self.is_bad(sample) for sample in self.samples]

    @cached_property
    def bad_before(self) -> list[int]:
        """How many bad runs there are before each run, and before the end."""
        return [0, *accumulate(self.bad)]

    @cached_property
    def marks(self) -> list[int]:
        """The numbers of the bad runs, and of the `FOLLOWING` runs after each in its region: all that rules on rows react to."""
        after = dict.fromkeys(self.regions, 0)
        found = []
        for number, (sample, bad) in enumerate(zip(self.samples, self.bad, strict=True)):
            if bad:
                after[sample.region] = FOLLOWING + 1
            if after[sample.region]:
                after[sample.region] -= 1
                found.append(number)
        return found

    @cached_property
    def bad_ended(self) -> list[float]:
        """When each bad run ended."""
        return [ended for ended, bad in zip(self.ended, self.bad, strict=True) if bad]

    def counts(self, start: float, end: float) -> tuple[int, int]:
        """How many runs ended after `start`, until and with `end`; and how many of them were bad."""
        low, high = bisect_right(self.ended, start), bisect_right(self.ended, end)
        return high - low, self.bad_before[high] - self.bad_before[low]

    def shares(self, window: float, every: float) -> list[float]:
        """The share of bad runs in the window before 0, `every`, twice `every`, and so on to the end. Kept: many rules ask."""
        if (kept := self._shares.get((window, every))) is not None:
            return kept
        found = self._shares[window, every] = []
        for number in range(int(self.world.setting.length / every) + 1):
            runs, bad = self.counts(number * every - window, number * every)
            found.append(bad / runs if runs else 0.0)
        return found

    def retry(self, at: float, region: str) -> Sample:
        """What a retry begun then returns. Kept: many rules ask."""
        if (kept := self._retries.get((at, region))) is not None:
            return kept
        found = self._retries[at, region] = self.world.extra(at, region)
        return found
