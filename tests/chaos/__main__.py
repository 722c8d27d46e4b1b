"""The long night: `python -m tests.chaos --kills 300 --seed 7`. Ends by itself; exit code 1 when a promise was broken."""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.chaos.rig import Ended, chaos
from tests.chaos.verify import broken_promises

PAUSE = (0.2, 4.0)
"""Seconds between two acts: less than a start takes, up to long enough for an incident to open."""
SETTLE = 240.0


def report(end: Ended, seed: int) -> str:
    connection = sqlite3.connect(f"file:{end.database}?mode=ro", uri=True)
    outcomes = connection.execute(
        "SELECT outcome, count(*), coalesce(sum(slots), 0) FROM runs GROUP BY outcome"
    ).fetchall()
    verdicts = connection.execute(
        "SELECT cause, json_extract(body, '$.verdict'), count(*) FROM incidents GROUP BY 1, 2"
    ).fetchall()
    attempts = connection.execute(
        "SELECT channel, attempts.fate, count(*) FROM attempts JOIN outbox USING (key) GROUP BY 1, 2"
    ).fetchall()
    connection.close()
    arrivals = end.world.inbox.arrivals
    again = Counter(a.channel for a in arrivals) - Counter(
        channel for channel, _ in {(a.channel, a.key) for a in arrivals}
    )
    rows = [
        ("seed", seed),
        ("seconds", round(end.seconds)),
        ("acts", ", ".join(f"{act} {count}" for act, count in end.seen.acts.most_common())),
        ("outages", end.seen.outages),
        ("runs (slots)", ", ".join(f"{outcome} {count} ({slots})" for outcome, count, slots in outcomes)),
        ("seen meanwhile", f"{len(end.seen.runs)} runs, {len(end.seen.processes)} processes"),
        ("incidents", ", ".join(f"{count} {cause} {verdict}" for cause, verdict, count in verdicts)),
        ("attempts", ", ".join(f"{channel} {fate} {count}" for channel, fate, count in attempts)),
        ("arrivals", ", ".join(f"{c} {n}" for c, n in Counter(f"{a.channel} {a.mood}" for a in arrivals).items())),
        ("came again", ", ".join(f"{channel} {count}" for channel, count in again.items()) or "none"),
        ("digests", sum(len(a.notices) > 1 for a in arrivals)),
    ]
    return "\n".join(f"{name:15} {value}" for name, value in rows)


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is written, instead of a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="probe-chaos-") as made:
        folder = asked.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        async with chaos(folder, asked.seed, asked.kills, pause=PAUSE, settle=SETTLE, tell=print) as end:
            broken = broken_promises(end)
            print(report(end, asked.seed))
    print(*(broken or ["every promise was kept"]), sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
