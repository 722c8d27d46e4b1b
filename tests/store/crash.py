"""Commits until it is killed, again and again: started by test_crash.py.

Says on its standard output, after each commit, which runs are stored: what was said must be there, whatever happens.
"""

import asyncio
import os
import random
import signal
import sys
import time
from itertools import count
from pathlib import Path

from probe.core.check import CheckId
from probe.core.run import RunId
from probe.core.state import Change, Tally
from probe.ports import Record
from tests.core.builders import NOW
from tests.store.builders import at, full_run, notification, run, store_in, suspected

AT_A_TIME = 4


async def write(folder: Path, life: int, out: int) -> None:
    """`AT_A_TIME` writers, each with records of two runs, their count, their state, and a notification."""
    async with store_in(folder) as store, asyncio.TaskGroup() as group:

        async def writer(number: int) -> None:
            for n in count():
                name = f"{life}-{number}-{n}"
                runs = [run(n, id=RunId(f"{name}-{i}"), slot=None, observation=full_run().observation) for i in (0, 1)]
                change = Change(
                    checks={CheckId(f"{life}-{number}"): suspected(n)},
                    tallies=(Tally(objective="all", at=NOW, good=2),),
                    notifications=(notification(name),),
                )
                await store.commit(Record(runs=tuple(runs), changes=(change,), alive=at(life)))
                os.write(out, f"{name}\n".encode())

        for number in range(AT_A_TIME):
            group.create_task(writer(number), name=f"writer {number}")


def main(folder: Path, lives: int, seed: int) -> None:
    chance = random.Random(seed)
    for life in range(lives):
        said, out = os.pipe()
        child = os.fork()
        if child == 0:
            asyncio.run(write(folder, life, out))
        os.close(out)
        first = os.read(said, 65536)  # it has begun
        time.sleep(chance.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(said, "rb") as rest:
            os.write(1, first + rest.read())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
