"""What the daemon lives in while it is killed: a shop with two hosts that can break, channels that misbehave, a configuration."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.daemon.inbox import Inbox, Mood, inbox, serving

HOSTS = ("127.0.0.1", "127.0.0.3")
PAGES = {"127.0.0.1": ("home", "cart", "search"), "127.0.0.3": ("stock", "price")}
"""What is watched once a second from two regions, by host."""
EVERY = {"api": 3, "walk": 4}
"""Seconds between two slots of the checks that are made less often."""
SHAKY, STEADY = "shaky", "steady"
CHANNELS = (SHAKY, STEADY)
PATIENCE = 2
"""How often a notification is refused at most: back-off for minutes is proved in virtual time, not here."""
HEAD = """
[probe]
data = "data"
checks = ["checks/"]
listen = "off"
grace = "3s"

[browser]
workers = 1

[regions.second]
source_address = "127.0.0.2"

[targets.shop]
url = "http://127.0.0.1:{shop}"

[targets.stock]
url = "http://127.0.0.3:{shop}"

[channels.shaky]
kind = "webhook"
url = "{shaky}"
timeout = "2s"

[channels.steady]
kind = "webhook"
url = "{steady}"
timeout = "2s"
"""
PAGE = """
[[check]]
name = "{name}"
target = "{target}"
path = "/{name}"
every = "1s"
timeout = "1s"
"""
PYTHON = """
from probe import check, expect, journey

@check(every="3s", timeout="3s", target="shop", regions=["local"])
async def api(t):
    async with t.step("home"):
        (await t.http.get("/home")).expect(status=200)
    async with t.step("cart"):
        (await t.http.get("/cart")).expect(status=200)

@journey(every="4s", timeout="4s", target="shop", regions=["local"])
async def walk(t):
    async with t.step("home"):
        await t.page.goto(t.url("/home"))
        await expect(t.page.get_by_role("heading", level=1)).to_be_visible()
"""


@dataclass
class BreakableShop:
    """Answers with a page, unless the page, or its whole host, is `broken`: then with 500, or not at all."""

    port: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    """Host, or `host/page`, → `500` or `hang`."""

    async def handle(self, request: web.Request) -> web.Response:
        host = request.host.partition(":")[0]
        how = self.broken.get(host) or self.broken.get(f"{host}{request.path}")
        if how == "hang":
            await asyncio.Event().wait()
        if how == "500":
            return web.Response(status=500, text="out of order")
        return web.Response(text=f"<title>shop</title><h1>{request.path}</h1>", content_type="text/html")


@dataclass
class Moods:
    """The shaky channel's temper: each way to misbehave comes in turn, in an order of chance; the other is always well."""

    chance: random.Random
    refused: Counter[str] = field(default_factory=Counter)
    _left: list[Mood] = field(default_factory=list)

    def __call__(self, channel: str, key: str) -> Mood:
        if channel != SHAKY or self.refused[key] >= PATIENCE:
            return Mood.OK
        if not self._left:
            self._left = [Mood.ERROR, Mood.HANG, Mood.DROP, Mood.DROP, Mood.OK]
            self.chance.shuffle(self._left)
        mood = self._left.pop()
        self.refused[key] += mood is not Mood.OK
        return mood


@dataclass
class World:
    """All of it."""

    folder: Path
    shop: BreakableShop
    inbox: Inbox
    moods: Moods

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"


@asynccontextmanager
async def world(folder: Path, chance: random.Random) -> AsyncIterator[World]:
    """A healthy world in `folder`, with a configuration for the daemon."""
    shop, moods = BreakableShop(), Moods(chance)
    async with serving(shop.handle, *HOSTS) as shop.port, inbox(moods) as box:
        made = World(folder, shop, box, moods)
        head = HEAD.format(shop=shop.port, shaky=box.url(SHAKY), steady=box.url(STEADY))
        targets = {HOSTS[0]: "shop", HOSTS[1]: "stock"}
        pages = [PAGE.format(name=page, target=targets[host]) for host, names in PAGES.items() for page in names]
        made.config.write_text(head + "".join(pages))
        (folder / "checks").mkdir()
        (folder / "checks" / "shop.py").write_text(PYTHON)
        yield made
