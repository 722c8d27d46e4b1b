"""What the lab's fleet is made of: three regions with an agent each, two that judge, a database, a shop, an anchor, a webhook."""

from collections.abc import Mapping
from typing import Final

from tests.lab.network import Network
from tests.lab.wan import Line

HUB, SECOND = "hub", "second"
JUDGES: Final = (HUB, SECOND)
"""Where somebody judges: beside the database, and somewhere else."""
REGIONS: Final = ("eu", "us", "asia")
SHOP, STOCK = "shop", "stock"
TARGETS: Final = (SHOP, STOCK)
"""Hosts that have nothing to do with each other: each is judged for itself, and has incidents of its own."""
ANCHOR, HOOK = "anchor", "hook"
PLACES: Final = (*JUDGES, *REGIONS, *TARGETS, ANCHOR, HOOK)
FAR: Final[Mapping[str, float]] = {SECOND: 0.005, "eu": 0.005, "us": 0.03, "asia": 0.06}
"""Seconds from there to anywhere, one way."""
JITTER, LOSS = 0.1, 0.002
"""Of the delay at most; of the packets."""

SHOP_PORT, ANCHOR_PORT, HOOK_PORT = 8000, 8080, 9100
EVERY: Final = 2
"""Seconds between two runs of a check from a region."""
STALE_AFTER: Final = 15
"""Seconds, the fewest that may be configured."""
PAGES: Final[Mapping[str, str]] = {"home": SHOP, "cart": SHOP, "level": STOCK, "price": STOCK}
"""Check, which is its page too → target."""
SHAKY, STEADY = "shaky", "steady"
CHANNELS: Final = (SHAKY, STEADY)

AGENT = """
[probe]
region = "{region}"
data = "data"
listen = "off"
grace = "3s"
[store]
url = "${{file:database}}"
ballast = "0MiB"
[fleet]
role = "agent"
node = "agent-{region}"
stale_after = "{stale_after}s"
"""
"""All that the machine of a region needs to be told; the rest comes from the database."""
JUDGE = """
[probe]
region = "{place}"
data = "data"
listen = "off"
grace = "3s"
[store]
url = "${{file:database}}"
ballast = "0MiB"
[fleet]
role = "evaluate"
node = "judge-{place}"
stale_after = "{stale_after}s"
"""
REGION = """
[regions.{region}]
agent = true
control = "http://{anchor}:{port}/"
"""
TARGET = """
[targets.{target}]
url = "http://{host}:{port}"
"""
CHECK = """
[[check]]
name = "{page}"
target = "{target}"
path = "/{page}"
every = "{every}s"
timeout = "{every}s"
"""
CHANNEL = """
[channels.{channel}]
kind = "webhook"
url = "http://{hook}:{port}/{channel}"
timeout = "2s"
key = "${{file:hook-key}}"
"""
CANARY = "pl@nted-hook-key/+7"
"""A secret that only those who judge need."""


def agent_config(region: str) -> str:
    """`config.toml` of the agent of a region."""
    return AGENT.format(region=region, stale_after=STALE_AFTER)


def judge_config(place: str, hosts: Mapping[str, str]) -> str:
    """`config.toml` of one that judges: its own, and what the whole fleet is to do."""
    anchor, hook = hosts[ANCHOR], hosts[HOOK]
    return "".join(
        [
            JUDGE.format(place=place, stale_after=STALE_AFTER),
            *(REGION.format(region=region, anchor=anchor, port=ANCHOR_PORT) for region in REGIONS),
            *(TARGET.format(target=target, host=hosts[target], port=SHOP_PORT) for target in TARGETS),
            *(CHECK.format(page=page, target=target, every=EVERY) for page, target in PAGES.items()),
            *(CHANNEL.format(channel=channel, hook=hook, port=HOOK_PORT) for channel in CHANNELS),
        ]
    )


async def lay_out(net: Network) -> None:
    """How far everything is from everything."""
    for place, delay in FAR.items():
        for other in PLACES:
            if other != place:
                further = max(delay, FAR.get(other, 0.0))
                await net.lay(place, other, Line(delay=further, jitter=further * JITTER, loss=LOSS))
