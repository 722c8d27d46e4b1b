"""Run every case, and write docs/performance.md."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

from probe.demo.child import shop_process
from probe.demo.ports import shop_url
from scripts.bench.blackbox import blackbox_cpu
from scripts.bench.daemon_section import daemon_section
from scripts.bench.fleet import fleet_section
from scripts.bench.measure import case, http_server, ratio, spread, table
from scripts.bench.start import one_shot_config, started
from scripts.bench.web import web_section

PAGE = Path("docs/performance.md")
SHOP_PORT = 9300
PROBE = str(Path(sys.executable).with_name("probe"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=2000, help="HTTP runs a round; HTTPS takes half as many")
    parser.add_argument("--journeys", type=int, default=8, help="browser journeys a round")
    only = ["daemon", "fleet", "web"]
    parser.add_argument("--only", choices=only, help="measure only this, and leave the rest of the page as it is")
    options = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if options.only:
        made: dict[str, Callable[[], str]] = {
            "fleet": fleet_section,
            "web": web_section,
            "daemon": partial(daemon_section, options.rounds),
        }
        section = made[options.only]()
        PAGE.write_text(with_section(page, section), encoding="utf-8")
        print(f"wrote {PAGE}")
        return
    with TemporaryDirectory(prefix="pbench-") as name, http_server(Path(name)) as (plain, secure):
        folder = Path(name)
        sections = [
            http_section(options.rounds, options.runs, plain, secure, folder / "ca.pem"),
            start_section(options.rounds, plain, folder),
        ]
        with shop_process(SHOP_PORT):
            sections.append(browser_section(options.rounds, options.journeys))
            sections.append(distortion_section(max(2, options.rounds // 2), options.journeys))
    sections.append(daemon_section(max(2, options.rounds // 2)))
    whole = "\n\n".join([head(options), *sections]) + "\n"
    for part in sections_of(page):
        if part.startswith(("## A fleet\n", "## The pages\n")):  # they have targets of their own
            whole = with_section(whole, part)
    PAGE.write_text(whole, encoding="utf-8")
    print(f"wrote {PAGE}")


def sections_of(page: str) -> list[str]:
    """The head of a page, then its sections."""
    first, *others = page.split("\n## ")
    return [first.strip(), *(f"## {part.strip()}" for part in others)]


def with_section(page: str, section: str) -> str:
    """The page with the section in place of the one of that name, or at its end."""
    name = section.partition("\n")[0]
    parts = sections_of(page)
    known = [part.partition("\n")[0] for part in parts]
    if name in known:
        parts[known.index(name)] = section
    else:
        parts.append(section)
    return "\n\n".join(parts) + "\n"


def head(options: argparse.Namespace) -> str:
    browser = subprocess.run([sys.executable, "-m", "probe.worker.browser"], capture_output=True, text=True, check=True)
    return f"""# Performance

Written by `make bench` (`python -m scripts.bench --rounds {options.rounds} --runs {options.runs} --journeys {options.journeys}`) on \
{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} processors, Python {platform.python_version()}, aiohttp {version("aiohttp")}, \
Playwright {version("playwright")}, {browser.stdout.strip()}.
Every figure stands beside its floor, measured in the same run, case after case in each round. CPU is user and system time;
a figure is *median [min..max]* over the rounds, a ratio the median of the rounds' ratios. The machine is shared and noisy: trust
ratios before figures."""


def http_section(rounds: int, runs: int, plain: str, secure: str, ca: Path) -> str:
    seen: dict[str, list[float]] = {}
    for _ in range(rounds):
        for tag, url, count in (("HTTP", plain, runs), ("HTTPS", secure, runs // 2)):
            for engine in ("bare", "probe"):
                ms = case("http_case", engine, url, str(ca), str(count))["ms"]
                seen.setdefault(f"{tag} {engine}", []).append(ms)
        if which("prometheus-blackbox-exporter"):
            seen.setdefault("HTTP blackbox", []).append(blackbox_cpu(plain, runs))
    rows = []
    for tag in ("HTTP", "HTTPS"):
        floor = seen[f"{tag} bare"]
        rows.append([f"{tag}, bare aiohttp loop", spread(floor, 3), "1"])
        rows.append([f"**{tag}, probe**", spread(seen[f"{tag} probe"], 3), ratio(seen[f"{tag} probe"], floor)])
    if blackbox := seen.get("HTTP blackbox"):
        rows.append(["HTTP, blackbox_exporter", spread(blackbox, 3), ratio(blackbox, seen["HTTP bare"])])
    return f"""## HTTP runs

