"""Rules on answers that come too late, or not at all."""

from probe.core import symptoms
from probe.core.case import Case, Confidence, Diagnosis
from probe.core.failure import Failure, Layer
from probe.core.run import SLOW_KINDS
from probe.core.symptoms import at, host, request, share_of

LIKELY, POSSIBLE, UNCLEAR = Confidence.LIKELY, Confidence.POSSIBLE, Confidence.UNCLEAR


def hung(case: Case, failure: Failure) -> Diagnosis | None:
    """Connections are taken, and nothing is answered, whatever is asked."""
    silent = share_of(case, symptoms.SILENT_KINDS)
    if failure.kind not in symptoms.SILENT_KINDS or case.fine or silent < 0.5 or len(case.incident.members) < 2:
        return None
    return Diagnosis(
        layer=Layer.HTTP,
        words=f"{host(case)} takes connections and answers nothing: its processes hang, or all of them are busy",
        confidence=LIKELY if silent > 0.75 and case.failed and not case.passed else POSSIBLE,
        evidence_for=(
            f"{silent:.0%} of the failures are answers that did not come, whatever was asked for",
            f"{len(case.incident.members)} checks suffer",
        ),
        look_at=(
            f"the processes behind {host(case)}: are they stopped, out of memory, or waiting for something (a lock, a pool of connections)",
        ),
    )


def slow(case: Case, failure: Failure) -> Diagnosis | None:
    """Answers come, or would come, too late."""
    part = symptoms.slow_part(case)
    late, quick = symptoms.paces((*case.failed, *case.passed, *case.others))
    if failure.kind not in SLOW_KINDS | symptoms.SILENT_KINDS and not (late and symptoms.waits(case)):
        return None
    if part in ("dns", "connect", "tls", "transfer") or (late and not quick and _alike(case)):
        return _slow_path(case, failure, part)
    if quick or late:
        return _slow_pages(case, failure, late, quick)
    return Diagnosis(
        layer=failure.layer,
        words=f"{failure.message.partition(';')[0]}{at(failure)}: what it waits for is not known",
        confidence=UNCLEAR,
        look_at=("the requests of the run: which one took the time",),
    )


def _slow_path(case: Case, failure: Failure, part: str | None) -> Diagnosis:
    what = {
        "dns": "its name is resolved slowly",
        "connect": "connections are made slowly",
        "tls": "the TLS handshake is slow",
        "transfer": "bodies come slowly",
    }
    how = what.get(part or "", "every request takes longer by about as much, whatever it asks for")
    return Diagnosis(
        layer=failure.layer,
        words=f"the way to {host(case)} is slow, rather than any page of it{at(failure)}: {how}",
        confidence=POSSIBLE,
        evidence_for=(f"{how}: {_delays(case)}",),
        look_at=(f"the network to {host(case)}, and its load balancer: delay, loss, load",),
    )


def _slow_pages(case: Case, failure: Failure, late: tuple[str, ...], quick: tuple[str, ...]) -> Diagnosis:
    named = ", ".join(late[:3]) or request(case)
    one = len(late) < 2
    told = [f"late every time: {', '.join(late[:5])}"] if late else []
    told += [f"as quick as ever: {', '.join(quick[:5])}"] if quick else []
    return Diagnosis(
        layer=failure.layer,
        words=f"{named} {'is' if one else 'are'} answered late by the server{at(failure)}: {'a service that it calls' if one else 'something that they share (a database, a cache)'} is slow or overloaded{'; the network is well' if late else ''}",
        confidence=LIKELY if late and quick else POSSIBLE,
        evidence_for=tuple(told),
        look_at=(f"what {named} wait{'s' if one else ''} for on the server: slow queries, load, pools of connections",),
    )


def _alike(case: Case) -> bool:
    """Whether all requests of the bad runs were late by about as much."""
    times = [hop.phases.ttfb or 0.0 for exchange in symptoms.exchanges(case.failed) for hop in exchange.hops]
    return len(times) > 2 and max(times) < 1.5 * min(times)


def _delays(case: Case) -> str:
    times = [hop.phases.total for exchange in symptoms.exchanges(case.failed) for hop in exchange.hops]
    return f"{min(times):.1f} to {max(times):.1f} s for each of {len(times)} requests"
