"""HTML from templates: `string.Template` files beside this module, every value escaped unless it is `Markup`."""

import html
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Final

from aiohttp import web

from probe.demo.plan import Plan
from probe.demo.ports import LOOPBACK

_FOLDER: Final = Path(__file__).parent
_TITLES: Final = {
    "home": "Welcome",
    "product": "$name",
    "product-broken": "Shop",
    "cart": "Your cart",
    "cart-empty": "Your cart",
    "checkout": "Checkout",
    "order": "Thank you",
    "orders": "Orders",
    "message": "$title",
}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def render(name: str, request: web.Request, plan: Plan, /, **values: object) -> str:
    """A whole page of the shop."""
    assets = _assets(request, plan)
    filled = {**assets, **values}
    title = Template(_TITLES[name]).safe_substitute({key: str(value) for key, value in values.items()})
    body = _filled(template(name), filled)
    return _filled(
        template("layout"), {**assets, "title": title, "style": Markup(text("shop.css")), "body": Markup(body)}
    )


def each(name: str, items: Iterable[dict[str, Any]], request: web.Request, plan: Plan) -> Markup:
    """One fragment for each item, one after the other."""
    assets = _assets(request, plan)
    return Markup("".join(_filled(template(name), {**assets, **item}) for item in items))


def _assets(request: web.Request, plan: Plan) -> dict[str, object]:
    """Where pictures and scripts are, for who came by this name and this scheme.

    Reached by name, the shop's services are named too; reached by address, they are addresses: so a page works for
    a customer without our name server. A page that came over https may not load anything over http.
    """
    tls = request.headers.get("X-Forwarded-Proto") == "https"
    scheme = "https" if tls else "http"
    host = request.host.rpartition(":")[0] or request.host
    named = host.lower().endswith(".demo.test")
    cdn, metrics = ("cdn.demo.test", "metrics.demo.test") if named else (LOOPBACK, LOOPBACK)
    return {
        "cdn": f"{scheme}://{cdn}:{plan.cdn_tls if tls else plan.cdn}",
        "metrics": f"{scheme}://{metrics}:{plan.third_party_tls if tls else plan.third_party}",
    }


def _filled(of: Template, values: dict[str, object]) -> str:
    return of.substitute({key: _escaped(value) for key, value in values.items()})


def _escaped(value: object) -> str:
    return value if isinstance(value, Markup) else html.escape(str(value))


@cache
def template(name: str) -> Template:
    """The template of this name."""
    return Template(text(f"{name}.html"))


@cache
def text(name: str) -> str:
    """A file beside this module. Read once: a worker serves from memory."""
    return (_FOLDER / name).read_text(encoding="utf-8")
