"""The pages, with ten million runs stored: how long they take, how large they are, and what they cost who probes.

python -m scripts.bench.web [FOLDER]       # prints the section of docs/performance.md; builds 2.5 GB there at first
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

from scripts.bench.measure import case, table
from scripts.bench.web_data import CHECKS, DAYS, REGIONS, folder_of

FOLDER: Final = Path(gettempdir()) / "probe-bench-web"
REQUESTS: Final = 25
SECONDS: Final = 40
OPEN: Final = (0, 100)
PATIENCE: Final = 1800.0


def web_section(folder: Path = FOLDER) -> str:
    """The section, measured now. The data are built once, and stay."""
    folder_of(folder)
    where, count = str(folder), str(REQUESTS)
    documents = case("web_case", "view", where, count, timeout=PATIENCE)
    pages = case("web_case", "http", where, count, timeout=PATIENCE)
    lags = {number: case("web_case", "lag", where, str(number), str(SECONDS), timeout=PATIENCE) for number in OPEN}
    head = ["", "ms p50", "p95", "max", "CPU ms", "kB"]
    beside = [_beside(number, found) for number, found in lags.items()]
    return f"""## The pages

Written by `make bench-web` on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors. Stored, in one SQLite: 10.5 million runs of {CHECKS} checks in
{len(REGIONS)} regions (all but one of them every five minutes for two weeks), of one journey of six steps every 30 seconds for {DAYS} days, with
steps, roll-ups, and details of the last day; twenty objectives. {REQUESTS} requests each, one after the other, while forty runs a second are
written. Every overview is made anew: over HTTP there are two seconds between two of them.

The documents (what the API answers), as they are made; `kB` as JSON. The first look after a start reads what later ones keep:

{table(head, _rows(documents))}

Whole pages over HTTP, from the request to the last byte; client and server share the process, so `CPU ms` is of both:

{table(head, _rows(pages))}

How late 2,500 jobs every 30 s begin in the process that serves the pages, in ms, for {SECONDS} s; what they find is judged and recorded.
Open pages are overviews that listen for changes, and somebody beside them looks at two pages a second, one kind after the other (the
readers are another process on the same machine). CPU is a share of one processor, memory is that of the whole tree:

{table(["", "lag p50", "p99", "max", "CPU %", "MiB"], beside)}"""


def _rows(found: dict[str, Any]) -> list[list[str]]:
    return [
        [name, *(f"{values[key]:.0f}" for key in ("p50", "p95", "max", "cpu", "kb"))] for name, values in found.items()
    ]


def _beside(number: int, found: dict[str, Any]) -> list[str]:
    lag = [f"{found[name]:.1f}" for name in ("p50", "p99", "max")]
    return [f"{number} open pages", *lag, f"{found['cpu'] * 100:.1f}", f"{found['mib']:.0f}"]


if __name__ == "__main__":
    print(web_section(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
