"""Files of runs as others write them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from probe.backtest.read import read_recordings
from probe.backtest.recording import Recording

META = {
    "v": 1,
    "type": "meta",
    "check": "checkout",
    "kind": "journey",
    "interval_s": 60,
    "regions": ["eu", "us", "ap"],
    "steps": ["product", "cart"],
    "timeout_s": 20,
    "start": 0,
    "end": 3600,
}


def run(t: float, region: str = "eu", *, ok: bool = True, dur_s: float = 1.0, **more: Any) -> dict[str, Any]:
    """A line of a run, with a failed one's reason."""
    reason = {} if ok else {"class": "http_5xx", "step": "cart"}
    line = {
        "v": 1,
        "type": "run",
        "t": t,
        "check": "checkout",
        "region": region,
        "ok": ok,
        "dur_s": dur_s,
        "via": "sched",
    }
    return {**line, **reason, **more}


def schedule(minutes: int, *, bad: tuple[float, float] = (0, 0), first: float = 0.0) -> list[dict[str, Any]]:
    """All three regions, 20 seconds apart, once a minute; all fail that begin within `bad`."""
    regions = ("eu", "us", "ap")
    times = [
        (first + 60 * minute + 20 * place, region) for minute in range(minutes) for place, region in enumerate(regions)
    ]
    return [run(t, region, ok=not bad[0] <= t < bad[1]) for t, region in times]


def write(path: Path, lines: Iterable[dict[str, Any] | str]) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def recording(folder: Path, *lines: dict[str, Any], meta: dict[str, Any] | None = None) -> Recording:
    (found,) = read_recordings(write(folder / "runs.jsonl", [meta or META, *lines]))
    return found
