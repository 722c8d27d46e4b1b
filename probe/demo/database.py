"""The database: carts and orders, few connections at a time, and queries that cost something.

Its limits are the point. With the cache before it, it idles; without, the shoppers' page views alone are more than
it can serve, and everybody queues: that is how a lost cache becomes a slow shop.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from probe.demo.catalogue import BY_SKU, CURRENCY, PRODUCTS, Product, amount
from probe.demo.hold import Hold
from probe.demo.wire import Refused

CONNECTIONS: Final = 2
"""Queries that run at the same time; the others queue."""

CHEAP: Final = 0.004
HEAVY: Final = 1.0
"""Seconds: a lookup by key, and what is worth caching (joins over products, prices and reviews)."""

SLOWNESS: Final = 1.0
LAG: Final = 8.0
RELIEF: Final = 1.0
"""Seconds: what `db-slow` adds, how far the replica lags, and how long a restored database answers at once."""

MAX_QUANTITY: Final = 99
_KEPT: Final = 1000

Lines = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as stored. `synthetic` is the check that placed it, or empty."""

    id: str
    session: str
    name: str
    email: str
    total: int
    items: tuple[dict[str, object], ...]
    placed: str
    charge: str
    synthetic: str
    state: str = "placed"

    def row(self) -> dict[str, object]:
        """As the API shows it."""
        shown = ("name", "email", "placed", "charge", "synthetic", "state")
        values: dict[str, object] = {key: getattr(self, key) for key in shown}
        return {"order": self.id, **values, "items": self.items, "total": amount(self.total), "currency": CURRENCY}


@dataclass(slots=True)
class Cart:
    """The versions of a cart with the time of each: a lagging replica reads an old one."""

    versions: list[tuple[float, Lines]] = field(default_factory=lambda: [(float("-inf"), {})])

    def at(self, moment: float) -> Lines:
        """The cart as it was."""
        return next(lines for time, lines in reversed(self.versions) if time <= moment)

    def put(self, moment: float, lines: Lines) -> None:
        """A new version. Those that no replica can still show are dropped."""
        base = self.at(moment - LAG)
        recent = [version for version in self.versions if version[0] > moment - LAG]
        self.versions = [(float("-inf"), base), *recent, (moment, lines)]


