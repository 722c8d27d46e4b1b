"""What judging runs again came to, as a person reads it: what would have been told when, and how good that is."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from math import inf, isfinite

from rich.console import Console
from rich.table import Table
from rich.text import Text

from probe.backtest.alert import Alert, Event
from probe.backtest.score import Score
from probe.cli.replay import Replay
from probe.cli.replay_difference import Difference, differences
from probe.cli.source import Source
from probe.cli.table import console
from probe.core.duration import format_duration
from probe.core.rules import Severity

WORDS = {Event.OPENED: "opened", Event.RAISED: "raised", Event.REOPENED: "reopened", Event.RESOLVED: "resolved"}
LONG_AGO = 10**8
"""Seconds since 1970 before which a moment is not one of the calendar, but counted from the beginning of a file."""


def print_replays(replays: Sequence[Replay], source: Source) -> None:
    """Print one, or two beside each other with what is different."""
    screen = console()
    for line in _heads(source):
        screen.print(line, soft_wrap=True, markup=False)
    for note in dict.fromkeys(note for one in replays for note in one.notes):
        screen.print(f"note: {note}", soft_wrap=True, markup=False)
    screen.print()
    if len(replays) == 1:
        _print_alone(screen, replays[0], source)
    else:
        _print_beside(screen, replays, source)


def _heads(source: Source) -> Iterator[str]:
    for recording in source.recordings:
        setting = recording.setting
        end = _moment(source, setting.length)
        yield (
            f"{setting.check}: {_count(recording.runs, 'run')} of the schedule from {_count(len(setting.regions), 'region')}, "
            f"every {format_duration(setting.every)}; {_moment(source, 0.0)} to {end}"
        )


def _print_alone(screen: Console, replay: Replay, source: Source) -> None:
    screen.print(_alerts(replay.played.alerts, source) if replay.played.alerts else "nothing would have been told")
    screen.print()
    if replay.score is not None and replay.score.kinds:
        screen.print(_kinds([replay]))
        screen.print()
    for line in _sums(replay):
        screen.print(line, soft_wrap=True, markup=False)


def _print_beside(screen: Console, replays: Sequence[Replay], source: Source) -> None:
    if any(replay.score is not None and replay.score.kinds for replay in replays):
        screen.print(_kinds(replays))
        screen.print()
    screen.print(_beside(replays))
    screen.print()
    found = differences(replays[0], replays[1])
    if not found:
        screen.print("both tell the same incidents, at the same times")
        return
    table = _table("time" if source.start < LONG_AGO else "time (UTC)", "severity", "difference", "what")
    for one in found:
        table.add_row(
            _moment(source, one.alert.at), _severity(one.alert), _difference(one, replays), Text(one.alert.title)
        )
    screen.print(table)


def _difference(found: Difference, replays: Sequence[Replay]) -> str:
    if found.later is None:
        return f"only {replays[found.side].name}"
    word = "later" if found.later > 0 else "sooner"
    return f"{format_duration(abs(found.later))} {word} by {replays[1].name}"


def _alerts(alerts: Iterable[Alert], source: Source) -> Table:
    table = _table("time" if source.start < LONG_AGO else "time (UTC)", "", "severity", "verdict", "what")
    for alert in alerts:
        style = "green" if alert.event is Event.RESOLVED else ""
        table.add_row(
            _moment(source, alert.at),
            Text(WORDS[alert.event], style),
            _severity(alert),
            alert.verdict.value.replace("_", " "),
            Text(alert.title),
        )
    return table


def _severity(alert: Alert) -> Text:
    if alert.event is Event.RESOLVED:
        return Text(alert.severity.value, "dim")
    return Text(alert.severity.value, "bold red" if alert.severity is Severity.PAGE else "yellow")


def _kinds(replays: Sequence[Replay]) -> Table:
    table = _table("outage", "", "number", "missed", "found after", "p95", "pages", "reopened", "over after")
    names = sorted({name for replay in replays for name in (replay.score.kinds if replay.score else ())})
    for name in names:
        for replay in replays:
            kind = replay.score.kinds.get(name) if replay.score is not None else None
            if kind is not None:
                table.add_row(
                    name,
                    replay.name if len(replays) > 1 else "",
                    str(kind.count),
                    str(kind.missed),
                    _seconds(kind.median),
                    _seconds(kind.p95),
                    f"{kind.pages:.1f}",
                    f"{kind.reopens:.1f}",
                    "" if kind.recovery is None else _seconds(kind.recovery),
                )
    return table


def _beside(replays: Sequence[Replay]) -> Table:
    table = _table("", *(replay.name for replay in replays))
    rows = [
        ("incidents", [str(len(replay.opened)) for replay in replays]),
        ("pages", [str(replay.pages) for replay in replays]),
        ("pages for nothing", [_false(replay.score) for replay in replays]),
        ("confirmation runs", [_share(replay.played.confirms, replay) for replay in replays]),
        ("control runs", [_share(replay.played.controls, replay) for replay in replays]),
        ("stood in for", [str(replay.stood_in) for replay in replays]),
    ]
    for name, values in rows:
        table.add_row(name, *values)
    return table


def _false(score: Score | None) -> str:
    if score is None:
        return "not known"
    return f"{len(score.false_pages)}, {score.false_per_month:.2g} in 30 days"


def _share(count: int, replay: Replay) -> str:
    return f"{count} ({count / max(1, replay.played.scheduled):.1%} of the schedule)"


def _sums(replay: Replay) -> Iterator[str]:
    """What is not in the tables, a line each."""
    played, score = replay.played, replay.score
    yield f"{_count(len(replay.opened), 'incident')}, {_count(replay.pages, 'page')} in {_days(played.seconds)}"
    if score is None:
        yield "which of them were for nothing is not known: name the outages there were (--truth FILE)"
    else:
        yield (
            f"{_count(len(score.false_pages), 'page')} for nothing in {_days(score.quiet)} without an outage, "
            f"{score.false_per_month:.2g} in 30 days; {_count(score.false_tickets, 'ticket')} for nothing"
        )
    yield (
        f"extra runs: {_share(played.confirms, replay)} to confirm, "
        f"{_share(played.controls, replay)} to control the regions' own network"
    )
    if replay.stood_in:
        yield (
            f"times to detect are an approximation: for {replay.stood_in} of {_count(replay.asked, 'confirmation run')} "
            "the next run of the schedule stood in"
        )
    if played.unanswered:
        yield f"{_count(played.unanswered, 'extra run')} had no answer on record: judged as if none had come"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        last = number == len(columns) - 1
        table.add_column(column, no_wrap=not last, overflow="fold")
    return table


def _moment(source: Source, at: float) -> str:
    if source.start >= LONG_AGO:
        return f"{datetime.fromtimestamp(source.start + at, UTC):%Y-%m-%d %H:%M:%S}"
    days, rest = divmod(round(source.start + at), 86400)
    return f"day {days} {rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"


def _seconds(value: float) -> str:
    return "never" if value == inf else f"{value:.0f} s" if isfinite(value) else ""


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.3g} days"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
