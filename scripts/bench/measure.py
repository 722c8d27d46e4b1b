"""Medians, ratios, and the processor time of whole process trees."""

import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil


def own_cpu() -> float:
    """Processor seconds of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def tree_cpu() -> float:
    """Processor seconds of this process and of all its descendants so far, the ended ones included."""
    total = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def tree_memory() -> float:
    """MiB of proportional set size of this process and of all its descendants."""
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 2**20


def case(module: str, *arguments: str, timeout: float = 600) -> dict[str, Any]:
    """Run a case as a process of its own; the last line it prints is its JSON."""
    command = [sys.executable, "-m", f"scripts.bench.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


@contextmanager
def http_server(folder: Path) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "scripts.bench.server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        plain, secure = process.stdout.readline().split()
        try:
            yield f"http://127.0.0.1:{plain}/", f"https://127.0.0.1:{secure}/"
        finally:
            process.terminate()


def spread(values: Iterable[float], digits: int = 2) -> str:
    """Median [min..max]."""
    found = sorted(values)
    return f"{statistics.median(found):.{digits}f} [{found[0]:.{digits}f}..{found[-1]:.{digits}f}]"


def ratio(values: Sequence[float], floors: Sequence[float]) -> str:
    """The median of the ratios of each round."""
    return f"{statistics.median(a / b for a, b in zip(values, floors, strict=True)):.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
