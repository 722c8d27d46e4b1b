"""The table of the faults of the demo shop, in Markdown."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from scripts.bench_detect.catalogue import DEFAULTS
from scripts.bench_detect.live_peers import false_alarms, pasts, soonest
from scripts.bench_detect.live_record import Measurement, read
from scripts.bench_detect.peers import Rule
from tests.daemon.faults import ALSO, ANY
from tests.test_faults import SEEN, Expected

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
MORE: Final = {
    "stale-reads": [Expected(ANY, "add to cart", {"content"}, {"element", "json"}, "")],
}
"""What may rightly be the first to be seen of a fault, beside what the suite expects: the cart is empty in a browser, too."""


def table(files: Sequence[Path], faults: Sequence[str], noise: Callable[[Rule], int] = false_alarms) -> str:
    """What was measured, ours beside the others', and what was said. The last measurement of a fault counts.

    `noise` says how often a rule alerts in 30 days in which all is well.
    """
    found: dict[str, tuple[Measurement, Path]] = {}
    for file in files:
        for each in read(file):
            found[each.fault] = each, file.with_name(f"{file.stem}.{each.fault}.runs.jsonl")
    known = [found[fault] for fault in faults if fault in found and not found[fault][0].trouble]
    measured = [each for each, _ in known]
    others = [_others(each, runs) for each, runs in known]
    lines = [
        f"| fault | ours | verdict, severity | {' | '.join(COLUMNS.values())} |",
        f"|---|---|---|{'---|' * len(COLUMNS)}",
        *(_beside(each, row) for each, row in zip(measured, others, strict=True)),
    ]
    if measured:
        medians = [_median([row[number] for row in others]) for number in range(len(COLUMNS))]
        lines.append(f"| median | **{_median([each.told for each in measured])}** | | {' | '.join(medians)} |")
        rules = {rule.name: rule for rule in DEFAULTS}
        false = [str(noise(rules[name])) for name in COLUMNS]
        lines.append(f"| false alarms in 30 days | | | {' | '.join(false)} |")
    lines += ["", *_notes(found, faults, measured), ""]
    lines += [
        "| fault | opened, told | check, step, reason | messages while it was on | evidence |",
        "|---|---|---|---|---|",
    ]
    lines += [_said(each) for each in measured]
    return "\n".join(lines)


def _others(each: Measurement, runs: Path) -> list[float | None]:
    checks = pasts(runs)
    rules = {rule.name: rule for rule in DEFAULTS}
    return [soonest(rules[name], checks, each.began, each.ended) for name in COLUMNS]


def _beside(each: Measurement, others: Sequence[float | None]) -> str:
    first = each.first
    verdict = "not told" if first is None else f"{first.verdict}, {first.severity}"
    return f"| {each.fault} | **{_seconds(each.told)}** | {verdict} | {' | '.join(map(_seconds, others))} |"


def _said(each: Measurement) -> str:
    """What was said of a fault: by which failure, how often, and on what evidence."""
    failure, first = each.failure, each.first
    where = "nothing"
    if failure:
        where = f"{failure['check']}, {failure['step'] or 'no step'}, {failure['layer']} {failure['kind']}"
    if failure and not is_right(each.fault, failure):
        where += " (not the fault's)"
    said = [
        f"{message.reason} {message.verdict} {message.severity} at {message.at - each.began:.1f}"
        for message in each.messages[each.before :]
        if message.at <= each.ended
    ]
    evidence = "" if first is None else first.evidence or first.title
    moments = f"{_seconds(each.decided)}, {_seconds(each.told)}"
    over = "" if each.waited < 1 else f"; over after {_seconds(each.resolved)}"
    return f"| {each.fault} | {moments} | {where} | {', '.join(said)}{over} | {evidence} |"


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


def is_right(fault: str, failure: dict[str, Any]) -> bool:
    """Whether that is what the suite expects to be seen of the fault: the check, the step, the layer, the reason."""
    return bool(failure) and any(
        entry.check in {failure["check"], ANY}
        and entry.step in {failure["step"], None}
        and failure["layer"] in entry.layers
        and failure["kind"] in entry.kinds
        and entry.words in failure["message"]
        for entry in (*SEEN[fault], *ALSO.get(fault, ()), *MORE.get(fault, ()))
    )


def _median(values: Sequence[float | None]) -> str:
    """Of all, where what was not told counts as later than anything."""
    ordered = sorted(float("inf") if value is None else value for value in values)
    middle = ordered[(len(ordered) - 1) // 2]
    return _seconds(None if middle == float("inf") else middle)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
