"""Our own trouble, which is never the shop's: runs that cannot be made, regions without network, regions not heard."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from probe.core import cases
from probe.core.check import CheckId
from probe.core.draft import Draft
from probe.core.failure import Failure, Layer
from probe.core.incident import Member, Verdict, What
from probe.core.rules import Rules, Severity
from probe.core.run import Outcome, Run, RunId
from probe.core.silence import stale, stale_region
from probe.core.state import Place
from probe.core.verdict import is_silent

PROBE: Final = "probe:"
"""What the cause of an incident begins with that is about a region of ours."""
TROUBLE: Final = 3
"""Runs in a row that could not be made, from which our own trouble is told."""


# --- runs that cannot be made ---------------------------------------------------------------------------------------


def concerns_us(run: Run, before: Place | None) -> bool:
    """Whether whoever tells our own trouble must hear of a run: it could not be made, or is the first that could again.

    `before` is what was known of its check in its region.
    """
    if run.outcome is Outcome.ERRORED:
        return True
    return run.outcome in (Outcome.PASSED, Outcome.FAILED) and before is not None and before.errors > 0


def hear(draft: Draft, run: Run) -> None:
    """Take in, where the check itself is not judged, a run that concerns us."""
    if draft.rules.watched(run.check) is None:
        return
    region = draft.region(run.region)
    if run.outcome is Outcome.ERRORED:
        errors = region.errors.get(run.check, 0) + 1
        draft.put_region(run.region, replace(region, errors={**region.errors, run.check: errors}))
        trouble(draft, run, errors)
        return
    if run.check in region.errors:
        rest = {check: errors for check, errors in region.errors.items() if check != run.check}
        draft.put_region(run.region, replace(region, errors=rest))
    able(draft, run.region, run.check, run.started)


def trouble(draft: Draft, run: Run, errors: int) -> None:
    """So many runs of a check in a row could not be made: told once it has lasted, as one incident for a region."""
    if run.failure is not None and errors >= TROUBLE:
        suffer(draft, run.region, run.check, run, run.failure)


def suffer(draft: Draft, region: str, check: CheckId, run: Run, failure: Failure) -> None:
    """Open the incident of a region of ours, or join it: `check` suffers, by this run."""
    if not draft.rules.own:
        return
    cause = f"{PROBE}{region}"
    incident = draft.incident(cause)
    member = Member(check=check, regions=(region,), since=run.started, run=run.id, failure=failure)
    if incident is None:
        cases.begin(draft, cause, Verdict.PROBE_FAULT, Severity.TICKET, (member,), run.id)
    elif check not in incident.members or incident.members[check].recovered is not None:
        joined = replace(incident, members={**incident.members, check: member})
        draft.put_incident(joined, What.JOINED, f"{check}: {failure}", run.id)


def able(draft: Draft, region: str, check: CheckId, at: datetime) -> None:
    """A run began at `at` that could be made: if we had trouble with this check, it is over."""
    incident = draft.incident(f"{PROBE}{region}")
    if incident is not None and (member := incident.members.get(check)) and member.recovered is None:
        cases.leave(draft, incident, check, at)


# --- regions that are not heard -------------------------------------------------------------------------------------


def hush(draft: Draft, name: str, since: datetime | None) -> None:
    """Nothing is heard from a region since then; `None`: it is heard again."""
    region = draft.region(name)
    if region.silent == since:
        return
    draft.put_region(name, replace(region, silent=since))
    if not draft.rules.own:
        return
    incident = draft.incident(stale(name))
    if since is None and incident is not None:
        cases.leave(draft, incident, _named(name), draft.now, " is heard again")
    elif since is not None and incident is None:
        gravity = Severity.TICKET if _listeners(draft, name) else Severity.PAGE
        cases.begin(draft, stale(name), Verdict.PROBE_FAULT, gravity, (_silent(draft, name, since),), None)
    _renew(draft)


def is_watched_from(region: str, rules: Rules) -> bool:
    """Whether anything is still watched from a region."""
    return region in rules.regions() or region in rules.controls


def _named(region: str) -> CheckId:
    """What stands for a check in an incident that is about a region as a whole."""
    return CheckId(region)


def _silent(draft: Draft, name: str, since: datetime) -> Member:
    return Member(
        check=_named(name),
        regions=(name,),
        since=since,
        run=RunId(""),
        failure=Failure(
            layer=Layer.PROBE, kind="silent", message=f"nothing is heard from it since {since:%Y-%m-%d %H:%M:%S} UTC"
        ),
        evidence=_judges(draft, name),
    )


def _judges(draft: Draft, name: str) -> str:
    """Who judges while a region is silent."""
    return judged_by(_listeners(draft, name), of=len(draft.rules.regions()))


def _listeners(draft: Draft, name: str) -> tuple[str, ...]:
    """The other regions that are heard."""
    return tuple(r for r in draft.rules.regions() if r != name and not is_silent(draft.regions, r))


def judged_by(others: Sequence[str], *, of: int) -> str:
    """Who judges while a region is silent, in words: `the other 2 regions judge without it: ap, us`."""
    if not others:
        return "nothing is judged: no region is heard" if of > 1 else "nothing is judged: it is the only region"
    if len(others) == 1:
        return f"one other region judges without it: {others[0]}"
    return f"the other {len(others)} regions judge without it: {', '.join(others)}"


def _renew(draft: Draft) -> None:
    """Have every open incident about a silent region say who judges now."""
    for cause in sorted({*draft.state.incidents, *draft.change().incidents}):
        name, incident = stale_region(cause), draft.incident(cause)
        if name is None or incident is None:
            continue
        member = incident.members[_named(name)]
        if (words := _judges(draft, name)) != member.evidence:
            members = {**incident.members, _named(name): replace(member, evidence=words)}
            draft.put_incident(replace(incident, members=members))
