"""`[channels.NAME]`, `[[route]]` and `[[maintenance]]` → who is told of what, and when nobody is."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError

from probe.config.fields import VALUE
from probe.config.findings import Findings
from probe.config.lines import KeyPath
from probe.config.service_fields import http_url
from probe.config.service_schema import ChannelTable, MaintenanceTable, RouteTable
from probe.core.cron import gaps, is_shown, zone_of
from probe.core.diagnostic import did_you_mean
from probe.core.duration import format_duration
from probe.core.maintenance import Window
from probe.core.rules import Escalation, Route
from probe.core.secret import Secret
from probe.ports import ChannelSettings
from probe.registry import names

APPRISE: Final = "apprise"
ALERTMANAGER: Final = "alertmanager"
WEBHOOK: Final = "webhook"
TERMINAL: Final = "terminal"
KINDS: Final = (APPRISE, ALERTMANAGER, WEBHOOK, TERMINAL)
"""The kinds whose addresses are judged here; those of other packages judge their own."""
EXAMPLES: Final = {
    APPRISE: "slack://TOKEN_A/TOKEN_B/TOKEN_C",
    ALERTMANAGER: "http://127.0.0.1:9093",
    WEBHOOK: "https://alerts.example/hook",
}


def channel(name: str, table: ChannelTable, broken: Collection[str], findings: Findings) -> ChannelSettings:
    """A channel; what its kind needs is there. No message shows where it leads to."""
    path: KeyPath = ("channels", name)
    if table.kind not in KINDS and table.kind not in (known := names("probe.notifiers")):
        shown = findings.show((*path, "kind"), table.kind)
        findings.error((*path, "kind"), f"there is no kind {shown}", did_you_mean(table.kind, known))
    elif not {"url", "urls"} & set(broken):
        _addresses(table, path, findings)
    if table.key is not None and table.kind in KINDS and table.kind != WEBHOOK:
        findings.error((*path, "key"), f"a channel of kind {table.kind!r} signs nothing", 'only kind = "webhook" does')
    urls = table.urls if table.url is None else (table.url, *table.urls)
    return ChannelSettings(
        name=name,
        kind=table.kind,
        urls=tuple(map(Secret, urls)),
        key=Secret(table.key) if table.key is not None else None,
        timeout=table.timeout,
    )


def _addresses(table: ChannelTable, path: KeyPath, findings: Findings) -> None:
    if table.url is not None and table.urls:
        findings.error((*path, "urls"), "there is a url already", "leave one of them")
    if table.kind == TERMINAL:
        if table.url is not None or table.urls:
            key = "urls" if table.urls else "url"
            findings.error((*path, key), "a terminal has no address", f'remove {key}, or kind = "{TERMINAL}"')
    elif table.url is None and not table.urls:
        findings.error((*path, "url"), "is missing", f'such as url = "{EXAMPLES.get(table.kind, EXAMPLES[APPRISE])}"')
    elif len(table.urls) > 1 and table.kind in (APPRISE, WEBHOOK):
        findings.error(
            (*path, "urls"), "a channel leads to one place", "make a channel of each, and name all in a route"
        )
    if table.kind in (ALERTMANAGER, WEBHOOK):
        for where, url in _written(table, path):
            _judge(http_url, url, where, findings)


def _written(table: ChannelTable, path: KeyPath) -> Iterable[tuple[KeyPath, str]]:
    if table.url is not None:
        yield (*path, "url"), table.url
    for index, url in enumerate(table.urls):
        yield (*path, "urls", index), url


def _judge(judge: Callable[[str], object], value: str, path: KeyPath, findings: Findings) -> None:
    try:
        judge(value)
    except PydanticCustomError as error:
        context = error.context or {}
        findings.error(path, context["what"].replace(VALUE, findings.show(path, value)), context["hint"])


def routes(
    tables: Iterable[tuple[int, RouteTable, Collection[str]]],
    channels: Collection[str],
    targets: Collection[str],
    findings: Findings,
) -> tuple[Route, ...]:
    """The routes; a single one to all channels, where none is written. A channel that no route names is a warning."""
    found, before, whole = [], findings.count, True
    for index, table, broken in tables:
        path: KeyPath = ("route", index)
        whole &= not {"channels", "escalate"} & set(broken)
        _known("channel", table.channels, channels, (*path, "channels"), findings)
        _known("target", table.targets, targets, (*path, "targets"), findings)
        if not table.channels and "channels" not in broken:
            findings.error((*path, "channels"), "there is none", "name those who are told")
        escalation = None
        if table.escalate is not None:
            escalation = Escalation(after=table.escalate.after, channels=table.escalate.channels)
            _known("channel", escalation.channels, channels, (*path, "escalate", "channels"), findings)
        found.append(
            Route(
                channels=table.channels,
                severity=table.severity,
                checks=table.checks,
                targets=table.targets,
                tags=table.tags,
                remind=table.remind,
                escalate=escalation,
            )
        )
    if not found:
        return (Route(channels=tuple(channels)),) if channels else ()
    used = {name for r in found for name in (*r.channels, *(r.escalate.channels if r.escalate else ()))}
    for name in channels if whole and findings.count == before else ():  # a route may be meant for it
        if name not in used:
            findings.warning(
                ("channels", name), "no route names it: nothing is ever told here", "name it in a [[route]]"
            )
    return tuple(found)


def _known(noun: str, given: Iterable[str], known: Collection[str], path: KeyPath, findings: Findings) -> None:
    for index, name in enumerate(given):
        if name not in known:
            where = (*path, index)
            findings.error(where, f"there is no {noun} {findings.show(where, name)}", did_you_mean(name, known))


def window(
    index: int, table: MaintenanceTable, broken: Collection[str], targets: Collection[str], findings: Findings
) -> Window:
    """A maintenance window, with its start in UTC."""
    path: KeyPath = ("maintenance", index)
    _known("target", table.targets, targets, (*path, "targets"), findings)
    if table.start is not None and table.cron is not None:
        findings.error(
            (*path, "cron"), "there is a start already: a window comes once, or again and again", "leave one"
        )
    elif table.start is None and table.cron is None and not {"start", "cron"} & set(broken):
        findings.error(
            path, "it has no start", 'write start = 2026-12-01T22:00:00, or cron = "0 2 * * sun" for each Sunday'
        )
    if table.cron is not None and not {"duration", "timezone"} & set(broken):
        _judge_rhythm(table, table.cron, path, findings)
    return Window(
        name=table.name,
        duration=table.duration,
        start=table.start and _start(table.start, table.timezone, path, findings),
        cron=table.cron,
        timezone=table.timezone,
        checks=table.checks,
        targets=table.targets,
        tags=table.tags,
    )


def _judge_rhythm(table: MaintenanceTable, cron: str, path: KeyPath, findings: Findings) -> None:
    rhythm = gaps(cron, table.timezone)
    if rhythm is not None and table.duration >= rhythm.longest:
        findings.error(
            (*path, "duration"),
            f"the window never ends: it begins again after {format_duration(rhythm.longest)} at most",
            "make it shorter; to switch alerts off for good, remove the channel or the check",
        )


def _start(start: datetime, timezone: str, path: KeyPath, findings: Findings) -> datetime:
    if start.tzinfo is not None:
        return start.astimezone(UTC)
    zone, where = zone_of(timezone), (*path, "start")
    if not is_shown(start, zone):
        findings.error(
            where, f"clocks in {timezone} go forward then, and never show {start}", "write it with an offset from UTC"
        )
    elif (
        isinstance(zone, ZoneInfo)
        and start.replace(tzinfo=zone).utcoffset() != start.replace(tzinfo=zone, fold=1).utcoffset()
    ):
        findings.warning(
            where, f"clocks in {timezone} go back then: the first {start} is meant", "write it with an offset from UTC"
        )
    return start.replace(tzinfo=zone).astimezone(UTC)
