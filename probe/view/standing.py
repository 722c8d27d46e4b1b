"""How everything stands: what is stored, what the rules make of it, and what the living daemon says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from probe.core.budget import Budget, budget, noise_of
from probe.core.check import CheckId
from probe.core.incident import Incident, Verdict
from probe.core.ledger import Ledger
from probe.core.notification import Fate
from probe.core.rules import Objective, Rules
from probe.core.run import Outcome
from probe.core.slo import burning
from probe.core.state import State
from probe.core.verdict import status as verdict_on
from probe.store.reader import Backlog, Reader, Status

SETTLED: Final = frozenset({Fate.SENT, Fate.WITHDRAWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How an objective stands. `state` is `ok`, `burning` (the budget burns too fast), `spent`, or `unknown`."""

    objective: Objective
    budget: Budget
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Locality:
    """How a region stands: the outcomes of its runs in the last hour, and since when it is blind, if it is."""

    name: str
    runs: Mapping[Outcome, int]
    blind: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A channel: notifications that are not delivered, since when the oldest waits, and why it is disabled, if it is."""

    channel: str
    pending: int
    oldest: datetime | None
    disabled: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it. `rules` is `None` when the checks cannot be loaded here, `live` when no daemon answers."""

    now: datetime
    incidents: tuple[Incident, ...]
    verdicts: Mapping[CheckId, Verdict]
    promises: tuple[Promise, ...]
    regions: tuple[Locality, ...]
    channels: tuple[Waiting, ...]
    alive: datetime | None
    live: Mapping[str, Any] | None


def standing(reader: Reader, rules: Rules | None, live: Mapping[str, Any] | None, now: datetime) -> Standing:
    """Put it together."""
    return standing_of(reader.status(), reader.outcomes(since=now - timedelta(hours=1)), rules, live, now)


def standing_of(
    stored: Status,
    outcomes: Mapping[str, Mapping[Outcome, int]],
    rules: Rules | None,
    live: Mapping[str, Any] | None,
    now: datetime,
) -> Standing:
    """The same of what was read. `outcomes` are those of the last hour, by region."""
    state = stored.state
    return Standing(
        now=now,
        incidents=tuple(sorted(state.incidents.values(), key=lambda i: (i.severity.value, i.since))),  # pages first
        verdicts={}
        if rules is None
        else {
            check: verdict_on(state.checks.get(check), watched, state.regions, now)
            for check, watched in rules.checks.items()
        },
        promises=() if rules is None else tuple(promise(o, state, now) for o in rules.objectives.values()),
        regions=_regions(state, outcomes),
        channels=_channels(stored.outbox, live),
        alive=stored.alive,
        live=live,
    )


def promise(objective: Objective, state: State, now: datetime) -> Promise:
    """How an objective stands."""
    ledger = state.ledgers.get(objective.name) or Ledger()
    noise = noise_of(state, objective)
    left = budget(objective, ledger, now, noise)
    named = any(objective.name in incident.burns for incident in state.incidents.values())
    known = state.objectives.get(objective.name)
    if named or burning(objective, ledger, now, known.explained if known else None, noise) is not None:
        word = "burning"
    elif not left.known:
        word = "unknown"
    else:
        word = "spent" if left.left <= 0 else "ok"
    return Promise(objective=objective, budget=left, state=word)


def _regions(state: State, runs: Mapping[str, Mapping[Outcome, int]]) -> tuple[Locality, ...]:
    known = {*state.regions, *runs, *(name for check in state.checks.values() for name in check.places)}
    return tuple(
        Locality(
            name=name, runs=runs.get(name, {}), blind=region.blind if (region := state.regions.get(name)) else None
        )
        for name in sorted(known)
    )


def _channels(outbox: Sequence[Backlog], live: Mapping[str, Any] | None) -> tuple[Waiting, ...]:
    known: Mapping[str, Any] = live.get("channels", {}) if live else {}
    found = []
    for name in sorted({*known, *(part.channel for part in outbox)}):
        waiting = [part for part in outbox if part.channel == name and part.fate not in SETTLED]
        refused = any(part.fate is Fate.REFUSED for part in waiting)
        disabled = known.get(name, {}).get("disabled") if live else "it refused the last message" if refused else None
        found.append(
            Waiting(
                channel=name,
                pending=sum(part.count for part in waiting),
                oldest=min((part.oldest for part in waiting), default=None),
                disabled=disabled,
            )
        )
    return tuple(found)
