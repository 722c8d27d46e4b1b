"""Which faults are planted: on what a clean run has asked, step by step."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from probe.core.check import CheckSpec, HttpCall
from probe.core.expectation import Op, Subject
from probe.core.fault import Answer, Asked, Fault, FaultKind
from probe.drill.planter import SAFE, third_parties
from probe.drill.spoil import can_spoil

SLOW: Final = 5.0
"""Seconds that a slow answer takes longer, where the check sets no limit of its own."""
MOST_PARTIES: Final = 5
"""Third parties of one check that are blocked and hung: those that are asked most."""

_CALLS: Final = ("document", "xhr", "fetch", "http")
_KEPT: Final = ("content-type", "cache-control", "access-control-")
_ERROR: Final = Answer(
    status=500,
    headers=(("content-type", "text/html; charset=utf-8"),),
    body=b"<!doctype html><html><head><title>500 Internal Server Error</title></head>"
    b"<body><center><h1>500 Internal Server Error</h1></center></body></html>",
)
_ELSEWHERE: Final = Answer(
    status=200,
    headers=(("content-type", "text/html; charset=utf-8"),),
    body=b"<!doctype html><html><head><title>Back soon</title></head>"
    b"<body><h1>We will be back soon</h1><p>This page is being worked on.</p></body></html>",
)


def plan(asked: Iterable[Asked], limits: Mapping[str | None, float], *, slow: float = SLOW) -> tuple[Fault, ...]:
    """The faults for a check whose clean run has asked this, in the order of its steps, third parties last.

    `limits` are the seconds that a step may take, where it has a limit. What cannot be planted (a wrong price where no
    price is shown) is left out.
    """
    seen = tuple(one for one in asked if not one.undo and one.answer is not None)
    found: list[Fault] = []
    for step in dict.fromkeys(one.step for one in seen if one.own):
        inside = [one for one in seen if one.own and one.step == step]
        calls = [one for one in inside if one.resource in _CALLS]
        if calls:
            before = [one for one in seen[: seen.index(calls[0])] if one.own and one.resource in _CALLS]
            found += _in_step(calls, inside, before, limits.get(step), slow)
    return (*found, *_of_third_parties(seen))


def _in_step(
    calls: list[Asked], inside: list[Asked], before: list[Asked], limit: float | None, slow: float
) -> Iterator[Fault]:
    main, shown = main_request(calls), _shown(calls)
    assert main.answer is not None, "plan() looks at what was answered only"
    yield _fault(FaultKind.REFUSED, main)
    yield _fault(FaultKind.SERVER_ERROR, main, answer=_ERROR)
    yield _fault(FaultKind.SLOW, main, seconds=slow if limit is None else limit * 1.25 + 0.2)
    yield _fault(FaultKind.EMPTY, main, answer=_empty(main.answer))
    yield _fault(FaultKind.STALE, shown, answer=_stale(shown, before))
    for kind in (FaultKind.WRONG_TEXT, FaultKind.WRONG_PRICE):
        if can_spoil(kind, shown.answer):
            yield _fault(kind, shown)
    scripts = [one for one in inside if one.resource in ("document", "script")]
    throwing = next((one for one in scripts if can_spoil(FaultKind.SCRIPT_ERROR, one.answer)), None)
    if throwing is not None:
        yield _fault(FaultKind.SCRIPT_ERROR, throwing)


def main_request(calls: list[Asked]) -> Asked:
    """The request that a step is about: its last that changes something, else its first page, else its first."""
    changing = [one for one in calls if one.method not in SAFE]
    pages = [one for one in calls if one.resource == "document"]
    return changing[-1] if changing else (pages or calls)[0]


def _shown(calls: list[Asked]) -> Asked:
    """What is seen at the end of a step: its last page, else the last answer."""
    whole = [one for one in calls if one.answer is not None and one.answer.status < 300 and one.answer.body] or calls
    pages = [one for one in whole if one.resource == "document"]
    return (pages or whole)[-1]


def _stale(shown: Asked, before: list[Asked]) -> Answer:
    """What an earlier request of the same sort got, if it was another; else a page that says nothing of it."""
    for one in reversed(before):
        answer = one.answer
        if answer is None or answer.status >= 300 or not answer.body or _sort(one) != _sort(shown):
            continue
        if shown.answer is None or answer.body != shown.answer.body:
            return _plain(answer)
    return _ELSEWHERE


def _sort(one: Asked) -> str:
    return "page" if one.resource == "document" else "call"


def _plain(answer: Answer) -> Answer:
    """An answer as it can be given again: its type and body; cookies and lengths belong to the first time."""
    kept = tuple((n, v) for n, v in answer.headers if n.lower().startswith(_KEPT))
    return Answer(status=answer.status, headers=kept, body=answer.body)


def _empty(answer: Answer) -> Answer:
    return Answer(status=answer.status if answer.status < 300 else 200, headers=_plain(answer).headers)


def _fault(kind: FaultKind, one: Asked, *, seconds: float = 0.0, answer: Answer | None = None) -> Fault:
    return Fault(kind=kind, step=one.step, method=one.method, place=one.place, seconds=seconds, answer=answer)


def _of_third_parties(seen: tuple[Asked, ...]) -> Iterator[Fault]:
    hosts = third_parties(seen)
    for host in sorted(hosts, key=lambda host: -len(hosts[host]))[:MOST_PARTIES]:
        for kind in (FaultKind.BLOCKED, FaultKind.HANGING):
            yield Fault(kind=kind, step=None, method="", place=host)


def limits_of(spec: CheckSpec) -> dict[str | None, float]:
    """The limits that can be read from a declared request: its `within`. Those of steps are known from a run."""
    if not isinstance(spec.work, HttpCall):
        return {}
    found = [e.value for e in spec.work.expectations if e.subject is Subject.TOTAL and e.op is Op.UNDER]
    return {None: float(min(found))} if found else {}
