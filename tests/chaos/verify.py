"""What must be true when all is over, whatever was killed: judged from the database and from what the receivers got."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tests.chaos.rig import Ended
from tests.chaos.world import EVERY
from tests.daemon.inbox import Arrival

MUST_ARRIVE = ("opened", "resolved")
TURNS = {"opened", "reopened", "resolved"}


def broken_promises(end: Ended) -> list[str]:
    """Every promise that was not kept, in words; none is the aim."""
    connection = sqlite3.connect(f"file:{end.database}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [
            *end.seen.faults,
            *(f"left behind: {process}" for process in end.left),
            *_whole(connection),
            *_runs(connection, end.seen.runs),
            *_slots(connection),
            *incidents(connection),
            *told(connection, end.world.inbox.arrivals),
            *said_once(end.world.inbox.arrivals),
            *said_bugs(end.log),
        ]
    finally:
        connection.close()


def _whole(connection: sqlite3.Connection) -> Iterable[str]:
    for (said,) in connection.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield f"integrity: {said}"
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"foreign key: {tuple(row)}"


def _runs(connection: sqlite3.Connection, seen: dict[int, str]) -> Iterable[str]:
    """What could once be read is there, once."""
    stored = list(connection.execute("SELECT seq, id FROM runs"))
    for run, count in Counter(row["id"] for row in stored).items():
        if count > 1:
            yield f"run {run} is stored {count} times"
    now = {row["seq"]: row["id"] for row in stored}
    for seq, run in seen.items():
        if now.get(seq) != run:
            yield f"run {run} was read as number {seq}, where {now.get(seq)} is now"


def _slots(connection: sqlite3.Connection) -> Iterable[str]:
    """The slots of a check in a region follow each other without gap or overlap, by their number and by the clock."""
    places: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in connection.execute(
        "SELECT check_id || ' from ' || region AS place, slot, slots, due, outcome FROM runs JOIN places ON places.id = runs.place"
        " WHERE slot IS NOT NULL ORDER BY place, slot"
    ):
        places[row["place"]].append(row)
    for place, found in places.items():
        every = 1_000_000 * EVERY.get(place.partition(" ")[0], 1)
        for one, following in pairwise(found):
            expected = one["slot"] + one["slots"], one["due"] + one["slots"] * every
            if (following["slot"], following["due"]) != expected:
                yield f"{place}: after {tuple(one)} comes {tuple(following)}, not slot and due {expected}"


def incidents(connection: sqlite3.Connection) -> Iterable[str]:
    """Each opened once, and resolved as often as it was opened or came back; and never two at a time for one cause."""
    causes = {row["id"]: row["cause"] for row in connection.execute("SELECT id, cause FROM incidents")}
    turned: dict[str, list[str]] = defaultdict(list)
    opened: dict[str, str] = {}
    for row in connection.execute("SELECT incident, what FROM timeline ORDER BY seq"):
        cause, incident, what = causes.get(row["incident"], "?"), row["incident"], row["what"]
        if what in TURNS:
            turned[incident].append(what)
        if what in ("opened", "reopened"):
            if cause in opened:
                yield f"{incident} was opened for {cause} while {opened[cause]} was open"
            opened[cause] = incident
        elif what == "resolved" and opened.pop(cause, None) != incident:
            yield f"{incident} was resolved but not open"
    for incident, cause in causes.items():
        turns = turned[incident]
        if turns != ["opened", "resolved"] + ["reopened", "resolved"] * (len(turns) // 2 - 1):
            yield f"the timeline of {incident} ({cause}) tells {turned[incident]}"
    for row in connection.execute("SELECT id FROM incidents WHERE resolved IS NULL"):
        yield f"{row['id']} is still open"


def told(connection: sqlite3.Connection, arrivals: Iterable[Arrival]) -> Iterable[str]:
    """Every channel got every opening and every resolution, and all else unless it was withdrawn; and nothing else."""
    got = {(notice["key"], arrival.channel) for arrival in arrivals for notice in arrival.notices}
    outbox = list(connection.execute("SELECT key, channel, incident, reason, number, fate FROM outbox"))
    known = {(row["key"], row["channel"]) for row in outbox}
    yield from (f"{key} came on {channel}, and nobody knows of it" for key, channel in got - known)
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in outbox:
        reasons[row["incident"], row["channel"]].append(row["reason"])
        if row["fate"] not in ("sent", "withdrawn") or (row["fate"] == "withdrawn" and row["reason"] in MUST_ARRIVE):
            yield f"{row['key']} ended as {row['fate']}"
        elif row["fate"] == "sent" and (row["key"], row["channel"]) not in got:
            yield f"{row['key']} did not arrive"
    for row in connection.execute("SELECT id, body FROM incidents"):
        incident = json.loads(row["body"])
        if not incident["told"]:
            yield f"nobody was told of {row['id']}"
        for channel in incident["told"]:
            said = reasons[row["id"], channel]
            times = {Counter(said)[reason] for reason in MUST_ARRIVE}
            if len(said) != incident["announced"] or times != {incident["relapses"] + 1}:
                yield f"of {row['id']} {channel} was to be told {said}, in {incident['announced']} announcements"


def said_once(arrivals: Iterable[Arrival]) -> Iterable[str]:
    """What comes again is the same under the same key; what comes first comes in order, on each channel."""
    notices: dict[str, dict[str, Any]] = {}
    requests: dict[str, list[str]] = {}
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    meaning: dict[tuple[Any, ...], str] = {}
    for arrival in arrivals:
        keys = [notice["key"] for notice in arrival.notices]
        if requests.setdefault(arrival.key, keys) != keys:
            yield f"the request {arrival.key} held {requests[arrival.key]} first, then {keys}"
        if len(keys) == 1 and arrival.key != keys[0]:
            yield f"the request {arrival.key} held {keys[0]}"
        for notice in arrival.notices:
            key = notice["key"]
            if key in notices and notices[key] != notice:
                yield f"{key} came again as something else: {notices[key]}, {notice}"
            if key not in notices:
                numbers[notice["incident"], arrival.channel].append(notice["number"])
            notices.setdefault(key, notice)
            what = (arrival.channel, notice["incident"], notice["number"])
            if meaning.setdefault(what, key) != key:
                yield f"{what} came under two keys: {meaning[what]}, {key}"
    for (incident, channel), found in numbers.items():
        if found != sorted(found):
            yield f"on {channel} the announcements of {incident} came in the order {found}"


def said_bugs(log: str) -> Iterable[str]:
    """No bug of ours came up."""
    lines = log.splitlines()
    for index, line in enumerate(lines):
        if "Traceback (most recent call last)" in line:
            yield "the daemon's log:\n" + "\n".join(lines[max(0, index - 2) : index + 30])
