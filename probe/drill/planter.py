"""Decides, request by request, what a run of a drill does with it: pass it on, plant the fault, or keep it from the shop."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from probe.core.check import WHOLE_RUN
from probe.core.fault import Answer, Asked, Drill, DrillNotes, Fault, host_of, place_of

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
MOST_REQUESTS: Final = 500
MOST_BODY: Final = 512 * 1024
"""Bytes of an answer that are kept; of what is larger only that it was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What becomes of one request: `fault` meets it, `replay` is given instead of the shop's answer.

    `strayed`: it may not reach the shop, and there is no answer for it.
    """

    fault: Fault | None = None
    replay: Answer | None = None
    strayed: bool = False

    @property
    def passes(self) -> bool:
        """Whether nothing is done with it."""
        return self.fault is None and self.replay is None and not self.strayed


@dataclass(slots=True)
class Planter:
    """One run's. `step` gives the step that the run is in; `own` tells whether an address is the target's."""

    drill: Drill
    step: Callable[[], str | None]
    own: Callable[[str], bool]
    undoing: bool = False
    """Whether the run cleans up."""
    ordered: str | None = None
    _effective: bool = False
    _replaying: bool = False
    _hits: int = 0
    _given: "Counter[tuple[str, str]]" = field(default_factory=Counter)
    _asked: list[Asked] = field(default_factory=list)
    _strayed: list[str] = field(default_factory=list)

    @property
    def records(self) -> bool:
        """Whether the answers are to be noted."""
        return self.drill.record

    def rule(self, method: str, url: str) -> Ruling:
        """What is to be done with a request that is about to be sent."""
        drill, step, own = self.drill, self.step(), self.own(url)
        fault = drill.fault
        if fault is not None and not self.undoing and fault.hits(step, method, url):
            self._hits += 1
        else:
            fault = None
        self._effective = self._effective or (drill.effects is not None and drill.effects in (step, WHOLE_RUN))
        if drill.record or not (own and self._effective):
            return Ruling(fault=fault)
        changes = method not in SAFE
        # From the first change on, the shop is as it was then: what it shows is shown again, too.
        self._replaying = self._replaying or changes
        replay = self._known(method, url) if self._replaying else None
        if replay is None and changes:
            if self.undoing:
                return Ruling(replay=Answer(status=200))
            if fault is None or not fault.kind.replaces:
                self._strayed.append(f"{method} {place_of(url)}")
                return Ruling(strayed=True)
        return Ruling(fault=fault, replay=replay)

    def note(self, step: str | None, method: str, url: str, resource: str, answer: Answer | None) -> None:
        """Note a request that was made in `step`, and what was answered."""
        if self.records and len(self._asked) < MOST_REQUESTS:
            if answer is not None and len(answer.body) > MOST_BODY:
                answer = Answer(status=answer.status, headers=answer.headers)
            self._asked.append(
                Asked(
                    step=step,
                    method=method,
                    url=url,
                    resource=resource,
                    own=self.own(url),
                    undo=self.undoing,
                    answer=answer,
                )
            )

    def notes(self) -> DrillNotes:
        """All that was noted."""
        return DrillNotes(asked=tuple(self._asked), hits=self._hits, strayed=tuple(self._strayed), ordered=self.ordered)

    def _known(self, method: str, url: str) -> Answer | None:
        """The answer of the recorded run to the same request; the one to its last where there are not as many."""
        key = (method, place_of(url))
        found = [a.answer for a in self.drill.known if (a.method, a.place) == key and a.answer is not None]
        if not found:
            return None
        number = self._given[key]
        self._given[key] += 1
        return found[min(number, len(found) - 1)]


def known_effects(asked: tuple[Asked, ...], effects: str | None) -> tuple[Asked, ...]:
    """What a run has to know to keep its side effects from the shop: its own requests from that step on."""
    if effects is None:
        return ()
    first = next((n for n, a in enumerate(asked) if effects in (a.step, WHOLE_RUN)), len(asked))
    return tuple(a for a in asked[first:] if a.own)


def third_parties(asked: tuple[Asked, ...]) -> dict[str, list[Asked]]:
    """The requests to other hosts, by host."""
    found: dict[str, list[Asked]] = {}
    for one in asked:
        if not one.own:
            found.setdefault(host_of(one.url), []).append(one)
    return found
