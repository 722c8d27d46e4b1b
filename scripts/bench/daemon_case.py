"""The whole daemon: how late its runs begin, what it costs, how much memory it takes, and how soon it is up.

python -m scripts.bench.daemon_case CHECKS EVERY SECONDS     real HTTP checks against a server on loopback
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from scripts.bench.measure import http_server

PORT = 9391


def config_of(folder: Path, url: str, checks: int, every: str) -> Path:
    tables = "".join(
        f'[[check]]\nname = "check {i}"\nevery = "{every}"\ntimeout = "5s"\nexpect = {{ status = 200 }}\n\n'
        for i in range(checks)
    )
    path = folder / "config.toml"
    path.write_text(
        f'[probe]\ndata = "{folder}/data"\nlisten = "127.0.0.1:{PORT}"\nlog_level = "warning"\n\n'
        f'[targets.shop]\nurl = "{url}"\n\n{tables}'
    )
    return path


def measure(checks: int, every: str, seconds: float) -> dict[str, Any]:
    """Lag of the scheduled runs in ms, share of a processor, memory in MiB, seconds until it was ready."""
    with TemporaryDirectory(prefix="pbench-") as name, http_server(Path(name)) as (plain, _):
        folder = Path(name)
        command = [sys.executable, "-m", "probe", "run", "--config", str(config_of(folder, plain, checks, every))]
        begun = time.monotonic()
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            up = wait_until_ready(process, begun)
            daemon = psutil.Process(process.pid)
            time.sleep(min(3.0, seconds / 4))
            since, before, cpu = time.time(), time.monotonic(), sum(daemon.cpu_times()[:2])
            time.sleep(seconds)
            cpu = (sum(daemon.cpu_times()[:2]) - cpu) / (time.monotonic() - before)
            memory = daemon.memory_info().rss / 2**20
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        with sqlite3.connect(f"file:{folder}/data/probe.db?mode=ro", uri=True) as database:
            rows = database.execute(
                "SELECT lag, outcome FROM runs WHERE slot IS NOT NULL AND started >= ?", (int(since * 1e6),)
            ).fetchall()
    lags = sorted(lag * 1000 for lag, _ in rows) or [0.0]
    return {
        "runs": len(rows),
        "not_passed": sum(outcome != "passed" for _, outcome in rows),
        "p50": lags[len(lags) // 2],
        "p99": lags[int(len(lags) * 0.99)],
        "max": lags[-1],
        "cpu": cpu,
        "memory": memory,
        "ready": up,
    }


def wait_until_ready(process: "subprocess.Popen[str]", begun: float) -> float:
    while process.poll() is None and time.monotonic() - begun < 60:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1):
                return time.monotonic() - begun
        except OSError:
            time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    raise SystemExit(f"the daemon did not come up: {process.stderr and process.stderr.read()}")


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
