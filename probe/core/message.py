"""An incident in words: what is read at 3 a.m."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from probe.core.duration import format_duration
from probe.core.incident import Incident, Member, Verdict
from probe.core.notification import Message, Reason
from probe.core.rules import Rules, Severity, Watched
from probe.core.slo import Budget

WORDS: Final = {
    Verdict.DOWN: "DOWN",
    Verdict.DEGRADED: "DEGRADED",
    Verdict.REGIONAL: "DOWN IN ONE PART",
    Verdict.THIRD_PARTY: "THIRD PARTY",
    Verdict.BLOCKED: "BLOCKED",
    Verdict.PROBE_FAULT: "PROBE",
    Verdict.UNKNOWN: "UNKNOWN",
    Verdict.OK: "OK",
}
SHOWN: Final = 5
"""Checks that a message names; it counts the others."""


def compose(
    incident: Incident, reason: Reason, rules: Rules, budgets: Sequence[tuple[str, Budget]], now: datetime
) -> Message:
    """The message that says how the incident stands: the check that failed first speaks for all."""
    first = incident.first
    failure = None if first is None else first.failure
    regions = tuple(sorted({region for member in incident.members.values() for region in member.regions}))
    checks = tuple(incident.members) or tuple(watched.id for watched in checks_of(incident, rules))
    reproduce = f"probe check {first.check if first else ' '.join(checks)} --once"
    if first is not None and len(first.regions) == 1:
        reproduce += f" --region {first.regions[0]}"
    return Message(
        title=_title(incident, reason),
        body="\n".join(f"{name + ':':11}{value}" for name, value in _lines(incident, rules, budgets, reproduce, now)),
        verdict=incident.verdict,
        severity=incident.severity,
        since=incident.since,
        resolved=incident.resolved,
        checks=checks,
        targets=tuple(sorted({rules.checks[check].target for check in checks if check in rules.checks})),
        regions=regions,
        step=None if failure is None else failure.step,
        cause=incident.cause,
        expected=None if failure is None else failure.expected,
        seen=None if failure is None else failure.actual,
        reproduce=reproduce,
        picture=None if first is None else first.picture,
    )


def checks_of(incident: Incident, rules: Rules) -> tuple[Watched, ...]:
    """The checks that an incident is about: its members, or those of the objectives that burn."""
    checks = incident.members or dict.fromkeys(
        check for name in incident.burns if name in rules.objectives for check in sorted(rules.objectives[name].checks)
    )
    return tuple(rules.checks[check] for check in checks if check in rules.checks)


def _title(incident: Incident, reason: Reason) -> str:
    """One line: the state, whose it is, and what is known of the reason."""
    place = incident.cause.removeprefix("probe:").removeprefix("slo:")
    if reason is Reason.RESOLVED:
        lasted = _span(incident.since, incident.resolved or incident.since)
        return f"RESOLVED: {place} was {incident.verdict.replace('_', ' ')} for {lasted}"
    word = WORDS[incident.verdict]
    if incident.verdict is Verdict.REGIONAL:
        word = f"DOWN FROM {', '.join(sorted({r for m in incident.members.values() for r in m.regions}))} ONLY"
    marks = {Reason.REMINDER: "STILL ", Reason.ESCALATED: "ESCALATED: "}
    head = f"{marks.get(reason, '')}{word}: {place}"
    first = incident.first
    if first is None:
        return f"{head}, {next(iter(incident.burns.values()), '')}"
    step = f' at step "{first.failure.step}"' if first.failure.step else ""
    what = "cannot measure" if incident.verdict is Verdict.PROBE_FAULT else "fails"
    return f"{head}, {first.check} {what}{step}: {first.failure.layer}: {_one_line(first.failure.message)}"


def _lines(
    incident: Incident, rules: Rules, budgets: Sequence[tuple[str, Budget]], reproduce: str, now: datetime
) -> Iterable[tuple[str, str]]:
    """The facts, most wanted first."""
    first = incident.first
    if incident.verdict is Verdict.PROBE_FAULT:
        yield "Means", "probe's own trouble; it says nothing about the shop, which is not watched from there meanwhile"
    elif incident.resolved is None and (promises := _promises(incident, rules)):
        yield "Customers", f"cannot: {promises}" if incident.members else f"suffer: {promises}"
    if first is not None:
        failure = first.failure
        if failure.step:
            yield "Step", failure.step
        yield "Reason", f"{failure.layer}: {failure.message}"
        if failure.expected is not None:
            yield "Expected", failure.expected
        if failure.actual is not None:
            yield "Seen", failure.actual
        if failure.url is not None:
            yield "Address", failure.url
    yield "Since", f"{_moment(incident.since)} ({_span(incident.since, incident.resolved or now)})"
    if incident.resolved is not None:
        yield "Until", _moment(incident.resolved)
    if incident.members:
        yield "From", _from(incident, rules)
        yield "Checks", _names(incident.members.values())
    for text in incident.burns.values():
        yield "Burning", text
    for name, left in budgets:
        yield "Budget", f"{name}: {budget_words(left)}"
    if incident.acknowledged is not None:
        yield "Taken by", incident.acknowledged_by
    if incident.resolved is None:
        yield "Severity", "page: look now" if incident.severity is Severity.PAGE else "ticket: look today"
        yield "Try it", reproduce
    yield "Incident", f"{incident.id} (probe incident show {incident.id})"


def _promises(incident: Incident, rules: Rules) -> str:
    texts = [watched.promise or watched.id for watched in checks_of(incident, rules)]
    return "; ".join(dict.fromkeys(text.rstrip(".") for text in texts[:SHOWN]))


def _from(incident: Incident, rules: Rules) -> str:
    bad = sorted({region for member in incident.members.values() for region in member.regions})
    everywhere = sorted({region for watched in checks_of(incident, rules) for region in watched.regions} | set(bad))
    fine = [region for region in everywhere if region not in bad]
    return f"{', '.join(bad)} ({len(bad)} of {len(everywhere)} regions)" + (
        f"; fine from {', '.join(fine)}" if fine else ""
    )


def _names(members: Iterable[Member]) -> str:
    names = [member.check for member in sorted(members, key=lambda m: (m.since, m.check))]
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def budget_words(left: Budget) -> str:
    """How an objective stands, in a few words."""
    if left.attained is None:
        return "nothing counted yet"
    attained = f"{left.attained:.2%} attained"
    if not left.known:
        return f"not known: only {left.coverage:.0%} of what was due has an answer ({attained} of that)"
    if left.left >= 0:
        return f"{left.left:.0%} of the error budget left, {attained}"
    return f"error budget overspent by {-left.left:.0%}, {attained}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _span(start: datetime, end: datetime) -> str:
    return format_duration(max(timedelta(seconds=1), timedelta(seconds=round((end - start).total_seconds()))))
