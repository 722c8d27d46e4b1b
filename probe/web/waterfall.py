"""Where the time of a run went, as bars: requests on the wire, and steps. Pure geometry in per cent; the templates draw it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from probe.view.documents import Request

PHASES: Final = ("queued", "dns", "connect", "tls", "ttfb", "transfer")
"""In the order in which they pass; `queued` is the time of a request that no phase accounts for."""
MOST: Final = 150
"""Requests that are drawn; of more, those that failed and the slowest are."""
LEAST: Final = 0.25
"""Per cent that a bar is wide at least, to be seen."""
LONGEST_NAME: Final = 64
"""Characters of a name in the waterfall; the whole address is beside it."""
MOST_TICKS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a bar: `left` and `width` are per cent of the whole, `seconds` how long it was."""

    phase: str
    left: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A request as a bar. `name` is short; `failed` says why it failed (`500`, `no answer`), `""`: it did not."""

    request: Request
    name: str
    left: float
    width: float
    segments: tuple[Segment, ...]
    failed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Requests one after the other that belong to the same step. `step` is `None` before the first one."""

    step: str | None
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on the axis of time."""

    left: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """Requests over time. `seconds` is the width of it all; `left_out` were passed over, all of them quick and well."""

    groups: tuple[Group, ...]
    ticks: tuple[Tick, ...]
    seconds: float
    shown: int
    left_out: int
    failed: int
    failures: tuple[Bar, ...]
    """Those of the shown that failed, the shop's own first."""
    parties: Mapping[str, int]
    """How many requests there were to each party: `own third listed`."""


def waterfall(requests: Sequence[Request], most: int = MOST) -> Waterfall:
    """The requests of a run as bars, in the order in which they began."""
    whole = max((request["start"] + request["duration"] for request in requests), default=0.0)
    chosen = _chosen(requests, most)
    bars = [_bar(request, whole) for request in chosen]
    parties = {party: sum(r["party"] == party for r in requests) for party in ("own", "third", "listed")}
    return Waterfall(
        groups=tuple(_groups(bars)),
        ticks=ticks(whole),
        seconds=whole,
        shown=len(chosen),
        left_out=len(requests) - len(chosen),
        failed=sum(bool(why_failed(request)) for request in requests),
        failures=tuple(sorted((bar for bar in bars if bar.failed), key=lambda bar: bar.request["party"] != "own")),
        parties=parties,
    )


def why_failed(request: Request) -> str:
    """In a word or two why a request failed; `""`: it did not.

    A request that ended with no answer says what the browser says of it.
    """
    status, error = request["status"], request["error"]
    if error:
        return error
    if status is None or status <= 0:
        return "no answer"
    return str(status) if status >= 400 else ""


def ticks(seconds: float) -> tuple[Tick, ...]:
    """Marks at round moments, at most six; none of no time, or of less than a clock can tell.

    >>> [tick.seconds for tick in ticks(2.3)], ticks(5e-324)
    ([0.0, 0.5, 1.0, 1.5, 2.0], ())
    """
    if not 1e-9 <= seconds < math.inf:
        return ()
    rough = seconds / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    count = int(seconds / step + 1e-9)
    return tuple(Tick(left=_share(n * step, seconds), seconds=round(n * step, 9)) for n in range(count + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBar:
    """A step as a bar. `limit` is where its `within` ends, in per cent; `None`: it has none, or beyond the end."""

    left: float
    width: float
    limit: float | None


def step_bars(steps: Sequence[Mapping[str, Any]], duration: float) -> tuple[StepBar | None, ...]:
    """The steps of a run (as docs/json.md has them) over its time; `None`: nothing is known of when it was."""
    ends = [(s["start"] or 0) + (s["duration"] or 0) for s in steps if s["start"] is not None]
    whole = max([duration, *ends])
    return tuple(_step_bar(step, whole) for step in steps)


def _step_bar(step: Mapping[str, Any], whole: float) -> StepBar | None:
    start, took, within = step["start"], step["duration"], step["within"]
    if start is None or took is None or whole <= 0:
        return None
    limit = None if within is None else _share(start + within, whole)
    return StepBar(
        left=_share(start, whole),
        width=max(_share(took, whole), LEAST),
        limit=None if limit is None or limit > 100 else limit,
    )


def _chosen(requests: Sequence[Request], most: int) -> list[Request]:
    """At most so many, in the order in which they began: those that failed first, then the slowest."""
    ranked = sorted(requests, key=lambda request: (not why_failed(request), -request["duration"]))
    return sorted(ranked[:most], key=lambda request: request["start"])


def _groups(bars: Sequence[Bar]) -> Iterator[Group]:
    held: list[Bar] = []
    for bar in bars:
        if held and bar.request["step"] != held[0].request["step"]:
            yield Group(step=held[0].request["step"], bars=tuple(held))
            held = []
        held.append(bar)
    if held:
        yield Group(step=held[0].request["step"], bars=tuple(held))


def _bar(request: Request, whole: float) -> Bar:
    return Bar(
        request=request,
        name=short_name(request["url"], request["host"]),
        left=_share(request["start"], whole),
        width=max(_share(request["duration"], whole), LEAST),
        segments=tuple(_segments(request, whole)),
        failed=why_failed(request),
    )


def _segments(request: Request, whole: float) -> Iterator[Segment]:
    """Its phases one after the other. What they do not account for was spent before them; what is too much is cut off."""
    known = {phase: max(request["phases"].get(phase) or 0.0, 0.0) for phase in PHASES}
    known["queued"] = max(request["duration"] - sum(v for p, v in known.items() if p != "queued"), 0.0)
    at, end = request["start"], request["start"] + request["duration"]
    for phase in PHASES:
        took = min(known[phase], end - at)
        if took > 0:
            yield Segment(phase=phase, left=_share(at, whole), width=_share(took, whole), seconds=known[phase])
            at += took


def _share(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole > 0 else 0.0


def short_name(url: str, host: str) -> str:
    """What tells a request from its neighbours: the end of its path, or its host.

    >>> short_name("https://shop.example/static/app.js?v=3", "shop.example")
    'app.js?v=3'
    >>> short_name("https://shop.example/", "shop.example")
    'shop.example'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url[:LONGEST_NAME]
    last = parts.path.rstrip("/").rpartition("/")[2]
    name = f"{last}?{parts.query}" if last and parts.query else last or host or url
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
