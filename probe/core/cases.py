"""Incidents: when one opens, who joins it, and when it is over. One for each cause."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from probe.core.account import Finding
from probe.core.check import CheckId
from probe.core.draft import Draft
from probe.core.holds import FAIL
from probe.core.incident import Incident, IncidentId, Member, Verdict, What
from probe.core.notification import Reason
from probe.core.rules import Severity, Watched
from probe.core.run import RunId
from probe.core.state import Opened, Place

JOINED_SHARE: Final = 0.5
"""The share of bad runs that is taken of a check that joined a known incident with one failure, until more is known."""


def incident_id(cause: str, since: datetime, run: RunId | None = None) -> IncidentId:
    """The id of an incident that a run began: the same whoever finds it, and however often.

    >>> incident_id("shop.example", datetime(2026, 11, 24, 3, 12, 44, tzinfo=UTC))
    '20261124-031244-6ce7'
    """
    return IncidentId(f"{since:%Y%m%d-%H%M%S}-{blake2b(f'{cause} {run}'.encode(), digest_size=2).hexdigest()}")


# --- trouble of a check ---------------------------------------------------------------------------------------------


def tell(draft: Draft, watched: Watched, finding: Finding, run: RunId | None) -> None:
    """Open, reopen, join or raise the incident of a check's cause: its trouble is certain."""
    found = _member(watched, finding)
    incident = draft.incident(watched.cause)
    if incident is None:
        found_all = sorted([found, *_companions(draft, watched)], key=lambda member: (member.since, member.check))
        begin(draft, watched.cause, finding.verdict, finding.severity, found_all, run)
        return
    incident = _join(draft, incident, found, run)
    draft.raise_to(incident, finding.verdict, finding.severity, f"{watched.id}: {finding.evidence}", run)


def is_told(draft: Draft, watched: Watched) -> bool:
    """Whether an open incident names the check among those who suffer."""
    incident = draft.incident(watched.cause)
    return incident is not None and (m := incident.members.get(watched.id)) is not None and m.recovered is None


def relapses(draft: Draft, watched: Watched) -> int:
    """How often the incident of a check's cause has come back."""
    incident = draft.incident(watched.cause)
    return 0 if incident is None else incident.relapses


def join_if_known(draft: Draft, watched: Watched, run: RunId) -> None:
    """Known trouble on the same host: one failure is enough to count among those who suffer."""
    incident, check = draft.incident(watched.cause), draft.check(watched.id)
    if incident is None or not incident.members or check.opened or is_told(draft, watched):
        return
    places = {name: place for name, place in draft.reporting(watched).items() if place.fails}
    if not places:
        return
    member = _failing(watched.id, places)
    opened = Opened(since=member.since.timestamp(), last=draft.now.timestamp(), share=JOINED_SHARE)
    draft.put_check(watched.id, replace(check, opened={FAIL: opened}, verdict=incident.verdict))
    _join(draft, incident, member, run)


def all_pass(draft: Draft, watched: Watched, passed: AbstractSet[str]) -> bool:
    """Whether every region that a check was seen to fail from, and that reports, is among those that passed since."""
    incident = draft.incident(watched.cause)
    member = None if incident is None else incident.members.get(watched.id)
    return member is None or all(name in passed for name in member.regions if name in draft.reporting(watched))


def recovered(draft: Draft, watched: Watched, at: float) -> None:
    """A check has recovered: its first good run began at `at`. The last one ends the incident of its cause."""
    draft.put_check(watched.id, replace(draft.check(watched.id), verdict=Verdict.OK))
    incident = draft.incident(watched.cause)
    assert incident is not None  # only what is told is looked after (judge.consider)
    leave(draft, incident, watched.id, datetime.fromtimestamp(at, UTC))


def _member(watched: Watched, finding: Finding) -> Member:
    return Member(
        check=watched.id,
        regions=finding.regions,
        since=finding.since,
        run=finding.run,
        failure=finding.failure,
        picture=finding.picture,
        evidence=finding.evidence,
        changed=finding.changed,
    )


