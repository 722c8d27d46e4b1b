"""What was accepted survives a kill, once and whole."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.core.builders import NOW
from tests.store.builders import at, read, store_in, suspected

LIVES = 10


def killed_again_and_again(folder: Path) -> list[str]:
    script = [sys.executable, "-m", "tests.store.crash", str(folder), str(LIVES), "1"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


async def test_kill_at_random_moments(tmp_path: Path) -> None:
    """Every record that was accepted is there once, with its runs, its counts, its state and its notification."""
    said = await asyncio.to_thread(killed_again_and_again, tmp_path)
    lives = {name.split("-")[0] for name in said}
    assert len(lives) == LIVES
    async with store_in(tmp_path) as store:
        restored = await store.restore()
    runs = await read(tmp_path, lambda reader: reader.history("cart", limit=10**6))
    names = [run.id for run in runs]
    assert len(set(names)) == len(names)
    assert {f"{name}-{i}" for name in said for i in (0, 1)} <= set(names)
    records = {name.rpartition("-")[0] for name in names}
    assert {f"{record}-{i}" for record in records for i in (0, 1)} == set(names), (
        "a record is there whole, or not at all"
    )
    assert restored.state.ledgers["all"].between(NOW, at(1)).good == len(names)
    assert {n.key for n in restored.pending} == records
    assert len(restored.pending) == len(records)
    for writer in {name.rpartition("-")[0] for name in records}:
        last = max(int(name.rpartition("-")[2]) for name in records if name.startswith(f"{writer}-"))
        assert restored.state.checks[writer] == suspected(last)  # type: ignore[index]  # a plain text is one, too
