"""What must be true of a fleet when all is over, whatever was killed and cut: judged from the database, the agents and the receivers."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.chaos.verify import incidents, said_bugs, said_once
from tests.chaos.verify import told as told_all
from tests.lab.fleet import Fleet
from tests.lab.world import EVERY, REGIONS

COPIED = {
    "incidents": "id, cause, opened, resolved, body",
    "timeline": "seq, incident, at, what, text, run",
    "outbox": "seq, key, channel, incident, reason, number, created, fate, tries, again, settled",
    "attempts": "seq, key, at, fate, answer",
}
"""What is judged from a copy, by the same words as a single daemon is."""
STORED = """
SELECT runs.id, check_id, region, outcome, why, slot, slots, due FROM runs JOIN places ON places.id = runs.place
"""
SECOND = 1_000_000
OURS = ("probe:", "stale:")
"""How causes begin that are about our own regions."""


@dataclass(frozen=True, slots=True)
class Outage:
    """When something of the shop was really broken, from when to when in microseconds since 1970, and what causes that has."""

    begun: int
    ended: int


@dataclass
class Expected:
    """What was really done to it, as far as somebody must hear of it."""

    outages: dict[str, list[Outage]] = field(default_factory=dict)
    """Cause → when it was really broken. Each time was told once."""
    silenced: set[str] = field(default_factory=set)
    """Regions that were cut off for so long that it must be told, and that they are heard again."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the agents had accepted when it was all quiet: region → run → check and outcome."""

    runs: dict[str, dict[str, tuple[str, str]]]


async def accepted(fleet: Fleet) -> Accepted:
    """Read it from each agent's own SQLite, which outlives every kill."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for region in REGIONS:
        stored = await fleet.agent(region, STORED)
        found[region] = {run: (check, outcome) for run, check, _, outcome, *_ in stored}
    return Accepted(found)


async def is_delivered(fleet: Fleet, was: Accepted) -> bool:
    """Whether the database has as many of those runs as there are."""
    have = {row["id"] for row in await fleet.hub("SELECT id FROM runs")}
    return bool(have) and all(run in have for mine in was.runs.values() for run in mine)


async def broken_promises(fleet: Fleet, was: Accepted, expected: Expected) -> list[str]:
    """Every promise that was not kept, in words; none is the aim."""
    copy = await _copy(fleet)
    try:
        stored = await fleet.hub(STORED)
        return [
            *runs(stored, was),
            *slots(stored),
            *incidents(copy),
            *told_all(copy, fleet.inbox.arrivals),
            *said_once(fleet.inbox.arrivals),
            *causes(copy, expected),
            *silences(copy, expected),
            *_logs(fleet),
        ]
    finally:
        copy.close()


async def _copy(fleet: Fleet) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:")
    copy.row_factory = sqlite3.Row
    for table, columns in COPIED.items():
        names = columns.split(", ")
        copy.execute(f"CREATE TABLE {table} ({columns})")
        for row in await fleet.hub(f"SELECT {columns} FROM {table} ORDER BY {names[0]}"):
            values = [row[name] if not isinstance(row[name], dict | list) else json.dumps(row[name]) for name in names]
            copy.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", values)
    return copy


def runs(stored: Sequence[dict[str, Any]], was: Accepted) -> Iterable[str]:
    """What an agent accepted is there once, as it was."""
    for run, count in Counter(row["id"] for row in stored).items():
        if count > 1:
            yield f"run {run} is stored {count} times"
    have = {row["id"]: row for row in stored}
    for region, mine in was.runs.items():
        lost = [run for run in mine if run not in have]
        if lost:
            yield f"{len(lost)} of {len(mine)} runs that {region} had accepted are lost: {lost[:5]}"
        for run, (check, outcome) in mine.items():
            row = have.get(run)
            if row is not None and (row["region"], row["check_id"], row["outcome"]) != (region, check, outcome):
                yield f"run {run} of {check} from {region} was {outcome}, and is stored as {row}"


def slots(stored: Sequence[dict[str, Any]]) -> Iterable[str]:
    """The slots of a check in a region follow each other without gap or overlap, by their number and by the clock."""
    places: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for row in stored:
        if row["slot"] is not None:
            places[row["check_id"], row["region"]].append((row["slot"], row["due"], row["slots"]))
    for (check, region), found in places.items():
        for one, following in pairwise(sorted(found)):
            if following[:2] != (one[0] + one[2], one[1] + one[2] * EVERY * SECOND):
                yield f"{check} from {region}: after slot, due and count {one} comes {following}"


def causes(copy: sqlite3.Connection, expected: Expected) -> Iterable[str]:
    """Whatever is told of a target is about an outage that there was; and each outage is told once on each channel."""
    turns: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for row in copy.execute(
        "SELECT cause, at, what, incident FROM timeline JOIN incidents ON incidents.id = incident"
        " WHERE what IN ('opened', 'reopened') ORDER BY timeline.seq"
    ):
        turns[row["cause"]].append((row["at"], row["what"], row["incident"]))
    for cause, found in turns.items():
        if cause.startswith(OURS):
            continue
        for at, what, incident in found:
            if not any(one.begun <= at <= one.ended for one in expected.outages.get(cause, [])):
                yield f"{incident} was {what} for {cause} at {at}, when nothing was broken: {expected.outages}"
    for cause, outages in expected.outages.items():
        for one in outages:
            told = [turn for turn in turns[cause] if one.begun <= turn[0] <= one.ended]
            if len(told) != 1:
                yield f"the outage of {cause} since {one.begun} was told as {told}"


def silences(copy: sqlite3.Connection, expected: Expected) -> Iterable[str]:
    """Who was cut off for long is said to be silent, and to be heard again."""
    said = {row["cause"]: row["resolved"] for row in copy.execute("SELECT cause, resolved FROM incidents")}
    for region in expected.silenced:
        if f"stale:{region}" not in said:
            yield f"nobody was told that {region} is silent"
        elif said[f"stale:{region}"] is None:
            yield f"nobody was told that {region} is heard again"


def _logs(fleet: Fleet) -> Iterable[str]:
    for place, node in fleet.nodes.items():
        yield from (f"{place}: {bug}" for bug in said_bugs(node.log.read_text(errors="replace")))
