"""The runs that an incident is understood by: those of the checks that suffer, and of others on the same host, around its beginning."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from probe.core.incident import Incident, Verdict
from probe.core.message import checks_of
from probe.core.run import Outcome, Run, RunId, Why
from probe.store.neighbours import first_bad, last_passed, runs_between, whole_runs
from probe.view.evidence import PICTURES, available
from probe.view.run import has_details
from probe.view.sources import Sources

BEFORE: Final = timedelta(minutes=10)
"""How long before the first bad run runs are looked at."""
AFTER: Final = timedelta(minutes=15)
"""How long after the opening."""
BURNT: Final = timedelta(hours=1)
"""How long before the opening, where only a budget burns."""
MOST_CHECKS: Final = 12
"""Checks that suffer whose runs are read."""
MOST_OTHERS: Final = 8
"""Checks of the same host that do not suffer whose runs are read."""
MOST_RUNS: Final = 400
"""Runs that are read of those that suffer, and half as many of the others."""
MOST_SOUGHT: Final = 12
"""Places whose first bad run, or last good one, is looked for alone: it lies further away."""
TICK: Final = timedelta(microseconds=1)
"""The shortest time between two moments."""
MOST_WHOLE: Final = 30
"""Runs that are read with all details."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Runs around the beginning of an incident, oldest first; the most telling ones with all that is known of them.

    `checks` are those that suffer, `regions` all that they are watched from. `begun` are the first bad runs of each place,
    `good` the last good one of each before that, or, where none is bad, the last one that is known, by check and region.
    """

    incident: Incident
    checks: tuple[str, ...]
    regions: tuple[str, ...]
    suffering: tuple[Run, ...]
    others: tuple[Run, ...]
    begun: tuple[Run, ...]
    good: tuple[Run, ...]

    def meanwhile(self, region: str | None = None) -> list[Run]:
        """The runs of those that suffer, since it began, which say something about the target."""
        return [
            run
            for run in self.suffering
            if run.started >= self.incident.since
            and region in (None, run.region)
            and run.outcome in (Outcome.PASSED, *bad_of(self.incident))
        ]

    def confirming(self) -> list[Run]:
        """The runs of those that suffer that were made to confirm."""
        return [run for run in self.meanwhile() if run.why is Why.CONFIRM]


def bad_of(incident: Incident) -> tuple[Outcome, ...]:
    """The outcomes that an incident is made of: of our own trouble, runs that could not be made."""
    return (Outcome.ERRORED, Outcome.FAILED) if incident.verdict is Verdict.PROBE_FAULT else (Outcome.FAILED,)


def around(sources: Sources, incident: Incident) -> Around:
    """Read them: some hundred slim ones at most, a few of them whole."""
    watched = checks_of(incident, sources.rules)
    checks = tuple(dict.fromkeys((*incident.members, *(one.id for one in watched))))
    start = incident.since if incident.members else min(incident.since, incident.opened - BURNT)
    end = min(incident.resolved or sources.now, incident.opened + AFTER)
    known = runs_between(sources.reader, checks[:MOST_CHECKS], start, end, limit=MOST_RUNS)
    before = runs_between(sources.reader, checks[:1], start - BEFORE, start - TICK, limit=MOST_RUNS // 4)
    suffering = (*before, *known)
    near = [one.id for one in sources.rules.checks.values() if one.cause == incident.cause and one.id not in checks]
    others = runs_between(sources.reader, near[:MOST_OTHERS], incident.since, end, limit=MOST_RUNS // 2)
    asked = {region for one in watched for region in one.regions}
    named = {region for member in incident.members.values() for region in member.regions}
    found = Around(
        incident=incident,
        checks=checks,
        regions=tuple(sorted(asked | named | {run.region for run in known})),
        suffering=suffering,
        others=others,
        begun=(),
        good=(),
    )
    begun = _begun(sources, found, start)
    found = replace(found, begun=begun, good=_good(sources, found, begun))
    return _with_details(sources, found)


def speaks_for_all(sources: Sources, seen: Around) -> Run | None:
    """The bad run whose evidence is the incident's: the first of the kind that was told, of which there is enough.

    A later one, such as one that was made to confirm, where the first has no picture (any more), or its details are gone;
    one of another check that failed alike, where that is by a browser and this one is not.
    """
    first = seen.incident.first
    bad = [run for run in (*seen.begun, *seen.suffering) if run.outcome in bad_of(seen.incident)]
    elsewhere: list[Run] = []
    if first is not None:
        elsewhere = [
            run for run in bad if run.check != first.check and _alike(run, first.failure.kind, first.failure.step)
        ]
        of_it = [run for run in bad if run.check == first.check] or bad
        alike = [
            run for run in of_it if run.failure is not None and _alike(run, first.failure.kind, first.failure.step)
        ]
        bad = sorted(alike or of_it, key=lambda run: (run.id != first.run, run.started, run.id))
    known = [run for run in {run.id: run for run in bad}.values() if has_details(run)]
    sought = {run.id: run for run in (*known, *sorted(elsewhere, key=lambda run: (run.started, run.id)))}.values()
    pictured = (run for run in sought if any(a.kind in PICTURES for a in run.observation.artifacts))
    for run in islice(pictured, MOST_SOUGHT):
        if available(sources, run):
            return run
    return next(iter(known or bad), None)


def _alike(run: Run, kind: str, step: str | None) -> bool:
    return run.failure is not None and (run.failure.kind, run.failure.step) == (kind, step)


def _begun(sources: Sources, seen: Around, start: datetime) -> tuple[Run, ...]:
    """The first bad run of each place that suffers, the earliest first."""
    found: dict[tuple[str, str], Run] = {}
    for run in seen.suffering:
        if run.started >= start and run.outcome in bad_of(seen.incident):
            found.setdefault((run.check, run.region), run)
    members = list(seen.incident.members.values())[:MOST_CHECKS]
    missing = [(m.check, region) for m in members for region in m.regions if (m.check, region) not in found]
    end = seen.incident.resolved or sources.now
    for check, region in missing[:MOST_SOUGHT]:
        later = first_bad(sources.reader, check, region, start, end)
        if later is not None:
            found[check, region] = later
    return tuple(sorted(found.values(), key=lambda run: (run.started, run.id)))


def _good(sources: Sources, seen: Around, begun: Sequence[Run]) -> tuple[Run, ...]:
    first = {(run.check, run.region): run.started for run in begun}
    found: dict[tuple[str, str], Run] = {}
    for run in seen.suffering:
        place = run.check, run.region
        if run.outcome is Outcome.PASSED and (place not in first or run.started < first[place]):
            found[place] = run
    for (check, region), at in list(first.items())[:MOST_SOUGHT]:
        if (check, region) not in found and (before := last_passed(sources.reader, check, region, at)) is not None:
            found[check, region] = before
    return tuple(found.values())


def _with_details(sources: Sources, seen: Around) -> Around:
    """The same, with the most telling runs whole, and none with a secret: what is shortened later must not hold half of one."""
    ids = set(islice(dict.fromkeys(_telling(seen)), MOST_WHOLE))
    known = {run.id: run for run in (*seen.suffering, *seen.others, *seen.begun, *seen.good)}
    known |= {run.id: run for run in whole_runs(sources.reader, ids)}
    clean = {name: sources.redactor.structure(run) for name, run in known.items()}

    def filled(runs: Collection[Run]) -> tuple[Run, ...]:
        return tuple(clean[run.id] for run in runs)

    return replace(
        seen,
        suffering=filled(seen.suffering),
        others=filled(seen.others),
        begun=filled(seen.begun),
        good=filled(seen.good),
    )


def _telling(seen: Around) -> Iterator[RunId]:
    """The runs to be read whole, the most telling first."""
    named = [member.run for member in seen.incident.members.values()]
    yield from (run.id for run in seen.suffering if run.id in named)
    yield from (run.id for run in seen.begun[:12])
    yield from (run.id for run in seen.confirming()[:10])
    yield from islice((run.id for run in seen.meanwhile() if run.outcome is Outcome.PASSED), 6)
    places: set[tuple[str, Outcome]] = set()
    for run in seen.others:  # one good and one bad run of each neighbour
        if (run.check, run.outcome) not in places:
            places.add((run.check, run.outcome))
            yield run.id
    yield from (run.id for run in seen.meanwhile() if run.outcome is not Outcome.PASSED)
