"""Scenarios on a file system of 8 MiB: started by test_trouble.py, in a mount namespace of its own."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from probe.core.run import Observation
from probe.errors import StoreUnavailable
from probe.ports import Record
from tests.store.builders import at, read, run, store_in

DISK = Path("/mnt")
BALLAST = 2**20


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def big(number: int) -> Record:
    return Record(runs=(run(number, observation=Observation(log=(os.urandom(4_000).hex(),))),), alive=at(number))


async def full() -> dict[str, Any]:
    told: dict[str, Any] = {"commits on the ballast": 0, "low while evidence would do harm": True}
    accepted: list[str] = []
    async with store_in(DISK, ballast=BALLAST) as store:
        stuff = DISK / "other people's files"
        number = 0
        while "error" not in told:
            number += 1
            try:
                await store.commit(big(number))
            except StoreUnavailable as error:
                told["error"] = str(error)
                told["ballast gone before the first failure"] = not (DISK / "ballast").exists()
            else:
                accepted.append(f"run-{number}")
                if not (DISK / "ballast").exists():
                    told["commits on the ballast"] += 1
                    told["low while evidence would do harm"] &= store.low_on_space
            if number == 20:  # somebody else fills the rest
                with stuff.open("wb") as file:
                    room = os.statvfs(DISK)
                    file.write(bytes(room.f_bavail * room.f_frsize))
        told["accepted"] = accepted
        os.truncate(stuff, stuff.stat().st_size - 2 * BALLAST)
        await store.tidy(at(0))
        told["ballast made from the last room"] = (DISK / "ballast").exists()
        stuff.unlink()
        await store.tidy(at(0))
        await store.commit(Record(alive=at(number)))
        told["afterwards"] = {
            "committed": (await store.restore()).alive == at(number),
            "low": store.low_on_space,
            "ballast": (DISK / "ballast").exists(),
        }
        stored = await read(DISK, lambda reader: reader.history("cart", limit=10_000))
        told["stored"] = [r.id for r in reversed(stored)]
    with sqlite3.connect(DISK / "probe.db") as connection:
        (told["integrity"],) = connection.execute("PRAGMA integrity_check").fetchone()
    return told


async def read_only() -> dict[str, Any]:
    told: dict[str, Any] = {}
    async with store_in(DISK) as store:
        await store.commit(Record(runs=(run(1),)))
    mount("-o", "remount,ro", str(DISK))
    try:
        async with store_in(DISK):
            pass
    except StoreUnavailable as error:
        told["folder"], told["lasting"] = str(error), error.lasting
    told["read"] = [r.id for r in await read(DISK, lambda reader: reader.history("cart"))]
    return told


if __name__ == "__main__":
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(DISK))
    print(json.dumps(asyncio.run({"full": full, "read-only": read_only}[sys.argv[1]]())))
