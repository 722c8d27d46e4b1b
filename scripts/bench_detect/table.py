"""The tables of a mix, in Markdown."""

from dataclasses import dataclass
from math import isinf

from probe.backtest.outages import OutageKind
from scripts.bench_detect.catalogue import DEFAULTS
from scripts.bench_detect.mixes import Mix
from scripts.bench_detect.ours import OURS
from scripts.bench_detect.score import OfKind, Summary

ALLOWED = 0.5
"""False pages in 30 days that a rival may have, where we have fewer."""
MISSED = 0.05
"""The share of outages that a rival may miss."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All rules on the worlds of a mix; what ours asked for, as shares of the schedule."""

    summaries: dict[str, Summary]
    confirms: float
    controls: float
    confirms_in_outages: float


def section(mix: Mix, measured: Measured) -> str:
    """The tables of a mix: ours beside the best rival for each kind of outage, and the rivals as they come."""
    ours = measured.summaries[OURS]
    allowed = max(ALLOWED, ours.false)
    causes = ", ".join(f"{number} {cause}" for cause, number in sorted(ours.causes.items()))
    lines = [
        f"### {mix.name}{' (held out)' if mix.held_out else ''}: {mix.words}",
        "",
        (
            f"Ours: {ours.false:.2f} false pages in 30 days ({ours.causes.total()} in {ours.days:.0f} days"
            f"{': ' + causes if causes else ''}), {measured.confirms:.1%} extra runs and {measured.controls:.1%} control runs "
            f"when nothing is wrong, {measured.confirms_in_outages:.1%} extra runs where there is an outage every few hours."
        ),
        "",
        (
            "| outage | n | ours: median / p95 | missed | pages + reopened | over after | "
            f"best rival with ≤ {allowed:.2f} false pages in 30 days and ≤ {MISSED:.0%} missed: median / p95 | its false pages | "
            "its pages | faster |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in OutageKind:
        if (mine := ours.kinds.get(kind)) is None:
            continue
        best = best_rival(measured, kind, allowed)
        row = [
            kind.value,
            str(mine.count),
            f"**{_seconds(mine.median)}** / {_seconds(mine.late)}",
            f"{mine.missed:.1%}",
            f"{mine.pages:.1f} + {mine.reopened:.1f}",
            _seconds(mine.over),
        ]
        if best is None:
            row += ["none", "", "", ""]
        else:
            name, summary = best
            theirs = summary.kinds[kind]
            row += [
                f"{_seconds(theirs.median)} / {_seconds(theirs.late)}: {name}",
                f"{summary.false:.2f}",
                f"{theirs.pages:.1f}",
                f"{theirs.median / mine.median:.1f} ×" if mine.median and not isinf(mine.median) else "no",
            ]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join([*lines, "", *_defaults(measured)])


def best_rival(measured: Measured, kind: OutageKind, allowed: float) -> tuple[str, Summary] | None:
    """The rule that tells a kind of outage soonest, of those that are quiet enough and miss few."""
    able = [
        (name, summary)
        for name, summary in measured.summaries.items()
        if name != OURS
        and summary.false <= allowed
        and (found := summary.kinds.get(kind)) is not None
        and found.missed <= MISSED
    ]
    return min(able, key=lambda each: (each[1].kinds[kind].median, each[1].kinds[kind].late), default=None)


def _defaults(measured: Measured) -> list[str]:
    kinds = [kind for kind in OutageKind if kind in measured.summaries[OURS].kinds]
    lines = [
        f"| as it comes: median (missed) | false pages in 30 days | {' | '.join(kinds)} | pages an outage |",
        f"|---|---|{'---|' * len(kinds)}---|",
    ]
    for name in (OURS, *(rule.name for rule in DEFAULTS)):
        summary = measured.summaries[name]
        cells = [_median(summary.kinds[kind]) for kind in kinds]
        told = sum(of.count * (1 - of.missed) for of in summary.kinds.values())
        pages = sum(of.pages * of.count * (1 - of.missed) for of in summary.kinds.values()) / max(1.0, told)
        lines.append(f"| {name} | {summary.false:.1f} | {' | '.join(cells)} | {pages:.1f} |")
    return lines


def _median(of: OfKind) -> str:
    return _seconds(of.median) + (f" ({of.missed:.0%})" if of.missed > 0.02 else "")


def _seconds(value: float) -> str:
    return "–" if isinf(value) else f"{value:.0f} s"
