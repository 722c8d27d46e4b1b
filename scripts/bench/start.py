"""Processes that start, do one thing and end: their processor time and their wall time."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


def started(command: Sequence[str], environ: dict[str, str] | None = None) -> tuple[float, float]:
    """(CPU ms, wall ms) of a whole process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    assert process.stderr is not None
    with process.stderr:
        said = process.stderr.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{said.decode()}")
    return (used.ru_utime + used.ru_stime) * 1000, wall * 1000


def one_shot_config(folder: Path, url: str) -> Path:
    """A configuration with one HTTP check."""
    path = folder / "one.toml"
    path.write_text(
        f'[probe]\nchecks = []\ndata = "{folder}/data"\n[targets.a]\nurl = "{url}"\n'
        '[[check]]\nname = "one"\npath = "/"\nexpect = { status = 200, body = "OK-MARKER-42" }\n'
    )
    return path
