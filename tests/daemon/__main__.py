"""Every fault of the demo shop under the daemon: `python -m tests.daemon --all`, or with the names of some. About half an hour."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.daemon.faults import Pace, Told, lab
from tests.test_faults import SEEN

QUICK = Pace(journey=10, journey_timeout=10, plain=6, plain_timeout=6)
SLOW = Pace(journey=24, journey_timeout=20, plain=15, plain_timeout=12)
"""For faults that make runs long: two of them in a row fit into an interval."""
LONG = ("cache-lost", "third-party-hang", "hung-process", "loss", "db-slow", "payment-slow")
BURNS = "payment-slow"
HEAD = f"{'fault':18}{'opened':>8}{'intervals':>11}{'resolved':>10}  verdict      check, step, reason"


def row(told: Told) -> str:
    where = f"{told.check}, {told.step or '-'}, {' '.join(told.reason.split())[:90]}"
    return f"{told.fault:18}{told.opened:7.1f}s{told.intervals:11.2f}{told.resolved:9.1f}s  {told.verdict:12} {where}"


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.daemon", description=__doc__)
    parser.add_argument("faults", nargs="*", choices=[*SEEN, []], help="which; without any, and without --all, none")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--no-burn", action="store_true", help="do not wait until the latency objective burns")
    asked = parser.parse_args()
    names = list(SEEN) if asked.all else asked.faults
    groups = [(QUICK, [n for n in names if n not in LONG]), (SLOW, [n for n in LONG if n in names])]
    bad = 0
    print(HEAD)
    for pace, group in groups:
        if not group:
            continue
        with tempfile.TemporaryDirectory(prefix="probe-faults-") as folder:
            async with lab(Path(folder), pace) as place:
                for name in group:
                    try:
                        told = await place.suffer(name, burn=name == BURNS and not asked.no_burn)
                    except AssertionError as error:
                        bad += 1
                        print(f"{name:18}{error}", flush=True)
                        await place.shop.clear_faults()
                        continue
                    print(row(told), flush=True)
                    if told.burn:
                        print(f"{'':20}burn: {told.burn}", flush=True)
                    for wrong in told.wrong:
                        bad += 1
                        print(f"{'':20}WRONG: {wrong}", flush=True)
    print(f"{len(names)} faults, {bad} things wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
