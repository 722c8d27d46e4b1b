"""What the app knows of the services behind it, and what becomes of a request when one of them fails."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp
from aiohttp import web

from probe import __version__
from probe.demo import wire
from probe.demo.pages import render
from probe.demo.plan import Plan
from probe.demo.ports import LOOPBACK

PAYMENT_TIMEOUT: Final = 8.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Trouble(Exception):  # noqa: N818  # what a customer is told, not always an error of ours
    """A request ends here: `status` and words, as a page or as JSON by where it was asked."""

    def __init__(self, status: int, title: str, message: str = "") -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message


class Backend:
    """Database, cache and payment as one app worker sees them."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.name = name
        self.faults: frozenset[str] = frozenset()
        self.database = wire.Client("database", LOOPBACK, plan.database)
        self._cache = wire.Client("cache", LOOPBACK, plan.cache)
        self._http: aiohttp.ClientSession | None = None

    async def connected(self, _app: web.Application) -> AsyncIterator[None]:
        """For the life of the app: the pool of connections to the payment provider."""
        async with aiohttp.ClientSession() as self._http:
            yield

    async def sign(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Say which worker answered, as many shops do, and which software."""
        response.headers["X-Served-By"] = self.name
        response.headers["Server"] = f"demo-shop/{__version__}"

    async def cached(self, query: str, **args: object) -> Any:
        """From the cache; on a miss from the database, and then kept."""
        return (await self._looked_up(query, args))[0]

    async def view(self, query: str, **args: object) -> dict[str, Any]:
        """The same, with what is in stock, the one thing on a page that is never taken from the cache.

        Either way it is one query to the database: a small one on a hit, the large one on a miss.
        """
        page, hit = await self._looked_up(query, args)
        return {**page, "stock": await self.database.ask("stock", **args)} if hit else page

    async def _looked_up(self, query: str, args: dict[str, object]) -> tuple[Any, bool]:
        """The value, and whether it was in the cache. A lost cache is a miss, never an error."""
        key = f"{query} {sorted(args.items())}"
        with suppress(wire.ServiceDown):
            if (found := await self._cache.ask("get", key=key)) is not None:
                return found, True
        value = await self.database.ask(query, **args)
        with suppress(wire.ServiceDown):
            await self._cache.ask("set", key=key, value=value)
        return value, False

    async def charge(self, card: str, total: str) -> str:
        """Take the money: the charge's id. `Trouble` if the card is declined or the provider fails."""
        assert self._http is not None
        body = {"card": card, "amount": total, "currency": "EUR"}
        try:
            # Not aiohttp's own timeout, which rounds up to whole seconds.
            async with (
                asyncio.timeout(PAYMENT_TIMEOUT),
                self._http.post(f"http://{LOOPBACK}:{self.plan.payment}/charge", json=body) as answer,
            ):
                if answer.status == 402:
                    raise Trouble(402, "Payment declined", "Your bank declined the payment. Please try another card.")
                answer.raise_for_status()
                return str((await answer.json())["charge"])
        except TimeoutError as error:
            raise Trouble(504, "The payment took too long", "You have not been charged. Please try again.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            message = "You have not been charged. Please try again in a few minutes."
            raise Trouble(502, "The payment provider cannot be reached", message) from error


BACKEND: Final = web.AppKey("backend", Backend)


def backend(request: web.Request) -> Backend:
    """The worker's backend."""
    return request.app[BACKEND]


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what goes wrong into an answer: JSON under /api, a page elsewhere."""
    if "bad-worker" in backend(request).faults:
        return web.Response(status=500, text="500 Internal Server Error\n")
    try:
        return await handler(request)
    except Trouble as trouble:
        return said(request, trouble.status, trouble.title, trouble.message)
    except wire.ServiceDown:
        return said(
            request, 503, "We are having trouble", "The shop cannot be reached right now. Please try again soon."
        )
    except wire.Refused as refused:
        status = 404 if refused.code.startswith("no such") else 400
        return said(request, status, "Not found" if status == 404 else "That did not work", refused.code)
    except web.HTTPNotFound:
        return said(request, 404, "Not found", "There is no such page in this shop.")
    except web.HTTPMethodNotAllowed as wrong:
        answer = said(request, 405, "That cannot be done here", "")
        answer.headers["Allow"] = ", ".join(sorted(wrong.allowed_methods))
        return answer
    except web.HTTPRequestEntityTooLarge:
        return said(request, 413, "That is too much", "")


def said(request: web.Request, status: int, title: str, message: str) -> web.Response:
    """A page or a JSON object that says what is wrong."""
    headers = {"Cache-Control": "no-store"}
    if request.path.startswith("/api/") or request.path == "/healthz":
        error = message if status in (400, 404) and message else title[:1].lower() + title[1:]
        return web.json_response({"error": error}, status=status, headers=headers)
    page = render("message", request, backend(request).plan, title=title, message=message)
    return web.Response(status=status, text=page, content_type="text/html", headers=headers)


async def json_object(request: web.Request) -> dict[str, Any]:
    """The request's body; 400 if it is no JSON object."""
    try:
        data = json.loads(await request.read())
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Trouble(400, "the body must be a JSON object")
    return data
