"""Many lives: `python -m tests.simulation --seeds 1-50 --days 21`. Exit code 1 when a promise was broken."""

import argparse
import sys
import time

from tests.simulation.life import Broken, simulate


def seeds_of(text: str) -> range:
    """`7`, or `1-50`."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=range(1, 21))
    parser.add_argument("--days", type=float, default=21.0)
    parser.add_argument("--tell", action="store_true", help="print each act as it happens")
    asked = parser.parse_args()
    broken = 0
    for seed in asked.seeds:
        begun = time.monotonic()
        try:
            told = simulate(seed, asked.days, **({"tell": print} if asked.tell else {}))
        except Broken as error:
            broken += 1
            print(f"seed {seed}: BROKEN\n  {error}", flush=True)
            continue
        outcomes = f"{len(told.store.runs)} runs, {len(told.store.incidents)} incidents, {told.arrivals} messages"
        lost = f"{told.again} again, lost in crashes: {told.lost_runs} runs, {told.lost_keys} messages"
        print(f"seed {seed}: kept ({outcomes}, {lost}; {time.monotonic() - begun:.1f} s)", flush=True)
    print(f"{broken} of {len(asked.seeds)} seeds broke a promise")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
