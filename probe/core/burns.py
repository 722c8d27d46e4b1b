"""Objectives whose budget burns too fast: told as an incident of the host, unless an incident explains it already."""

from dataclasses import replace

from probe.core.cases import incident_id, resolve
from probe.core.draft import Draft
from probe.core.duration import format_duration
from probe.core.incident import Incident, Verdict, What
from probe.core.ledger import Ledger
from probe.core.notification import Reason
from probe.core.rules import Objective, Severity
from probe.core.slo import Burn, burning, cooled


def cause_of(objective: Objective, draft: Draft) -> str:
    """What a burn is put down to: the host that all checks of the objective share, else the objective itself."""
    causes = {draft.rules.checks[check].cause for check in objective.checks if check in draft.rules.checks}
    return causes.pop() if len(causes) == 1 else f"slo:{objective.name}"


def watch(draft: Draft, objective: Objective) -> None:
    """See whether an objective burns, and tell it once."""
    ledger = draft.state.ledgers.get(objective.name) or Ledger()
    known = draft.state.objectives.get(objective.name)
    burn = burning(objective, ledger, draft.now, known.explained if known else None)
    if burn is None:
        return
    text = words(objective, burn)
    incidents = {cause: i for cause in draft.state.incidents if (i := draft.incident(cause)) is not None}
    covering = [i for i in incidents.values() if objective.name in i.burns or objective.checks & set(i.members)]
    cause = cause_of(objective, draft)
    incident = covering[0] if covering else draft.incident(cause)
    if incident is None:
        # The first run that counts as bad is not known by itself: the long window holds it.
        opened = Incident(
            id=incident_id(cause, draft.now),
            cause=cause,
            verdict=Verdict.DEGRADED,
            severity=burn.rule.severity,
            since=draft.now,
            opened=draft.now,
            burns={objective.name: text},
        )
        draft.put_incident(opened, What.OPENED, f"degraded: {text}")
        draft.announce(cause, Reason.OPENED)
        return
    if objective.name not in incident.burns:
        incident = replace(incident, burns={**incident.burns, objective.name: text})
        draft.put_incident(incident, What.BURN, text)
    if not incident.members:
        draft.raise_to(incident, Verdict.DEGRADED, burn.rule.severity, text, None)


def end(draft: Draft, incident: Incident) -> None:
    """Resolve an incident that is about burning objectives alone, when all of them have cooled down."""
    objectives = [draft.rules.objectives[name] for name in incident.burns if name in draft.rules.objectives]
    if all(cooled(o, draft.state.ledgers.get(o.name) or Ledger(), draft.now) for o in objectives):
        resolve(draft, incident, draft.now)


def words(objective: Objective, burn: Burn) -> str:
    """What burns, in words.

    `checkout/latency: 9 of 60 runs in the last 1h took longer than 3 s at step "checkout": ...`
    """
    counts, span = burn.long, format_duration(burn.rule.long)
    what = "failed" if objective.under is None else f"failed or took longer than {format_duration(objective.under)}"
    where = f' at step "{objective.step}"' if objective.step else ""
    soon = "" if burn.rule.severity is Severity.TICKET else ", and goes on"
    return (
        f"{objective.name}: {counts.bad} of {counts.good + counts.bad} runs in the last {span} {what}{where}: "
        f"the error budget burns {burn.rate:.3g} times as fast as it may{soon}"
    )
