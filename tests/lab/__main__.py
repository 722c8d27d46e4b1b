"""The long day: `python -m tests.lab --minutes 30 --seed 7`. Ends by itself; exit code 1 when a promise was broken."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.lab.chaos import Ended, chaos
from tests.lab.namespaces import why_not
from tests.lab.verify import broken_promises
from tests.lab.world import CHANNELS

PACE = 4.0
"""How much longer it is left alone between two acts than in the short form."""


async def report(end: Ended, seed: int) -> str:
    """What happened, in figures."""
    fleet = end.fleet
    causes = await fleet.hub("SELECT cause, count(*) AS times FROM incidents GROUP BY cause ORDER BY cause")
    fates = await fleet.hub("SELECT channel, fate, count(*) AS times FROM outbox GROUP BY 1, 2 ORDER BY 1, 2")
    outcomes = await fleet.hub("SELECT outcome, count(*) AS times FROM runs GROUP BY outcome ORDER BY outcome")
    came = Counter(f"{arrival.channel} {arrival.mood}" for arrival in fleet.inbox.arrivals)
    twice = {
        channel: len(fleet.arrivals(channel)) - len({arrival.key for arrival in fleet.arrivals(channel)})
        for channel in CHANNELS
    }
    packets: Counter[str] = Counter()
    for (_, _, how), count in (await fleet.net.counts()).items():
        packets[how] += count
    rows = [
        ("seed", seed),
        ("seconds", round(end.seconds)),
        ("acts", ", ".join(f"{act} {count}" for act, count in end.done.most_common())),
        ("starts", ", ".join(f"{place} {node.starts}" for place, node in fleet.nodes.items())),
        ("accepted", ", ".join(f"{region} {len(runs)}" for region, runs in end.accepted.runs.items())),
        ("in the hub", ", ".join(f"{row['outcome']} {row['times']}" for row in outcomes)),
        ("outages", ", ".join(f"{target} {len(times)}" for target, times in end.expected.outages.items())),
        ("incidents", ", ".join(f"{row['cause']} {row['times']}" for row in causes)),
        ("notifications", ", ".join(f"{row['channel']} {row['fate']} {row['times']}" for row in fates)),
        ("arrivals", ", ".join(f"{what} {count}" for what, count in sorted(came.items()))),
        ("came again", ", ".join(f"{channel} {count}" for channel, count in twice.items())),
        ("packets", ", ".join(f"{how} {count}" for how, count in packets.items())),
    ]
    return "\n".join(f"{name:15} {value}" for name, value in rows)


async def main() -> int:
    """The day, and whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is written, instead of a temporary one")
    asked = parser.parse_args()
    refused = why_not()
    if refused is not None:
        print(f"THE FLEET IS NOT PROVED HERE: {refused}")
        return 2
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="probe-lab-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"all that is written is in {folder}")
    async with chaos(folder, asked.seed, minutes=asked.minutes, pace=PACE, tell=print) as end:
        broken = await broken_promises(end.fleet, end.accepted, end.expected)
        print(await report(end, asked.seed))
    print(*(broken or ["every promise was kept"]), sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