One run is a new connection (and full TLS handshake, verified), GET of 4 KB, status and body checked, 4 at a time. The bare loop
knows nothing afterwards; probe's run has phases, address, certificates, marks, a redacted result and its outcome.

{table(["case", "CPU ms a run", "× bare"], rows)}"""


def start_section(rounds: int, plain: str, folder: Path) -> str:
    config = one_shot_config(folder, plain)
    commands = {
        "`python -c pass`": [sys.executable, "-c", "pass"],
        "`probe --help`": [PROBE, "--help"],
        "`python -c 'import aiohttp'`": [sys.executable, "-c", "import aiohttp"],
        "`probe check --once`, one HTTP check": [PROBE, "check", "--once", "--config", str(config)],
    }
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds * 2):
        for name, command in commands.items():
            seen[name].append(started(command))
    floor = [cpu for cpu, _ in seen["`python -c pass`"]]
    rows = [
        [name, spread([c for c, _ in times], 0), spread([w for _, w in times], 0), ratio([c for c, _ in times], floor)]
        for name, times in seen.items()
    ]
    return f"## Start\n\n{table(['command', 'CPU ms', 'wall ms', '× python'], rows)}"


def browser_section(rounds: int, journeys: int) -> str:
    cases = {
        "bare Playwright script": ("bare", "off"),
        "**probe, evidence off**": ("probe", "off"),
        "**probe, default evidence**": ("probe", "default"),
        "probe, full evidence (`--trace`)": ("probe", "full"),
    }
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (engine, evidence) in cases.items():
            seen[name].append(case("browser_case", engine, shop_url(SHOP_PORT), str(journeys), evidence, "1"))
    floor = [s["cpu"] for s in seen["bare Playwright script"]]
    rows = [
        [
            name,
            spread([s["cpu"] for s in found]),
            ratio([s["cpu"] for s in found], floor),
            spread([s["wall"] for s in found]),
            spread([s["memory"] for s in found], 0),
        ]
        for name, found in seen.items()
    ]
    return f"""## Browser journeys

One journey is three steps through the demo shop (product, cart, checkout) in a fresh context of a warm headless shell. CPU and
memory are those of the whole process tree: Python, Playwright's driver, Chromium.

{table(["case", "CPU s a journey", "× bare", "wall s", "memory MiB (PSS)"], rows)}"""


def distortion_section(rounds: int, journeys: int) -> str:
    seen: dict[int, list[dict[str, Any]]] = {1: [], 2: [], 4: []}
    for _ in range(rounds):
        for workers, found in seen.items():
            found.append(case("browser_case", "probe", shop_url(SHOP_PORT), str(journeys), "off", str(workers)))
    alone = [s["wall"] for s in seen[1]]
    rows = [
        [
            str(workers),
            spread([s["wall"] for s in found]),
            ratio([s["wall"] for s in found], alone),
            " / ".join(f"{sum(s['steps'][i] for s in found) / len(found) * 1000:.0f}" for i in range(3)),
            f"{sum(60 * workers / s['wall'] for s in found) / len(found):.0f}",
        ]
        for workers, found in seen.items()
    ]
    return f"""## How journeys at a time disturb each other

The same journey, so many workers at a time on {os.cpu_count()} processors: why the default is one worker for each two.

{table(["workers", "wall s", "× alone", "steps ms", "journeys a minute"], rows)}"""


if __name__ == "__main__":
    main()
