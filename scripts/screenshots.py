"""Takes the README's pictures of the pages into docs/images/, in the browser of the journeys.

The overview and a check over time are of sample documents: a week does not pass in a minute. The incident, the run and the
public page are of the demo shop with a bad deploy, under a daemon of their own. `--only NAME` takes one of them.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, async_playwright

from probe.core.target import BrowserKind
from probe.web import live
from probe.web.pages import journey, overview, static
from probe.worker.browser import find_browser
from tests.web.pages import samples, samples_journey
from tests.web.pages.conftest import SIZES, SampleDesk, application

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "images"
LARGEST = 250_000
PROBE = ROOT / ".venv" / "bin" / "probe"
PORT = 18900
LISTEN = f"127.0.0.1:{PORT + 9}"
TOKEN = "only-for-the-pictures-0123456789"
PATIENCE = 240.0
SAMPLES = {
    "overview-dark": ("/", "wide", "dark", 1130),
    "overview-light": ("/", "wide", "light", 1130),
    "overview-phone": ("/", "phone", "dark", 844),
    "journey-light": ("/checks/buy", "wide", "light", 1100),
    "journey-dark": ("/checks/buy", "wide", "dark", 1100),
}
"""Name: address, size, theme, and how much of its height."""


async def shoot(browser: Browser, address: str, name: str, size: str, theme: str, height: int, fixed: bool) -> None:
    window = {"width": SIZES[size]["width"], "height": height}
    headers = {} if fixed else {"Authorization": f"Bearer {TOKEN}"}
    context = await browser.new_context(viewport=window, color_scheme=theme, extra_http_headers=headers)  # type: ignore[arg-type]  # a size and a theme are
    page = await context.new_page()
    if fixed:
        await page.clock.set_fixed_time(samples.NOW)
    await page.goto(address)
    if name.startswith("overview"):
        await page.locator("#live.live--on").wait_for()
    await page.wait_for_load_state("networkidle" if not name.startswith("overview") else "load")
    file = FOLDER / f"{name}.png"
    await page.screenshot(path=file)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file.name} is larger than {LARGEST / 1000:.0f} kB")
    await context.close()


async def of_samples(browser: Browser, only: str | None) -> None:
    async def may_see(_request: object) -> bool:
        return True

    app = application(SampleDesk(), (*overview.routes(), *journey.routes(), *static.routes(), *live.routes()))
    live.install(app, may_see)
    vars(journey)["view_journey"] = lambda *_args: samples_journey.journey()
    async with TestServer(app) as server:
        for name, (address, size, theme, height) in SAMPLES.items():
            if only in (None, name):
                await shoot(browser, str(server.make_url(address)), name, size, theme, height, fixed=True)


async def of_the_demo(browser: Browser, only: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = configure(Path(folder))
        async with (
            started("demo", "shop", "--port", str(PORT)),
            started("run", "--config", str(config)),
        ):
            until(lambda: all(cell and "ppp" in cell["bars"] for cell in cells()))
            await run("demo", "fault", "deploy-bug", "on", "--port", str(PORT))
            until(lambda: asked("incidents?open=true")["incidents"])
            until(lambda: any(run["outcome"] == "failed" for run in asked("runs?check=checkout")["runs"]))
            await asyncio.sleep(25)  # for the runs that confirm, and their traces
            incident = asked("incidents?open=true")["incidents"][0]["id"]
            notice = {
                "title": "Orders cannot be placed",
                "components": ["buying"],
                "standing": "identified",
                "text": "Nothing can be put into the cart at the moment. We know why, and are undoing it.",
            }
            asked("notices", notice)
            failed = next(
                row["run"]
                for row in asked("runs?check=checkout&outcome=failed")["runs"]
                if {"screenshot", "reference"} <= {e["kind"] for e in asked(f"runs/{row['run']}")["evidence"]}
            )
            for name, path, theme, height in (
                ("incident", f"/incidents/{incident}", "light", 1150),
                ("run", f"/runs/{failed}", "dark", 1150),
                ("status", "/status", "light", 900),
            ):
                if only in (None, name):
                    await shoot(browser, f"http://{LISTEN}{path}", name, "wide", theme, height, fixed=False)


def configure(folder: Path) -> Path:
    """The demo's checks, quicker, from two regions, on ports of their own."""
    text = (ROOT / "checks" / "shop.toml").read_text()
    for port in range(10):
        text = text.replace(f"890{port}", f"{PORT + port}")
    text = text.replace('region = "local"', 'region = "eu-west"').replace("[regions.local]", "[regions.eu-west]")
    text = text.replace('data = "~/.local/state/probe/demo"', 'data = "data"').replace('"30s"', '"10s"')
    text += f'\n[regions.us-east]\nnameserver = "127.0.0.1:{PORT + 5}"\n'
    text += f'\n[web.tokens.pictures]\nsecret = "{TOKEN}"\nrole = "operator"\n'
    journeys = (ROOT / "checks" / "shop.py").read_text()
    journeys = journeys.replace('every="1m", timeout="30s"', 'every="20s", timeout="20s"')
    journeys = journeys.replace('every="30s", timeout="15s"', 'every="10s", timeout="10s"').replace('"30s"', '"10s"')
    (folder / "shop.py").write_text(journeys)
    (folder / "config.toml").write_text(text)
    return folder / "config.toml"


def cells() -> list[Any]:
    return [cell for target in asked("overview")["targets"] for check in target["checks"] for cell in check["cells"]]


def asked(path: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        f"http://{LISTEN}/api/v1/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def until(holds: Any) -> None:
    """Ask again and again: what is waited for are other processes."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if holds():
                return
        except OSError:  # it is starting
            pass
        if time.monotonic() > end:
            raise SystemExit("it took too long; is anything else running on the ports?")
        time.sleep(1)


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(PROBE, *arguments, env={**os.environ, "PROBE_CONFIG": ""})
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def run(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(PROBE, *arguments)
    if await process.wait():
        raise SystemExit(f"probe {' '.join(arguments)} failed")


async def take(only: str | None) -> None:
    found = find_browser(BrowserKind.HEADLESS_SHELL)
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=found.path, args=list(found.flags), chromium_sandbox=found.sandbox
        )
        if only is None or only in SAMPLES:
            await of_samples(browser, only)
        if only is None or only not in SAMPLES:
            await of_the_demo(browser, only)
        await browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="take only this one")
    FOLDER.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(parser.parse_args().only))
    return 0


if __name__ == "__main__":
    sys.exit(main())
