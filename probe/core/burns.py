"""Objectives whose budget burns too fast: told as an incident of the host, unless an incident explains it already."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from probe.core.budget import budget, noise_of
from probe.core.cases import incident_id, resolve
from probe.core.draft import Draft
from probe.core.duration import about, format_duration
from probe.core.incident import Incident, Verdict, What
from probe.core.ledger import Counts, Ledger
from probe.core.message import gone
from probe.core.notification import Reason
from probe.core.rules import Objective, Rules, Severity
from probe.core.slo import SILENT, Burn, Noise, burning, cooled

SLO: Final = "slo:"
"""What the cause of an incident begins with that is about an objective whose checks have several causes."""
SELDOM: Final = ((1e-6, "a million"), (1e-3, "a thousand"), (1e-2, "a hundred"))
"""Chances in words."""


def cause_of(objective: Objective, rules: Rules) -> str:
    """What a burn is put down to: the host that all checks of the objective share, else the objective itself."""
    causes = {rules.checks[check].cause for check in objective.checks if check in rules.checks}
    return causes.pop() if len(causes) == 1 else f"{SLO}{objective.name}"


def watch(draft: Draft, objective: Objective) -> None:
    """See whether an objective burns, and tell it once. To be called when a bad run of it was counted."""
    cause = cause_of(objective, draft.rules)
    incident = _covering(draft, objective) or draft.incident(cause)
    told = incident is not None and objective.name in incident.burns
    if incident is not None and told and (incident.members or incident.severity is Severity.PAGE):
        return  # there is nothing graver to tell
    ledger, noise = _ledger(draft, objective), noise_of(draft.state, objective)
    burn = burning(objective, ledger, draft.now, _explained(draft, objective), noise)
    if burn is None or (told and burn.rule.severity is Severity.TICKET):
        return
    text = words(objective, burn, ledger, draft.now, noise)
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
    incident = replace(incident, burns={**incident.burns, objective.name: text})
    draft.put_incident(incident, None if told else What.BURN, text)
    if not incident.members:
        draft.raise_to(incident, Verdict.DEGRADED, burn.rule.severity, text, None)


def _covering(draft: Draft, objective: Objective) -> Incident | None:
    """The open incident that tells of the objective, or that its checks suffer from. Our own trouble explains nothing."""
    for cause in draft.state.incidents:
        incident = draft.incident(cause)
        if incident is None or incident.verdict is Verdict.PROBE_FAULT:
            continue
        if objective.name in incident.burns or objective.checks & set(incident.members):
            return incident
    return None


def end(draft: Draft, incident: Incident) -> None:
    """Resolve an incident that is about burning objectives alone, when all of them have cooled down.

    To be called as time passes: it takes no run for a burn to be over.
    """
    objectives = [draft.rules.objectives[name] for name in incident.burns if name in draft.rules.objectives]
    if all(
        cooled(
            objective,
            _ledger(draft, objective),
            draft.now,
            incident.severity,
            _explained(draft, objective),
            noise_of(draft.state, objective),
        )
        for objective in objectives
    ):
        resolve(draft, incident, draft.now)


def _ledger(draft: Draft, objective: Objective) -> Ledger:
    """The counts of an objective, with those of the event that is being judged."""
    counted = [
        (tally.at, Counts(tally.good, tally.bad, tally.lost))
        for tally in draft.change().tallies
        if tally.objective == objective.name
    ]
    ledger = draft.state.ledgers.get(objective.name) or Ledger()
    return ledger.amended(counted) if counted else ledger


def _explained(draft: Draft, objective: Objective) -> datetime | None:
    known = draft.state.objectives.get(objective.name)
    return known.explained if known else None


def words(objective: Objective, burn: Burn, ledger: Ledger, now: datetime, noise: Noise = SILENT) -> str:
    """What burns, in words that begin with what was counted.

    `checkout: 10 of 300 runs in the last 1h failed; within the objective that happens less than once in a million; the
    error budget burns 34 times (19 to 54) as fast as it may: gone in 21h (13h to 37h)`
    """
    counts, rate = burn.counts, burn.rate
    what = "failed" if objective.under is None else f"failed or took longer than {format_duration(objective.under)}"
    where = f' at step "{objective.step}"' if objective.step else ""
    within = "within the objective" + (f" and {noise.share:.2%} of noise" if noise.share else "")
    left = budget(objective, ledger, now, noise)
    span = about(burn.span) if burn.span % timedelta(hours=1) else format_duration(burn.span)
    return (
        f"{objective.name}: {counts.bad} of {counts.good + counts.bad} runs in the last {span} {what}{where}"
        f"; {within} that happens less than once in {_seldom(burn.chance)}; "
        f"the error budget burns {_times(rate.median)} times ({_times(rate.low)} to {_times(rate.high)}) as fast as it may"
        f"{': ' + text if (text := gone(left)) else ''}"
    )


def _times(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"


def _seldom(chance: float) -> str:
    """The largest of these numbers that it happens less often than once in."""
    return next((word for limit, word in SELDOM if chance <= limit), SELDOM[-1][1])
