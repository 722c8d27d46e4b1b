"""A fault of the shop under the real daemon: told once, for what it is, and once more when it is over."""

import asyncio
from pathlib import Path

import pytest

from probe.demo.nameserver import SHOP, Nameserver
from probe.demo.shop import running_shop
from probe.demo.sockets import Door, dns_doors
from tests.daemon.faults import CHANNEL, Pace, lab, watching
from tests.daemon.inbox import inbox
from tests.daemon.process import rows, until

FAST = Pace(journey=4, journey_timeout=4, plain=4, plain_timeout=4)
REGIONAL = """
[probe]
data = "data"
checks = []
listen = "off"

[regions.local]
nameserver = "{good}"

[regions.second]
nameserver = "{other}"

[targets.shop]
url = "{shop}"

[channels.team]
kind = "webhook"
url = "{channel}"

[[check]]
name = "home"
target = "shop"
path = "/healthz"
every = "2s"
timeout = "2s"
"""


@pytest.mark.timeout(180)
async def test_one_opening_and_one_resolution(tmp_path: Path) -> None:
    """Within two intervals and a run, with the right step, reason and verdict; and nothing else is said or decided.

    One of the eighteen: `make faults` takes a quarter of an hour for all.
    """
    async with lab(tmp_path, FAST) as place:
        for fault in ("deploy-bug",):
            told = await place.suffer(fault)
            assert told.wrong == (), told


@pytest.mark.timeout(120)
async def test_what_one_region_sees_alone_is_told_as_regional(tmp_path: Path) -> None:
    """A name that is gone for one region's name server: verdict regional, for that region, as a ticket; then it is over."""
    door, datagrams = dns_doors(Door("dns"), fixed=False)
    try:
        async with running_shop() as shop, inbox() as box, asyncio.TaskGroup() as tasks:
            other = Nameserver(door, datagrams, tasks)
            await other.start()
            config = REGIONAL.format(
                good=shop.urls.nameserver, other=door.address, shop=shop.urls.named, channel=box.url(CHANNEL)
            )
            (tmp_path / "config.toml").write_text(config)
            async with watching(tmp_path) as daemon:

                async def passes() -> bool:
                    if not (tmp_path / "data" / "probe.db").exists() or not daemon.is_up():
                        return False
                    return (
                        len(await rows(tmp_path / "data", "SELECT DISTINCT place FROM runs WHERE outcome = 'passed'"))
                        == 2
                    )

                async def two() -> bool:
                    return len(box.arrivals) == 2

                async def one() -> bool:
                    return len(box.arrivals) == 1

                await until(passes, 30, "both regions pass")
                other.gone = frozenset({SHOP})
                await until(one, 20, "somebody is told")
                other.gone = frozenset()
                await until(two, 30, "it is over")
            await other.stop()
    finally:
        door.close()
        datagrams.close()
    opened, resolved = (arrival.notices[0] for arrival in box.arrivals)
    assert (opened["reason"], resolved["reason"]) == ("opened", "resolved")
    assert (opened["verdict"], opened["severity"], opened["regions"]) == ("regional", "ticket", ["second"])
    assert "shop.demo.test" in opened["body"]
