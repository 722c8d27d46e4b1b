"""Placing an order: what the form and the API have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from probe.demo.backend import Trouble, backend
from probe.demo.sessions import current

SYNTHETIC_HEADER: Final = "x-synthetic-check"

_MAX_FIELD: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who buys, and with which card."""

    name: str
    email: str
    card: str

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> "Buyer":
        """From a form or a JSON object; `Trouble` 400 naming what is missing or wrong."""
        name, email, card = (_text(fields, key) for key in ("name", "email", "card"))
        local, _, domain = email.partition("@")
        if not local or "." not in domain or " " in email:
            raise Trouble(400, "email is not an email address")
        digits = card.replace(" ", "").replace("-", "")
        if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
            raise Trouble(400, "card is not a card number")
        return cls(name=name, email=email, card=digits)


async def place(request: web.Request, buyer: Buyer) -> dict[str, Any]:
    """Charge the card and keep the order of the request's cart. The order, or `Trouble`."""
    shop = backend(request)
    session = current(request, shop.plan.secret)
    # The cart that is charged is the one that counts: never read it from a replica.
    cart = await shop.database.ask("cart", session=session, primary=True) if session else {"items": []}
    if not cart["items"]:
        raise Trouble(400, "the cart is empty")
    if "checkout-rejected" in shop.faults:
        raise Trouble(422, "We could not place your order", "Please check your details and try again.")
    charge = await shop.charge(buyer.card, cart["total"])
    order: dict[str, Any] = await shop.database.ask(
        "order_place",
        session=session,
        name=buyer.name,
        email=buyer.email,
        charge=charge,
        synthetic=_encodable(request.headers.get(SYNTHETIC_HEADER, ""))[:_MAX_FIELD],
    )
    return order


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    # JSON can carry half a surrogate pair, which no page can show.
    text = _encodable(value).strip() if isinstance(value, str) else ""
    if not text:
        raise Trouble(400, f"{key} is missing")
    if len(text) > _MAX_FIELD:
        raise Trouble(400, f"{key} is too long")
    return text


def _encodable(text: str) -> str:
    """The text with everything replaced that UTF-8 has no bytes for."""
    return text.encode("utf-8", "replace").decode()
