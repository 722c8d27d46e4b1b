"""The charts of a check over time. Pure; `link` makes the addresses of the runs behind a number."""

import statistics
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from probe.view.documents import Burndown, Column, Journey
from probe.web.charts import Chart, Frame, Span, count, nice, seconds
from probe.web.words import NOTHING, clock, duration, instant, percent, rfc3339

Link = Callable[..., Markup | str]
"""`link(start, end, **more)`: the address of the runs between two moments."""

SHADES: Final = 6
"""Colours of steps; with more of them they begin again."""
OUTCOMES: Final = ("failed", "errored", "missed", "passed")
"""From the foot of a column: trouble is where its height can be read."""
GOOD_LCP: Final = 2.5
"""Seconds within which the largest thing of a page should be painted (web.dev/vitals)."""


def charts(journey: Journey, region: str | None, link: Link) -> list[Chart]:
    """The charts that a page shows, each with its table. `region`: whose columns; `None`: all together."""
    return [
        latency(journey, region, link),
        outcomes(journey, region, link),
        steps(journey, region, link),
        vitals(journey, link),
    ]


def latency(journey: Journey, region: str | None, link: Link) -> Chart:
    """How long passed runs took: median, p95, p99, beside what is promised."""
    columns = _columns(journey, region)
    limits = {b["objective"]["under"] for b in journey["budgets"] if not b["objective"]["step"]} - {None}
    promised = sorted(limit for limit in limits if limit is not None)
    names = ("p50", "p95", "p99")
    values = [
        value for column in columns for value in (column["p50"], column["p95"], column["p99"]) if value is not None
    ]
    frame = _frame(journey, nice(max([*values, *promised], default=1.0)))
    frame.spans(spans(journey))
    middle = timedelta(seconds=journey["period"]["column"] / 2)
    for name in reversed(names):
        frame.line(name, ((instant(c["start"]) + middle, c[name]) for c in columns))  # type: ignore[literal-required]  # one of three
    for limit in promised:
        frame.level("promised", limit)

    def told(c: Column) -> str:
        return f"{clock(c['start'])}: p50 {duration(c['p50'])}, p95 {duration(c['p95'])}, p99 {duration(c['p99'])}"

    frame.links(((*_ends(journey, c), told(c)) for c in columns), link)
    promises = tuple(("promised", f"promised: within {seconds(limit)}") for limit in promised)
    return _chart(
        journey,
        frame,
        "How long passed runs took",
        y=frame.scale(seconds),
        legend=(("p50", "half within (p50)"), ("p95", "95 % within (p95)"), ("p99", "99 % within (p99)"), *promises),
        head=("From", "p50", "p95", "p99"),
        rows=tuple(
            (_from(journey, c, link), duration(c["p50"]), duration(c["p95"]), duration(c["p99"])) for c in columns
        ),
        empty=not values,
    )


def outcomes(journey: Journey, region: str | None, link: Link) -> Chart:
    """How runs ended."""
    columns = _columns(journey, region)
    frame = _frame(journey, nice(max((sum(_counts(c)) for c in columns), default=1)))
    frame.spans(spans(journey))
    frame.columns([f"o-{o}" for o in OUTCOMES], ((*_ends(journey, c), _counts(c)) for c in columns))
    words = [", ".join(f"{n} {o}" for o, n in zip(OUTCOMES, _counts(c), strict=True) if n) or "no run" for c in columns]
    frame.links(
        ((*_ends(journey, c), f"{clock(c['start'])}: {told}") for c, told in zip(columns, words, strict=True)), link
    )

    def number(c: Column, outcome: str, n: int) -> str | Markup:
        return _anchor(link(*_ends(journey, c), outcome=outcome), str(n)) if n else "0"

    return _chart(
        journey,
        frame,
        "How runs ended",
        y=frame.scale(count),
        legend=tuple((f"o-{o}", o) for o in OUTCOMES),
        head=("From", *OUTCOMES),
        rows=tuple(
            (_from(journey, c, link), *(number(c, o, n) for o, n in zip(OUTCOMES, _counts(c), strict=True)))
            for c in columns
        ),
        empty=not any(sum(_counts(c)) for c in columns),
    )


