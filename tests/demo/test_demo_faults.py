"""Every fault as it is on the wire: well, broken when it is on, well again when it is off."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from probe.demo.faults import FAULTS
from probe.demo.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUYER = {"name": "Ada", "email": "ada@example.org", "card": "4242 4242 4242 4242"}
QUICK = 1.0
"""Seconds in which a page of a shop that is well comes, on a busy machine too."""


@asynccontextmanager
async def fault(shop: Shop, name: str) -> AsyncIterator[None]:
    await shop.set_fault(name, True)
    try:
        yield
    finally:
        await shop.set_fault(name, False)


async def fetch(customer: aiohttp.ClientSession, url: str) -> tuple[int, str, float]:
    """Status, text, seconds."""
    began = time.monotonic()
    async with customer.get(url) as answer:
        return answer.status, await answer.text(), time.monotonic() - began


async def assert_well(shop: Shop, customer: aiohttp.ClientSession) -> None:
    """A purchase by three workers, quickly."""
    began = time.monotonic()
    for path in ("/", "/product/1", "/cart", "/api/products", "/healthz"):
        status, _, _ = await fetch(customer, shop.urls.http + path)
        assert status == 200, path
    async with customer.post(f"{shop.urls.http}/api/cart", json={"sku": "X1"}) as answer:
        assert answer.status == 201
    async with customer.post(f"{shop.urls.http}/api/checkout", json=BUYER) as answer:
        assert answer.status == 201
    assert time.monotonic() - began < 2 * QUICK


async def test_latency(shop: Shop, customer: aiohttp.ClientSession, trust: ssl.SSLContext) -> None:
    await assert_well(shop, customer)
    async with fault(shop, "latency"):
        status, _, seconds = await fetch(customer, shop.urls.http)
        assert status == 200
        assert 2.4 < seconds < 3.5
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(fetch(customer, f"{shop.urls.http}/cart"), name="held")
            await asyncio.sleep(0.3)
            await shop.set_fault("latency", False)
        assert held.result()[2] < QUICK  # let go when the fault was
    await assert_well(shop, customer)
    async with customer.get(shop.urls.https, ssl=trust) as answer:
        assert answer.status == 200


async def test_loss(shop: Shop) -> None:
    async def visit() -> str | float:
        # Not aiohttp: it tries again by itself when a connection is reset.
        began = time.monotonic()
        address = urlsplit(shop.urls.http)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
        except ConnectionResetError:
            return "reset"
        finally:
            writer.close()
        return time.monotonic() - began

    async with fault(shop, "loss"), asyncio.TaskGroup() as tasks:
        visits = [tasks.create_task(visit(), name="visit") for _ in range(6)]
    results = [task.result() for task in visits]
    stalled = [seconds for seconds in results if isinstance(seconds, float)]
    assert results.count("reset") == 2
    assert len(stalled) == 4
    assert min(stalled) > 2.9
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as customer:
        await assert_well(shop, customer)


async def test_dns_gone(shop: Shop) -> None:
    async def ask(name: str, kind: str = "A", *, tcp: bool = False) -> tuple[str, list[str]]:
        host, _, port = shop.urls.nameserver.partition(":")
        query = dns.message.make_query(name, kind)
        by = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        answer = await by(query, host, port=int(port), timeout=2)
        return dns.rcode.to_text(answer.rcode()), [str(item) for rrset in answer.answer for item in rrset]

    for tcp in (False, True):
        assert await ask("shop.demo.test", tcp=tcp) == ("NOERROR", ["127.0.0.1"])
        assert await ask("SHOP.Demo.test", tcp=tcp) == ("NOERROR", ["127.0.0.1"])
        assert await ask("shop.demo.test", "AAAA", tcp=tcp) == ("NOERROR", [])
        assert await ask("elsewhere.test", tcp=tcp) == ("NXDOMAIN", [])
        async with fault(shop, "dns-gone"):
            assert await ask("shop.demo.test", tcp=tcp) == ("NXDOMAIN", [])
            assert await ask("cdn.demo.test", tcp=tcp) == ("NOERROR", ["127.0.0.1"])
    assert await ask("shop.demo.test") == ("NOERROR", ["127.0.0.1"])


async def test_certificates(shop: Shop, customer: aiohttp.ClientSession, trust: ssl.SSLContext) -> None:
    async def handshake() -> str:
        try:
            # A kept connection would not see the change, if the shop kept it.
            async with customer.get(shop.urls.https, ssl=trust, server_hostname="shop.demo.test") as answer:
                return str(answer.status)
        except aiohttp.ClientConnectorCertificateError as error:
            return str(error)

    assert await handshake() == "200"
    async with fault(shop, "cert-expired"):
        assert "certificate has expired" in await handshake()
    assert await handshake() == "200"
    async with fault(shop, "cert-wrong-host"):
        assert "mismatch" in await handshake()
        async with fault(shop, "cert-expired"):
            assert "certificate" in await handshake()
        assert "mismatch" in await handshake()
    assert await handshake() == "200"


async def test_bad_worker(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with fault(shop, "bad-worker"):
        statuses = [(await fetch(customer, f"{shop.urls.http}/product/1"))[0] for _ in range(6)]
    assert sorted(statuses) == [200, 200, 200, 200, 500, 500]
    await assert_well(shop, customer)


async def test_db_down(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with fault(shop, "db-down"):
        for path in ("/", "/product/1", "/cart", "/api/cart", "/healthz", "/orders"):
            status, text, seconds = await fetch(customer, shop.urls.http + path)
            assert (status, seconds < QUICK) == (503, True)
            assert "We are having trouble" in text or "we are having trouble" in text
    await assert_well(shop, customer)


async def test_db_slow(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with fault(shop, "db-slow"):
        _, _, seconds = await fetch(customer, f"{shop.urls.http}/api/cart")
        assert seconds > 0.95
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(fetch(customer, f"{shop.urls.http}/cart"), name="held")
            await asyncio.sleep(0.5)
            await shop.set_fault("db-slow", False)
        assert held.result()[2] < 0.5 + QUICK
    await assert_well(shop, customer)


async def test_cache_lost(shop: Shop, customer: aiohttp.ClientSession) -> None:
    assert (await fetch(customer, f"{shop.urls.http}/product/1"))[2] < QUICK
    async with fault(shop, "cache-lost"):
        await asyncio.sleep(4.5)  # until the shoppers' page views have piled up before the database
        status, _, seconds = await fetch(customer, f"{shop.urls.http}/product/1")
        assert status == 200
        assert seconds > 4
    assert (await fetch(customer, f"{shop.urls.http}/product/1"))[2] < QUICK
    await assert_well(shop, customer)


async def test_deploy_bug(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with fault(shop, "deploy-bug"):
        for _ in range(3):
            async with customer.post(f"{shop.urls.http}/api/cart", json={"sku": "X1"}) as answer:
                assert (answer.status, await answer.json()) == (500, {"error": "internal server error"})
        assert (await fetch(customer, f"{shop.urls.http}/cart"))[0] == 200
    await assert_well(shop, customer)


async def test_broken_page(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with fault(shop, "broken-page"):
        status, text, _ = await fetch(customer, f"{shop.urls.http}/product/1")
        assert status == 200
        assert "<h1>Enamel kettle" not in text
        assert "Add to cart" not in text
    assert "<h1>Enamel kettle" in (await fetch(customer, f"{shop.urls.http}/product/1"))[1]


async def test_checkout_rejected(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with customer.post(f"{shop.urls.http}/api/cart", json={"sku": "X1"}):
        pass
    async with fault(shop, "checkout-rejected"):
        async with customer.post(f"{shop.urls.http}/api/checkout", json=BUYER) as answer:
            assert (answer.status, await answer.json()) == (422, {"error": "we could not place your order"})
        async with customer.post(f"{shop.urls.http}/checkout", data=BUYER) as answer:
            assert answer.status == 422
            assert "<h1>We could not place your order</h1>" in await answer.text()
    await assert_well(shop, customer)


async def test_payment_down(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with customer.post(f"{shop.urls.http}/api/cart", json={"sku": "X1"}):
        pass
    async with fault(shop, "payment-down"):
        with pytest.raises(aiohttp.ClientConnectorError):
            await customer.get(shop.urls.payment)
        async with customer.post(f"{shop.urls.http}/checkout", data=BUYER) as answer:
            assert answer.status == 502
            assert "<h1>The payment provider cannot be reached</h1>" in await answer.text()
    await assert_well(shop, customer)


async def test_payment_slow_and_stale_reads_at_once(shop: Shop, customer: aiohttp.ClientSession) -> None:
    cart = f"{shop.urls.http}/api/cart"
    async with fault(shop, "stale-reads"), fault(shop, "payment-slow"):
        async with customer.post(cart, json={"sku": "X1"}) as answer:
            assert (await answer.json())["total"] == "42.00"
        assert '"total": "0.00"' in (await fetch(customer, cart))[1]
        assert "Your cart is empty" in (await fetch(customer, f"{shop.urls.http}/cart"))[1]
        began = time.monotonic()
        async with customer.post(f"{shop.urls.http}/api/checkout", json=BUYER) as answer:
            assert (answer.status, await answer.json()) == (504, {"error": "the payment took too long"})
        assert 7.5 < time.monotonic() - began < 9.5
        assert '"total": "42.00"' in (await fetch(customer, cart))[1]  # the replica has caught up
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(customer.post(f"{shop.urls.http}/api/checkout", json=BUYER).__aenter__())
            await asyncio.sleep(0.3)
            await shop.set_fault("payment-slow", False)
        async with held.result() as answer:
            assert answer.status == 201
    async with customer.post(cart, json={"sku": "X1"}):
        assert '"total": "42.00"' in (await fetch(customer, cart))[1]
    await assert_well(shop, customer)


async def test_third_party_hang(shop: Shop, customer: aiohttp.ClientSession) -> None:
    script = f"{shop.urls.third_party}/analytics.js"
    async with fault(shop, "third-party-hang"):
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(fetch(customer, script), name="held")
            await asyncio.sleep(0.5)
            assert not held.done()
            await shop.set_fault("third-party-hang", False)
        assert held.result()[0] == 200
    status, text, seconds = await fetch(customer, script)
    assert (status, "window.metrics" in text, seconds < QUICK) == (200, True, True)


async def test_cdn_missing(shop: Shop, customer: aiohttp.ClientSession) -> None:
    image = f"{shop.urls.cdn}/img/X1.svg"
    async with fault(shop, "cdn-missing"):
        assert (await fetch(customer, image))[0] == 404
    assert (await fetch(customer, image))[0] == 200
    assert (await fetch(customer, f"{shop.urls.cdn}/img/X7.svg"))[0] == 404


async def test_hung_process(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with fault(shop, "hung-process"):
        async with asyncio.TaskGroup() as tasks:
            held = [tasks.create_task(fetch(customer, f"{shop.urls.http}/cart"), name="held") for _ in range(3)]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in held)
            await shop.set_fault("deploy-bug", True)  # told to stopped workers: in effect when they go on
            await shop.set_fault("hung-process", False)
        assert {task.result()[0] for task in held} == {200}
        async with customer.post(f"{shop.urls.http}/api/cart", json={"sku": "X1"}) as answer:
            assert answer.status == 500
    await shop.clear_faults()
    await assert_well(shop, customer)


async def test_everything_at_once_and_off_again(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with asyncio.TaskGroup() as tasks:
        for name in FAULTS:
            tasks.create_task(shop.set_fault(name.name, True), name=f"on {name.name}")
    assert all(state.on for state in shop.faults)
    began = time.monotonic()
    await shop.clear_faults()
    assert not any(state.on for state in shop.faults)
    await assert_well(shop, customer)
    assert time.monotonic() - began < 2.5