class Database:
    """All of the shop's state, in memory: every shop begins empty."""

    def __init__(self) -> None:
        self.slow = False
        self.stale = False
        self.running = 0
        self.waiting = 0
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._hold = Hold()
        self._relieved_until = float("-inf")
        self._carts: OrderedDict[str, Cart] = OrderedDict()
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._queries: dict[str, tuple[float, Callable[..., object]]] = {
            "ping": (0, lambda: "pong"),
            "home": (HEAVY, _home),
            "product": (HEAVY, _product_page),
            "reviews": (HEAVY, _reviews),
            "stock": (CHEAP, _stock),
            "cart": (CHEAP, self._cart),
            "cart_add": (CHEAP, self._cart_add),
            "cart_clear": (CHEAP, self._cart_clear),
            "order_place": (CHEAP, self._order_place),
            "orders": (CHEAP, lambda: [order.row() for order in reversed(self._orders.values())]),
            "order": (CHEAP, self._order_shown),
            "order_cancel": (CHEAP, self._order_cancel),
        }

    async def answer(self, question: dict[str, Any]) -> object:
        """Run one query in its turn."""
        cost, query = self._queries[question.pop("op")]
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            if asyncio.get_running_loop().time() >= self._relieved_until:
                await self._hold.wait(cost + (SLOWNESS if self.slow else 0))
            return query(**question)
        finally:
            self.running -= 1
            self._places.release()

    def relieve(self) -> None:
        """Work the queue off at once: a fault that is off must not leave its queue behind."""
        self._relieved_until = asyncio.get_running_loop().time() + RELIEF
        self._hold.release()

    def strain(self) -> None:
        """End the relief before its time: a fault that comes on just then has to be felt."""
        self._relieved_until = float("-inf")

    def _cart(self, session: str, *, primary: bool = False) -> dict[str, object]:
        cart = self._carts.get(session)
        if cart is None:
            return _totalled({})
        now = asyncio.get_running_loop().time()
        return _totalled(cart.at(now - LAG if self.stale and not primary else now))

    def _cart_add(self, session: str, sku: str, quantity: int) -> dict[str, object]:
        if sku not in BY_SKU:
            raise Refused("no product has this sku")
        now = asyncio.get_running_loop().time()
        cart = self._carts.setdefault(session, Cart())
        self._carts.move_to_end(session)
        lines = dict(cart.at(now))
        lines[sku] = lines.get(sku, 0) + quantity
        if lines[sku] > MAX_QUANTITY:
            raise Refused(f"a cart holds {MAX_QUANTITY} of a product at most")
        cart.put(now, lines)
        _forget_oldest(self._carts)
        return _totalled(lines)

    def _cart_clear(self, session: str) -> None:
        if cart := self._carts.get(session):
            cart.put(asyncio.get_running_loop().time(), {})

    def _order_place(self, session: str, name: str, email: str, charge: str, synthetic: str) -> dict[str, object]:
        cart = self._carts.get(session, Cart())
        lines = cart.at(asyncio.get_running_loop().time())
        if not lines:
            raise Refused("empty cart")
        order = Order(
            id=f"D-{secrets.token_hex(4).upper()}",
            session=session,
            name=name,
            email=email,
            total=_total(lines),
            items=tuple(_items(lines)),
            placed=datetime.now(UTC).isoformat(timespec="seconds"),
            charge=charge,
            synthetic=synthetic,
        )
        self._orders[order.id] = order
        _forget_oldest(self._orders)
        self._cart_clear(session)
        return order.row()

    def _order(self, id: str) -> Order:
        if id not in self._orders:
            raise Refused("no such order")
        return self._orders[id]

    def _order_shown(self, id: str) -> dict[str, object]:
        return self._order(id).row()

    def _order_cancel(self, id: str) -> dict[str, object]:
        # Cancelling twice is fine: whoever cleans up may not know that it was done already.
        self._orders[id] = replace(self._order(id), state="cancelled")
        return self._orders[id].row()


def _product(id: int) -> Product:
    if id not in PRODUCTS:
        raise Refused("no such product")
    return PRODUCTS[id]


def _shown(product: Product) -> dict[str, object]:
    price = amount(product.cents)
    about = {"id": product.id, "sku": product.sku, "name": product.name, "tagline": product.tagline}
    return {**about, "price": price, "currency": CURRENCY}


def _home() -> dict[str, object]:
    return {"products": [_shown(product) for product in PRODUCTS.values()], "stock": _stock()}


def _product_page(id: int) -> dict[str, object]:
    others = [_shown(product) for product in PRODUCTS.values() if product.id != id]
    return {"product": _shown(_product(id)), "related": others[id % 3 : id % 3 + 3], "stock": _stock(id)}


def _stock(id: int | None = None) -> int:
    return sum(product.stock for product in PRODUCTS.values()) if id is None else _product(id).stock


def _reviews(id: int) -> list[dict[str, object]]:
    return [{"author": r.author, "stars": r.stars, "text": r.text} for r in _product(id).reviews]


def _items(lines: Lines) -> list[dict[str, object]]:
    return [
        {"sku": sku, "name": BY_SKU[sku].name, "quantity": quantity, "price": amount(BY_SKU[sku].cents)}
        for sku, quantity in lines.items()
    ]


def _total(lines: Lines) -> int:
    return sum(BY_SKU[sku].cents * quantity for sku, quantity in lines.items())


def _totalled(lines: Lines) -> dict[str, object]:
    return {"items": _items(lines), "total": amount(_total(lines)), "currency": CURRENCY}


def _forget_oldest(table: OrderedDict[str, Any]) -> None:
    while len(table) > _KEPT:
        table.popitem(last=False)