def steps(journey: Journey, region: str | None, link: Link) -> Chart:
    """The steps on one another over time, of one region: the first one where none is chosen."""
    region = region or next(iter(journey["regions"]), "")
    columns = [c for c in journey["step_columns"] if c["region"] == region and c["sampled"]]
    frame = _frame(journey, nice(max((sum(s or 0 for s in c["steps"]) for c in columns), default=1.0)))
    frame.spans(spans(journey))
    ends = [
        (instant(c["start"]), instant(c["start"]) + timedelta(seconds=journey["period"]["column"])) for c in columns
    ]
    names = [shade(i) for i in range(len(journey["steps"]))]
    frame.columns(names, ((start, end, c["steps"]) for (start, end), c in zip(ends, columns, strict=True)))

    def told(values: Sequence[float | None]) -> str:
        return ", ".join(f"{n[:40]} {duration(v)}" for n, v in zip(journey["steps"], values, strict=False))

    frame.links(
        (
            (start, end, f"{clock(c['start'])}: {told(c['steps'])}")
            for (start, end), c in zip(ends, columns, strict=True)
        ),
        lambda start, end: link(start, end, region=region),
    )
    return _chart(
        journey,
        frame,
        f"How long each step took from {region[:60]}",
        y=frame.scale(seconds),
        legend=tuple((shade(i), name) for i, name in enumerate(journey["steps"])),
        head=("From", *(name[:60] for name in journey["steps"])),
        rows=tuple(
            (
                _anchor(link(*end, region=region), _moment(c["start"], journey)),
                *(duration(value) for value in c["steps"]),
            )
            for end, c in zip(ends, columns, strict=True)
        ),
        empty=not columns,
    )


def vitals(journey: Journey, link: Link) -> Chart:
    """Web vitals of single runs."""
    points = journey["vitals"]
    values = [v for p in points for v in (p["lcp"], p["fcp"], p["ttfb"]) if v is not None]
    frame = _frame(journey, nice(max([*values, GOOD_LCP * 1.1] if values else [1.0])))
    frame.spans(spans(journey))
    frame.level("good", GOOD_LCP)
    for name in ("ttfb", "fcp", "lcp"):
        frame.dots(name, ((instant(p["at"]), p[name]) for p in points))
    return _chart(
        journey,
        frame,
        "Web vitals",
        y=frame.scale(seconds),
        legend=(
            ("lcp", "largest paint (LCP)"),
            ("fcp", "first paint (FCP)"),
            ("ttfb", "first byte (TTFB)"),
            ("good", f"LCP is good within {seconds(GOOD_LCP)}"),
        ),
        head=("Run", "Region", "LCP", "FCP", "TTFB", "Shift (CLS)", "Page"),
        rows=tuple(
            (
                _anchor(link(p["run"]), _moment(p["at"], journey)),
                p["region"][:60],
                duration(p["lcp"]),
                duration(p["fcp"]),
                duration(p["ttfb"]),
                NOTHING if p["cls"] is None else f"{p['cls']:.2g}",
                p["url"][:120],
            )
            for p in points
        ),
        empty=not points,
    )


def burndown(burn: Burndown) -> Chart:
    """How much of an error budget was left, over the window of its objective."""
    points = [(instant(p["at"]), p["left"]) for p in burn["points"]]
    start, end = (
        (points[0][0], points[-1][0]) if points else (instant("1970-01-01T00:00Z"), instant("1970-01-02T00:00Z"))
    )
    frame = Frame(start=start, end=max(end, start + timedelta(seconds=1)), top=1.0)
    frame.line("left", ((at, max(left, 0.0)) for at, left in points))
    return Chart(
        title=f"Error budget left: {burn['objective']['objective'][:120]}",
        svg=frame.svg(),
        y=frame.scale(lambda share: percent(share, 0)),
        x=frame.times(),
        head=("At", "Left"),
        rows=tuple((rfc3339(at), percent(left)) for at, left in points),
        empty=not points,
    )


