"""What `probe status` shows: trouble first, then promises, regions, channels and the daemon itself."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from probe.cli.encode import ago, encode_incident, moment
from probe.cli.story import moment as clock
from probe.cli.story import print_incident
from probe.cli.table import columns, console
from probe.core.budget import Forecast
from probe.core.duration import format_duration
from probe.core.incident import Verdict
from probe.core.message import attained_words, gone, gone_since, noise_words
from probe.core.rules import Calendar
from probe.core.run import Outcome
from probe.view.standing import Promise, Standing

_STATES = {"ok": "green", "burning": "bold red", "spent": "red", "unknown": "yellow"}


def print_standing(standing: Standing) -> None:
    """Print it."""
    screen = console()
    if not standing.incidents:
        quiet = ("no incident is open", "bold green")
        if standing.live is None:
            quiet = ("no incident was open when the daemon last ran; nobody watches now", "bold yellow")
        screen.print(Text.assemble(quiet, _checks_line(standing)), soft_wrap=True)
    for index, incident in enumerate(standing.incidents):
        if index:
            screen.print()
        print_incident(screen, incident, standing.now)
    if standing.incidents and (line := _checks_line(standing)):
        screen.print(f"\nchecks: {line.removeprefix('; ')}", soft_wrap=True)
    promises = _promises(standing)
    for table in (promises, _regions(standing), _channels(standing)):
        if table.row_count:
            screen.print()
            screen.print(table)
            if table is promises:
                for text, style in _remarks(standing):
                    screen.print(Text(text, style), soft_wrap=True)
    screen.print()
    _print_daemon(screen, standing)


def _checks_line(standing: Standing) -> str:
    counts = Counter(standing.verdicts.values())
    parts = [f"{counts[verdict]} {verdict.replace('_', ' ')}" for verdict in Verdict if counts[verdict]]
    return f"; {', '.join(parts)}" if parts else ""


def _promises(standing: Standing) -> Table:
    table = columns("objective", "promised", "attained", "budget left", "coverage", "state")
    for promise in standing.promises:
        objective, left = promise.objective, promise.budget
        known = left.attained is not None
        table.add_row(
            objective.name,
            f"{objective.target * 100:.5g} % of {_window(promise)}",
            attained_words(left) if known else "",
            f"{left.left * 100:.0f} %" if known else "",
            f"{left.coverage * 100:.3g} %" if known else "nothing counted yet",
            Text(promise.state, _STATES[promise.state])
            + ("" if left.noise is None else f"; {noise_words(left.noise)}"),
        )
    return table


def _remarks(standing: Standing) -> Iterable[tuple[str, str]]:
    """What is to be said of objectives beside the numbers: until when, or since when, and whether they can be judged."""
    for promise in standing.promises:
        name, left = promise.objective.name, promise.budget
        if text := gone(left):
            yield f"{name}: the error budget will be {text}", "yellow"
        if text := gone_since(left):
            yield f"{name}: the error budget is {text}", "red"
        if left.noise is not None:
            yield f"{name}: {noise_words(left.noise)}", "yellow"


def _window(promise: Promise) -> str:
    window = promise.objective.window
    return f"this {window}" if isinstance(window, Calendar) else format_duration(window)


def _regions(standing: Standing) -> Table:
    table = columns("region", "runs of the last hour", "")
    for region in standing.regions:
        parts = [f"{region.runs[outcome]} {outcome}" for outcome in Outcome if region.runs.get(outcome)]
        blind = ""
        if region.blind is not None:
            blind = f"blind since {clock(region.blind, standing.now)} UTC: its own network fails, it says nothing of targets"
        table.add_row(region.name, ", ".join(parts) or "none", Text(blind, "bold yellow"))
    return table


def _channels(standing: Standing) -> Table:
    table = columns("channel", "waiting", "")
    for channel in standing.channels:
        waiting = "nothing"
        if channel.oldest is not None:
            waiting = f"{channel.pending}, the oldest for {format_duration(ago(channel.oldest, standing.now))}"
        note = "" if channel.disabled is None else f"disabled: {channel.disabled}"
        table.add_row(channel.channel, waiting, Text(note, "bold yellow"))
    return table


def _print_daemon(screen: Console, standing: Standing) -> None:
    for text, style in _daemon(standing):
        screen.print(Text(text, style), soft_wrap=True)


def _daemon(standing: Standing) -> Iterable[tuple[str, str]]:
    live, now = standing.live, standing.now
    if live is None:
        if standing.alive is None:
            yield "daemon: not running", "yellow"
        else:
            quiet, last = format_duration(ago(standing.alive, now)), clock(standing.alive, now)
            yield f"daemon: not running; last alive {quiet} ago, at {last} UTC: all of this is from then", "bold yellow"
        return
    yield f"daemon: process {live['pid']}, up since {live['started'][:19].replace('T', ' ')} UTC", ""
    yield (
        "  {jobs} jobs, {running} running, {waiting} waiting, {missed} slots missed; browser workers: {workers}".format(
            **live
        ),
        "",
    )
    if not live["healthy"]:
        yield f"  not healthy: {live['reason']}", "bold red"
    if not live["ready"]:
        yield "  it is starting or stopping", "yellow"
    if live["recorder"]["trouble"]:
        yield f"  the store: {live['recorder']['trouble']}; {live['recorder']['queued']} records wait", "bold yellow"
    if not live["reload"]["ok"]:
        yield f"  the last reload failed, the old configuration is in use: {live['reload']['error']}", "bold yellow"


def encode_standing(standing: Standing) -> dict[str, Any]:
    """The same as JSON (docs/json.md)."""
    counts = Counter(standing.verdicts.values())
    return {
        "incidents": [encode_incident(incident) for incident in standing.incidents],
        "checks": {verdict.value: counts[verdict] for verdict in Verdict},
        "not_ok": [
            {"check": check, "verdict": verdict.value}
            for check, verdict in standing.verdicts.items()
            if verdict is not Verdict.OK
        ],
        "objectives": [
            {
                "name": promise.objective.name,
                "promised": promise.objective.target,
                "window": window.value
                if isinstance(window := promise.objective.window, Calendar)
                else window.total_seconds(),
                "attained": promise.budget.attained,
                "attained_within": promise.budget.within,
                "budget_left": promise.budget.left,
                "budget_gone_in": _encode_forecast(promise.budget.forecast),
                "budget_spent": moment(promise.budget.spent),
                "noise": promise.budget.noise,
                "coverage": promise.budget.coverage,
                "good": promise.budget.counts.good,
                "bad": promise.budget.counts.bad,
                "lost": promise.budget.counts.lost,
                "state": promise.state,
            }
            for promise in standing.promises
        ],
        "regions": [
            {
                "region": region.name,
                "blind_since": moment(region.blind),
                "last_hour": {outcome.value: region.runs.get(outcome, 0) for outcome in Outcome},
            }
            for region in standing.regions
        ],
        "channels": [
            {"channel": c.channel, "pending": c.pending, "oldest": moment(c.oldest), "disabled": c.disabled}
            for c in standing.channels
        ],
        "alive": moment(standing.alive),
        "daemon": standing.live,
    }


def _encode_forecast(forecast: Forecast | None) -> dict[str, float | None] | None:
    if forecast is None:
        return None
    latest = None if forecast.latest is None else round(forecast.latest.total_seconds())
    return {
        "likely": round(forecast.likely.total_seconds()),
        "soonest": round(forecast.soonest.total_seconds()),
        "latest": latest,
    }
