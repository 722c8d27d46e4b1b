"""Everything at a glance: what is broken, and how the probes themselves are."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from probe.core.check import CheckId
from probe.core.drilled import is_drill
from probe.core.encode import timestamp
from probe.core.incident import Incident, Verdict
from probe.core.state import State
from probe.store.listing import resolved_since
from probe.view.cell import cell_of
from probe.view.documents import ChannelRow, CheckRow, ObjectiveRow, Overview, RegionRow, TargetRow
from probe.view.health import coverage, health, region_trouble
from probe.view.incidents import incident_row, optional
from probe.view.objectives import row_of
from probe.view.recent import Recent, Strip
from probe.view.sources import Sources
from probe.view.standing import Standing, standing_of
from probe.view.visitors import visitors

OVER: Final = timedelta(days=1)
"""For how long incidents are shown that are over."""
MOST_OVER: Final = 50
WORST_FIRST: Final = (
    Verdict.DOWN,
    Verdict.REGIONAL,
    Verdict.DEGRADED,
    Verdict.THIRD_PARTY,
    Verdict.BLOCKED,
    Verdict.PROBE_FAULT,
    Verdict.UNKNOWN,
    Verdict.OK,
)
_RANK: Final = {verdict.value: rank for rank, verdict in enumerate(WORST_FIRST)}


def overview(sources: Sources, recent: Recent) -> Overview:
    """All of it, as of now. `recent` is what is kept from the last look, and brought up to date. `StoreUnavailable`."""
    rules, now = sources.rules, sources.now
    with recent.lock:
        stored = recent.refresh(sources.reader, rules.objectives, now)
        standing = standing_of(stored, recent.outcomes(now), rules, sources.live, now)
        targets = _targets(sources, standing, stored.state, recent.strips)
        lag, worst_lag = recent.lag(now)
    over = sources.reader.read(partial(resolved_since, since=now - OVER, limit=MOST_OVER))
    clean = sources.redactor.structure
    return Overview(
        now=timestamp(now),
        regions=list(rules.regions()),
        incidents=clean([incident_row(incident, rules, now) for incident in standing.incidents]),
        targets=targets,
        objectives=_objectives(standing),
        places=_places(standing, stored.state),
        channels=clean(
            [
                ChannelRow(channel=c.channel, pending=c.pending, oldest=optional(c.oldest), disabled=c.disabled)
                for c in standing.channels
            ]
        ),
        health=clean(health(standing, stored.state, lag, worst_lag)),
        visitors=visitors(sources),
        recent=clean([incident_row(incident, rules, now) for incident in over]),
    )


def _objectives(standing: Standing) -> list[ObjectiveRow]:
    """Those that burn or are spent first."""
    rank = {"burning": 0, "spent": 1}
    return [row_of(promise) for promise in sorted(standing.promises, key=lambda p: rank.get(p.state, 2))]


def _places(standing: Standing, state: State) -> list[RegionRow]:
    return [
        RegionRow(
            region=place.name,
            outcomes={outcome.value: count for outcome, count in place.runs.items()},
            coverage=coverage(place.runs),
            trouble=region_trouble(state.regions.get(place.name), standing.now),
        )
        for place in standing.regions
    ]


def _targets(
    sources: Sources, standing: Standing, state: State, strips: Mapping[tuple[str, str], Strip]
) -> list[TargetRow]:
    """The targets and their checks, worst first, then in the order of the configuration."""
    suffering = suffering_of(standing.incidents)
    regions = sources.rules.regions()
    found: dict[tuple[str, str], list[CheckRow]] = {}
    for watched in sources.rules.checks.values():
        verdict = standing.verdicts[watched.id]
        spec = sources.checks.get(watched.id)
        row = CheckRow(
            check=watched.id,
            description=watched.promise,
            kind="" if spec is None else spec.kind,
            verdict=verdict.value,
            every=watched.every.total_seconds(),
            tags=list(watched.tags),
            incident=suffering.get(watched.id),
            cells=[
                cell_of(watched, region, strips.get((watched.id, region)), state, sources)
                if region in watched.regions
                else None
                for region in regions
            ],
        )
        found.setdefault((watched.target, watched.cause), []).append(row)
    targets = [
        TargetRow(
            target=target,
            host=host,
            verdict=min((row["verdict"] for row in rows), key=_RANK.__getitem__),
            checks=sorted(rows, key=lambda row: _RANK[row["verdict"]]),
        )
        for (target, host), rows in found.items()
    ]
    return sorted(targets, key=lambda target: _RANK[target["verdict"]])


def suffering_of(incidents: tuple[Incident, ...]) -> dict[CheckId, str]:
    """Each check that suffers now → the id of its incident, of the gravest where there are several. Drills do not count."""
    found: dict[CheckId, str] = {}
    for incident in incidents:
        if is_drill(incident.cause):
            continue
        for member in incident.members.values():
            if member.recovered is None:
                found.setdefault(member.check, incident.id)
    return found
