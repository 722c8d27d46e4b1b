"""A region is a place: what the agent that runs there sees is seen through its network, by its browser as well."""

import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.chaos.world import BreakableShop
from tests.daemon.process import DaemonProcess, end_marked, rows, until
from tests.lab.namespaces import command
from tests.lab.network import network, served
from tests.lab.wan import Line

DELAY = 0.06
CONFIG = """
[probe]
region = "far"
data = "data"
checks = ["checks/"]
listen = "off"
[browser]
workers = 1
[targets.shop]
url = "http://{shop}:8000"
"""
CHECKS = """
from probe import check, expect, journey

@journey(every="5s", timeout="5s")
async def walk(t):
    async with t.step("home"):
        await t.page.goto(t.url("/home"))
        await expect(t.page.get_by_role("heading", level=1)).to_be_visible()

@check(every="5s", timeout="5s")
async def api(t):
    async with t.step("home"):
        (await t.http.get("/home")).expect(status=200)
"""


SEEN = """
SELECT places.check_id, details.body FROM runs JOIN places ON places.id = runs.place JOIN details ON details.run = runs.seq
WHERE runs.outcome = 'passed'
"""


async def test_the_network_of_a_region_is_in_the_timings_of_browser_and_http(lab: None, tmp_path: Path) -> None:
    """A connection and a request take two turns there and back, in the page's own clock as well."""
    marker = uuid4().hex
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "shop.py").write_text(CHECKS)
    async with network(tmp_path, "far", "shop") as net, served(net, "shop", 8000, BreakableShop().handle):
        await net.lay("far", "shop", Line(delay=DELAY))
        (tmp_path / "config.toml").write_text(CONFIG.format(shop=net.hosts["shop"]))
        daemon = DaemonProcess(
            *(tmp_path / "config.toml", tmp_path / "daemon.log", marker),
            program="probe",
            inside=command(net.namespaces["far"]),
        )

        async def both_passed() -> dict[str, Any]:
            assert daemon.code is None, daemon.said()
            try:
                found = await rows(tmp_path / "data", SEEN)
            except sqlite3.OperationalError:  # not yet there
                return {}
            seen = {check: json.loads(zlib.decompress(body)) for check, body in found}
            return seen if len(seen) == 2 else {}

        try:
            await daemon.start()
            seen = await until(both_passed, 60, f"a journey and a check have passed: {daemon.said()}")
        finally:
            if daemon.starts and daemon.code is None:
                await daemon.kill()
            end_marked(marker)
    phases = seen["api"]["exchanges"][0]["hops"][0]["phases"]
    assert phases["connect"] >= 2 * DELAY
    assert phases["ttfb"] >= 2 * DELAY
    assert seen["walk"]["vitals"][0]["ttfb"] >= 4 * DELAY
    assert seen["walk"]["steps"][0]["duration"] >= 4 * DELAY
