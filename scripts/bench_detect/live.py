"""Each fault of the demo shop under the real daemon at 30 s from three regions: how soon it is told, beside other tools.

`--fault` and `--out` divide the work: what is measured is added to a file of JSON lines as it comes, and `--table` makes one table of
several such files. Three minutes a fault, six with `--recovery 240`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from probe.demo.faults import FAULTS
from probe.demo.shop import Shop, ShopUrls, running_shop
from scripts.bench_detect.live_record import OURS, Measurement, Message, write
from scripts.bench_detect.live_table import table
from tests.daemon.inbox import serving
from tests.daemon.process import DaemonProcess, end_marked, rows, until

REGIONS = ("local", "second", "third")
CHECKS = 4
"""Three in `checks/shop.py`, and the certificate."""
HEALTHY = 150.0
"""Seconds within which every check must have passed from every region of a shop that is well."""
CONFIG = """
[probe]
checks = ["shop.py"]
data = "data"
listen = "off"
grace = "5s"

[store]
ballast = "0MiB"

[browser]
workers = 3

[defaults]
every = "30s"

{regions}

[targets.shop]
url = "{shop}"
secrets = {{ card = "4242 4242 4242 4242" }}
third_parties = ["cdn.demo.test", "metrics.demo.test", "pay.demo.test"]

[targets.shop-tls]
url = "{shop_tls}"
ca = "{ca}"

[slo.checkout]
objective = "99.5%"
latency = {{ step = "checkout", under = "3s", objective = "99%" }}

[channels.team]
kind = "webhook"
url = "http://127.0.0.1:{port}/team"

[[check]]
name = "certificate"
target = "shop-tls"
path = "/healthz"
every = "30s"
timeout = "12s"
expect = {{ status = 200, tls_days = 14 }}
"""


@dataclass
class Receiver:
    """Takes what the daemon sends, and answers its control runs: nothing of it is the shop's."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """Note each notification with the moment at which it came."""
        if request.method == "POST":
            came = time.time()
            self.messages += [Message.of(came, notice) for notice in (await request.json())["notifications"]]
        return web.Response(text="fine")


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that is open for as long as the block."""
    receiver = Receiver()
    async with serving(receiver.handle, "127.0.0.1") as receiver.port:
        yield receiver


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Seconds that a fault stays on, and that are given to its end; 0: nobody waits for that."""

    on: float
    recovery: float


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[DaemonProcess]:
    """The daemon as users start it: that of the tests waits for nothing."""
    daemon = DaemonProcess(folder / "config.toml", folder / "daemon.log", uuid4().hex, program="probe")
    try:
        await daemon.start()
        yield daemon
        await daemon.stop()
    finally:
        await asyncio.to_thread(end_marked, daemon.marker)


async def measure(fault: str, shop: Shop, plan: Plan, out: Path) -> Measurement:
    """One fault, under a daemon that has known nothing but a shop that is well, and not for long."""
    with tempfile.TemporaryDirectory(prefix="probe-live-") as name:
        folder = Path(name)
        async with receiving() as receiver:
            configure(folder, shop.urls, receiver.port)
            async with watched(folder) as daemon:
                found = await suffer(fault, shop, plan, daemon, receiver, folder / "data")
            await export(folder, out.with_name(f"{out.stem}.{fault}.runs.jsonl"))
    return found


async def suffer(
    fault: str, shop: Shop, plan: Plan, daemon: DaemonProcess, receiver: Receiver, data: Path
) -> Measurement:
    """Switch the fault on and off, and note what is said meanwhile."""

    async def healthy() -> bool:
        assert daemon.code is None, f"the daemon ended with {daemon.code}:\n{daemon.said()}"
        return daemon.is_up() and (data / "probe.db").exists() and await _all_pass(data)

    await until(healthy, HEALTHY, "every check passes from every region", 0.5)
    found = Measurement(fault=fault, began=time.time(), load=[os.getloadavg()[0]], before=len(receiver.messages))
    first: dict[str, Any] = {}
    await shop.set_fault(fault, True)
    try:
        while time.time() < found.began + plan.on:
            await asyncio.sleep(0.25)
            new = receiver.messages[found.before :]
            told = [m for m in new if m.reason == "opened" and m.verdict != OURS]
            if told and not first:
                first = await _first_failure(data, told[0].incident)
    finally:
        await shop.set_fault(fault, False)
    found.ended, found.failure = time.time(), first
    found.load.append(os.getloadavg()[0])
    while time.time() < found.ended + plan.recovery:
        await asyncio.sleep(0.5)
        opened = {m.incident for m in receiver.messages if m.reason == "opened"}
        if opened == {m.incident for m in receiver.messages if m.reason == "resolved"}:
            break
    found.waited = time.time() - found.ended if plan.recovery else 0.0
    found.messages = list(receiver.messages)
    query = "SELECT incident, at / 1000000.0, what, text FROM timeline ORDER BY seq"
    found.timeline = [list(row) for row in await rows(data, query)]
    return found


