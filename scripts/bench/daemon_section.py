"""The daemon's part of docs/performance.md."""

import subprocess
import sys
from typing import Any

from scripts.bench.measure import case, spread, table

SECONDS = "25"


def daemon_section(rounds: int) -> str:
    """Scheduling on a prober that does nothing, real HTTP checks, an idle daemon, and the store."""
    nothing: dict[str, list[dict[str, Any]]] = {}
    real: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for checks in ("1000", "5000", "20000"):
            nothing.setdefault(checks, []).append(case("schedule_case", checks, SECONDS, "freeze"))
        for name, arguments in {
            "1,000 HTTP checks every 30 s": ("1000", "30s", SECONDS),
            "idle: one check, every 12 h": ("1", "12h", "5"),
        }.items():
            real.setdefault(name, []).append(case("daemon_case", *arguments))
    lag = [
        [
            f"{int(checks):,}",
            *(spread([r[key] for r in found], 1) for key in ("p50_ms", "p99_ms", "max_ms")),
            spread([r["cpu"] * 100 for r in found], 1),
            spread([r["us_a_run"] for r in found], 0),
        ]
        for checks, found in nothing.items()
    ]
    whole = [
        [
            name,
            *(spread([r[key] for r in found], 1) if found[0]["runs"] else "" for key in ("p50", "p99", "max")),
            spread([r["cpu"] * 100 for r in found], 1),
            spread([r["memory"] for r in found], 0),
            spread([r["ready"] for r in found], 1),
        ]
        for name, found in real.items()
    ]
    store = subprocess.run(
        [sys.executable, "-m", "scripts.bench.store_case"], capture_output=True, text=True, check=True, timeout=1800
    ).stdout.strip()
    return f"""## The daemon

`python -m scripts.bench --only daemon --rounds {rounds}`. Lag is from when a run was due to when it began. First scheduler and runner alone, on
a prober that does nothing, each check every 60 s (the aim: p99 below 10 ms at 20,000):

{table(["checks", "lag p50 ms", "p99 ms", "max ms", "CPU %", "CPU µs a run"], lag)}

Then the whole daemon, with its store, as a process (the aims: p99 below 50 ms, idle below 80 MB):

{table(["daemon", "lag p50 ms", "p99 ms", "max ms", "CPU %", "RSS MiB", "ready after s"], whole)}

The store alone. Each commit is synced to the disk; the start is of a database of ten million runs (the aim: below 3 s):

{separate(store)}"""


def separate(tables: str) -> str:
    """The tables that a case prints, with an empty line between them."""
    lines = tables.splitlines()
    heads = [n for n, line in enumerate(lines) if line.startswith("|---")]
    return "\n".join(f"\n{line}" if n + 1 in heads and n else line for n, line in enumerate(lines))
