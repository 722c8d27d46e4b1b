"""One target, seen otherwise from another region: HTTP checks and journeys alike, through real servers."""

import asyncio
import os
from pathlib import Path

from probe.compose import compose
from probe.core.run import Outcome
from probe.engine.runner import jobs_of
from probe.loader import load
from tests.net.servers import ok, paths, serving

CONFIG = """
[probe]
checks = ["shop.py"]
[targets.shop]
url = "http://127.0.0.1:{home}"
headers = {{ x-site = "home", accept-language = "en" }}
[regions.local]
[regions.us]
headers = {{ Accept-Language = "en-US" }}
control = "http://127.0.0.1:{home}/control"
[regions.us.targets.shop]
url = "http://127.0.0.1:{us}"
headers = {{ x-site = "us" }}
[[check]]
name = "page"
expect = {{ status = 200 }}
"""
CHECKS = """
from probe import check, journey


@check
async def call(t):
    await t.http.get("/")


@journey
async def walk(t):
    async with t.step("open"):
        await t.page.goto(t.url("/"))
"""
PAGE = ok(b"<!doctype html><title>ok</title>", "Content-Type: text/html")


async def test_a_region_has_its_own_address_and_headers(tmp_path: Path) -> None:
    """Each goes to the shop of its region, with what that one is to get."""
    home_seen: list[str] = []
    us_seen: list[str] = []
    async with serving(paths({"/": PAGE}, home_seen)) as home, serving(paths({"/": PAGE}, us_seen)) as us:
        (tmp_path / "config.toml").write_text(CONFIG.format(home=home, us=us))
        (tmp_path / "shop.py").write_text(CHECKS)
        loaded = await asyncio.to_thread(load, tmp_path / "config.toml", environ=os.environ)
        async with compose(loaded.config, None) as runner:
            runs = await runner.run_all(jobs_of(loaded.checks, loaded.config.regions))
    assert [(run.outcome, run.failure) for run in runs] == [(Outcome.PASSED, None)] * 6
    for seen, site, language in ((home_seen, "home", "en"), (us_seen, "us", "en-us")):
        pages = [asked.lower() for asked in seen if asked.startswith("GET / ")]
        assert len(pages) == 3
        for asked in pages:
            assert f"x-site: {site}\r\n" in asked
            assert f"accept-language: {language}\r\n" in asked
