"""Charts as SVG, from numbers alone. Pure: what leads somewhere is given as a function that makes addresses.

A drawing is a thousand units wide, is stretched to the place it gets, and carries no words: the scales beside it are text of
the page, and every chart has a table that says the same (`Chart.head`, `Chart.rows`). Colours come from style sheets, by class.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

from probe.core.duration import format_duration

WIDTH: Final = 1000
HEIGHT: Final = 200
TICKS: Final = 4
"""Parts that a scale is divided into."""

Address = Callable[[datetime, datetime], str]
"""Where a column leads: the runs between two moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart for the template `_charts.html`. `y` and `x` are the words of the scales, from the top and from the left.

    `legend` are classes (whose colour it is) with words. `rows` are the table behind it, the cells as text or links;
    `start` and `end` the stretch of time, RFC 3339, where a stretch can be chosen in it.
    """

    title: str
    svg: Markup
    y: tuple[str, ...]
    x: tuple[str, ...]
    legend: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str | Markup, ...], ...] = ()
    empty: bool = False
    start: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A mark on a chart: a moment, or a stretch until `until`. `kind` becomes its class."""

    kind: str
    at: datetime
    until: datetime | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The place that is drawn into: a stretch of time, and values from 0 to `top`."""

    start: datetime
    end: datetime
    top: float
    _drawn: list[Markup] = field(default_factory=list, repr=False)

    def x(self, at: datetime) -> float:
        """Where a moment lies."""
        share = (at - self.start) / max(self.end - self.start, timedelta(seconds=1))
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)

    def y(self, value: float) -> float:
        """Where a value lies; what is too large lies at the edge."""
        return round(HEIGHT * (1 - min(max(value / self.top, 0.0), 1.0)), 1)

    def line(self, name: str, points: Iterable[tuple[datetime, float | None]]) -> None:
        """A line with gaps where nothing is known; a lone point is a dot."""
        path, pen = [], False
        for at, value in points:
            if value is None:
                pen = False
                continue
            path.append(f"{'L' if pen else 'M'}{self.x(at)} {self.y(value)}" + ("" if pen else "h0"))
            pen = True
        if path:
            self._drawn.append(Markup('<path class="line {}" d="{}"/>').format(name, "".join(path)))

    def dots(self, name: str, points: Iterable[tuple[datetime, float | None]]) -> None:
        """Single values."""
        path = "".join(f"M{self.x(at)} {self.y(value)}h0" for at, value in points if value is not None)
        if path:
            self._drawn.append(Markup('<path class="dots {}" d="{}"/>').format(name, path))

    def level(self, name: str, value: float) -> None:
        """A line across: a promise, a limit."""
        self._drawn.append(Markup('<path class="level {}" d="M0 {}H{}"/>').format(name, self.y(value), WIDTH))

    def columns(
        self, names: Sequence[str], stacks: Iterable[tuple[datetime, datetime, Sequence[float | None]]]
    ) -> None:
        """Columns of parts that lie on one another; a path for each sort of part."""
        paths: list[list[str]] = [[] for _ in names]
        for start, end, parts in stacks:
            left, below = self.x(start), 0.0
            wide = max(round(self.x(end) - left - 1, 1), 1.0)
            for path, part in zip(paths, parts, strict=False):
                if part:
                    top, foot = self.y(below + part), self.y(below)
                    path.append(f"M{left} {foot}V{top}h{wide}V{foot}z")
                    below += part
        for name, path in zip(names, paths, strict=True):
            if path:
                self._drawn.append(Markup('<path class="part {}" d="{}"/>').format(name, "".join(path)))

    def spans(self, marks: Iterable[Span]) -> None:
        """Marks: a stretch as a band, a moment as a line. Those outside are left out."""
        for mark in marks:
            until = mark.until or (self.end if mark.kind == "incident" else mark.at)
            if until < self.start or mark.at > self.end:
                continue
            left, right = self.x(mark.at), self.x(until)
            told = Markup("<title>{}: {}</title>").format(mark.kind, mark.text[:200])
            if right - left < 2:
                drawn = Markup('<path class="mark mark--{}" d="M{} 0V{}">{}</path>')
                self._drawn.append(drawn.format(mark.kind, left, HEIGHT, told))
            else:
                drawn = Markup('<rect class="band band--{}" x="{}" width="{}" height="{}">{}</rect>')
                self._drawn.append(drawn.format(mark.kind, left, round(right - left, 1), HEIGHT, told))

    def links(self, columns: Iterable[tuple[datetime, datetime, str]], address: Address) -> None:
        """Over everything: each column leads to its runs, and says on hover what it holds. For the pointer; the table is for all."""
        for start, end, told in columns:
            left = self.x(start)
            self._drawn.append(
                Markup(
                    '<a href="{}" tabindex="-1"><rect class="hit" x="{}" width="{}" height="{}"><title>{}</title></rect></a>'
                ).format(address(start, end), left, max(round(self.x(end) - left, 1), 1.0), HEIGHT, told)
            )

    def svg(self) -> Markup:
        """The drawing."""
        grid = "".join(f"M0 {HEIGHT * i // TICKS}H{WIDTH}" for i in range(TICKS + 1))
        return Markup(
            '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true"><path class="ruled" d="{}"/>{}</svg>'
        ).format(WIDTH, HEIGHT, grid, Markup("").join(self._drawn))

    def times(self) -> tuple[str, ...]:
        """The words of the scale of time."""
        span = self.end - self.start
        form = "%H:%M" if span <= timedelta(days=2) else "%d %b %H:%M" if span <= timedelta(days=4) else "%d %b"
        return tuple((self.start + span * i / TICKS).astimezone(UTC).strftime(form) for i in range(TICKS + 1))

    def scale(self, words: Callable[[float], str]) -> tuple[str, ...]:
        """The words of the scale of values, from the top."""
        return tuple(words(self.top * i / TICKS) for i in range(TICKS, -1, -1))


def nice(value: float) -> float:
    """The next number above that a scale can be divided by without odd words.

    >>> nice(4.7), nice(0.032), nice(130), nice(0)
    (6.0, 0.04, 200.0, 1.0)
    """
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = float(10 ** math.floor(math.log10(value)))
    return next(round(step * power, 12) for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value)


def seconds(value: float) -> str:
    """A duration on a scale."""
    return "0" if value == 0 else format_duration(value)


def count(value: float) -> str:
    """A number of things on a scale: none where it is not whole."""
    return f"{value:,.0f}" if value == round(value) else ""