def by_region(journey: Journey) -> list[tuple[str, Markup, float]]:
    """The steps one after the other, for each region: name, drawing, and how long they take together. Medians of the period."""
    medians: list[tuple[str, list[float]]] = []
    for region in journey["regions"]:
        columns = [c["steps"] for c in journey["step_columns"] if c["region"] == region]
        found = [[s for c in columns if i < len(c) and (s := c[i]) is not None] for i in range(len(journey["steps"]))]
        medians.append((region, [statistics.median(values) if values else 0.0 for values in found]))
    longest = max((sum(values) for _, values in medians), default=0.0) or 1.0
    drawn = []
    for region, values in medians:
        left, bars = 0.0, []
        for i, value in enumerate(values):
            wide = round(value / longest * 1000, 1)
            bars.append(
                Markup(
                    '<rect class="part {}" x="{}" y="{}" width="{}" height="10"><title>{}: {}</title></rect>'
                ).format(shade(i), round(left, 1), i * 12, max(wide, 1.0), journey["steps"][i][:80], duration(value))
            )
            left += wide
        high = max(len(values) * 12 - 2, 10)
        svg = Markup('<svg viewBox="0 0 1000 {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>')
        drawn.append((region, svg.format(high, Markup("").join(bars)), sum(values)))
    return drawn


def shade(index: int) -> str:
    """The class of the colour of a step."""
    return f"s{index % SHADES + 1}"


def spans(journey: Journey) -> list[Span]:
    """The marks of a journey."""
    return [
        Span(
            kind=_kind(m["kind"]),
            at=instant(m["at"]),
            until=instant(m["until"]) if m["until"] else None,
            text=m["text"],
        )
        for m in journey["marks"]
    ]


def _kind(kind: str) -> str:
    return kind if kind in ("deploy", "build", "maintenance", "incident") else "other"


def _frame(journey: Journey, top: float) -> Frame:
    return Frame(start=instant(journey["period"]["start"]), end=instant(journey["period"]["end"]), top=top)


def _columns(journey: Journey, region: str | None) -> list[Column]:
    return [column for column in journey["columns"] if column["region"] == (region or "")]


def _counts(column: Column) -> tuple[int, int, int, int]:
    return column["failed"], column["errored"], column["missed"], column["passed"]


def _ends(journey: Journey, column: Column) -> tuple[datetime, datetime]:
    start = instant(column["start"])
    return start, start + timedelta(seconds=journey["period"]["column"])


def _from(journey: Journey, column: Column, link: Link) -> Markup:
    return _anchor(link(*_ends(journey, column)), _moment(column["start"], journey))


def _moment(at: str, journey: Journey) -> str:
    long = instant(journey["period"]["end"]) - instant(journey["period"]["start"]) > timedelta(days=1)
    return f"{instant(at):%d %b %H:%M}" if long else f"{instant(at):%H:%M:%S}"


def _anchor(address: Markup | str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)


def _chart(
    journey: Journey,
    frame: Frame,
    title: str,
    *,
    y: tuple[str, ...],
    legend: tuple[tuple[str, str], ...],
    head: tuple[str, ...],
    rows: tuple[tuple[str | Markup, ...], ...],
    empty: bool,
) -> Chart:
    return Chart(
        title=title,
        svg=frame.svg(),
        y=y,
        x=frame.times(),
        legend=legend,
        head=head,
        rows=rows,
        empty=empty,
        start=journey["period"]["start"],
        end=journey["period"]["end"],
    )
