"""The shop's JSON API."""

from typing import Any, Final

from aiohttp import web

from probe.demo import sessions
from probe.demo.backend import Trouble, backend, json_object
from probe.demo.checkout import Buyer, place
from probe.demo.database import MAX_QUANTITY
from probe.demo.wire import Refused

_NO_STORE: Final = {"Cache-Control": "no-store"}


async def _healthz(request: web.Request) -> web.Response:
    await backend(request).database.ask("ping")
    return _json({"status": "ok"})


async def _products(request: web.Request) -> web.Response:
    return web.json_response({"products": (await backend(request).cached("home"))["products"]})


async def _product(request: web.Request) -> web.Response:
    page = await backend(request).view("product", id=_number(request))
    return web.json_response({**page["product"], "stock": page["stock"]})


async def _reviews(request: web.Request) -> web.Response:
    return web.json_response({"reviews": await backend(request).cached("reviews", id=_number(request))})


async def _cart(request: web.Request) -> web.Response:
    shop = backend(request)
    session = sessions.current(request, shop.plan.secret) or sessions.begin()
    return _json(await shop.database.ask("cart", session=session))


async def _cart_add(request: web.Request) -> web.Response:
    shop = backend(request)
    if "deploy-bug" in shop.faults:
        return _json({"error": "internal server error"}, status=500)
    wanted = await json_object(request)
    sku, quantity = wanted.get("sku"), wanted.get("quantity", 1)
    if not isinstance(sku, str):
        raise Trouble(400, "sku must be a string")
    if isinstance(quantity, bool) or not isinstance(quantity, int) or not 1 <= quantity <= MAX_QUANTITY:
        raise Trouble(400, f"quantity must be a whole number from 1 to {MAX_QUANTITY}")
    session = sessions.current(request, shop.plan.secret)
    new = session or sessions.begin()
    try:
        cart = await shop.database.ask("cart_add", session=new, sku=sku, quantity=quantity)
    except Refused as refused:
        raise Trouble(400, refused.code) from refused
    response = _json(cart, status=201)
    if session is None:
        sessions.remember(response, new, shop.plan.secret)
    return response


async def _cart_clear(request: web.Request) -> web.Response:
    shop = backend(request)
    if session := sessions.current(request, shop.plan.secret):
        await shop.database.ask("cart_clear", session=session)
    return _json({"items": [], "total": "0.00", "currency": "EUR"})


async def _checkout(request: web.Request) -> web.Response:
    return _json(await place(request, Buyer.read(await json_object(request))), status=201)


async def _orders(request: web.Request) -> web.Response:
    return _json({"orders": await backend(request).database.ask("orders")})


async def _order(request: web.Request) -> web.Response:
    return _json(await backend(request).database.ask("order", id=request.match_info["id"]))


async def _cancel(request: web.Request) -> web.Response:
    return _json(await backend(request).database.ask("order_cancel", id=request.match_info["id"]))


def _json(data: Any, *, status: int = 200) -> web.Response:
    return web.json_response(data, status=status, headers=_NO_STORE)


def _number(request: web.Request) -> int:
    return int(request.match_info["id"])


ROUTES: Final = (
    web.get("/healthz", _healthz),
    web.get("/api/products", _products),
    web.get(r"/api/products/{id:\d{1,9}}", _product),
    web.get(r"/api/products/{id:\d{1,9}}/reviews", _reviews),
    web.get("/api/cart", _cart),
    web.post("/api/cart", _cart_add),
    web.delete("/api/cart", _cart_clear),
    web.post("/api/checkout", _checkout),
    web.get("/api/orders", _orders),
    web.get("/api/orders/{id}", _order),
    web.delete("/api/orders/{id}", _cancel),
)