def _failing(check: CheckId, bad: Mapping[str, Place]) -> Member:
    """A check as it suffers, told by the region in which it failed first."""
    since, _, first = min((place.since, name, place) for name, place in bad.items() if place.since is not None)
    assert first.failure is not None  # trouble has them
    assert first.run is not None
    return Member(
        check=check,
        regions=tuple(sorted(bad)),
        since=since,
        run=first.run,
        failure=first.failure,
        picture=first.picture,
        changed=first.changed,
    )


def _companions(draft: Draft, watched: Watched) -> list[Member]:
    """The other checks of the same cause that fail just now, though nothing is decided about them yet."""
    found = []
    for name in sorted(draft.state.suspects - {watched.id}):
        other = draft.rules.checks.get(name)
        if other is None or other.cause != watched.cause or (check := draft.check(name)).opened:
            continue
        bad = {name: place for name, place in draft.reporting(other).items() if place.fails}
        if bad:
            member = _failing(name, bad)
            now = draft.now.timestamp()
            opened = Opened(since=member.since.timestamp(), last=now, share=JOINED_SHARE)
            draft.put_check(name, replace(check, opened={FAIL: opened}, verdict=Verdict.DEGRADED))
            found.append(member)
    return found


def begin(
    draft: Draft, cause: str, verdict: Verdict, severity: Severity, members: Iterable[Member], run: RunId | None
) -> None:
    """Open an incident; or again the one that was resolved a moment ago: flapping is one incident."""
    by_check = {member.check: member for member in members}
    first = next(iter(by_check.values()))
    closed = draft.closed(cause)
    if closed is not None and closed.members:
        again = replace(
            closed,
            verdict=verdict,
            severity=severity,
            opened=draft.now,  # from now on it is waited for somebody to acknowledge it, and reminded of
            reminded=None,
            members={**by_check, **{c: m for c, m in closed.members.items() if c not in by_check}},
            resolved=None,
            relapses=closed.relapses + 1,
        )
        draft.put_incident(again, What.REOPENED, f"{verdict}: {first.check}: {first.failure}", run)
        _explain(draft, again, by_check.values(), run)
        draft.announce(cause, Reason.OPENED)
        return
    opened = Incident(
        id=incident_id(cause, first.since, first.run),
        cause=cause,
        verdict=verdict,
        severity=severity,
        since=min(member.since for member in by_check.values()),
        opened=draft.now,
        members=by_check,
    )
    _open(draft, opened, first, run)


def _open(draft: Draft, incident: Incident, first: Member, run: RunId | None) -> None:
    draft.put_incident(incident, What.OPENED, f"{incident.verdict}: {first.check}: {first.failure}", run)
    _explain(draft, incident, incident.members.values(), run)
    draft.announce(incident.cause, Reason.OPENED)


def _explain(draft: Draft, incident: Incident, members: Iterable[Member], run: RunId | None) -> None:
    for member in members:
        if member.evidence:
            draft.put_incident(incident, What.EVIDENCE, f"{member.check}: {member.evidence}", run)


def _join(draft: Draft, incident: Incident, found: Member, run: RunId | None) -> Incident:
    """The incident with the check among its members, failing from these regions too."""
    member = incident.members.get(found.check)
    if member is None or member.recovered is not None:
        since = min(incident.since, found.since) if member is None else incident.since
        joined = replace(incident, since=since, members={**incident.members, found.check: found})
        draft.put_incident(joined, What.JOINED, f"{found.check}: {found.evidence or found.failure}", run)
        return joined
    regions = tuple(sorted({*member.regions, *found.regions}))
    more = replace(member, regions=regions, evidence=found.evidence or member.evidence)
    if more == member:
        return incident
    joined = replace(incident, members={**incident.members, found.check: more})
    draft.put_incident(joined)
    return joined


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
    if incident.verdict is Verdict.PROBE_FAULT:
        return  # it was us: that explains no bad run
    names = [o.name for check in incident.members for o in draft.rules.counted.get(check, ())]
    draft.explain((*names, *incident.burns))
