"""What the runs of an incident show, in questions that rules may ask: which request, whose, where the time went."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from probe.core.case import Case
from probe.core.exchange import PHASES, Exchange
from probe.core.failure import Failure
from probe.core.fingerprint import host_of, without_query
from probe.core.run import SLOW_KINDS, WAITING_KINDS, Outcome, Run

SERVERS: Final = (
    "x-served-by",
    "x-backend",
    "x-backend-server",
    "x-server",
    "x-server-name",
    "x-instance",
    "x-pod",
    "x-node",
)
"""Headers by which servers behind a balancer tell which of them answered."""
SILENT_KINDS: Final = frozenset({"no_response", "slow_body", "tls_timeout", "connect_timeout", "deadline"})
"""Kinds that say that no answer came, or not all of it."""
BROKEN_KINDS: Final = frozenset({"connection_reset", "closed_early", "incomplete_body", "http_protocol"})
"""Kinds that say that a connection that stood broke off."""
BREAKS: Final = (
    "ERR_CONNECTION_RESET",
    "ERR_EMPTY_RESPONSE",
    "ERR_CONNECTION_CLOSED",
    "ERR_INCOMPLETE",
    "ERR_CONTENT_LENGTH",
)
"""The same in a browser's words."""
WAIT: Final = 0.5
"""Seconds from which a part of a request is called slow."""
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def at(failure: Failure | None) -> str:
    """Where in the journey: ` at "add to cart"`; nothing where there are no steps."""
    return f' at "{failure.step}"' if failure is not None and failure.step else ""


def host(case: Case) -> str:
    """The host that it is about."""
    failure, cause = case.failure, case.incident.cause
    asked = host_of(failure.url) if failure is not None and failure.url else ""
    return cause if not asked or asked.rpartition(":")[0] == cause else asked


def request(case: Case) -> str:
    """The request that failed, as far as it is known: `POST /api/cart`."""
    failure = case.failure
    for run in case.failed if failure is not None and failure.actual else ():
        seen = run.observation
        if run.failure is None or failure is None or run.failure.step != failure.step:
            continue
        asked = [(e.method, e.final_url, e.status) for e in seen.exchanges]
        asked += [(r.method, r.url, r.status) for r in seen.failed_requests if not r.third_party and r.status]
        for method, url, status in reversed(asked):
            if str(status) == failure.actual:
                return f"{method} {_path(url)}"
    words = failure.message.split() if failure is not None else []
    if len(words) > 1 and words[0].isupper() and words[0].isalpha():
        return f"{words[0]} {_path(words[1].rstrip(':'))}"
    return _path(failure.url) if failure is not None and failure.url else "the request"


def failures(case: Case) -> Iterator[Failure]:
    """The failure that decided each bad run; where none is known, that of each check that suffers."""
    found = [run.failure for run in case.failed if run.failure is not None]
    yield from found or [member.failure for member in case.incident.members.values()]


def share_of(case: Case, kinds: Iterable[str]) -> float:
    """The share of the failures that are of these kinds."""
    wanted = set(kinds)
    found = [failure.kind in wanted for failure in failures(case)]
    return sum(found) / len(found) if found else 0.0


class Breadth(StrEnum):
    """How much of the host suffers."""

    ALL = "all"
    PART = "part"
    UNKNOWN = "unknown"


def breadth(case: Case) -> Breadth:
    """Whether all that is asked of the host fails, or a part; not known where only one thing is looked at."""
    onwards = any(s.failure is None and s.duration is not None for run in case.failed for s in run.observation.steps)
    if onwards or len(case.fine) >= max(1, len(case.incident.members)):
        return Breadth.PART
    wide = bool(case.failed) and len(case.incident.members) > max(1, len(case.fine))
    return Breadth.ALL if wide else Breadth.UNKNOWN


def places(case: Case) -> set[str]:
    """Where runs failed: steps, whichever check has them; or checks that have none."""
    return {run.failure.step or run.check for run in case.failed if run.failure is not None}


def mixed(case: Case) -> bool:
    """Whether good and bad runs take turns in one place: after a bad one there was a good one, and then a bad one again."""
    places: dict[tuple[str, str], list[bool]] = {}
    for run in sorted((*case.failed, *case.passed), key=lambda run: run.started):
        places.setdefault((run.check, run.region), []).append(run.outcome is Outcome.PASSED)
    return any(True in good[: len(good) - good[::-1].index(False)] for good in places.values() if False in good)


def breaks(case: Case) -> int:
    """How many bad runs had a connection that broke off."""
    return sum(
        any(f.kind in BROKEN_KINDS or any(word in f.message for word in BREAKS) for f in run.observation.failures)
        for run in case.failed
    )


def twins(case: Case, step: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Other checks that have a step of the same name: those that passed it, and those that failed at it."""
    first = case.incident.first
    good: set[str] = set()
    bad: set[str] = set()
    for run in (*case.failed, *case.passed, *case.others):
        if first is None or run.check == first.check or step is None:
            continue
        for one in run.observation.steps:
            if one.name == step and one.duration is not None:
                (good if one.failure is None else bad).add(run.check)
    return tuple(sorted(good)), tuple(sorted(bad))


def servers(runs: Iterable[Run], *, bad: bool) -> dict[str, int]:
    """Which servers gave the answers from status 500 on (`bad`), or the others: name by header → how many."""
    found: dict[str, int] = {}
    for run in runs:
        seen = run.observation
        heads = [(e.status, e.headers) for e in seen.exchanges]
        heads += [(d.status, d.headers) for d in seen.documents if d.status is not None]
        for status, headers in heads:
            name = next((f"{k.lower()}: {v}" for k, v in headers if k.lower() in SERVERS), None)
            if name is not None and (status >= 500) is bad:
                found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def exchanges(runs: Iterable[Run]) -> Iterator[Exchange]:
    """All answers that HTTP checks got."""
    for run in runs:
        yield from run.observation.exchanges


def slow_part(case: Case) -> str | None:
    """The part of requests in which most of the time of the bad runs went (a name of `PHASES`); `None`: not known."""
    sums = dict.fromkeys(PHASES, 0.0)
    for exchange in exchanges(case.failed):
        for hop in exchange.hops:
            for phase in PHASES:
                seconds = getattr(hop.phases, phase) or 0.0
                sums[phase] += seconds if seconds >= WAIT else 0.0
    name = max(PHASES, key=lambda phase: sums[phase])
    return name if sums[name] else None


def paces(runs: Iterable[Run]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Requests that began to be answered late whenever they were made, and those that never did."""
    took: dict[str, list[float]] = {}
    for exchange in exchanges(runs):
        for hop in exchange.hops:
            took.setdefault(f"{hop.method} {_path(hop.url)}", []).append(hop.phases.ttfb or 0.0)
    slow = tuple(sorted(name for name, times in took.items() if min(times) >= WAIT))
    return slow, tuple(sorted(name for name, times in took.items() if max(times) < WAIT))


def waits(case: Case) -> bool:
    """Whether most failures say that something did not come, or not in time."""
    return share_of(case, WAITING_KINDS | SLOW_KINDS | SILENT_KINDS) > 0.5


def _path(url: str) -> str:
    address = without_query(url)
    return address if "://" not in address else "/" + address.partition("://")[2].partition("/")[2]
