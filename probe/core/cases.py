"""Incidents: when one opens, who joins it, and when it is over. One for each cause."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from probe.core.check import CheckId
from probe.core.draft import Draft
from probe.core.failure import Failure
from probe.core.incident import Incident, IncidentId, Member, Verdict, What
from probe.core.notification import Reason
from probe.core.rules import Severity, Watched
from probe.core.run import Run, RunId
from probe.core.state import Place
from probe.core.verdict import PASSES, awaits_control, verdict_of

TROUBLE: Final = 3
"""Runs in a row that could not be made, from which our own trouble is told."""
FAILING: Final = (Verdict.DOWN, Verdict.REGIONAL, Verdict.THIRD_PARTY)
"""Verdicts on a check that open an incident."""


def incident_id(cause: str, since: datetime, run: RunId | None = None) -> IncidentId:
    """The id of an incident that a run began: the same whoever finds it, and however often.

    >>> from datetime import UTC
    >>> incident_id("shop.example", datetime(2026, 11, 24, 3, 12, 44, tzinfo=UTC))
    '20261124-031244-6ce7'
    """
    return IncidentId(f"{since:%Y%m%d-%H%M%S}-{blake2b(f'{cause} {run}'.encode(), digest_size=2).hexdigest()}")


def judge(draft: Draft, watched: Watched, run: RunId | None = None) -> None:
    """Open, join or widen the incident of a check that fails, when enough is known."""
    places = draft.reporting(watched)
    bad = {name: place for name, place in places.items() if place.fails}
    if not bad or any(awaits_control(draft.region(name), draft.now) for name in bad):
        return
    verdict = verdict_of(places, watched, draft.now)
    incident = draft.incident(watched.cause)
    if verdict not in FAILING:
        # Known trouble on the same host: one failure is enough to count among those who suffer.
        if incident is not None and incident.members:
            _join(draft, incident, watched, bad, run)
        return
    severity = _severity(draft, verdict, bad)
    if incident is None:
        found = [_member(watched.id, bad, draft.now), *_companions(draft, watched)]
        members = {member.check: member for member in sorted(found, key=lambda member: (member.since, member.check))}
        first = next(iter(members.values()))
        incident = Incident(
            id=incident_id(watched.cause, first.since, first.run),
            cause=watched.cause,
            verdict=verdict,
            severity=severity,
            since=first.since,
            opened=draft.now,
            members=members,
        )
        _open(draft, incident, run)
    else:
        incident = _join(draft, incident, watched, bad, run)
        draft.raise_to(incident, verdict, severity, f"{watched.id} from {', '.join(sorted(bad))}", run)


def _companions(draft: Draft, watched: Watched) -> list[Member]:
    """The other checks of the same cause that fail just now, though nothing is decided about them yet."""
    found = []
    for check in sorted(draft.state.suspects - {watched.id}):
        other = draft.rules.checks.get(check)
        if other is not None and other.cause == watched.cause:
            bad = {name: place for name, place in draft.reporting(other).items() if place.fails}
            if bad:
                found.append(_member(check, bad, draft.now))
    return found


def _open(draft: Draft, incident: Incident, run: RunId | None) -> None:
    first = incident.first
    text = "; ".join(incident.burns.values()) if first is None else f"{first.check}: {first.failure}"
    draft.put_incident(incident, What.OPENED, f"{incident.verdict}: {text}", run)
    draft.announce(incident.cause, Reason.OPENED)


def _severity(draft: Draft, verdict: Verdict, bad: Mapping[str, Place]) -> Severity:
    """A page, but for a single region whose own network nobody has looked at: that may be us."""
    if verdict is Verdict.REGIONAL and not all(name in draft.rules.controls for name in bad):
        return Severity.TICKET
    return Severity.PAGE


def _member(check: CheckId, bad: Mapping[str, Place], now: datetime) -> Member:
    """A check as it suffers, told by the region in which it failed first."""
    _, first = min(bad.items(), key=lambda item: (item[1].since or now, item[0]))
    assert first.failure is not None  # a failing row has them
    assert first.run is not None
    return Member(
        check=check,
        regions=tuple(sorted(bad)),
        since=first.since or now,
        run=first.run,
        failure=first.failure,
        picture=first.picture,
    )


def _join(draft: Draft, incident: Incident, watched: Watched, bad: Mapping[str, Place], run: RunId | None) -> Incident:
    """The incident with the check among its members, failing from these regions too. What burned is explained by it."""
    member, found = incident.members.get(watched.id), _member(watched.id, bad, draft.now)
    if member is None:
        since = min(incident.since, found.since)
        joined = replace(incident, since=since, members={**incident.members, watched.id: found})
        draft.put_incident(joined, What.JOINED, f"{watched.id}: {found.failure}", run)
        return joined
    regions = tuple(sorted({*member.regions, *bad}))
    if regions == member.regions and member.recovered is None:
        return incident
    joined = replace(
        incident, members={**incident.members, watched.id: replace(member, regions=regions, recovered=None)}
    )
    draft.put_incident(joined)
    return joined


def recover(draft: Draft, watched: Watched) -> None:
    """See whether a check that passes has recovered, and whether that ends the incident of its cause.

    It has when every region that reports passes, and those it failed from have passed three times in a row.
    """
    incident = draft.incident(watched.cause)
    if incident is None or (member := incident.members.get(watched.id)) is None or member.recovered is not None:
        return
    places = draft.reporting(watched)
    ours = [places[name] for name in member.regions if name in places]
    if not ours or any(place.fails for place in places.values()) or any(place.passes < PASSES for place in ours):
        return
    leave(draft, incident, watched.id, max(place.since or draft.now for place in ours))


def leave(draft: Draft, incident: Incident, check: CheckId, at: datetime, text: str = "") -> None:
    """Note that a member has recovered at `at`; the last one ends the incident."""
    member = replace(incident.members[check], recovered=at)
    incident = replace(incident, members={**incident.members, check: member})
    draft.put_incident(incident, What.RECOVERED, f"{check}{text}")
    times = [m.recovered for m in incident.members.values() if m.recovered is not None]
    if len(times) == len(incident.members):
        resolve(draft, incident, max(times))


def resolve(draft: Draft, incident: Incident, at: datetime) -> None:
    """End an incident: customers could buy again from `at` on."""
    at = max(at, incident.since)
    lasted = timedelta(seconds=round((at - incident.since).total_seconds()))
    draft.put_incident(replace(incident, resolved=at), What.RESOLVED, f"after {lasted}")
    draft.announce(incident.cause, Reason.RESOLVED)
    names = [o.name for check in incident.members for o in draft.rules.counted.get(check, ())]
    draft.explain((*names, *incident.burns))


def trouble(draft: Draft, run: Run, place: Place) -> None:
    """Our own trouble: told once it has lasted, as one incident for a region. Never as the shop's."""
    cause = f"probe:{run.region}"
    if run.failure is None or place.errors < TROUBLE:
        return
    suffer(draft, cause, run, run.failure)


def suffer(draft: Draft, cause: str, run: Run, failure: Failure) -> None:
    """Open the incident of a region of ours, or join it."""
    incident = draft.incident(cause)
    member = Member(check=run.check, regions=(run.region,), since=run.started, run=run.id, failure=failure)
    if incident is None:
        opened = Incident(
            id=incident_id(cause, run.started, run.id),
            cause=cause,
            verdict=Verdict.PROBE_FAULT,
            severity=Severity.TICKET,
            since=run.started,
            opened=draft.now,
            members={run.check: member},
        )
        _open(draft, opened, run.id)
    elif run.check not in incident.members or incident.members[run.check].recovered is not None:
        joined = replace(incident, members={**incident.members, run.check: member})
        draft.put_incident(joined, What.JOINED, f"{run.check}: {failure}", run.id)


def able(draft: Draft, run: Run) -> None:
    """A run that could be made: if we had trouble with this check, it is over."""
    incident = draft.incident(f"probe:{run.region}")
    if incident is not None and (member := incident.members.get(run.check)) and member.recovered is None:
        leave(draft, incident, run.check, run.started)
