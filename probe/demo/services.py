"""Everything that runs inside the shop's own process, and what each fault does to it."""

import asyncio
from typing import Final

from probe.demo import certificates, wire
from probe.demo.balancer import Balancer
from probe.demo.cache import Cache
from probe.demo.database import Database
from probe.demo.ground import Ground
from probe.demo.hop import Hop
from probe.demo.listener import Listener
from probe.demo.nameserver import SHOP, Nameserver
from probe.demo.plan import WORKERS
from probe.demo.providers import Cdn, Payment, ThirdParty
from probe.demo.shoppers import Shoppers
from probe.demo.web import WebService

_IN_EVERY_WORKER: Final = frozenset({"deploy-bug", "broken-page", "checkout-rejected"})
_BAD_WORKER: Final = 1
_QUEUES: Final = frozenset({"db-slow", "cache-lost", "db-down"})
_WARM_UP: Final = 0.8


class Services:
    """Built once; `show` brings all of them into line with the faults that are on."""

    def __init__(self, ground: Ground, tasks: asyncio.TaskGroup) -> None:
        doors = ground.doors
        self._on: frozenset[str] = frozenset()
        self._ground = ground
        self._crew = ground.crew
        self.database = Database()
        self.cache = Cache()
        self._payment, self._cdn, self._third_party = Payment(), Cdn(), ThirdParty()
        self._tls = certificates.server_context(ground.first_certificate)
        side = certificates.server_context(ground.side_certificate)
        self.balancer = Balancer([door.port for door in ground.workers])
        self.shoppers = Shoppers([door.port for door in ground.workers], tasks)
        self.nameserver = Nameserver(doors["dns"], ground.datagrams, tasks)
        balancer, balancer_tls = doors["balancer"], doors["balancer-tls"]
        self.hops = (Hop(doors["http"], balancer.port, tasks), Hop(doors["https"], balancer_tls.port, tasks))
        self.listeners: dict[str, Listener] = {
            "database": Listener(doors["database"], lambda r, w: wire.serve(self.database.answer, r, w), tasks),
            "cache": Listener(doors["cache"], lambda r, w: wire.serve(self.cache.answer, r, w), tasks),
        }
        self.webs: dict[str, WebService] = {
            "load balancer": WebService(self.balancer.runner, balancer, tls=(balancer_tls, self._tls)),
            "payment": WebService(self._payment.runner, doors["payment"]),
            "cdn": WebService(self._cdn.runner, doors["cdn"], tls=(doors["cdn-tls"], side)),
            "third-party": WebService(
                self._third_party.runner, doors["third-party"], tls=(doors["third-party-tls"], side)
            ),
        }

    async def start(self) -> None:
        """Everything, workers last, then the shoppers."""
        for listener in self.listeners.values():
            listener.start()
        await self.balancer.start()
        for web in self.webs.values():
            await web.start()
        await self.nameserver.start()
        for hop in self.hops:
            hop.listener.start()
        await self._crew.ready()
        self.database.relieve()
        await self.shoppers.start()

    async def stop(self) -> None:
        """Everything, whatever state it is in."""
        await self.shoppers.stop()
        await self._crew.end()
        for hop in self.hops:
            await hop.listener.stop()
        await self.nameserver.stop()
        await self.balancer.stop()
        async with asyncio.TaskGroup() as tasks:
            for name, web in self.webs.items():
                tasks.create_task(web.stop(), name=f"demo stop {name}")
        for listener in self.listeners.values():
            await listener.stop()

    async def show(self, on: frozenset[str]) -> None:
        """Have exactly these faults. Returns when they are in effect, and what was undone is well again."""
        was, self._on = self._on, on
        await self._crew.freeze(stopped="hung-process" in on)
        await self._crew.tell([self._faults_of(worker) for worker in range(WORKERS)])
        for hop in self.hops:
            hop.set(latency="latency" in on, lossy="loss" in on)
        self.nameserver.gone = frozenset({SHOP}) if "dns-gone" in on else frozenset()
        self.database.slow, self.database.stale = "db-slow" in on, "stale-reads" in on
        self._payment.set(slow="payment-slow" in on)
        self._cdn.missing = "cdn-missing" in on
        self._third_party.set(hanging="third-party-hang" in on)
        if {"cert-expired", "cert-wrong-host"} & (was ^ on):
            await self._change_certificate(expired="cert-expired" in on, wrong="cert-wrong-host" in on)
        await self._set_open(self.listeners["database"], "db-down" not in on)
        await self._set_open(self.listeners["cache"], "cache-lost" not in on)
        await self._set_open(self.webs["payment"], "payment-down" not in on)
        if "cache-lost" in on - was:
            self.cache.lose()
        if _QUEUES & (was - on):
            self.database.relieve()
        if _QUEUES & (on - was):
            self.database.strain()
        if "cache-lost" in was - on:
            await self.shoppers.warm_up(_WARM_UP)

    def _faults_of(self, worker: int) -> frozenset[str]:
        bad = {"bad-worker"} if worker == _BAD_WORKER else set()
        return self._on & (_IN_EVERY_WORKER | bad)

    async def _change_certificate(self, *, expired: bool, wrong: bool) -> None:
        """As an operator does on the live server; connections from before are closed, or they would hide it."""
        path = await asyncio.to_thread(self._ground.certificate, expired=expired, wrong=wrong)
        self._tls.load_cert_chain(path)
        await self.hops[1].listener.drop()

    async def _set_open(self, service: Listener | WebService, wanted: bool) -> None:
        if wanted == service.open:
            return
        if not wanted:
            await service.stop()
        elif isinstance(service, Listener):
            service.start()
        else:
            await service.start()
