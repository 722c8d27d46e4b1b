"""The shop when it is well: pages, API, sessions, input, ports, processes."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from probe.demo.errors import DemoError, PortTakenError, UnknownFaultError
from probe.demo.faults import FAULTS
from probe.demo.ports import BLOCK, DEFAULT_PORT, PANEL_OFFSET
from probe.demo.shop import Shop, running_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUYER = {"name": "Ada", "email": "ada@example.org", "card": "4242 4242 4242 4242"}


async def test_journey_through_the_pages(shop: Shop, customer: aiohttp.ClientSession) -> None:
    base = shop.urls.http
    async with customer.get(f"{base}/") as home:
        assert "<h1>Welcome</h1>" in await home.text()
    async with customer.get(f"{base}/product/1") as page:
        text = await page.text()
        assert "<h1>Enamel kettle</h1>" in text
        assert "EUR 42.00" in text
        assert f'src="{shop.urls.cdn}/img/X1.svg"' in text
        assert f'<script src="{shop.urls.third_party}/analytics.js"></script>' in text.partition("</head>")[0]
    async with customer.post(f"{base}/api/cart", json={"sku": "X1"}) as added:
        assert added.status == 201
    async with customer.get(f"{base}/cart") as cart:
        assert "Total EUR 42.00" in await cart.text()
    form = {**BUYER, "name": "Ada <b>", "street": "1 Road", "country": "FR"}
    async with customer.post(f"{base}/checkout", data=form, headers={"x-synthetic-check": "buy"}) as thanks:
        text = await thanks.text()
        assert thanks.history[0].status == 303
        assert "<h1>Thank you, Ada &lt;b&gt;</h1>" in text
        assert f'data-testid="order-id">{thanks.url.name}<' in text
    async with customer.get(f"{base}/orders") as orders:
        text = await orders.text()
        assert thanks.url.name in text
        assert ">buy<" in text
    async with customer.post(f"{base}/orders/{thanks.url.name}/cancel") as orders:
        assert orders.url.path == "/orders"
        assert "cancelled" in await orders.text()


async def test_journey_through_the_api(shop: Shop, customer: aiohttp.ClientSession) -> None:
    api = f"{shop.urls.http}/api"
    async with customer.get(f"{api}/products") as answer:
        assert [product["sku"] for product in (await answer.json())["products"]] == ["X1", "X2", "X3", "X4", "X5", "X6"]
    async with customer.get(f"{api}/products/1/reviews") as answer:
        assert (await answer.json())["reviews"][0]["author"] == "Ida"
    async with customer.post(f"{api}/cart", json={"sku": "X1", "quantity": 2}) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        items = [{"sku": "X1", "name": "Enamel kettle", "quantity": 2, "price": "42.00"}]
        cart = {"items": items, "total": "84.00", "currency": "EUR"}
        assert await answer.json() == cart
    async with customer.get(f"{api}/cart") as answer:
        assert await answer.json() == cart
    async with customer.post(f"{api}/checkout", json=BUYER) as answer:
        assert answer.status == 201
        order = await answer.json()
        assert order["total"] == "84.00"
    async with customer.get(f"{api}/cart") as answer:
        assert (await answer.json())["items"] == []
    async with customer.delete(f"{api}/orders/{order['order']}") as answer:
        assert await answer.json() == {**order, "state": "cancelled"}
    async with customer.get(f"{api}/orders/{order['order']}") as answer:
        assert (await answer.json())["state"] == "cancelled"


async def test_cart_can_be_emptied(shop: Shop, customer: aiohttp.ClientSession) -> None:
    cart = f"{shop.urls.http}/api/cart"
    async with customer.post(cart, json={"sku": "X2"}), customer.delete(cart) as answer:
        assert (await answer.json())["total"] == "0.00"
    async with customer.get(cart) as answer:
        assert (await answer.json())["items"] == []


async def test_three_requests_meet_all_workers_and_one_session(shop: Shop, customer: aiohttp.ClientSession) -> None:
    cart = f"{shop.urls.http}/api/cart"
    seen, totals = [], []
    for _ in range(6):
        async with customer.post(cart, json={"sku": "X6"}) as answer:
            seen.append(answer.headers["X-Served-By"])
            totals.append((await answer.json())["total"])
    assert set(seen[:3]) == {"app-1", "app-2", "app-3"}
    assert seen[:3] == seen[3:]
    assert totals == ["12.90", "25.80", "38.70", "51.60", "64.50", "77.40"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/api/cart", b"{", "the body must be a JSON object"),
        ("/api/cart", b"[" * 50_000, "the body must be a JSON object"),
        ("/api/cart", b"\xff", "the body must be a JSON object"),
        ("/api/cart", b"{}", "sku must be a string"),
        ("/api/cart", b'{"sku":"nope"}', "no product has this sku"),
        ("/api/cart", b'{"sku":"X1","quantity":0}', "quantity must be"),
        ("/api/cart", b'{"sku":"X1","quantity":true}', "quantity must be"),
        ("/api/cart", b'{"sku":"X1","quantity":1e9}', "quantity must be"),
        ("/api/checkout", b"{}", "name is missing"),
        ("/api/checkout", b'{"name":"A","email":"x","card":"1"}', "email is not"),
        ("/api/checkout", b'{"name":"A","email":"a@b.c","card":"x"}', "card is not"),
        ("/api/checkout", b'{"name":"\\ud800","email":"a@b.c","card":"424242424242"}', "the cart is empty"),
    ],
)
async def test_bad_input_is_400(shop: Shop, customer: aiohttp.ClientSession, path: str, body: bytes, says: str) -> None:
    async with customer.post(shop.urls.http + path, data=body) as answer:
        assert answer.status == 400
        assert says in (await answer.json())["error"]


async def test_what_is_not_there_is_404_and_what_cannot_be_done_405(
    shop: Shop, customer: aiohttp.ClientSession
) -> None:
    for path in ("/api/orders/none", "/api/products/9", "/api/none", "/product/9", "/order/none", "/%FF"):
        async with customer.get(shop.urls.http + path) as answer:
            assert answer.status == 404, path
            assert answer.content_type == ("application/json" if path.startswith("/api/") else "text/html")
    async with customer.put(f"{shop.urls.http}/api/cart") as answer:
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"]
    async with customer.post(f"{shop.urls.http}/checkout", data=b"x", headers={"Content-Type": "a/b"}) as answer:
        assert answer.status == 400


async def test_forged_garbled_and_old_cookies_begin_a_new_session(shop: Shop) -> None:
    old = "a.1.e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for cookie in ("x", "..", "a.b.c", old, "é.1.é"):
            headers = {"Cookie": f"shop_session={cookie}"}
            async with session.post(f"{shop.urls.http}/api/cart", json={"sku": "X1"}, headers=headers) as answer:
                assert answer.status == 201
                assert (await answer.json())["total"] == "42.00"
                assert "shop_session" in answer.cookies


async def test_declined_card_is_402_and_keeps_the_cart(shop: Shop, customer: aiohttp.ClientSession) -> None:
    declined = {**BUYER, "card": "4000 0000 0000 0002"}
    async with customer.post(f"{shop.urls.http}/api/cart", json={"sku": "X3"}):
        pass
    async with customer.post(f"{shop.urls.http}/api/checkout", json=declined) as answer:
        assert (answer.status, await answer.json()) == (402, {"error": "payment declined"})
    async with customer.post(f"{shop.urls.http}/checkout", data=declined) as answer:
        assert answer.status == 402
        assert "<h1>Payment declined</h1>" in await answer.text()
    async with customer.get(f"{shop.urls.http}/api/cart") as answer:
        assert (await answer.json())["total"] == "99.00"


async def test_https_pages_load_their_assets_over_https(
    shop: Shop, customer: aiohttp.ClientSession, trust: ssl.SSLContext
) -> None:
    async with customer.get(f"{shop.urls.https}/product/1", ssl=trust) as page:
        text = await page.text()
    assert "http://" not in text.replace("http://www.w3.org", "")
    image = text.partition('<img src="')[2].partition('"')[0]
    async with customer.get(image, ssl=trust) as answer:
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")


async def test_by_name_the_assets_are_named(shop: Shop, customer: aiohttp.ClientSession) -> None:
    host = shop.urls.named.removeprefix("http://")
    async with customer.get(f"{shop.urls.http}/product/1", headers={"Host": host}) as page:
        text = await page.text()
    assert "http://cdn.demo.test:" in text
    assert "http://metrics.demo.test:" in text


async def test_health(shop: Shop, customer: aiohttp.ClientSession) -> None:
    async with customer.get(f"{shop.urls.http}/healthz") as answer:
        assert await answer.json() == {"status": "ok"}


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    pids: list[int] = []

    async def shopkeeping() -> None:
        async with running_shop() as shop:
            await shop.set_fault("hung-process", True)
            pids.extend(shop.worker_pids)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await shopkeeping()
    assert len(pids) == 3
    assert not [pid for pid in pids if _alive(pid)]


async def test_closes_at_once_while_everything_hangs() -> None:
    async with running_shop() as shop:
        for name in ("hung-process", "third-party-hang", "loss", "cert-expired", "db-down", "payment-down"):
            await shop.set_fault(name, True)
        began = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as session:
            with pytest.raises(TimeoutError):
                await session.get(shop.urls.http)
            pending = session.get(f"{shop.urls.third_party}/analytics.js")
            with pytest.raises(TimeoutError):
                await pending
        folder, pids, began = shop.urls.ca.parent, shop.worker_pids, time.monotonic()
    assert time.monotonic() - began < 1
    assert not folder.exists()
    assert not [pid for pid in pids if _alive(pid)]


async def test_a_block_of_ports_and_a_taken_one() -> None:
    first = _free_block()
    async with running_shop(first) as shop:
        assert shop.urls.http == f"http://127.0.0.1:{first}"
        assert shop.urls.panel == f"http://127.0.0.1:{first + PANEL_OFFSET}"
        assert shop.urls.nameserver == f"127.0.0.1:{first + BLOCK['dns']}"
        with pytest.raises(PortTakenError, match=rf"port {first} \(the shop's http\) is taken"):
            async with running_shop(first):
                pass
    async with running_shop(first):
        pass  # the same block again, at once
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", first + BLOCK["dns"]))
        with pytest.raises(PortTakenError) as caught:
            async with running_shop(first):
                pass
    assert (caught.value.port, caught.value.service) == (first + BLOCK["dns"], "dns")
    with pytest.raises(DemoError, match="no port number"):
        async with running_shop(70_000):
            pass
    assert DEFAULT_PORT == 8900


async def test_unknown_fault_suggests_the_nearest(shop: Shop) -> None:
    with pytest.raises(UnknownFaultError, match="did you mean 'cache-lost'") as caught:
        await shop.set_fault("cash-lost", True)
    assert isinstance(caught.value, KeyError)
    assert [state.name for state in shop.faults] == [fault.name for fault in FAULTS]


async def test_a_parent_killed_with_9_leaves_no_worker(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(
        "import asyncio\n"
        "from probe.demo.shop import running_shop\n"
        "async def main():\n"
        "    async with running_shop() as shop:\n"
        "        await shop.set_fault('hung-process', True)\n"
        "        print('pids', *shop.worker_pids, shop.urls.ca.parent, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        line = next(line for line in parent.stdout if line.startswith("pids"))
        pids = [int(word) for word in line.split()[1:4]]
        assert len(pids) == 3
        assert all(_alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    folder = Path(line.split()[-1])
    async with asyncio.timeout(2):
        while any(_alive(pid) for pid in pids) or folder.exists():
            await asyncio.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


def _free_block() -> int:
    """The first of seven free ports, outside of the range from which others are handed out."""
    for first in range(21_000 + os.getpid() % 500 * 10, 32_000, 10):
        sockets = []
        try:
            for offset in BLOCK.values():
                made = socket.socket()
                sockets.append(made)
                made.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        else:
            return first
        finally:
            for made in sockets:
                made.close()
    raise AssertionError("no free ports")
