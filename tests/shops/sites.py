"""Three shops that were not written here: server-rendered with CSRF tokens and redirects, a single-page app, a GraphQL API."""

import html
import json
import secrets
from typing import Any

from aiohttp import web

SESSION = web.AppKey("sessions", dict[str, dict[str, Any]])
PASSWORD = "correct horse"


def classic() -> web.Application:
    """Log in with a CSRF token, be redirected twice, put into a basket that lives in the session, pay by form."""
    app = web.Application()
    app[SESSION] = {}

    def session(request: web.Request) -> dict[str, Any] | None:
        return request.app[SESSION].get(request.cookies.get("sid", ""))

    def page(body: str) -> web.Response:
        return web.Response(text=f"<!doctype html><title>Shop</title>{body}", content_type="text/html")

    def form(action: str, token: str, fields: str, button: str) -> str:
        return f'<form method=post action="{action}"><input type=hidden name=csrf value="{token}">{fields}<button>{button}</button></form>'

    async def login(request: web.Request) -> web.StreamResponse:
        sid, token = secrets.token_hex(8), secrets.token_hex(8)
        request.app[SESSION][sid] = {"csrf": token, "user": None, "basket": []}
        fields = "<label>User <input name=user></label><label>Password <input name=password type=password></label>"
        response = page("<h1>Log in</h1>" + form("/login", token, fields, "Log in"))
        response.set_cookie("sid", sid, httponly=True)
        return response

    async def post(request: web.Request) -> web.StreamResponse:
        found, data = session(request), await request.post()
        if found is None or data.get("csrf") != found["csrf"]:
            return web.Response(status=403, text="CSRF token missing or wrong")
        match request.path:
            case "/login":
                if data.get("password") != PASSWORD:
                    return web.Response(status=401, text="wrong password")
                found["user"] = data["user"]
                raise web.HTTPFound("/welcome")
            case "/basket":
                found["basket"].append(data["sku"])
                raise web.HTTPSeeOther("/basket")
            case _:
                found["basket"].clear()
                raise web.HTTPSeeOther("/thanks")

    async def show(request: web.Request) -> web.StreamResponse:
        found = session(request)
        if found is None or found["user"] is None:
            raise web.HTTPFound("/login")
        user, token = html.escape(found["user"]), found["csrf"]
        match request.path:
            case "/welcome":
                raise web.HTTPFound("/products")
            case "/products":
                return page(
                    f"<h1>Hello {user}</h1>"
                    + form("/basket", token, "<input type=hidden name=sku value=tea>", "Buy tea")
                )
            case "/basket":
                lines = "".join(f"<li>{html.escape(s)}</li>" for s in found["basket"])
                return page(f"<h1>Basket</h1><ul>{lines}</ul>" + form("/pay", token, "", "Pay"))
            case _:
                return page("<h1>Thanks</h1>")

    app.add_routes([web.get("/login", login)])
    app.add_routes([web.post(path, post) for path in ("/login", "/basket", "/pay")])
    app.add_routes([web.get(path, show) for path in ("/welcome", "/products", "/basket", "/thanks")])
    return app


SPA = """<!doctype html><title>App</title><div id=app>Loading…</div><script>
const app = document.getElementById("app");
async function route() {
  const page = location.pathname;
  if (page === "/") {
    const items = await (await fetch("/api/items")).json();
    app.innerHTML = "<h1>Items</h1>" + items.map(i => `<article><h2>${i.name}</h2><button data-id=${i.id}>Add ${i.name}</button></article>`).join("");
    app.querySelectorAll("button").forEach(b => b.onclick = async () => {
      b.disabled = true;
      const r = await fetch("/api/cart", {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({id: b.dataset.id})});
      if (!r.ok) { document.body.insertAdjacentHTML("beforeend", "<p role=alert>Something went wrong</p>"); return; }
      history.pushState({}, "", "/cart"); route();
    });
  } else {
    const cart = await (await fetch("/api/cart")).json();
    app.innerHTML = `<h1>Cart</h1><output>${cart.length} items</output><button>Order</button>`;
    app.querySelector("button").onclick = () => setTimeout(() => { app.innerHTML = "<h1>Ordered</h1>"; }, 300);
  }
}
addEventListener("popstate", route); route();
</script>"""
BROKEN = web.AppKey("broken", list[str])


def single_page() -> web.Application:
    """One HTML page; everything else by fetch and pushState, rendered late."""
    app = web.Application()
    app[BROKEN] = []
    cart: list[str] = []

    async def shell(_: web.Request) -> web.Response:
        return web.Response(text=SPA, content_type="text/html")

    async def items(_: web.Request) -> web.Response:
        return web.json_response([{"id": 1, "name": "Tea"}, {"id": 2, "name": "Mug"}])

    async def add(request: web.Request) -> web.Response:
        if request.app[BROKEN]:
            return web.json_response({"error": "boom"}, status=503)
        cart.append((await request.json())["id"])
        return web.json_response(cart, status=201)

    async def show(_: web.Request) -> web.Response:
        return web.json_response(cart)

    app.add_routes(
        [
            web.get("/", shell),
            web.get("/cart", shell),
            web.get("/api/items", items),
            web.post("/api/cart", add),
            web.get("/api/cart", show),
        ]
    )
    return app


def graphql() -> web.Application:
    """One address that always answers 200: errors are in the body."""
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {PASSWORD}":
            return web.json_response({"errors": [{"message": "not allowed"}]})
        query = json.loads(await request.text())
        if "addToCart" in query["query"]:
            sku = query["variables"]["sku"]
            if sku == "gone":
                return web.json_response({"data": None, "errors": [{"message": "no such product"}]})
            return web.json_response(
                {"data": {"addToCart": {"cart": {"id": "c1", "lines": [{"sku": sku, "quantity": 1}]}}}}
            )
        return web.json_response({"data": {"product": {"sku": "tea", "price": 4.5}}})

    app.add_routes([web.post("/graphql", answer)])
    return app
