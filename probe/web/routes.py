"""One table of all routes: what is asked for, who may ask, and what the API's description says of it.

The application registers these and no others, the gate looks up here whom it lets through, and `openapi.json` is made
from here. A route that is not in a table is not served.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from probe.core.access import Access

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A parameter of the query (or of the path) as the description has it. `schema` is JSON Schema."""

    name: str
    schema: dict[str, object]
    about: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method and a path, as aiohttp writes it. `access` is who may ask; what changes something needs an operator.

    Of the API alone: `about` is a sentence, `answers` the `TypedDict` of the answer with `status`, `takes` that of the body.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    about: str = ""
    answers: type | None = None
    takes: type | None = None
    status: int = 200
    params: tuple[Param, ...] = ()
