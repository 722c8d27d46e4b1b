"""Debian's blackbox_exporter doing the same HTTP check, when it is installed (`apt-get install prometheus-blackbox-exporter`)."""

import asyncio
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import psutil

PORT = 9515
MODULE = """modules:
  plain: {prober: http, timeout: 10s, http: {fail_if_body_not_matches_regexp: ["OK-MARKER-42"], preferred_ip_protocol: ip4}}
"""


def blackbox_cpu(url: str, runs: int) -> float:
    """CPU ms a probe, four at a time; answering the request that asks for it is in the figure."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "blackbox.yml"
        config.write_text(MODULE)
        command = [
            "prometheus-blackbox-exporter",
            f"--config.file={config}",
            f"--web.listen-address=127.0.0.1:{PORT}",
            "--log.level=error",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                return asyncio.run(_measure(url, runs, psutil.Process(process.pid)))
            finally:
                process.terminate()


async def _measure(url: str, runs: int, process: psutil.Process) -> float:
    address = f"http://127.0.0.1:{PORT}/probe"
    async with aiohttp.ClientSession() as session:

        async def several(number: int) -> None:
            for _ in range(number):
                async with session.get(address, params={"target": url, "module": "plain"}) as answer:
                    assert "probe_success 1" in await answer.text()

        while True:
            try:
                await several(20)
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
        before = sum(process.cpu_times()[:2])
        async with asyncio.TaskGroup() as group:
            for index in range(4):
                group.create_task(several(runs // 4), name=f"blackbox {index}")
        return (sum(process.cpu_times()[:2]) - before) * 1000 / runs
