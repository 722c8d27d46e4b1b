"""The table of the faults of the demo shop, in Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from scripts.bench_detect.catalogue import DEFAULTS
from scripts.bench_detect.live_peers import pasts, soonest
from scripts.bench_detect.live_record import OURS, Measurement, read

COLUMNS: Final[Mapping[str, str]] = {
    "Datadog, 1 location, 0 min": "Datadog 1 location, 0 min",
    "Datadog, 1 location, 3 min, 2 retries": "Datadog 3 min, 2 retries",
    "Datadog, 2 locations, 2 min, 1 retry": "Datadog 2 locations, 2 min, 1 retry",
    "Checkly, 1 failed run, 2 retries after 60 s": "Checkly 2 retries",
    "Gatus, 3 failures, 2 successes": "Gatus 3/2",
    "Uptime Kuma, no retries": "Uptime Kuma",
    "blackbox, for: 2m": "blackbox for 2m",
    "Grafana, 3 failed in 5 min": "Grafana 3 failed in 5 min",
    "Grafana, medium sensitivity": "Grafana medium",
    "SRE burn rates, 99.9 %": "SRE burn 99.9 %",
}
"""A rule → its column."""


def table(files: Sequence[Path], faults: Sequence[str]) -> str:
    """What was measured, ours beside the others'; the last measurement of a fault counts. Faults without one are named below."""
    found: dict[str, tuple[Measurement, Path]] = {}
    for file in files:
        for each in read(file):
            found[each.fault] = each, file.with_name(f"{file.stem}.{each.fault}.runs.jsonl")
    lines = [
        f"| fault | ours: opened | told | verdict | step and reason | openings | over | {' | '.join(COLUMNS.values())} |",
        f"|---|---|---|---|---|---|---|{'---|' * len(COLUMNS)}",
    ]
    rows = {fault: _others(*found[fault]) for fault in faults if fault in found and not found[fault][0].trouble}
    for fault, others in rows.items():
        each = found[fault][0]
        cells = [*_ours(each), *map(_seconds, others)]
        lines.append(f"| {' | '.join(cells)} |")
    measured = [found[fault][0] for fault in rows]
    if measured:
        medians = [_median([row[number] for row in rows.values()]) for number in range(len(COLUMNS))]
        mine = [_median([each.decided for each in measured]), _median([each.told for each in measured])]
        lines.append(f"| median | {' | '.join([*mine, '', '', '', '', *medians])} |")
    lines += ["", *_notes(found, faults, measured), "", *_sentences(measured)]
    return "\n".join(lines)


def _others(each: Measurement, runs: Path) -> list[float | None]:
    checks = pasts(runs)
    rules = {rule.name: rule for rule in DEFAULTS}
    return [soonest(rules[name], checks, each.began, each.ended) for name in COLUMNS]


def _ours(each: Measurement) -> list[str]:
    own = sum(message.verdict == OURS for message in each.opened)
    openings = f"{len(each.opened) - own}{f' + {own} of ours' if own else ''}"
    first, failure = each.first, each.failure
    if first is None:
        return [each.fault, "–", "**not told**", "", "", openings, ""]
    where = "no check"
    if failure:
        where = f"{failure['check']}: {failure['step'] or 'no step'}, {failure['layer']} {failure['kind']}"
    return [
        each.fault,
        _seconds(each.decided),
        f"**{_seconds(each.told)}**",
        f"{first.verdict}, {first.severity}",
        where if each.right else f"WRONG: {where}",
        openings,
        "" if each.waited < 1 else _seconds(each.resolved),
    ]


def _notes(
    found: Mapping[str, tuple[Measurement, Path]], faults: Sequence[str], measured: Sequence[Measurement]
) -> list[str]:
    lines = []
    if measured:
        load = [value for each in measured for value in each.load]
        on = [each.ended - each.began for each in measured]
        lines.append(
            f"Seconds; `–`: not while the fault was on ({min(on):.0f} to {max(on):.0f} s). Load of the machine: "
            f"{min(load):.1f} to {max(load):.1f}, median {median(load):.1f}."
        )
    missing = [fault for fault in faults if fault not in found or found[fault][0].trouble]
    if missing:
        lines.append(f"Not measured: {', '.join(missing)}.")
    return lines


def _sentences(measured: Sequence[Measurement]) -> list[str]:
    """The evidence as it was told, one line for each opening."""
    return [
        f"* {each.fault}: {message.cause}, {message.verdict}: {message.evidence or message.title}"
        for each in measured
        for message in each.opened
    ]


def _median(values: Sequence[float | None]) -> str:
    """Of all, where what was not told counts as later than anything."""
    ordered = sorted(float("inf") if value is None else value for value in values)
    middle = ordered[(len(ordered) - 1) // 2]
    return _seconds(None if middle == float("inf") else middle)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
