"""The shop's pages, rendered on the server."""

from typing import Any, Final

from aiohttp import web

from probe.demo import sessions
from probe.demo.backend import Trouble, backend
from probe.demo.catalogue import CURRENCY
from probe.demo.checkout import Buyer, place
from probe.demo.pages import Markup, each, render


async def _home(request: web.Request) -> web.Response:
    shop = backend(request)
    home = await shop.view("home")
    return _page(request, "home", products=each("tile", home["products"], request, shop.plan), stock=home["stock"])


async def _product(request: web.Request) -> web.Response:
    shop, number = backend(request), int(request.match_info["id"])
    page = await shop.view("product", id=number)
    if "broken-page" in shop.faults:
        return _page(request, "product-broken")
    others = each("tile", page["related"], request, shop.plan)
    return _page(request, "product", **page["product"], stock=page["stock"], related=others)


async def _cart(request: web.Request) -> web.Response:
    shop = backend(request)
    session = sessions.current(request, shop.plan.secret)
    cart = await shop.database.ask("cart", session=session or sessions.begin())
    if not cart["items"]:
        return _page(request, "cart-empty")
    return _page(request, "cart", lines=each("cart-line", cart["items"], request, shop.plan), total=_price(cart))


async def _checkout_form(request: web.Request) -> web.Response:
    shop = backend(request)
    session = sessions.current(request, shop.plan.secret)
    cart = await shop.database.ask("cart", session=session or sessions.begin(), primary=True)
    if not cart["items"]:
        return _page(request, "cart-empty")
    return _page(request, "checkout", total=_price(cart))


async def _checkout(request: web.Request) -> web.Response:
    try:
        buyer = Buyer.read(await request.post())
    except (ValueError, LookupError) as error:
        raise Trouble(400, "That is not a form", "Please go back and try again.") from error
    except Trouble as trouble:
        words = "Please go back and correct your details."
        raise Trouble(400, f"{trouble.title[0].upper()}{trouble.title[1:]}", words) from trouble
    order = await place(request, buyer)
    raise web.HTTPSeeOther(f"/order/{order['order']}")


async def _order(request: web.Request) -> web.Response:
    order = await backend(request).database.ask("order", id=request.match_info["id"])
    return _page(request, "order", **{**order, "total": _price(order)})


async def _orders(request: web.Request) -> web.Response:
    shop = backend(request)
    orders = [
        {**order, "total": _price(order), "disabled": Markup("disabled" if order["state"] == "cancelled" else "")}
        for order in await shop.database.ask("orders")
    ]
    rows = each("orders-row", orders, request, shop.plan)
    return _page(request, "orders", rows=rows or Markup('<tr><td colspan="7">No orders yet.</td></tr>'))


async def _cancel(request: web.Request) -> web.Response:
    await backend(request).database.ask("order_cancel", id=request.match_info["id"])
    raise web.HTTPSeeOther("/orders")


def _price(thing: dict[str, Any]) -> str:
    return f"{CURRENCY} {thing['total']}"


def _page(request: web.Request, name: str, /, **values: object) -> web.Response:
    text = render(name, request, backend(request).plan, **values)
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


ROUTES: Final = (
    web.get("/", _home),
    web.get(r"/product/{id:\d{1,9}}", _product),
    web.get("/cart", _cart),
    web.get("/checkout", _checkout_form),
    web.post("/checkout", _checkout),
    web.get("/order/{id}", _order),
    web.get("/orders", _orders),
    web.post("/orders/{id}/cancel", _cancel),
)
