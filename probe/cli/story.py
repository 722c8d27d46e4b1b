"""Incidents in the terminal: what is wrong, on a line, in a paragraph, and with all that happened."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from probe.cli.encode import ago
from probe.cli.table import console
from probe.core.duration import format_duration
from probe.core.incident import Incident, Member, Verdict
from probe.core.message import WORDS, place_of
from probe.core.notification import Fate
from probe.core.rules import Severity
from probe.store.reader import Receipt, Story

STYLES = {Verdict.DOWN: "bold red", Verdict.REGIONAL: "bold red", Verdict.PROBE_FAULT: "bold yellow"}
SHOWN = 5
"""Checks of an incident that the status names; it counts the others, and `probe incident show` has them all."""


def moment(at: datetime, now: datetime) -> str:
    """A moment as short as it can be told apart: without the date when it is today's."""
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def print_incident(screen: Console, incident: Incident, now: datetime, *, full: bool = False) -> None:
    """What somebody must know at once: the verdict, since when, who suffers and why, who knows, who does something.

    `full`: all checks, and what proves it.
    """
    screen.print(_head(incident, now), soft_wrap=True)
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in _facts(incident, now, full=full):
        facts.add_row(key, value)
    screen.print(Padding(facts, (0, 0, 0, 2), expand=False))


def _head(incident: Incident, now: datetime) -> Text:
    style = "green" if incident.resolved else STYLES.get(incident.verdict, "bold yellow")
    word = "RESOLVED" if incident.resolved else ("AGAIN " if incident.relapses else "") + WORDS[incident.verdict]
    place = place_of(incident.cause)
    length = format_duration(ago(incident.since, incident.resolved or now))
    lasted = f"lasted {length}" if incident.resolved else f"for {length}, since {moment(incident.since, now)} UTC"
    severity = "page" if incident.severity is Severity.PAGE else "ticket"
    return Text.assemble((word, style), "  ", (place, "bold"), f"  {lasted}  ", (f"{severity}  {incident.id}", "dim"))


def _facts(incident: Incident, now: datetime, *, full: bool) -> Iterable[tuple[str, Text]]:
    members = sorted(incident.members.values(), key=lambda m: (m.since, m.check))
    shown = len(members) if full else SHOWN
    for index, member in enumerate(members[:shown]):
        yield "" if index else "checks" if len(members) > 1 else "check", _member(member)
        if full and member.evidence:
            yield "evidence", Text(member.evidence)
    if len(members) > shown:
        yield "", Text(f"and {len(members) - shown} more: probe incident show {incident.id}", "dim")
    for text in incident.burns.values():
        yield "burns", Text(text)
    if full:
        yield from ((key, Text(value)) for key, value in _proof(incident))
    if incident.resolved is not None:
        yield "from", Text(f"{moment(incident.since, now)} to {moment(incident.resolved, now)} UTC")
    yield "told", Text(", ".join(incident.told)) if incident.told else Text("nobody", "yellow")
    if incident.acknowledged is not None:
        yield "taken by", Text(f"{incident.acknowledged_by}, at {moment(incident.acknowledged, now)} UTC")
    elif incident.resolved is None:
        yield "taken by", Text("nobody yet", "yellow")
    if incident.resolved is None and incident.muted_until is not None and incident.muted_until > now:
        yield "muted", Text(f"until {moment(incident.muted_until, now)} UTC: nothing is delivered", "yellow")


def _member(member: Member) -> Text:
    failure = member.failure
    step = f'step "{failure.step}": ' if failure.step else ""
    message = failure.message.splitlines()[0] if failure.message else failure.kind
    text = Text.assemble((member.check, "bold"), f" from {', '.join(member.regions)}: {step}{failure.layer}: {message}")
    return text.append("  recovered", "green") if member.recovered is not None else text


def print_list(incidents: Sequence[Incident], now: datetime, *, open_only: bool) -> None:
    """A row an incident."""
    screen = console()
    if not incidents:
        screen.print("no incident is open" if open_only else "there was no incident yet")
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("incident", "verdict", "cause", "since (UTC)", "lasted", "checks", "taken by"):
        table.add_column(column, no_wrap=column in {"incident", "since (UTC)"}, overflow="fold")
    for incident in incidents:
        is_open = incident.resolved is None
        style = STYLES.get(incident.verdict, "bold yellow") if is_open else "dim"
        names = sorted(incident.members or incident.burns)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        table.add_row(
            incident.id,
            Text(incident.verdict.replace("_", " "), style),
            incident.cause,
            f"{incident.since:%Y-%m-%d %H:%M:%S}",
            format_duration(ago(incident.since, incident.resolved or now)) + (", open" if is_open else ""),
            ", ".join(names[:3]) + more,
            incident.acknowledged_by or ("nobody yet" if is_open else ""),
        )
    screen.print(table)


def print_story(story: Story, now: datetime) -> None:
    """An incident with all its checks, and everything that happened: what was decided, who was told, what they answered."""
    screen = console()
    print_incident(screen, story.incident, now, full=True)
    screen.print()
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in story.lines:
        if isinstance(line, Receipt):
            style = "green" if line.fate is Fate.SENT else "yellow"
            took = f" in {format_duration(line.seconds)}" if line.seconds else ""
            answer = f": {line.answer}" if line.answer else ""
            said = Text.assemble(f"{line.reason} ", (line.fate.value, style), took, answer)
            table.add_row(_stamp(line.at), Text(f"→ {line.channel}", "cyan"), said)
        else:
            table.add_row(_stamp(line.at), line.what.value, Text(line.text))
    screen.print(table)


def _proof(incident: Incident) -> Iterable[tuple[str, str]]:
    first = incident.first
    if first is None:
        return
    if first.failure.expected is not None:
        yield "expected", first.failure.expected
    if first.failure.actual is not None:
        yield "seen", first.failure.actual
    if first.failure.url is not None:
        yield "address", first.failure.url
    if first.picture is not None:
        yield "picture", first.picture
    region = f" --region {first.regions[0]}" if len(first.regions) == 1 else ""
    yield "try it", f"probe check {first.check} --once{region}"


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
