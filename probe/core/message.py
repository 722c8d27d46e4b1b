"""An incident in words: what is read at 3 a.m."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from probe.core.budget import Budget
from probe.core.case import Case, Confidence
from probe.core.diagnosis import diagnose
from probe.core.drilled import as_drill, is_drill
from probe.core.duration import about, format_duration
from probe.core.failure import Layer
from probe.core.incident import Incident, Member, Verdict
from probe.core.notification import Message, Reason
from probe.core.rules import Rules, Severity, Watched
from probe.core.run import SLOW_KINDS
from probe.core.silence import STALE, stale_region

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
MARKS: Final = {Reason.REMINDER: "STILL ", Reason.ESCALATED: "ESCALATED: "}
"""What a title begins with that says more than the first time."""
SHOWN: Final = 5
"""Checks that a message names; it counts the others."""


def compose(
    incident: Incident, reason: Reason, rules: Rules, budgets: Sequence[tuple[str, Budget]], now: datetime
) -> Message:
    """The message that says how the incident stands: the check that failed first speaks for all."""
    first = incident.first
    failure = None if first is None else first.failure
    regions = tuple(sorted({region for member in incident.members.values() for region in member.regions}))
    silent = stale_region(incident.cause) is not None
    checks = tuple(incident.members) or tuple(watched.id for watched in checks_of(incident, rules))
    checks = () if silent else checks
    reproduce = f"probe check {first.check if first else ' '.join(checks)} --once"
    if silent:
        reproduce = "probe fleet status"
    elif first is not None and len(first.regions) == 1:
        reproduce += f" --region {first.regions[0]}"
    message = Message(
        title=_title(incident, reason),
        body="\n".join(f"{name + ':':11}{value}" for name, value in _lines(incident, rules, budgets, reproduce, now)),
        verdict=incident.verdict,
        severity=incident.severity,
        since=incident.since,
        resolved=incident.resolved,
        checks=checks,
        targets=tuple(sorted({watched.target for check in checks if (watched := rules.watched(check)) is not None})),
        regions=regions,
        step=None if failure is None else failure.step,
        cause=incident.cause,
        expected=None if failure is None else failure.expected,
        seen=None if failure is None else failure.actual,
        evidence=evidence_of(incident),
        reproduce=reproduce,
        picture=None if first is None else first.picture,
        page=page_of(incident, rules),
    )
    return as_drill(message) if is_drill(incident.cause) else message


def checks_of(incident: Incident, rules: Rules) -> tuple[Watched, ...]:
    """The checks that an incident is about: its members, or those of the objectives that burn."""
    checks = incident.members or dict.fromkeys(
        check for name in incident.burns if name in rules.objectives for check in sorted(rules.objectives[name].checks)
    )
    return tuple(watched for check in checks if (watched := rules.watched(check)) is not None)


def evidence_of(incident: Incident) -> str:
    """Which runs convinced us, in words: of the check that speaks for all, or else of the first that has more than one."""
    found = next((member for member in incident.members.values() if member.evidence), None)
    if found is None:
        return ""
    return found.evidence if found is incident.first else f"{found.check}: {found.evidence}"


def _title(incident: Incident, reason: Reason) -> str:
    """One line: the state, whose it is, and what is known of the reason."""
    place, silent = place_of(incident.cause), stale_region(incident.cause) is not None
    if reason is Reason.RESOLVED:
        lasted = _span(incident.since, incident.resolved or incident.since)
        was = "silent" if silent else incident.verdict.replace("_", " ")
        return f"RESOLVED: {place} was {was} for {lasted}"
    mark = MARKS.get(reason, "AGAIN " if incident.relapses and reason is Reason.OPENED else "")
    return f"{mark}{headline(incident)}"


def headline(incident: Incident) -> str:
    """One line, whether it is over or not: how bad, whose it is, and what is known of the reason."""
    place, silent = place_of(incident.cause), stale_region(incident.cause) is not None
    word = "SILENT" if silent else WORDS[incident.verdict]
    if incident.verdict is Verdict.REGIONAL:
        word = f"DOWN FROM {', '.join(sorted({r for m in incident.members.values() for r in m.regions}))} ONLY"
    head = f"{word}: {place}"
    first = incident.first
    if first is None:
        return f"{head}, {next(iter(incident.burns.values()), '').partition('; ')[0]}"  # what was counted
    if silent:
        return f"{head}, {first.failure.message}"
    step = f' at step "{first.failure.step}"' if first.failure.step else ""
    what = _suffering(incident.verdict, first)
    return f"{head}, {first.check} {what}{step}: {first.failure.layer}: {_one_line(first.failure.message)}"


def place_of(cause: str) -> str:
    """What an incident is about, for a title: a host, a region of ours, or an objective.

    >>> place_of("probe:eu-west")
    'eu-west'
    """
    return cause.removeprefix("probe:").removeprefix(STALE).removeprefix("slo:")


def _suffering(verdict: Verdict, first: Member) -> str:
    """What a check does while an incident is open."""
    if verdict is Verdict.PROBE_FAULT:
        return "cannot measure"
    if verdict is Verdict.DEGRADED:
        return "is slow" if first.failure.kind in SLOW_KINDS else "fails at times"
    return "fails"


def _lines(
    incident: Incident, rules: Rules, budgets: Sequence[tuple[str, Budget]], reproduce: str, now: datetime
) -> Iterable[tuple[str, str]]:
    """The facts, most wanted first."""
    first = incident.first
    if first is not None and stale_region(incident.cause) is not None:
        yield from _silent(incident, first, now)
        yield from _end(incident, rules, reproduce)
        return
    if incident.verdict is Verdict.PROBE_FAULT:
        yield "Means", "probe's own trouble; it says nothing about the shop, which is not watched from there meanwhile"
    elif incident.verdict is Verdict.BLOCKED:
        yield "Means", "the server refuses probe as it refuses robots; whether customers can buy is not known meanwhile"
    elif incident.resolved is None and (text := customers(incident, rules)):
        yield "Customers", text
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
        if first.changed:
            yield "Changed", first.changed
        if incident.resolved is None and (likely := likely_words(incident)):
            yield "Likely", likely
    if text := evidence_of(incident):
        yield "Evidence", text
    yield "Since", f"{_moment(incident.since)} ({_span(incident.since, incident.resolved or now)}{_again(incident)})"
    if incident.resolved is not None:
        yield "Until", _moment(incident.resolved)
    if incident.members:
        yield "From", _from(incident, rules)
        yield "Checks", _names(incident.members.values())
    for text in incident.burns.values():
        yield "Burning", text
    for name, left in budgets:
        yield "Budget", f"{name}: {budget_words(left)}"
    yield from _end(incident, rules, reproduce)


def page_of(incident: Incident, rules: Rules) -> str:
    """Where people see it in a browser; `""`: that is not known."""
    return f"{rules.pages}/incidents/{incident.id}" if rules.pages else ""


def likely_words(incident: Incident) -> str:
    """The likely cause, where what an incident says of itself is enough for one; else ""."""
    found = diagnose(Case(incident=incident))
    return found.words if found.confidence is Confidence.LIKELY and found.layer is not Layer.PROBE else ""


def _silent(incident: Incident, silent: Member, now: datetime) -> Iterable[tuple[str, str]]:
    """What is to be said of a region that is not heard."""
    yield "Means", "the region may be away, or only its way to the database; it says nothing about the shop"
    if incident.resolved is None:
        yield "Judged", silent.evidence
    yield "Since", f"{_moment(silent.since)} ({_span(silent.since, incident.resolved or now)}{_again(incident)})"
    if incident.resolved is not None:
        yield "Until", _moment(incident.resolved)


def _again(incident: Incident) -> str:
    return f"; came back {_times(incident.relapses)}" if incident.relapses else ""


def _end(incident: Incident, rules: Rules, reproduce: str) -> Iterable[tuple[str, str]]:
    """What every message ends with."""
    if incident.acknowledged is not None:
        yield "Taken by", incident.acknowledged_by
    if incident.resolved is None:
        yield "Severity", "page: look now" if incident.severity is Severity.PAGE else "ticket: look today"
        yield "Try it", reproduce
    yield "Incident", page_of(incident, rules) or f"{incident.id} (probe incident show {incident.id})"


def customers(incident: Incident, rules: Rules) -> str:
    """What customers suffer, in words: `cannot: buy something`; nothing where that is not known, or not theirs."""
    if incident.verdict in (Verdict.PROBE_FAULT, Verdict.BLOCKED):
        return ""
    return f"{_hardship(incident)}: {promises}" if (promises := _promises(incident, rules)) else ""


def _hardship(incident: Incident) -> str:
    """What customers suffer, before what they want to do."""
    first = incident.first
    if first is None:
        return "suffer"
    if incident.verdict is Verdict.DEGRADED:
        return "wait long" if first.failure.kind in SLOW_KINDS else "cannot at times"
    return "cannot"


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"


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
    return "; ".join(_budget(left))


def _budget(left: Budget) -> Iterable[str]:
    if left.attained is None or left.within is None:
        yield "nothing counted yet"
    elif not left.known:
        yield f"not known: only {left.coverage:.0%} of what was due has an answer ({attained_words(left)} of that attained)"
    else:
        head = f"{left.left:.0%} of the error budget left" if left.left > 0 else "error budget spent"
        over = f"overspent by {-left.left:.0%}" if left.left < 0 else ""
        parts = (head, over, gone_since(left), gone(left), f"{attained_words(left)} attained")
        yield ", ".join(part for part in parts if part)
    if left.noise is not None:
        yield noise_words(left.noise)


def noise_words(noise: float) -> str:
    """Why checks that fail so often by themselves cannot judge an objective."""
    return f"the objective is stricter than the probe's own noise of {_percent(noise)}: these checks cannot judge it"


def attained_words(left: Budget) -> str:
    """The share of good runs, and in which bounds it is known: `99.953% (99.921% to 99.978%)`."""
    assert left.attained is not None  # whoever asks has looked
    assert left.within is not None
    low, high = left.within
    return f"{_percent(left.attained)} ({_percent(low)} to {_percent(high)})"


def gone_since(left: Budget) -> str:
    """When a budget that is spent was used up: `gone since 2026-11-24 03:12:00 UTC`; nothing where there is some."""
    return "" if left.spent is None else f"gone since {_moment(left.spent)}"


def gone(left: Budget) -> str:
    """When the budget will be gone at this rate: `gone in 3d (2d to 6d) at this rate`; nothing where it will last."""
    if left.forecast is None:
        return ""
    soonest, latest = about(left.forecast.soonest), left.forecast.latest
    bounds = f"{soonest} at the soonest" if latest is None else f"{soonest} to {about(latest)}"
    return f"gone in {about(left.forecast.likely)} ({bounds}) at this rate"


def _percent(share: float) -> str:
    return f"{share * 100:.5g}%"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _span(start: datetime, end: datetime) -> str:
    return format_duration(max(timedelta(seconds=1), timedelta(seconds=round((end - start).total_seconds()))))
