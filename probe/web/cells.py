"""A cell of the overview's grid as HTML: the last runs as bars, its age, and what is wrong. Pure.

The same text is in the page and in what is sent to open pages. Five hundred checks in five regions must stay below 300 kB:
in a large grid a cell where all is well is a line of block characters (forty bytes) instead of a drawing.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup, escape

from probe.view.documents import Cell, Failing, Overview
from probe.web.words import age, instant, spoken

LARGE: Final = 400
"""Cells from which a grid is large."""
FEWER: Final = 8
"""Bars of a cell in a large grid."""
STEP: Final = 4
"""Width of a bar with the gap beside it, in the drawing's units; its height is 16."""
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_LONGEST: Final = 160
_DASH: Final = Markup("<td class=none>–")


def is_large(overview: Overview) -> bool:
    """Whether its grid has to save bytes."""
    return sum(len(check["cells"]) for target in overview["targets"] for check in target["checks"]) > LARGE


def cell_html(cell: Cell | None, *, large: bool = False, ages: bool = True) -> Markup:
    """A cell. Its link is relative to the overview. Without `ages` the browser writes them."""
    if cell is None:
        return _DASH
    text = age(cell["age"]) if ages and cell["age"] is not None else ""
    since = f" data-t={instant(cell['at']).timestamp():.0f}" if cell["at"] else ""
    if large and cell["state"] == "passed" and not cell["bars"].strip("p"):
        return Markup("<td{} data-b={}>{}").format(Markup(since), _blocks(cell["heights"][-FEWER:]), text)  # noqa: S704  # digits
    bars = drawing(
        cell["bars"][-FEWER:] if large else cell["bars"], cell["heights"][-FEWER:] if large else cell["heights"]
    )
    said = Markup('<span class="outcome outcome--{0}">{1}</span> ').format(cell["state"], spoken(cell["state"]))
    if cell["state"] == "passed":
        said = Markup('<span class="hidden">passed</span> ')
    body = Markup("{}{}<b>{}</b>").format(bars, said, text)
    if cell["run"]:
        told = f' title="{escape(_told(cell["failing"]))}"' if cell["failing"] else ""
        body = Markup('<a href="./runs/{}"{}>{}</a>').format(cell["run"], Markup(told), body)  # noqa: S704  # escaped above
    return Markup('<td class="{}"{}>{}').format(f"c-{cell['state']}", Markup(since), body)  # noqa: S704  # digits


def drawing(outcomes: str, heights: str) -> Markup:
    """Outcomes as bars, oldest first. Each has a shape of its own: failed is full height, errored is broken in two, missed is a dot."""
    wide = max(len(outcomes), 1) * STEP
    paths = "".join(
        f'<path class="b-{letter}" d="{"".join(_bar(letter, i, h) for i, h in found)}"/>'
        for letter in "pfema"
        if (found := [(i, h) for i, (o, h) in enumerate(zip(outcomes, heights, strict=False)) if o == letter])
    )
    return Markup(f'<svg viewBox="0 0 {wide} 16" width="{wide * 1.25:g}" height="20" aria-hidden="true">{paths}</svg>')  # noqa: S704  # numbers and letters of ours


def cells_of(overview: Overview) -> Iterable[tuple[str, Sequence[Cell | None]]]:
    """The cells of each check."""
    for target in overview["targets"]:
        for check in target["checks"]:
            yield check["check"], check["cells"]


def _bar(letter: str, index: int, height: str) -> str:
    x = index * STEP + 1.5
    if letter == "p":
        return f"M{x} 16v-{3 + int(height) if height.isdigit() else 7}"
    return f"M{x} 16" + {"f": "v-16", "e": "v-6m0-4v-6"}.get(letter, "v-2")


def _blocks(heights: str) -> str:
    return "".join(_BLOCKS[min(int(h) * 3 // 4, 7)] if h.isdigit() else _BLOCKS[3] for h in heights)


def _told(failing: Failing) -> str:
    step = f"{failing['step']}: " if failing["step"] else ""
    text = f"{step}{failing['message']}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
