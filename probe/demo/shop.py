"""The demo shop as a whole: start it, break it, mend it.

```python
async with running_shop() as shop:
    await shop.set_fault("cache-lost", True)
    ...  # shop.urls.http answers slowly now
    await shop.clear_faults()
```
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from probe.demo import faults
from probe.demo.faults import FAULTS, FaultState
from probe.demo.ground import Ground
from probe.demo.listener import Listener
from probe.demo.panel import Panel
from probe.demo.ports import LOOPBACK
from probe.demo.services import Services
from probe.demo.web import WebService

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopUrls:
    """Where the shop is. The `named` ones need the shop's `nameserver` (`127.0.0.1:PORT`), https needs its `ca`."""

    http: str
    https: str
    named: str
    named_https: str
    cdn: str
    third_party: str
    payment: str
    panel: str
    nameserver: str
    ca: Path


class Shop:
    """A running shop: see `running_shop`."""

    def __init__(self, urls: ShopUrls, services: Services, ground: Ground) -> None:
        self.urls = urls
        self._services = services
        self._ground = ground
        self._on: frozenset[str] = frozenset()
        self._changing = asyncio.Lock()

    @property
    def faults(self) -> tuple[FaultState, ...]:
        """Every fault, and whether it is on."""
        return tuple(FaultState(fault=fault, on=fault.name in self._on) for fault in FAULTS)

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """The process ids of the app workers."""
        return self._ground.crew.pids

    async def set_fault(self, name: str, on: bool) -> None:
        """Turn a fault on or off; it is in effect when this returns. `UnknownFaultError` for a name that is none."""
        found = faults.find(name).name
        async with self._changing:
            await self._show(self._on | {found} if on else self._on - {found})

    async def clear_faults(self) -> None:
        """Turn everything off."""
        async with self._changing:
            await self._show(frozenset())

    async def services(self) -> list[dict[str, object]]:
        """What each service is doing, for the panel."""
        database = self._services.database
        queue = f"{database.running} queries running, {database.waiting} waiting"
        rows: list[dict[str, object]] = [
            {"name": f"app-{number}", "address": door.address, "state": state, "note": ""}
            for number, (door, state) in enumerate(
                zip(self._ground.workers, await self._ground.crew.states(), strict=True), start=1
            )
        ]
        openable: dict[str, Listener | WebService] = {**self._services.listeners, **self._services.webs}
        for name, service in openable.items():
            state = "running" if service.open else "down"
            note = queue if name == "database" and service.open else ""
            rows.append({"name": name, "address": service.door.address, "state": state, "note": note})
        rows.append({"name": "name server", "address": self.urls.nameserver, "state": "running", "note": ""})
        rows.append({"name": "shoppers", "address": "", "state": "running", "note": self._services.shoppers.note})
        return rows

    async def _show(self, on: frozenset[str]) -> None:
        was, self._on = self._on, on
        await self._services.show(on)
        for name in sorted(was ^ on):
            _log.info("demo fault", fault=name, on=name in on)


@asynccontextmanager
async def running_shop(port: int | None = None) -> AsyncIterator[Shop]:
    """A shop that runs for as long as the block does.

    Without `port` it takes any free ports. With one, the block from there on: http, https, CDN, payment, third party,
    DNS, panel; `PortTakenError` names the one that is taken.
    """
    ground = await asyncio.to_thread(Ground, port)
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            services = Services(ground, tasks)
            shop = Shop(_urls(ground), services, ground)
            panel = WebService(Panel(shop).runner, ground.doors["panel"])
            try:
                await services.start()
                await panel.start()
                yield shop
            except BaseException as error:  # noqa: BLE001  # raised again below
                # Past the group, which would wrap what the block raised into an ExceptionGroup.
                failure = error
            finally:
                await panel.stop()
                await services.stop()
    finally:
        await asyncio.to_thread(ground.close)
    if failure is not None:
        raise failure


def _urls(ground: Ground) -> ShopUrls:
    doors = ground.doors

    def at(service: str, *, scheme: str = "http", host: str = LOOPBACK) -> str:
        return f"{scheme}://{host}:{doors[service].port}"

    return ShopUrls(
        http=at("http"),
        https=at("https", scheme="https"),
        named=at("http", host="shop.demo.test"),
        named_https=at("https", scheme="https", host="shop.demo.test"),
        cdn=at("cdn"),
        third_party=at("third-party"),
        payment=at("payment"),
        panel=at("panel"),
        nameserver=doors["dns"].address,
        ca=ground.ca,
    )