async def _all_pass(data: Path) -> bool:
    states = await rows(data, "SELECT body FROM state WHERE kind = 'check'")
    places = [place for (body,) in states for place in json.loads(body)["places"].values()]
    opened = await rows(data, "SELECT id FROM incidents WHERE resolved IS NULL")
    wanted = CHECKS * len(REGIONS)
    return not opened and len(places) == wanted and all(place["outcome"] == "passed" for place in places)


async def _first_failure(data: Path, incident: str) -> dict[str, Any]:
    """The failure of the check that was the first to suffer in an incident, and which check that is."""
    ((body,),) = await rows(data, "SELECT body FROM incidents WHERE id = ?", incident)
    members = json.loads(body)["members"].values()
    first = min(members, key=lambda member: (member["since"], member["check"]), default=None)
    if first is None:
        return {}
    return {"check": first["check"], **{key: first["failure"][key] for key in ("step", "layer", "kind", "message")}}


def configure(folder: Path, urls: ShopUrls, port: int) -> None:
    """Write the example checks at 30 s, and the configuration."""
    source = (Path("checks") / "shop.py").read_text()
    assert source.count('@journey(every="1m"') == 1, "the example checks have changed"
    (folder / "shop.py").write_text(source.replace('@journey(every="1m"', '@journey(every="30s"'))
    control = f'control = "http://127.0.0.1:{port}/control"'
    regions = "\n".join(f'[regions.{name}]\nnameserver = "{urls.nameserver}"\n{control}' for name in REGIONS)
    text = CONFIG.format(regions=regions, shop=urls.named, shop_tls=urls.named_https, ca=urls.ca, port=port)
    (folder / "config.toml").write_text(text)


async def export(folder: Path, path: Path) -> None:
    """Write the runs as `probe export runs` gives them."""
    command = (sys.executable, "-m", "probe", "export", "runs", "--since", "2h", "--output", str(path))
    process = await asyncio.create_subprocess_exec(*command, "--config", str(folder / "config.toml"))
    assert await process.wait() == 0, "the runs could not be exported"


async def record(faults: list[str], plan: Plan, out: Path) -> None:
    """Measure faults one after the other, and write each as soon as it is over."""
    async with running_shop() as shop:
        for fault in faults:
            try:
                found = await measure(fault, shop, plan, out)
            except AssertionError as error:
                found = Measurement(fault=fault, trouble=str(error))
                await shop.clear_faults()
            write(out, found)
            print(f"{time.strftime('%H:%M:%S')} {found.summary}", flush=True)


def main() -> None:
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(prog="python -m scripts.bench_detect.live", description=__doc__)
    parser.add_argument("--fault", nargs="*", choices=names, default=names, metavar="FAULT", help=", ".join(names))
    parser.add_argument("--on", type=float, default=180, help="seconds that a fault stays on (default %(default)s)")
    parser.add_argument(
        "--recovery", type=float, default=0, help="seconds to wait until all is resolved (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("live.jsonl"), help="added to (default %(default)s)")
    parser.add_argument("--table", type=Path, nargs="*", metavar="FILE", help="measure nothing, only write the table")
    options = parser.parse_args()
    if options.table is None:
        asyncio.run(record(options.fault, Plan(on=options.on, recovery=options.recovery), options.out))
    print(table(options.table or [options.out], names))


if __name__ == "__main__":
    main()
